//! One descriptor in the event loop of one JavaScript environment, by libuv as Node brings it. All unsafe code of this crate
//! is here; what is done when the descriptor can be read is the caller's.
//!
//! What has to hold: libuv and Node-API are called on the environment's own thread alone (each use asks which thread it is),
//! and the handle's memory is let go in the callback of `uv_close`, which the environment's end waits for.
#![allow(
    unsafe_code,
    reason = "libuv has no safe interface, and napi gives none to callback scopes"
)]

use std::{
    cell::{Cell, RefCell},
    ffi::{CStr, c_int, c_void},
    os::fd::{AsRawFd as _, BorrowedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::{Arc, OnceLock},
    thread::{self, ThreadId},
};

use napi::{Env, check_status, sys};

/// `UV_POLL` of libuv's handle types, whose numbers stay within a major version.
const POLL: c_int = 8;
const READABLE: c_int = 1;

/// What is done when the descriptor can be read, on the environment's own thread.
pub(super) trait Waiter {
    /// Reads what has come. Says whether JavaScript has to hear of something.
    fn readable(&self) -> bool;

    /// Lets JavaScript hear it. Microtasks run behind it.
    fn deliver(&self, env: &Env) -> napi::Result<()>;

    /// The environment ends, and takes no more.
    fn ended(&self);
}

/// libuv's functions, of the program that loaded this library.
struct Functions {
    handle_size: unsafe extern "C" fn(c_int) -> usize,
    handle_get_data: unsafe extern "C" fn(*const c_void) -> *mut c_void,
    handle_set_data: unsafe extern "C" fn(*mut c_void, *mut c_void),
    poll_init: unsafe extern "C" fn(*mut c_void, *mut c_void, c_int) -> c_int,
    poll_start: unsafe extern "C" fn(*mut c_void, c_int, Readable) -> c_int,
    poll_stop: unsafe extern "C" fn(*mut c_void) -> c_int,
    unref: unsafe extern "C" fn(*mut c_void),
    close: unsafe extern "C" fn(*mut c_void, unsafe extern "C" fn(*mut c_void)),
}

type Readable = unsafe extern "C" fn(*mut c_void, c_int, c_int);

impl Functions {
    /// All of them, or none.
    fn get() -> Option<&'static Self> {
        static FOUND: OnceLock<Option<Functions>> = OnceLock::new();
        FOUND.get_or_init(Self::find).as_ref()
    }

    #[allow(clippy::missing_transmute_annotations, reason = "each is its field's type")]
    fn find() -> Option<Self> {
        macro_rules! find {
            ($($field:ident: $name:literal),*) => {
                // SAFETY: what has libuv's name is libuv's function, with the signature of its first version: JavaScript's side
                // asks for it under Node alone.
                Some(Self { $($field: unsafe { std::mem::transmute(symbol($name)?) }),* })
            };
        }
        find!(
            handle_size: c"uv_handle_size",
            handle_get_data: c"uv_handle_get_data",
            handle_set_data: c"uv_handle_set_data",
            poll_init: c"uv_poll_init",
            poll_start: c"uv_poll_start",
            poll_stop: c"uv_poll_stop",
            unref: c"uv_unref",
            close: c"uv_close"
        )
    }
}

fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: a lookup by a name that ends in NUL.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// The descriptor in the loop. It keeps no program from ending.
pub(super) struct Poll<W: Waiter>(Arc<Inner<W>>);

struct Inner<W> {
    waiter: W,
    thread: ThreadId,
    functions: &'static Functions,
    env: sys::napi_env,
    context: Cell<sys::napi_async_context>,
    /// libuv's, of the size that it asks for.
    handle: RefCell<Box<[u128]>>,
    is_open: Cell<bool>,
    is_started: Cell<bool>,
    /// What tells Node that this environment's end need not be waited for any more.
    hook: Cell<sys::napi_async_cleanup_hook_handle>,
}

// SAFETY: beside `thread` and `waiter` nothing is looked at on another thread than the environment's, see `is_here`.
unsafe impl<W: Waiter + Send + Sync> Send for Inner<W> {}
// SAFETY: the same.
unsafe impl<W: Waiter + Send + Sync> Sync for Inner<W> {}

