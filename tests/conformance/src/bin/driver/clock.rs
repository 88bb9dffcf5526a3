//! The clock by which the client's timers go, moved for a scenario. With `CONFORMANCE_CLOCK=stands` it stands still between the
//! moves, so that no load of the machine moves it.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{LazyLock, Mutex, PoisonError, mpsc},
    time::Duration,
};

use tokio::{
    runtime::{Handle, Id},
    task,
    time::{advance, pause, resume},
};

/// Turns of the runtime in which what has come is read, and answered by the client's next step, before its clock is moved.
const TURNS: usize = 64;

type Standing = HashMap<Id, mpsc::Sender<()>>;

/// The runtimes whose clock stands, and what holds it.
static STANDING: LazyLock<Mutex<Standing>> = LazyLock::new(Mutex::default);

/// Whether the clocks stand from their first move on.
pub(crate) fn stands() -> bool {
    std::env::var_os("CONFORMANCE_CLOCK").is_some_and(|clock| clock == "stands")
}

/// Moves the clock of the runtime that this runs on, which has one thread.
pub(crate) async fn move_on(by: Duration) {
    for _ in 0..TURNS {
        task::yield_now().await;
    }
    if !stands() {
        pause();
        advance(by).await;
        return resume();
    }
    stop();
    advance(by).await;
}

fn stop() {
    let mut standing = STANDING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Entry::Vacant(here) = standing.entry(Handle::current().id()) {
        pause();
        // A paused clock goes on to the next timer whenever nothing else is to be done, except beside work that blocks.
        let (holds, held) = mpsc::channel();
        drop(task::spawn_blocking(move || held.recv()));
        here.insert(holds);
    }
}

/// Lets the runtimes end.
#[allow(dead_code, reason = "those of most languages end with their process")]
pub(crate) fn let_go() {
    STANDING.lock().unwrap_or_else(PoisonError::into_inner).clear();
}
