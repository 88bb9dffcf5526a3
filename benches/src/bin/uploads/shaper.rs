//! A line that is slow in a known way: each connection has so many bytes a second in each direction, and what is sent
//! arrives so much later. It stands between a client and a server.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, mpsc},
    time::{Instant, sleep_until},
};

use crate::Failure;

/// One way; a round trip has it twice.
pub(crate) const DELAY: Duration = Duration::from_millis(25);
/// Bytes a second, of one connection, one way.
pub(crate) const RATE: f64 = 20e6;
const PIECE: usize = 64 * 1024;
/// What is on the line at most: more than its delay times its rate, and not without bound.
const ON_THE_LINE: usize = 2 * 1024 * 1024;

/// Prints where it is and serves for ever.
pub(crate) fn serve(target: &str) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}", listener.local_addr()?);
        loop {
            let (client, _) = listener.accept().await?;
            let target = target.to_owned();
            tokio::spawn(async move {
                // A connection that breaks is an end like any other.
                let _ = connection(client, &target).await;
            });
        }
    })
}

async fn connection(client: TcpStream, target: &str) -> io::Result<()> {
    // The handshake takes a round trip, which the kernel gave away already.
    tokio::time::sleep(DELAY * 2).await;
    let server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = tokio::spawn(one_way(from_client, to_server));
    one_way(from_server, to_client).await?;
    up.await.map_err(io::Error::other)?
}

async fn one_way(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
    let (sender, mut line) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let room = Arc::new(Semaphore::new(ON_THE_LINE));
    let entering = Arc::clone(&room);
    let reading = async move {
        let mut free = Instant::now();
        loop {
            let Ok(permit) = entering.acquire_many(PIECE as u32).await else { return Ok(()) };
            permit.forget();
            let mut piece = vec![0; PIECE];
            let read = from.read(&mut piece).await?;
            if read == 0 {
                return Ok::<_, io::Error>(());
            }
            piece.truncate(read);
            // The line takes one piece after another, each for as long as its bytes need.
            free = free.max(Instant::now()) + Duration::from_secs_f64(read as f64 / RATE);
            if sender.send((free + DELAY, piece)).is_err() {
                return Ok(());
            }
        }
    };
    let writing = async move {
        while let Some((arrives, piece)) = line.recv().await {
            sleep_until(arrives).await;
            to.write_all(&piece).await?;
            room.add_permits(PIECE);
        }
        to.shutdown().await
    };
    tokio::try_join!(reading, writing).map(drop)
}
