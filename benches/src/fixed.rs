//! A server that always answers the same, as cheaply as an answer can be given: the local platform answers some 33 000
//! requests a second and core, fewer than the fastest client sends. A thread a connection, one read and one write a request.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::Arc,
};

/// The largest request that it reads whole; none here has a body.
const REQUEST: usize = 16 * 1024;

/// The id of the object that every path but the others leads to.
pub const ID: &str = "prj_ebb969b953c99f063d7c6ba7";

struct Answers {
    object: Vec<u8>,
    page: Vec<u8>,
    missing: Vec<u8>,
}

/// A project of 600 bytes, as the platform writes one.
#[must_use]
pub fn project() -> String {
    let with = |description: &str| {
        format!(
            r#"{{"id":"{ID}","name":"Summer film","description":"{description}","status":"planned","rag_status":"GREEN","progress":12.5,"budget":1000.0,"spent":null,"start_date":"2026-06-01","end_date":null,"settings":{{"resolution":"1920x1080","fps":24}},"organization_id":"org_a9b51bc0fb71604b23bcfcc0","created_at":"2026-11-21T08:32:12.739Z","updated_at":"2026-11-21T08:32:12.739Z"}}"#
        )
    };
    let rest = with("").len();
    with(&"x".repeat(600 - rest))
}

impl Answers {
    fn new() -> Self {
        let project = project();
        let page = format!(
            r#"{{"data":[{}],"pagination":{{"total":100,"limit":100,"offset":0,"has_more":false}}}}"#,
            vec![project.as_str(); 100].join(",")
        );
        let missing =
            r#"{"error":{"code":"not_found","message":"no project has the id \"missing\""}}"#;
        Self {
            object: answer("200 OK", &project),
            page: answer("200 OK", &page),
            missing: answer("404 Not Found", missing),
        }
    }

    /// By path alone, whatever stands before it: each client has its own prefix.
    fn of(&self, request: &[u8]) -> &[u8] {
        let path = request.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
        if path.ends_with(b"/projects") {
            &self.page
        } else if path.ends_with(b"/missing") {
            &self.missing
        } else {
            &self.object
        }
    }
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nx-ratelimit-limit: 1000000000\r\n\
         x-ratelimit-remaining: 999999999\r\nx-ratelimit-reset: 1795253532\r\ncontent-length: {}\r\n\
         x-request-id: req_624d92caed3800000000\r\ndate: Sat, 21 Nov 2026 08:32:12 GMT\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Serves on a free port of loopback for ever; `ready` is told the URL.
///
/// # Errors
/// When it cannot listen.
pub fn serve(ready: impl FnOnce(&str)) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let answers = Arc::new(Answers::new());
    ready(&format!("http://{}", listener.local_addr()?));
    for stream in listener.incoming() {
        let (stream, answers) = (stream?, Arc::clone(&answers));
        std::thread::Builder::new()
            .stack_size(128 * 1024)
            // A client that goes away ends its connection, and with it the thread.
            .spawn(move || drop(connection(stream, &answers)))?;
    }
    Ok(())
}

fn connection(mut stream: TcpStream, answers: &Answers) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; REQUEST];
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..])?;
        if read == 0 {
            return Ok(()); // Its end, or a request that does not fit.
        }
        filled += read;
        if memchr::memmem::find(&buffer[..filled], b"\r\n\r\n").is_some() {
            stream.write_all(answers.of(&buffer[..filled]))?;
            filled = 0;
        }
    }
}
