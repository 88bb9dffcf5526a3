//! Makes cancelling a Swift `Task` end the Rust future. uniffi 0.32.2 exports a cancel function for each kind of future and its
//! Swift never calls it (mozilla/uniffi-rs issue 2771). Goes with the first version that does.

use anyhow::{Result, bail};

use crate::change::once;

/// Holds on to a future for as long as it can be cancelled.
const GUARD: &str = "\
/// Cancels a Rust future, unless that has ended: its handle is no longer good then.
fileprivate final class UniffiCancelling: @unchecked Sendable {
    private let lock = NSLock()
    private let future: UInt64
    private var cancelFunc: (@convention(c) (UInt64) -> Void)?

    init(_ future: UInt64, _ cancelFunc: @escaping @convention(c) (UInt64) -> Void) {
        self.future = future
        self.cancelFunc = cancelFunc
    }

    func cancel() {
        lock.lock()
        defer { lock.unlock() }
        cancelFunc?(future)
    }

    func end() {
        lock.lock()
        defer { lock.unlock() }
        cancelFunc = nil
    }
}

fileprivate func uniffiRustCallAsync<F, T>(
";

/// The generated Swift with cancellation.
pub(crate) fn cancellable(generated: &str) -> Result<String> {
    let calls = generated.matches("rustFutureFunc: {").count();
    let mut text = generated.to_owned();
    let mut change = |what: &str, with: &str| once(&mut text, what, with);
    change("fileprivate func uniffiRustCallAsync<F, T>(\n", GUARD)?;
    change(
        "    freeFunc: (UInt64) -> (),\n    liftFunc:",
        "    freeFunc: (UInt64) -> (),\n    cancelFunc: @escaping @convention(c) (UInt64) -> Void,\n    liftFunc:",
    )?;
    change(
        "    defer {\n        freeFunc(rustFuture)\n    }\n    var pollResult: Int8;\n    repeat {\n",
        "    let cancelling = UniffiCancelling(rustFuture, cancelFunc)\n    defer {\n        cancelling.end()\n        \
         freeFunc(rustFuture)\n    }\n    await withTaskCancellationHandler {\n    var pollResult: Int8;\n    repeat {\n",
    )?;
    change(
        "    } while pollResult != UNIFFI_RUST_FUTURE_POLL_READY\n",
        "    } while pollResult != UNIFFI_RUST_FUTURE_POLL_READY\n    } onCancel: {\n        cancelling.cancel()\n    }\n",
    )?;
    change("fatalError(\"Cancellation not supported yet\")", "throw CancellationError()")?;
    let (text, found) = with_cancel_functions(&text)?;
    if found != calls || calls == 0 {
        bail!(
            "uniffi's Swift has {calls} async calls, of which {found} have a function that frees their future"
        );
    }
    // A call that cannot throw would end the process where it is cancelled.
    let unthrowing = |line: &&str| line.contains(")async ") && !line.contains(")async throws");
    if let Some(line) = generated.lines().find(unthrowing) {
        bail!("an async function must be able to throw, to be cancelled: {}", line.trim());
    }
    Ok(text)
}

/// Gives each call its cancel function, beside the one that frees its future. How many there were.
fn with_cancel_functions(text: &str) -> Result<(String, usize)> {
    let (mut out, mut found) = (String::with_capacity(text.len()), 0);
    for line in text.split_inclusive('\n') {
        out.push_str(line);
        let trimmed = line.trim();
        let Some(name) = trimmed.strip_prefix("freeFunc: ffi_") else { continue };
        let Some((krate, kind)) = name.trim_end_matches(',').split_once("_rust_future_free_")
        else {
            bail!("uniffi's Swift frees a future by {trimmed:?}");
        };
        let indent = &line[..line.len() - line.trim_start().len()];
        out.push_str(&format!("{indent}cancelFunc: ffi_{krate}_rust_future_cancel_{kind},\n"));
        found += 1;
    }
    Ok((out, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generator_that_writes_something_else_is_told() {
        let error = cancellable("fileprivate func other() {}").unwrap_err();
        assert!(error.to_string().contains("uniffiRustCallAsync"), "{error}");
    }

    #[test]
    fn every_call_gets_the_cancel_function_of_its_own_kind() {
        let text =
            "    freeFunc: ffi_storycore_mobile_rust_future_free_rust_buffer,\n    liftFunc: x,\n";
        let (text, found) = with_cancel_functions(text).unwrap();
        assert_eq!(found, 1);
        assert!(
            text.contains("    cancelFunc: ffi_storycore_mobile_rust_future_cancel_rust_buffer,\n")
        );
    }
}
