//! The driver for Rust: reads operations from standard input, makes them with the `storycore` client, answers on standard
//! output. The protocol is in `../driver.rs`.

#[path = "driver/calls.rs"]
mod calls;
#[path = "driver/client.rs"]
mod client;
#[path = "driver/clock.rs"]
mod clock;
#[path = "driver/process.rs"]
mod process;
#[path = "driver/sign_in.rs"]
mod sign_in;
#[path = "driver/uploads.rs"]
mod uploads;
#[path = "driver/watching.rs"]
mod watching;

use std::{
    collections::HashMap,
    io::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use storycore::{Client, Error};
use tokio::{sync::mpsc, task::AbortHandle};

// One thread: only there can tokio's clock be moved.
#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    // A scenario may want to see that a client leaves the program's logging to the program.
    let mut watch_later = std::env::var_os("CONFORMANCE_WATCH").is_some_and(|when| when == "later");
    if !watch_later {
        watching::begin();
    }
    // Threads of their own: a scenario that counts the process's threads is not to see the runtime's come and go.
    let (answers, mut to_write) = mpsc::unbounded_channel::<Value>();
    let writer = std::thread::spawn(move || {
        let mut stdout = std::io::stdout();
        while let Some(answer) = to_write.blocking_recv() {
            writeln!(stdout, "{answer}")?;
            stdout.flush()?;
        }
        std::io::Result::Ok(())
    });
    let (read, mut lines) = mpsc::unbounded_channel::<String>();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if read.send(line).is_err() {
                break;
            }
        }
    });
    let mut clients: HashMap<String, Client> = HashMap::new();
    let running: Arc<Mutex<HashMap<u64, AbortHandle>>> = Arc::default();
    while let Some(line) = lines.recv().await {
        let operation: Value = serde_json::from_str(&line)?;
        let id = operation["id"].clone();
        let name = operation["client"].as_str().unwrap_or("a").to_owned();
        let answer = match operation["op"].as_str() {
            Some("client") => match client::make(&operation["options"]) {
                Ok(made) => {
                    if std::mem::take(&mut watch_later) {
                        watching::begin();
                    }
                    clients.insert(name, made);
                    json!({"id": id, "result": null})
                }
                Err(error) => json!({"id": id, "error": told(&error)}),
            },
            Some("advance") => {
                let by = Duration::from_millis(operation["ms"].as_u64().unwrap_or_default());
                clock::move_on(by).await;
                json!({"id": id, "result": null})
            }
            Some("cancel") => {
                let target = operation["target"].as_u64().unwrap_or_default();
                let task = running.lock().unwrap_or_else(PoisonError::into_inner).remove(&target);
                if let Some(task) = task {
                    // Dropping the call's future is how a call is cancelled in Rust.
                    task.abort();
                    let cancelled =
                        json!({"kind": "cancelled", "message": "the call was cancelled"});
                    let _ = answers.send(json!({"id": target, "error": cancelled}));
                }
                json!({"id": id, "result": null})
            }
            _ => {
                let client = clients.get(&name).cloned();
                let (answers, done) = (answers.clone(), Arc::clone(&running));
                let number = id.as_u64().unwrap_or_default();
                // Held until the task is noted, so that it cannot end before.
                let mut noted = running.lock().unwrap_or_else(PoisonError::into_inner);
                let task = tokio::spawn(async move {
                    let outcome = calls::call(client, &operation).await;
                    if done.lock().unwrap_or_else(PoisonError::into_inner).remove(&number).is_some()
                    {
                        let _ = answers.send(match outcome {
                            Ok(result) => json!({"id": number, "result": result}),
                            Err(error) => json!({"id": number, "error": told(&error)}),
                        });
                    }
                });
                noted.insert(number, task.abort_handle());
                continue;
            }
        };
        let _ = answers.send(answer);
    }
    for (_, call) in running.lock().unwrap_or_else(PoisonError::into_inner).drain() {
        call.abort();
    }
    drop(answers);
    clock::let_go();
    // The calls' own senders go with them.
    writer.join().map_err(|_| std::io::Error::other("the writer broke"))?
}

/// An error with every field that scenarios ask for.
fn told(error: &Error) -> Value {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    json!({
        "kind": error.kind().as_str(),
        "message": error.message(),
        "status": error.status(),
        "code": error.code(),
        "param": error.param(),
        "request_id": error.request_id(),
        "idempotency_key": error.idempotency_key(),
        "retry_after_ms": error.retry_after().map(ms),
        "attempts": error.attempts(),
        "elapsed_ms": ms(error.elapsed()),
        "retryable": error.is_retryable(),
        "body": error.body(),
        "details": error.details(),
        "job": error.job().map(|job| json!(job)),
        "cause": std::error::Error::source(error).map(ToString::to_string),
        "text": format!("{error} {error:?}"),
    })
}
