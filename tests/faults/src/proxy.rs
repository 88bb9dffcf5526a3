//! What stands between client and platform: it passes requests and answers on, byte for byte, and lets the script's faults
//! strike. It also asks the run to kill, and waits until that is done, so that a process dies at an exact byte.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use crate::{
    http::{Answer, Head, ask},
    plan::{Fault, On, What},
    script::{Script, is_at_the_answer},
};

/// How long a connection that is silent on purpose stays open: longer than the client waits.
const SILENT: Duration = Duration::from_secs(15);
/// How long a client that was answered early may go on sending.
const LINGER: Duration = Duration::from_secs(10);
const BLOCK: usize = 16 * 1024;

/// A process to be killed; answered when it is dead.
pub(crate) type Kill = (Fault, oneshot::Sender<()>);

/// The proxy; its connections end with it.
pub(crate) struct Proxy {
    pub(crate) url: String,
    pub(crate) kills: mpsc::UnboundedReceiver<Kill>,
    shared: Arc<Shared>,
    accepting: tokio::task::JoinHandle<()>,
}

struct Shared {
    script: Mutex<Script>,
    /// Where the platform is, while it is up.
    platform: Mutex<Option<SocketAddr>>,
    key: String,
    kills: mpsc::UnboundedSender<Kill>,
}

