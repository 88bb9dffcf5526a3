//! Tests of calls that come one after another: each begins on the thread that makes it, where that is kept from nothing, and on
//! the library's else. However they end, the next one is as good.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    future::Future,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread, ThreadId},
    time::{Duration, Instant},
};

use storycore::{Client as Core, JwtCredential};

use crate::{
    client::Client,
    failure::Failure,
    given::{Given, given},
    models::Project,
    runtime::Running,
};

/// Longer than anything here takes on a slow machine.
const LONG: Duration = Duration::from_secs(60);

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n{\"id\":\"prj_1\"}";

/// The threads are the process's: these tests come one after another.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A server whose answer depends on the project that is asked for:
///
/// - `held`: none before the client closes the connection;
/// - `last`: one, after which the connection is closed, and nothing of the request is left unread;
/// - `cut`: none; the connection is closed;
/// - `reset`: none; the connection is closed with some of the request unread, which resets it;
/// - any other: one.
struct Server {
    url: String,
    /// Requests that were answered or cut.
    seen: Arc<AtomicUsize>,
    /// Requests that are held now.
    held: Arc<AtomicUsize>,
}

impl Server {
    /// It ends with the test's process.
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { url, seen: Arc::default(), held: Arc::default() };
        let (seen, held) = (Arc::clone(&server.seen), Arc::clone(&server.held));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, seen, held) = (stream.unwrap(), Arc::clone(&seen), Arc::clone(&held));
                thread::spawn(move || serve(stream, &seen, &held));
            }
        });
        server
    }

    fn client(&self) -> Arc<Client> {
        Client::over(Core::builder().base_url(&self.url).api_key("key").build().unwrap())
    }
}

fn serve(mut stream: TcpStream, seen: &AtomicUsize, held: &AtomicUsize) {
    loop {
        let mut request = Vec::new();
        let is_whole = |request: &[u8]| request.ends_with(b"\r\n\r\n");
        let is_reset = |request: &[u8]| request.ends_with(b"/reset HTTP/1.1\r\n");
        while !is_whole(&request) && !is_reset(&request) {
            let mut byte = [0];
            if stream.read(&mut byte).unwrap_or(0) == 0 {
                return;
            }
            request.extend(byte);
        }
        let line = String::from_utf8(request).unwrap();
        match line.split(' ').nth(1).unwrap().rsplit('/').next().unwrap() {
            "held" => {
                held.fetch_add(1, Relaxed);
                while stream.read(&mut [0; 64]).unwrap_or(0) > 0 {}
                held.fetch_sub(1, Relaxed);
                return;
            }
            "cut" | "reset" => {
                seen.fetch_add(1, Relaxed);
                return;
            }
            name => {
                // Before its answer, behind which the test may count at once.
                seen.fetch_add(1, Relaxed);
                if stream.write_all(ANSWER).is_err() {
                    return;
                }
                if name == "last" {
                    let _ = stream.shutdown(Shutdown::Both);
                    return;
                }
            }
        }
    }
}

/// A call, and which thread it began on.
struct Call {
    running: Running<Project>,
    began: Arc<OnceLock<ThreadId>>,
}

impl Call {
    fn get(client: &Client, id: &'static str) -> Self {
        let began = Arc::new(OnceLock::new());
        let on = Arc::clone(&began);
        let running = client.shared.call(None, move |client| async move {
            on.get_or_init(|| thread::current().id());
            given(client.projects().get(id).await)
        });
        Self { running, began }
    }

    fn began_here(&self) -> bool {
        self.began.get() == Some(&thread::current().id())
    }

    fn wait(self) -> Result<Given<Project>, Failure> {
        wait(self.running)
    }
}

/// Waits for a future as a language does: in no runtime of ours.
fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let end = Instant::now() + LONG;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        assert!(Instant::now() < end, "the call does not end");
        thread::park_timeout(LONG);
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn ok(outcome: Result<Given<Project>, Failure>) {
    assert_eq!(outcome.map(drop).map_err(|failure| failure.to_string()), Ok(()));
}

/// A call begins here as soon as nothing else is under way: that the library's thread has let go may take a moment, and if this
/// one is kept from running, that thread waits for events by itself again.
fn next_begins_here(client: &Client) {
    eventually("a lone call begins on the thread that makes it", || {
        let first = Call::get(client, "prj_1");
        let began_here = first.began_here();
        ok(first.wait());
        began_here
    });
}

#[test]
fn a_lone_call_begins_on_the_thread_that_makes_it_once_there_is_a_connection() {
    let _alone = alone();
    let (server, other) = (Server::start(), Server::start());
    let client = server.client();
    let first = Call::get(&client, "prj_1");
    assert!(!first.began_here(), "it has to connect before");
    ok(first.wait());
    next_begins_here(&client);
    // A client of another place has no connection yet, and a derived one has this one's.
    let first = Call::get(&other.client(), "prj_1");
    assert!(!first.began_here());
    ok(first.wait());
    next_begins_here(&client.derived());
}

#[test]
fn beside_another_call_it_begins_on_the_librarys_thread() {
    let _alone = alone();
    let server = Server::start();
    let client = server.client();
    next_begins_here(&client);
    let held = Call::get(&client, "held");
    eventually("it is held", || server.held.load(Relaxed) == 1);
    for _ in 0..20 {
        let beside = Call::get(&client, "prj_1");
        assert!(!beside.began_here());
        ok(beside.wait());
    }
    drop(held);
    eventually("its request stops", || server.held.load(Relaxed) == 0);
    next_begins_here(&client);
}

