//! How many requests a second a core of the local platform answers: one project, and a list of 100, over 64 connections,
//! with authentication, rate limit and usage counting. The server is a process of its own, so that its CPU is known.
#![allow(clippy::print_stdout, reason = "printing is what a bench is for")]

use std::{io, time::Duration};

use storycore_benches::{Goal, Options, Row, load, local, process};

const CONNECTIONS: usize = 64;

fn main() -> io::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return local::serve();
    }
    // The load gets as few threads as keep the server busy: both share the machine.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure(Options::from_args()))
}

async fn measure(options: Options) -> io::Result<()> {
    let server = process::Server::this_binary(&["serve"])?;
    let (url, key) =
        server.ready.trim().split_once(' ').ok_or_else(|| io::Error::other("no address"))?;
    let address = url.trim_start_matches("http://");
    let mut id = String::new();
    for n in 0..100 {
        id = create(address, key, n).await?;
    }
    let get = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\r\n")
    };
    let (time, runs) =
        if options.quick { (Duration::from_secs(1), 2) } else { (Duration::from_secs(4), 5) };
    for (metric, path, goal) in [
        ("GET /api/projects/{id}, requests/s a core", format!("/api/projects/{id}"), 15_000.0),
        (
            "GET /api/projects?limit=100, requests/s a core",
            "/api/projects?limit=100".to_owned(),
            2_000.0,
        ),
    ] {
        let request = get(&path);
        load::run(address, &request, CONNECTIONS, Duration::from_millis(300)).await?;
        let mut figures = Vec::new();
        for _ in 0..runs {
            let before = process::cpu_seconds(server.pid())?;
            let answered = load::run(address, &request, CONNECTIONS, time).await?;
            let cores = process::cpu_seconds(server.pid())? - before;
            figures.push((answered as f64 / cores, goal));
        }
        options.print(&Row::new("platform", metric, "none", &figures, Goal::AtLeast(1.0)));
    }
    Ok(())
}

/// Makes a project of about 600 bytes and gives its id.
async fn create(address: &str, key: &str, n: usize) -> io::Result<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let body = serde_json::json!({"name": format!("Film {n}"), "description": "x".repeat(180), "budget": 1000, "settings": {"resolution": "1920x1080", "fps": 24}}).to_string();
    let request = format!(
        "POST /api/projects HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let json = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    let object: serde_json::Value = serde_json::from_str(json).map_err(io::Error::other)?;
    object["id"].as_str().map(str::to_owned).ok_or_else(|| io::Error::other(answer.clone()))
}
