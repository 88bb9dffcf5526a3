//! A server that always answers the same, as cheaply as an answer can be given: the local platform answers some 33 000
//! requests a second and core, fewer than the fastest client sends. One read and one write a request.
//!
//! It polls: over loopback a server that sleeps is woken at its client's expense, inside the client's own `write`, which
//! was a fifth of the fastest client's CPU. A server on another machine costs its client nothing.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::{
    buffer::spare_capacity,
    event::{Timespec, epoll},
    io::Errno,
};

use crate::process::end_with_the_bench;

/// How long it polls after an answer: longer than any client takes between two calls.
const WATCHFUL: Duration = Duration::from_millis(100);

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
    listed(99).replacen(&id(99), ID, 1)
}

/// That of this number in a page: no two are alike in more than real ones are, the organization that they are all of and what
/// has few values. The last one is from when `project` is.
fn listed(number: usize) -> String {
    let status = ["planned", "in_progress", "completed"][number % 3];
    let rag_status = ["GREEN", "YELLOW"][number % 2];
    let [progress, budget] = [0.5, 99.5].map(|each| number as f64 * each);
    let (spent, end) = match number % 4 {
        0 => (format!("{:.1}", budget / 3.0), format!("\"2026-09-{:02}\"", number % 30 + 1)),
        _ => ("null".to_owned(), "null".to_owned()),
    };
    let resolution = ["1920x1080", "3840x2160"][usize::from(number.is_multiple_of(5))];
    let (id, day, millis) = (id(number), number % 30 + 1, 640 + number);
    let with = |description: &str| {
        format!(
            r#"{{"id":"{id}","name":"Summer film {number}","description":"{description}","status":"{status}","rag_status":"{rag_status}","progress":{progress:.1},"budget":{budget:.1},"spent":{spent},"start_date":"2026-06-{day:02}","end_date":{end},"settings":{{"resolution":"{resolution}","fps":24}},"organization_id":"org_a9b51bc0fb71604b23bcfcc0","created_at":"2026-11-21T08:32:12.{millis}Z","updated_at":"2026-11-21T08:33:42.{millis}Z"}}"#
        )
    };
    let rest = with("").len();
    with(&format!("{number:04} {}", "x".repeat(595 - rest)))
}

fn id(number: usize) -> String {
    format!("prj_{number:024x}")
}

impl Answers {
    fn new() -> Self {
        let project = project();
        let page = format!(
            r#"{{"data":[{}],"pagination":{{"total":100,"limit":100,"offset":0,"has_more":false}}}}"#,
            (0..100).map(listed).collect::<Vec<_>>().join(",")
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
    end_with_the_bench()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let poller = Arc::new(Poller::new()?);
    let polling = Arc::clone(&poller);
    std::thread::Builder::new().spawn(move || polling.run(&Answers::new()))?;
    ready(&format!("http://{}", listener.local_addr()?));
    for stream in listener.incoming() {
        poller.add(stream?)?;
    }
    Ok(())
}

/// All connections.
struct Poller {
    epoll: OwnedFd,
    /// By their number. One that ended leaves its place empty.
    connections: Mutex<Vec<Option<Connection>>>,
}

struct Connection {
    stream: TcpStream,
    /// Of a request that is not whole yet.
    read: Vec<u8>,
}

impl Poller {
    fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, connections: Mutex::default() })
    }

    fn add(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut connections = self.connections();
        let number = epoll::EventData::new_u64(connections.len() as u64);
        epoll::add(&self.epoll, &stream, number, epoll::EventFlags::IN)?;
        connections.push(Some(Connection { stream, read: Vec::new() }));
        Ok(())
    }

    /// Answers for ever: polls while requests come, and sleeps only when none has come for a while.
    fn run(&self, answers: &Answers) -> io::Result<()> {
        let mut events = Vec::with_capacity(64);
        let mut buffer = [0; REQUEST];
        let mut last = Instant::now();
        loop {
            let is_watchful = last.elapsed() < WATCHFUL;
            let timeout = is_watchful.then(Timespec::default);
            match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
                Err(Errno::INTR) | Ok(0) => continue,
                outcome => outcome?,
            };
            last = Instant::now();
            let mut connections = self.connections();
            for event in events.drain(..) {
                let connection = &mut connections[event.data.u64() as usize];
                // A client that goes away ends its connection.
                if connection
                    .as_mut()
                    .is_some_and(|open| open.answer(answers, &mut buffer).is_err())
                {
                    *connection = None;
                }
            }
        }
    }

    fn connections(&self) -> MutexGuard<'_, Vec<Option<Connection>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Reads what has come, and answers once that is a whole request.
    fn answer(&mut self, answers: &Answers, buffer: &mut [u8]) -> io::Result<()> {
        let read = self.stream.read(buffer)?;
        self.read.extend_from_slice(&buffer[..read]);
        if read == 0 || self.read.len() > REQUEST {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if memchr::memmem::find(&self.read, b"\r\n\r\n").is_some() {
            self.write(answers.of(&self.read))?;
            self.read.clear();
        }
        Ok(())
    }

    /// Writes all of it; a client that does not read holds the others up.
    fn write(&mut self, mut answer: &[u8]) -> io::Result<()> {
        while !answer.is_empty() {
            match self.stream.write(answer) {
                Ok(written) => answer = &answer[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::yield_now();
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
