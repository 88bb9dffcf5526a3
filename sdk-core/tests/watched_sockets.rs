//! A host with an event loop of its own is told of each connection, so that its loop can wait for what comes on it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use std::{
    os::fd::{AsRawFd as _, BorrowedFd},
    sync::{Arc, Mutex},
};

use storycore::{Client, SocketWatch};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// What was told, in its order.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<String>>);

impl SocketWatch for Told {
    fn opening(&self) {
        self.0.lock().unwrap().push("opening".to_owned());
    }

    fn connected(&self, socket: BorrowedFd<'_>) {
        let name = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd()));
        let is_socket = name.is_ok_and(|name| name.to_string_lossy().starts_with("socket:"));
        // Other systems have no such names.
        assert!(is_socket || !cfg!(target_os = "linux"));
        self.0.lock().unwrap().push("connected".to_owned());
    }

    fn opened(&self) {
        self.0.lock().unwrap().push("opened".to_owned());
    }
}

impl Told {
    fn since(&self, before: usize) -> Vec<String> {
        self.0.lock().unwrap()[before..].to_vec()
    }
}

/// Answers everything with the same object; closes each connection after its second answer.
async fn serve(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..2 {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n{\"id\":\"prj_1\"}";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_watched_client_tells_of_each_connection_once_and_an_unwatched_one_of_none() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(serve(listener));
    let told = Arc::new(Told::default());
    let plain = Client::builder().base_url(url).api_key("a-key").build().unwrap();
    let watched = plain.with_watched_connections(told.clone());
    for client in [&plain, &watched.with_own_connections()] {
        client.projects().get("prj_1").await.unwrap();
        assert_eq!(told.since(0), [""; 0]);
        // Its second answer, after which the server takes the next connection.
        client.projects().get("prj_1").await.unwrap();
    }
    for calls in [1, 2] {
        watched.projects().get("prj_1").await.unwrap();
        assert_eq!(told.since(0), ["opening", "connected", "opened"], "after {calls} calls");
    }
    watched.projects().get("prj_1").await.unwrap();
    assert_eq!(told.since(3), ["opening", "connected", "opened"]);
    server.abort();
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_ends_its_opening() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let told = Arc::new(Told::default());
    let client = Client::builder().base_url(format!("http://127.0.0.1:{port}")).api_key("a-key");
    let client = client.max_retries(0).build().unwrap().with_watched_connections(told.clone());
    client.projects().get("prj_1").await.unwrap_err();
    assert_eq!(told.since(0), ["opening", "opened"]);
}
