//! A look at the driver's process from outside: its threads, sockets and files. What a client opened or closed is expected at
//! once, unless a scenario says otherwise; threads are waited for, since a language begins and ends some of its own.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{driver::Driver, matcher::Bindings, scenario::ProcessStep};

/// Longer than a language keeps a thread of its own that has nothing to do.
const SETTLING: Duration = Duration::from_secs(7);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Does what the step says.
pub(crate) async fn step(
    driver: &Driver,
    bindings: &mut Bindings,
    step: &ProcessStep,
) -> Result<()> {
    let id = driver.process_id().context("the driver has ended")?;
    if let Some(expected) = &step.expect {
        let patience = if names_threads(expected) { SETTLING } else { Duration::ZERO };
        let until = Instant::now() + patience.max(Duration::from_millis(step.within_ms));
        while let Err(error) = bindings.check(expected, Some(&look(id)?), "process") {
            if Instant::now() >= until {
                return Err(error);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
    if let Some(name) = &step.save {
        bindings.save(name, settled(id).await?);
    }
    Ok(())
}

fn names_threads(expected: &Value) -> bool {
    expected.as_object().is_some_and(|fields| fields.contains_key("threads"))
}

/// What is open when that has not changed for a while, at most three times as long.
async fn settled(id: u32) -> Result<Value> {
    let begun = Instant::now();
    let (mut seen, mut since) = (look(id)?, begun);
    while since.elapsed() < SETTLING && begun.elapsed() < SETTLING * 3 {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        let now = look(id)?;
        if now != seen {
            (since, seen) = (Instant::now(), now);
        }
    }
    Ok(seen)
}

/// What the process has open now.
fn look(id: u32) -> Result<Value> {
    let threads = std::fs::read_dir(format!("/proc/{id}/task"))?.count();
    let tcp = tcp_sockets()?;
    let (mut sockets, mut connections, mut keepalive, mut files) = (0, 0, 0, 0);
    for entry in std::fs::read_dir(format!("/proc/{id}/fd"))? {
        // One that was closed meanwhile is none.
        let Ok(target) = std::fs::read_link(entry?.path()) else { continue };
        let target = target.to_string_lossy();
        if let Some(socket) = target.strip_prefix("socket:[") {
            sockets += 1;
            let is_kept_alive = tcp.get(socket.trim_end_matches(']'));
            connections += usize::from(is_kept_alive.is_some());
            keepalive += usize::from(is_kept_alive == Some(&true));
        } else if target.starts_with('/') {
            files += 1;
        }
    }
    Ok(json!({
        "threads": threads,
        "sockets": sockets,
        "connections": connections,
        "keepalive": keepalive,
        "files": files,
    }))
}

/// The TCP sockets of this machine, by their inode, and whether a keepalive timer runs for each
/// (`Documentation/networking/proc_net_tcp`: the sixth column begins with `02` then, the tenth is the inode).
fn tcp_sockets() -> Result<HashMap<String, bool>> {
    let table = std::fs::read_to_string("/proc/net/tcp")?;
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    Ok(rows
        .filter_map(|row| Some(((*row.get(9)?).to_owned(), row.get(5)?.starts_with("02:"))))
        .collect())
}
