//! `storycore dev`: the local platform as a program of its own. It says one line when it is ready
//! and is silent on stdout from then on; the platform itself is the crate `storycore-local`.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use storycore_local::{Config, Data, Running};

use crate::signals::Stop;

/// What `storycore dev` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Address to serve on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4010", value_parser = address)]
    listen: SocketAddr,

    /// Directory for the database and the media, made if it is not there
    /// [default: storycore/local in the user's state directory].
    #[arg(long, value_name = "DIR", conflicts_with = "in_memory")]
    data: Option<PathBuf>,

    /// Keep nothing: all data goes away when the platform stops.
    #[arg(long)]
    in_memory: bool,

    /// The text of the first key, 16 to 255 visible ASCII characters [default: the one that the
    /// data directory has, else a new random one].
    #[arg(long, value_name = "KEY")]
    api_key: Option<String>,

    /// Refuse every field and parameter that the specification does not know.
    #[arg(long)]
    strict: bool,

    /// Say the ready line as JSON: {"url", "api_key", "organization_id"}.
    #[arg(long)]
    json: bool,

    /// Stop when standard input ends: for a program that starts this one with a pipe, and may itself be killed.
    #[arg(long)]
    stop_with_stdin: bool,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let mut stop = Stop::listen().context("cannot listen for signals")?;
    if args.stop_with_stdin {
        stop.with_stdin().context("cannot start a thread that reads standard input")?;
    }
    let mut config = Config::in_memory();
    config.listen = args.listen;
    config.api_key = args.api_key;
    config.strict = args.strict;
    if !args.in_memory {
        config.data = Data::Directory(match args.data {
            Some(directory) => directory,
            None => state_directory()?,
        });
    }
    let platform = tokio::select! {
        started = storycore_local::start(config) => started?,
        () = stop.asked() => return Ok(()),
    };
    let told = announce(&platform, args.json);
    if told.is_ok() {
        stop.asked().await;
    }
    tokio::select! {
        () = platform.shutdown() => {}
        () = stop.asked() => bail!("stopped at once, without finishing what was under way"),
    }
    told.context("cannot write the ready line to stdout")
}

/// An address and a port; `localhost` is this machine's IPv4 loopback, without asking a resolver.
fn address(text: &str) -> Result<SocketAddr, String> {
    let literal = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    literal
        .parse()
        .map_err(|_| "an address and a port are needed, such as 127.0.0.1:4010".to_owned())
}

/// One line, whole, at once: whoever reads it may connect from then on.
fn announce(platform: &Running, json: bool) -> std::io::Result<()> {
    let (url, api_key) = (platform.url(), platform.api_key());
    let organization_id = platform.organization_id();
    let line = if json {
        serde_json::json!({ "url": url, "api_key": api_key, "organization_id": organization_id })
            .to_string()
    } else {
        format!("StoryCore runs at {url} with API key {api_key}; Ctrl-C stops it")
    };
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Where programs keep what should outlive them and is not worth a backup.
fn state_directory() -> Result<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let base = if cfg!(windows) {
        variable("LOCALAPPDATA").map(PathBuf::from)
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| PathBuf::from(home).join("Library/Application Support"))
    } else {
        // The XDG rule: a relative path there is to be ignored.
        variable("XDG_STATE_HOME")
            .map(PathBuf::from)
            .filter(|state| state.is_absolute())
            .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".local/state")))
    };
    let base = base.context("there is no home directory to keep data in: give one with --data")?;
    Ok(base.join("storycore").join("local"))
}
