//! As much of HTTP/1.1 as the proxy and the judge need: where a head ends and how long a body is. No library that the
//! client or the platform uses has a part in what they are judged by.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const LONGEST_HEAD: usize = 64 * 1024;

/// The head of a request or an answer, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) bytes: Vec<u8>,
    text: String,
}

impl Head {
    /// Reads one; nothing when the connection ends before its first byte. What follows it stays in `unread`.
    pub(crate) async fn read(
        tcp: &mut TcpStream,
        unread: &mut Vec<u8>,
    ) -> io::Result<Option<Self>> {
        loop {
            if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = unread.split_off(end + 4);
                let bytes = std::mem::replace(unread, rest);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                return Ok(Some(Self { bytes, text }));
            }
            if unread.len() > LONGEST_HEAD {
                return Err(io::Error::other("a head without an end"));
            }
            match tcp.read_buf(unread).await? {
                0 if unread.is_empty() => return Ok(None),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                _ => {}
            }
        }
    }

    fn word(&self, number: usize) -> &str {
        let first = self.text.lines().next().unwrap_or_default();
        first.split(' ').nth(number).unwrap_or_default()
    }

    pub(crate) fn method(&self) -> &str {
        self.word(0)
    }

    pub(crate) fn path(&self) -> &str {
        self.word(1)
    }

    pub(crate) fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.text.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The bytes of its body.
    pub(crate) fn length(&self) -> io::Result<u64> {
        if self.header("transfer-encoding").is_some() {
            return Err(io::Error::other("a body of unknown length"));
        }
        Ok(self.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0))
    }
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Reads the answer to a request of this method.
    pub(crate) async fn read(
        tcp: &mut TcpStream,
        unread: &mut Vec<u8>,
        method: &str,
    ) -> io::Result<Self> {
        let head = Head::read(tcp, unread).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let has_body = method != "HEAD" && !matches!(head.status(), 204 | 304);
        let length = if has_body { head.length()? as usize } else { 0 };
        while unread.len() < length {
            if tcp.read_buf(unread).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let rest = unread.split_off(length);
        Ok(Self { head, body: std::mem::replace(unread, rest) })
    }
}

/// One request without a body, on a connection of its own.
pub(crate) async fn ask(
    server: SocketAddr,
    method: &str,
    path: &str,
    key: &str,
) -> io::Result<Answer> {
    let mut tcp = TcpStream::connect(server).await?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer {key}\r\nTus-Resumable: 1.0.0\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    tcp.write_all(request.as_bytes()).await?;
    Answer::read(&mut tcp, &mut Vec::new(), method).await
}
