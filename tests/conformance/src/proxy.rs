//! A proxy that lets nobody through: it notes what it was asked for and refuses.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

type Asked = Arc<Mutex<Vec<String>>>;

/// A running proxy; it ends when this goes.
pub(crate) struct Proxy {
    pub(crate) url: String,
    asked: Asked,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let asked = Asked::default();
        let notes = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                // A client that goes away early asked for nothing.
                let _ = refuse(connection, &notes).await;
            }
        });
        Ok(Self { url, asked, task })
    }

    /// The first line of each request so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn refuse(connection: TcpStream, asked: &Asked) -> Result<()> {
    let mut connection = BufReader::new(connection);
    let mut first = String::new();
    connection.read_line(&mut first).await?;
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(first.trim_end().to_owned());
    let mut line = String::new();
    while connection.read_line(&mut line).await? > 2 {
        line.clear();
    }
    connection.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await?;
    connection.shutdown().await?;
    Ok(())
}
