//! The line protocol with a language's driver. Each line is one JSON object.
//!
//! To the driver: `{"id", "op": "client", "client", "options"}` makes a client; `{"id", "op": "call", "client", "method", "args",
//! "options"}` calls it; `{"id", "op": "cancel", "target"}` cancels the call with the id `target`; `{"id", "op": "advance",
//! "ms"}` moves the clock that the client's timers go by. Calls run side by side.
//! From the driver, in any order: `{"id", "result"}` or `{"id", "error": {"kind", "message", "status", "code", "param",
//! "request_id", "idempotency_key", "retry_after_ms", "attempts", "elapsed_ms", "retryable", "body", "details", "cause", "job"}}`. What a language does not
//! have, such as a fork or a clock that can be moved, is refused with the kind `not_here`: `left_out.yaml` says where that is right.

use std::{
    collections::HashMap,
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, Command},
    sync::oneshot,
};

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;

/// A running driver; it ends when this goes.
pub(crate) struct Driver {
    stdin: tokio::sync::Mutex<ChildStdin>,
    waiting: Waiting,
    next: AtomicU64,
    child: Child,
}

/// Variables that would change what a client does, were the driver to inherit them.
const NOT_INHERITED: [&str; 13] = [
    "STORYCORE_API_KEY",
    "STORYCORE_BASE_URL",
    "STORYCORE_PLATFORM",
    "STORYCORE_TIMEOUT",
    "STORYCORE_MAX_RETRIES",
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// An operation under way.
pub(crate) struct Pending {
    pub(crate) id: u64,
    answer: oneshot::Receiver<Value>,
    seen: Option<Value>,
}

impl Pending {
    /// Whether there is no answer yet.
    pub(crate) fn is_pending(&mut self) -> bool {
        match self.answer.try_recv() {
            Ok(answer) => {
                self.seen = Some(answer);
                false
            }
            Err(oneshot::error::TryRecvError::Empty) => true,
            Err(oneshot::error::TryRecvError::Closed) => false,
        }
    }

    /// The answer that ended it, as far as it was looked at.
    pub(crate) fn ended(&self) -> Option<&Value> {
        self.seen.as_ref()
    }

    /// The result, or the error as the driver tells it.
    pub(crate) async fn outcome(self) -> Result<Result<Value, Value>> {
        let mut answer = self.answer.await.context("the driver ended")?;
        if let Some(error) = answer.get_mut("error") {
            return Ok(Err(error.take()));
        }
        match answer.get_mut("result") {
            Some(result) => Ok(Ok(result.take())),
            None => bail!("the driver answered with neither result nor error: {answer}"),
        }
    }
}

impl Driver {
    /// Starts the driver's program.
    pub(crate) fn start(command: &[String], environment: &[(String, String)]) -> Result<Self> {
        let (program, args) = command.split_first().context("no driver")?;
        let mut start = Command::new(program);
        for name in NOT_INHERITED {
            start.env_remove(name);
        }
        let mut child = start
            .args(args)
            .envs(environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{program} cannot be started"))?;
        let stdin = child.stdin.take().context("no standard input")?;
        let stdout = child.stdout.take().context("no standard output")?;
        let waiting = Waiting::default();
        let answers = Arc::clone(&waiting);
        tokio::spawn(async move {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let Ok(answer) = serde_json::from_str::<Value>(&line) else { break };
                let Some(id) = answer["id"].as_u64() else { break };
                let sender = answers.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                if let Some(sender) = sender {
                    let _ = sender.send(answer);
                }
            }
            // Whoever still waits is told by the senders' end.
            answers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        });
        Ok(Self { stdin: tokio::sync::Mutex::new(stdin), waiting, next: AtomicU64::new(1), child })
    }

    /// The driver's process, unless it has ended.
    pub(crate) fn process_id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends an operation and gives what will be its answer.
    pub(crate) async fn send(&self, mut operation: Value) -> Result<Pending> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        operation["id"] = json!(id);
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        let mut line = operation.to_string();
        line.push('\n');
        let mut stdin = self.stdin.lock().await;
        stdin.write_all(line.as_bytes()).await.context("the driver does not read")?;
        stdin.flush().await?;
        Ok(Pending { id, answer, seen: None })
    }
}