impl<W: Waiter + Send + Sync + 'static> Poll<W> {
    /// Puts `descriptor` into the loop of `env`. Nothing where the program has no libuv, or not all of it.
    pub(super) fn new(
        env: &Env,
        descriptor: BorrowedFd<'static>,
        waiter: W,
    ) -> napi::Result<Option<Self>> {
        let Some(functions) = Functions::get() else { return Ok(None) };
        let event_loop = env.get_uv_event_loop()?;
        // SAFETY: it takes a number.
        let size = unsafe { (functions.handle_size)(POLL) };
        if !(1..=4096).contains(&size) {
            return Ok(None);
        }
        let mut context = ptr::null_mut();
        let name = env.create_string("storycore")?;
        let raw = env.raw();
        // SAFETY: `env` is alive, and this is its thread; without an object of its own Node makes one.
        check_status!(unsafe {
            sys::napi_async_init(raw, ptr::null_mut(), napi::JsValue::raw(&name), &mut context)
        })?;
        let inner = Arc::new(Inner {
            waiter,
            thread: thread::current().id(),
            functions,
            env: raw,
            context: Cell::new(context),
            handle: RefCell::new(vec![0; size.div_ceil(size_of::<u128>())].into()),
            is_open: Cell::new(false),
            is_started: Cell::new(false),
            hook: Cell::new(ptr::null_mut()),
        });
        let handle = inner.handle();
        // SAFETY: the loop is this environment's, the memory is as large as libuv asked for and stays where it is until
        // `closed`, and the descriptor is open for ever. The reference in the handle's data is given back in `closed`.
        let status = unsafe {
            let status = (functions.poll_init)(event_loop.cast(), handle, descriptor.as_raw_fd());
            if status == 0 {
                (functions.unref)(handle);
                let own = Arc::into_raw(Arc::clone(&inner));
                (functions.handle_set_data)(handle, own.cast_mut().cast());
            }
            status
        };
        if status != 0 {
            inner.leave_context();
            return Ok(None);
        }
        inner.is_open.set(true);
        let poll = Self(inner);
        let mut hook = ptr::null_mut();
        let data = Arc::as_ptr(&poll.0).cast_mut().cast();
        // SAFETY: the handle's own reference keeps `data` alive until `closed`, which is behind the hook.
        let status = unsafe {
            sys::napi_add_async_cleanup_hook(raw, Some(environment_ends::<W>), data, &mut hook)
        };
        poll.0.hook.set(hook);
        if status != sys::Status::napi_ok {
            poll.0.close();
            return Ok(None);
        }
        Ok(Some(poll))
    }

    /// Lets the loop wait for it. Says whether it does.
    pub(super) fn start(&self) -> bool {
        let inner = &*self.0;
        if !inner.is_here() || !inner.is_open.get() {
            return false;
        }
        if !inner.is_started.get() {
            // SAFETY: the handle is open, and this is its loop's thread.
            let status =
                unsafe { (inner.functions.poll_start)(inner.handle(), READABLE, readable::<W>) };
            inner.is_started.set(status == 0);
        }
        inner.is_started.get()
    }

    /// Lets the loop wait for it no more.
    pub(super) fn stop(&self) {
        if self.0.is_here() {
            self.0.stop();
        }
    }
}

impl<W> Inner<W> {
    fn is_here(&self) -> bool {
        thread::current().id() == self.thread
    }

    fn handle(&self) -> *mut c_void {
        self.handle.borrow_mut().as_mut_ptr().cast()
    }

    fn stop(&self) {
        if self.is_started.replace(false) {
            // SAFETY: a handle that was started is open, and this is its loop's thread.
            unsafe { (self.functions.poll_stop)(self.handle()) };
        }
    }

    fn leave_context(&self) {
        // SAFETY: made in `new` and let go once, before the environment is gone.
        unsafe { sys::napi_async_destroy(self.env, self.context.replace(ptr::null_mut())) };
    }
}

impl<W: Waiter> Inner<W> {
    fn close(&self) {
        if self.is_open.replace(false) {
            self.stop();
            self.leave_context();
            // SAFETY: it was open, is closed once, and its memory stays until `closed`.
            unsafe { (self.functions.close)(self.handle(), closed::<W>) };
        }
    }

    /// As Node calls what came from another thread: with scopes around it, and an exception is the program's, uncaught.
    fn deliver(&self) {
        let (env, mut handles, mut scope) = (self.env, ptr::null_mut(), ptr::null_mut());
        // SAFETY: the environment is alive while its loop calls; scopes are closed in the order in which they were opened.
        unsafe {
            if sys::napi_open_handle_scope(env, &mut handles) != sys::Status::napi_ok {
                return;
            }
            let opened =
                sys::napi_open_callback_scope(env, ptr::null_mut(), self.context.get(), &mut scope);
            if opened == sys::Status::napi_ok {
                if let Err(error) = self.waiter.deliver(&Env::from_raw(env)) {
                    let thrown = napi::JsError::from(error).into_value(env);
                    // While the environment ends there is nobody to hear it.
                    let _ = sys::napi_fatal_exception(env, thrown);
                }
                sys::napi_close_callback_scope(env, scope);
            }
            sys::napi_close_handle_scope(env, handles);
        }
    }
}

/// The descriptor can be read, or cannot be waited for any more: then the runtime's thread serves it as it serves the others.
unsafe extern "C" fn readable<W: Waiter>(handle: *mut c_void, status: c_int, _events: c_int) {
    let Some(functions) = Functions::get() else { return };
    // SAFETY: `new` put it there, and `closed` takes it away, behind which libuv does not call.
    let inner = unsafe {
        let data = (functions.handle_get_data)(handle).cast::<Inner<W>>();
        Arc::increment_strong_count(data);
        Arc::from_raw(data)
    };
    if status < 0 {
        return inner.stop();
    }
    // A panic must not go through libuv; what was under way is then the runtime's thread's.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        if inner.waiter.readable() {
            inner.deliver();
        }
    }));
}

unsafe extern "C" fn environment_ends<W: Waiter>(
    _hook: sys::napi_async_cleanup_hook_handle,
    data: *mut c_void,
) {
    // SAFETY: the handle's reference keeps it.
    let inner = unsafe { &*data.cast::<Inner<W>>() };
    inner.waiter.ended();
    inner.close();
}

unsafe extern "C" fn closed<W: Waiter>(handle: *mut c_void) {
    let Some(functions) = Functions::get() else { return };
    // SAFETY: the reference that `new` put there, taken back once.
    let inner = unsafe { Arc::from_raw((functions.handle_get_data)(handle).cast::<Inner<W>>()) };
    let hook = inner.hook.replace(ptr::null_mut());
    drop(inner);
    if !hook.is_null() {
        // SAFETY: from `napi_add_async_cleanup_hook`, removed once, on the environment's thread.
        unsafe { sys::napi_remove_async_cleanup_hook(hook) };
    }
}
