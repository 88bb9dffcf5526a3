//! A load of plain HTTP/1.1 requests over many connections: as cheap as it can be, so that the server is what is measured.

use std::{
    io,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Sends `request` over `connections` for `time`, each connection one request after another; gives the number answered.
///
/// # Errors
/// When a connection fails or an answer is not 200.
pub async fn run(
    address: &str,
    request: &str,
    connections: usize,
    time: Duration,
) -> io::Result<u64> {
    let until = Instant::now() + time;
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (address, request) = (address.to_owned(), request.as_bytes().to_vec());
        tasks.push(tokio::spawn(async move { connection(&address, &request, until).await }));
    }
    let mut answered = 0;
    for task in tasks {
        answered += task.await.map_err(io::Error::other)??;
    }
    Ok(answered)
}

async fn connection(address: &str, request: &[u8], until: Instant) -> io::Result<u64> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 256 * 1024];
    let mut answered = 0;
    while Instant::now() < until {
        stream.write_all(request).await?;
        let mut filled = 0;
        loop {
            let read = stream.read(&mut buffer[filled..]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += read;
            if whole(&buffer[..filled])? {
                break;
            }
        }
        answered += 1;
    }
    Ok(answered)
}

/// Whether the answer is there to its last byte.
fn whole(answer: &[u8]) -> io::Result<bool> {
    let Some(head) = memchr::memmem::find(answer, b"\r\n\r\n") else { return Ok(false) };
    if !answer.starts_with(b"HTTP/1.1 200") {
        let text = String::from_utf8_lossy(&answer[..head.min(200)]).into_owned();
        return Err(io::Error::other(text));
    }
    let headers = &answer[..head];
    let name = b"content-length: ";
    let length = memchr::memmem::find(headers, name)
        .map(|at| &headers[at + name.len()..])
        .and_then(|rest| {
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            std::str::from_utf8(&rest[..digits]).ok()?.parse::<usize>().ok()
        })
        .ok_or_else(|| io::Error::other("an answer without a length"))?;
    Ok(answer.len() >= head + 4 + length)
}
