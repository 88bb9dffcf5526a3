//! Threads of our own for work that waits for the network, such as a file that is read no faster than it is sent. On the runtime's
//! threads for blocking work, of which there may be one, it would hold up what the network itself waits for.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::sync::oneshot;

/// What a thread gives when it ends.
#[derive(Debug)]
pub(crate) struct Running<T>(Result<oneshot::Receiver<T>, Option<io::Error>>);

/// Does `work` on a thread of its own, which goes on when the result is dropped.
pub(crate) fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Running<T> {
    let (sender, receiver) = oneshot::channel();
    let thread = std::thread::Builder::new().name("storycore-file".to_owned());
    let spawned = thread.spawn(move || {
        // Nobody may wait for it.
        let _ = sender.send(work());
    });
    Running(spawned.map(|_| receiver).map_err(Some))
}

/// Lets others run between two pieces of a file that are read or hashed: an event loop among them, whose thread has little to do
/// and soon. Who is woken waits for the end of who runs, which is the clock's next tick, 4 ms later on many systems.
pub(crate) fn let_others() {
    std::thread::yield_now();
}

impl<T> Running<T> {
    /// Why there is no such thread.
    pub(crate) fn failed(&mut self) -> Option<io::Error> {
        self.0.as_mut().err().and_then(Option::take)
    }
}

impl<T> Future for Running<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        match &mut self.0 {
            Ok(receiver) => {
                Poll::Ready(ready!(Pin::new(receiver).poll(cx)).map_err(io::Error::other))
            }
            Err(error) => {
                let gone = || io::Error::other("the thread could not be started");
                Poll::Ready(Err(error.take().unwrap_or_else(gone)))
            }
        }
    }
}