impl Proxy {
    pub(crate) async fn start(
        platform: SocketAddr,
        key: &str,
        faults: Vec<Fault>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (sender, kills) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            script: Mutex::new(Script::new(faults)),
            platform: Mutex::new(Some(platform)),
            key: key.to_owned(),
            kills: sender,
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { url, kills, shared, accepting })
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.shared.script()
    }

    /// The platform went, or came back somewhere.
    pub(crate) fn platform_is(&self, address: Option<SocketAddr>) {
        *self.shared.platform.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        // A broken connection is what this is for.
        connections.spawn(serve(client, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

/// How a request's body went.
enum Body {
    Whole,
    /// The platform answered before it had all of it.
    Early,
    /// The connection is to end.
    Over,
}

/// A connection and what was read of it too early.
struct Side {
    tcp: TcpStream,
    unread: Vec<u8>,
}

async fn serve(client: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut client = Side { tcp: client, unread: Vec::new() };
    let mut platform: Option<Side> = None;
    while let Some(head) = Head::read(&mut client.tcp, &mut client.unread).await? {
        let mut fault = shared.script().request(on(&head));
        if let Some(refusal) = fault
            && let What::Status { status, retry_after, after } = refusal.what
        {
            shared.script().struck(refusal);
            if refuse(&mut client, &head, &shared, status, retry_after, after).await? {
                continue;
            }
            return Ok(());
        }
        if let Some(gone) = fault.take_if(|fault| fault.what == What::Gone)
            && shared.bury(&head).await.unwrap_or(false)
        {
            shared.script().struck(gone);
        }
        let server = match &mut platform {
            Some(server) => server,
            none => none.insert(Side { tcp: shared.connect().await?, unread: Vec::new() }),
        };
        server.tcp.write_all(&head.bytes).await?;
        let early = match body(&mut client, server, &head, &shared).await? {
            Body::Whole => false,
            Body::Early => true,
            Body::Over => return Ok(()),
        };
        let answer = Answer::read(&mut server.tcp, &mut server.unread, head.method()).await?;
        if let Some(fault) = fault.filter(is_at_the_answer) {
            return strike_answer(fault, &answer, &mut client, &shared).await;
        }
        if let Some(offset) = answer.head.header("upload-offset").and_then(|o| o.parse().ok()) {
            shared.script().told(offset);
        }
        client.tcp.write_all(&answer.head.bytes).await?;
        client.tcp.write_all(&answer.body).await?;
        if early {
            return linger(client, &shared).await;
        }
        if answer.head.header("connection").is_some_and(|c| c.eq_ignore_ascii_case("close")) {
            return Ok(());
        }
    }
    Ok(())
}

fn on(head: &Head) -> On {
    match head.method() {
        "POST" => On::Post,
        "PATCH" => On::Patch,
        "HEAD" => On::Head,
        "OPTIONS" => On::Options,
        "DELETE" => On::Delete,
        _ => On::Get,
    }
}

/// Passes a request's body on, as far as the script lets it.
async fn body(
    client: &mut Side,
    server: &mut Side,
    head: &Head,
    shared: &Shared,
) -> io::Result<Body> {
    let mut left = head.length()?;
    let mut block = vec![0; BLOCK];
    while left > 0 {
        let most = BLOCK.min(usize::try_from(left).unwrap_or(BLOCK));
        let count = if client.unread.is_empty() {
            let mut seen = [0];
            tokio::select! {
                read = client.tcp.read(&mut block[..most]) => read?,
                _ = server.tcp.peek(&mut seen) => return Ok(Body::Early),
            }
        } else {
            let count = most.min(client.unread.len());
            block[..count].copy_from_slice(&client.unread[..count]);
            client.unread.drain(..count);
            count
        };
        if count == 0 {
            return Ok(Body::Over);
        }
        left -= count as u64;
        let mut from = 0;
        loop {
            let (passes, fault) = shared.script().body((count - from) as u64);
            let to = from + passes as usize;
            server.tcp.write_all(&block[from..to]).await?;
            from = to;
            let Some(fault) = fault else { break };
            if fault.what != What::Flip {
                strike_body(fault, client, shared).await?;
                return Ok(Body::Over);
            }
            block[from] ^= 0xFF;
            shared.script().struck(fault);
        }
    }
    Ok(Body::Whole)
}

async fn strike_body(fault: Fault, client: &mut Side, shared: &Shared) -> io::Result<()> {
    match fault.what {
        What::KillClient | What::KillServer { .. } => {
            shared.kill(fault).await;
            return Ok(());
        }
        What::Cut { reset: true } => client.tcp.set_zero_linger()?,
        _ => {}
    }
    shared.script().struck(fault);
    if fault.what == What::Stall {
        // The platform's side stays open with it: its request is one that never goes on.
        tokio::time::sleep(SILENT).await;
    }
    Ok(())
}

async fn strike_answer(
    fault: Fault,
    answer: &Answer,
    client: &mut Side,
    shared: &Shared,
) -> io::Result<()> {
    let (What::CutAnswer { after } | What::StallAnswer { after }) = fault.what else {
        shared.kill(fault).await;
        return Ok(());
    };
    shared.script().struck(fault);
    let bytes = [&answer.head.bytes[..], &answer.body].concat();
    // Never all of it.
    let passes = usize::try_from(after).unwrap_or(0) % bytes.len();
    client.tcp.write_all(&bytes[..passes]).await?;
    if matches!(fault.what, What::StallAnswer { .. }) {
        tokio::time::sleep(SILENT).await;
    }
    Ok(())
}

/// Answers in the platform's place; true when the connection can be used again.
async fn refuse(
    client: &mut Side,
    head: &Head,
    shared: &Shared,
    status: u16,
    retry_after: Option<u8>,
    after: u64,
) -> io::Result<bool> {
    let length = head.length()?;
    let mut left = length.min(after);
    let is_whole = left == length;
    let mut block = vec![0; BLOCK];
    while left > 0 {
        let most = BLOCK.min(usize::try_from(left).unwrap_or(BLOCK));
        let count = if client.unread.is_empty() {
            client.tcp.read(&mut block[..most]).await?
        } else {
            let count = most.min(client.unread.len());
            client.unread.drain(..count);
            count
        };
        if count == 0 {
            return Ok(false);
        }
        left -= count as u64;
        shared.script().swallowed(count as u64);
    }
    let retry = retry_after.map(|s| format!("Retry-After: {s}\r\n")).unwrap_or_default();
    let close = if is_whole { "" } else { "Connection: close\r\n" };
    let answer = format!(
        "HTTP/1.1 {status} Refused\r\nTus-Resumable: 1.0.0\r\n{retry}{close}Content-Length: 0\r\n\r\n"
    );
    client.tcp.write_all(answer.as_bytes()).await?;
    if !is_whole {
        // To close at once would reset the connection, and the answer with it (RFC 9112 §9.6).
        drain(client, shared).await;
    }
    Ok(is_whole)
}

async fn linger(mut client: Side, shared: &Shared) -> io::Result<()> {
    drain(&mut client, shared).await;
    Ok(())
}

/// Reads what the client still sends, and counts it: it was sent.
async fn drain(client: &mut Side, shared: &Shared) {
    let mut block = vec![0; BLOCK];
    let _ = client.tcp.shutdown().await;
    shared.script().swallowed(client.unread.len() as u64);
    let reading = async {
        while let Ok(count @ 1..) = client.tcp.read(&mut block).await {
            shared.script().swallowed(count as u64);
        }
    };
    let _ = tokio::time::timeout(LINGER, reading).await;
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let address = *self.platform.lock().unwrap_or_else(PoisonError::into_inner);
        let tcp = TcpStream::connect(address.ok_or(io::ErrorKind::ConnectionRefused)?).await?;
        tcp.set_nodelay(true)?;
        Ok(tcp)
    }

    /// Has a process killed. One that is gone already is not struck.
    async fn kill(&self, fault: Fault) {
        let (dead, wait) = oneshot::channel();
        if self.kills.send((fault, dead)).is_ok() && wait.await.is_ok() {
            self.script().struck(fault);
        }
    }

    /// Has the platform lose the upload that a request is about, unless it is an asset already.
    async fn bury(&self, head: &Head) -> io::Result<bool> {
        let address = *self.platform.lock().unwrap_or_else(PoisonError::into_inner);
        let address = address.ok_or(io::ErrorKind::ConnectionRefused)?;
        let state = ask(address, "HEAD", head.path(), &self.key).await?;
        if state.head.status() != 200 || state.head.header("x-asset-id").is_some() {
            return Ok(false);
        }
        let removed = ask(address, "DELETE", head.path(), &self.key).await?;
        Ok(removed.head.status() == 204)
    }
}
