//! What a program may do to the process that its client lives in: fork it, and end one runtime to begin another.

use std::{io::Read as _, os::fd::FromRawFd as _};

use serde_json::{Value, json};
use storycore::{Client, Error};
use tokio::{runtime::Runtime, sync::oneshot};

use crate::{calls, told};

/// Makes a call three times: before a fork, in the child, and in the parent after it, each in the same thread.
pub(crate) async fn fork(client: Option<Client>, operation: Value) -> Result<Value, Error> {
    let (say, heard) = oneshot::channel();
    std::thread::spawn(move || {
        let runtime = runtime();
        let before = call(&runtime, client.as_ref(), &operation);
        let child = child(|| call(&self::runtime(), client.as_ref(), &operation));
        let after = call(&runtime, client.as_ref(), &operation);
        let _ = say.send(json!({"before": before, "child": child.answer(), "after": after}));
    });
    Ok(heard.await.expect("the thread answers"))
}

/// Makes a call in each of two runtimes, the second begun when the first has ended.
pub(crate) async fn runtimes(client: Option<Client>, operation: Value) -> Result<Value, Error> {
    let (say, heard) = oneshot::channel();
    std::thread::spawn(move || {
        let answers: Vec<Value> =
            (0..2).map(|_| call(&runtime(), client.as_ref(), &operation)).collect();
        let _ = say.send(json!(answers));
    });
    Ok(heard.await.expect("the thread answers"))
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("there is a runtime")
}

fn call(runtime: &Runtime, client: Option<&Client>, operation: &Value) -> Value {
    match runtime.block_on(calls::plain(client.cloned(), operation)) {
        Ok(result) => json!({"result": result}),
        Err(error) => json!({"error": told(&error)}),
    }
}

/// A child process and the end of the pipe on which it tells its answer.
struct Child {
    process: libc::pid_t,
    pipe: std::fs::File,
}

/// Does `work` in a child that then ends without a word to anybody else.
#[allow(unsafe_code, reason = "no safe crate forks")]
fn child(work: impl FnOnce() -> Value) -> Child {
    let mut ends = [0; 2];
    // SAFETY: `pipe` writes two descriptors into an array of two.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0, "there is a pipe");
    // SAFETY: each descriptor is new, and owned by its file alone.
    let [reading, writing] = ends.map(|end| unsafe { std::fs::File::from_raw_fd(end) });
    // SAFETY: of what the other threads of this program hold at that moment, the child uses the allocator alone, which the C
    // library keeps in order over a fork.
    match unsafe { libc::fork() } {
        0 => {
            let answer = work();
            let told = std::io::Write::write_all(&mut &writing, answer.to_string().as_bytes());
            // SAFETY: ends the process without running what belongs to the parent.
            unsafe { libc::_exit(i32::from(told.is_err())) }
        }
        process => {
            assert!(process > 0, "there is a child");
            Child { process, pipe: reading }
        }
    }
}

impl Child {
    /// What it told, once it has ended.
    #[allow(unsafe_code, reason = "no safe crate forks")]
    fn answer(mut self) -> Value {
        let mut text = String::new();
        self.pipe.read_to_string(&mut text).expect("the child writes text");
        // SAFETY: it is this process's child, and nobody else waits for it.
        unsafe { libc::waitpid(self.process, std::ptr::null_mut(), 0) };
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}
