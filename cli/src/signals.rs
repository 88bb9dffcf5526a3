//! Being asked to stop: Ctrl-C, on Unix SIGTERM, which is what a supervisor sends, and the end of standard input, which
//! comes even when whoever started this program was killed.

use std::io;

use tokio::sync::oneshot;

/// A command ended because it was asked to, before it was done.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// The signals that end a command. They are caught from the moment this exists, so that none that
/// arrives early takes the process down before it has cleaned up.
pub(crate) struct Stop {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    /// Answers, with an error, once standard input has ended.
    stdin: Option<oneshot::Receiver<()>>,
}

impl Stop {
    #[cfg(unix)]
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            stdin: None,
        })
    }

    #[cfg(not(unix))]
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self { stdin: None })
    }

    /// The end of standard input asks too, once.
    pub(crate) fn with_stdin(&mut self) -> io::Result<()> {
        let (alive, ended) = oneshot::channel();
        // A thread, since a read of standard input cannot be taken back: it ends with the process.
        std::thread::Builder::new().name("stdin".into()).spawn(move || {
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            drop(alive);
        })?;
        self.stdin = Some(ended);
        Ok(())
    }

    /// Waits for the next signal.
    #[cfg(unix)]
    pub(crate) async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = ended(&mut self.stdin) => {}
        }
    }

    /// Waits for the next signal.
    #[cfg(not(unix))]
    pub(crate) async fn asked(&mut self) {
        let signal = async {
            // An error means that this process gets no signals: then it is not asked.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = signal => {}
            () = ended(&mut self.stdin) => {}
        }
    }
}

/// Waits for the end of standard input, for ever where that is not watched or was told already.
async fn ended(stdin: &mut Option<oneshot::Receiver<()>>) {
    if let Some(watched) = stdin {
        let _ = watched.await;
        *stdin = None;
    } else {
        std::future::pending().await
    }
}
