//! The connections of the first thread's runtime as one descriptor, which an event loop of JavaScript's can wait for while
//! nobody drives that runtime. It says that something can be read and reads nothing.

use std::{
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    sync::{
        Arc, LazyLock, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use rustix::event::epoll;
use storycore::SocketWatch;

/// Those of all clients.
static ALL: LazyLock<Arc<Sockets>> = LazyLock::new(Arc::default);

#[derive(Debug, Default)]
struct Sockets {
    /// There from the first connection on; nothing where the system has none left.
    epoll: OnceLock<Option<OwnedFd>>,
    /// Connections that are being made: they wait for more than that something can be read.
    opening: AtomicUsize,
    /// A connection could not be added.
    is_incomplete: AtomicBool,
}

/// What the clients of the first thread tell of their connections.
pub(crate) fn watch() -> Arc<dyn SocketWatch> {
    ALL.clone()
}

/// The descriptor, where every connection is in it.
pub(crate) fn descriptor() -> Option<BorrowedFd<'static>> {
    let all: &'static Sockets = &ALL;
    if all.is_incomplete.load(Relaxed) { None } else { all.epoll() }
}

/// Whether no connection is being made.
pub(crate) fn is_all_open() -> bool {
    ALL.opening.load(Relaxed) == 0
}

impl Sockets {
    fn epoll(&self) -> Option<BorrowedFd<'_>> {
        let made = || epoll::create(epoll::CreateFlags::CLOEXEC).ok();
        self.epoll.get_or_init(made).as_ref().map(|epoll| epoll.as_fd())
    }
}

impl SocketWatch for Sockets {
    fn opening(&self) {
        self.opening.fetch_add(1, Relaxed);
    }

    fn connected(&self, socket: BorrowedFd<'_>) {
        // The kernel takes it out when it is closed.
        let data = epoll::EventData::new_u64(0);
        let added = self.epoll().map(|all| epoll::add(all, socket, data, epoll::EventFlags::IN));
        if !matches!(added, Some(Ok(()))) {
            self.is_incomplete.store(true, Relaxed);
        }
    }

    fn opened(&self) {
        self.opening.fetch_sub(1, Relaxed);
    }
}