#[test]
fn in_a_runtime_it_begins_on_the_librarys_thread() {
    let _alone = alone();
    let server = Server::start();
    let client = server.client();
    next_begins_here(&client);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for _ in 0..20 {
            let call = Call::get(&client, "prj_1");
            assert!(!call.began_here());
            ok(call.running.await);
        }
    });
    next_begins_here(&client);
}

#[test]
fn with_a_credential_that_has_to_be_renewed_it_begins_on_the_librarys_thread() {
    let _alone = alone();
    let server = Server::start();
    let mut jwt = JwtCredential::new("secret", "usr_1", ["read"]);
    // Each is renewed at half its life: at once.
    jwt.lifetime = Duration::ZERO;
    let client = Client::over(Core::builder().base_url(&server.url).jwt(jwt).build().unwrap());
    for _ in 0..20 {
        let call = Call::get(&client, "prj_1");
        assert!(!call.began_here());
        ok(call.wait());
    }
}

#[test]
fn a_long_call_begins_on_the_librarys_thread() {
    let _alone = alone();
    let server = Server::start();
    let client = server.client();
    next_begins_here(&client);
    for _ in 0..20 {
        let here = thread::current().id();
        let call: Running<Project> = client.shared.long_call(None, move |client| async move {
            assert_ne!(thread::current().id(), here);
            given(client.projects().get("prj_1").await)
        });
        ok(wait(call));
    }
}

#[test]
fn a_call_that_is_dropped_as_soon_as_it_began_stops_its_request() {
    let _alone = alone();
    let server = Server::start();
    let client = server.client();
    let mut begun_here = 0;
    for _ in 0..200 {
        ok(Call::get(&client, "prj_1").wait());
        let call = Call::get(&client, "held");
        begun_here += usize::from(call.began_here());
        drop(call);
    }
    assert!(begun_here > 0, "none of them began here");
    eventually("all of their requests stop", || server.held.load(Relaxed) == 0);
    next_begins_here(&client);
}

#[test]
fn a_client_that_is_closed_meanwhile_ends_its_call() {
    let _alone = alone();
    let server = Server::start();
    let mut begun_here = 0;
    for _ in 0..20 {
        let client = server.client();
        next_begins_here(&client);
        let call = Call::get(&client, "held");
        begun_here += usize::from(call.began_here());
        eventually("it is held", || server.held.load(Relaxed) == 1);
        client.close();
        let failure = call.wait().map(drop).unwrap_err();
        assert!(failure.to_string().contains("closed"), "{failure}");
        eventually("its request stops", || server.held.load(Relaxed) == 0);
        let later = Call::get(&client, "prj_1").wait().map(drop).unwrap_err();
        assert!(later.to_string().contains("closed"), "{later}");
    }
    assert!(begun_here > 0, "none of them began here");
}

#[test]
fn a_connection_that_the_platform_closed_costs_a_lone_call_nothing() {
    let _alone = alone();
    let server = Server::start();
    let client = server.client();
    let mut begun_here = 0;
    for round in 0..100_u64 {
        ok(Call::get(&client, "last").wait());
        // From at once, while it is being closed, to long after.
        thread::sleep(Duration::from_micros(round * 100));
        let next = Call::get(&client, "prj_1");
        begun_here += usize::from(next.began_here());
        ok(next.wait());
    }
    assert!(begun_here > 0, "none of them began here");
}

#[test]
fn a_lone_call_whose_connection_is_cut_fails_as_any_other() {
    let _alone = alone();
    let server = Server::start();
    let core = Core::builder().base_url(&server.url).api_key("key").max_retries(1).build();
    let client = Client::over(core.unwrap());
    for id in ["cut", "reset"] {
        next_begins_here(&client);
        let before = server.seen.load(Relaxed);
        let call = Call::get(&client, id);
        assert!(call.wait().is_err(), "{id}");
        assert_eq!(server.seen.load(Relaxed) - before, 2, "{id}: it is tried again");
    }
    next_begins_here(&client);
}

/// Beside the main thread, threads on Apple's systems have 512 KiB. Here the call is not optimised, and takes the more.
#[test]
fn a_small_stack_is_enough() {
    let _alone = alone();
    let server = Server::start();
    let client = server.client();
    next_begins_here(&client);
    let small = thread::Builder::new().stack_size(512 * 1024);
    small.spawn(move || next_begins_here(&client)).unwrap().join().unwrap();
}

#[test]
fn threads_that_end_and_calls_that_are_dropped_leave_nothing_behind() {
    let _alone = alone();
    let server = Server::start();
    let client = server.client();
    next_begins_here(&client);
    let begun_here = Arc::new(AtomicUsize::new(0));
    for round in 0..100 {
        // Sometimes one alone, sometimes so many that both of the library's threads have some.
        let threads: Vec<_> = (0..if round % 2 == 0 { 1 } else { 20 })
            .map(|number| {
                let (client, begun_here) = (Arc::clone(&client), Arc::clone(&begun_here));
                thread::spawn(move || {
                    let call = Call::get(&client, "prj_1");
                    begun_here.fetch_add(usize::from(call.began_here()), Relaxed);
                    if (round / 2 + number) % 3 > 0 {
                        ok(call.wait());
                    } else {
                        thread::sleep(Duration::from_micros(number * 50));
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
    assert!(begun_here.load(Relaxed) > 0, "none of them began here");
    next_begins_here(&client);
}
