//! Makes the generated Kotlin's way over the boundary a short one. uniffi 0.32.2 writes it for JNA, to which some things cost
//! much more than the call itself: a native thread that becomes one of Java's for each callback, and a structure that is
//! allocated, filled and read by reflection for each call.

use anyhow::{Result, bail};

use crate::change::once;

/// How a call ended, as it is declared of every native function.
const STATUS: &str = "uniffi_out_err: UniffiRustCallStatus";

/// A continuation is called on the library's own threads. The first call makes such a thread one of Java's, which it stays; as a
/// daemon it keeps no program from ending. By default it would be one for each call anew.
const ATTACHED: &str = "\
internal object uniffiRustFutureContinuationCallbackImpl: UniffiRustFutureContinuationCallback {
    // Its address, which JNA would look up for each call.
    internal val pointer: Pointer

    init {
        Native.setCallbackThreadInitializer(this, com.sun.jna.CallbackThreadInitializer(true, false, \"storycore\"))
        pointer = com.sun.jna.CallbackReference.getFunctionPointer(this)
    }

";

/// A status for each thread, and all of them say that a call went well but while an error is read. The library writes errors
/// alone, as the last thing that a call does: a call inside another one's has been read by then.
const CALL: &str = "\
private val uniffiCallStatus = object : ThreadLocal<UniffiRustCallStatus>() {
    override fun initialValue() = UniffiRustCallStatus().apply { write() }
}

private inline fun <U, E: kotlin.Exception> uniffiRustCallWithError(errorHandler: UniffiRustCallStatusErrorHandler<E>, callback: (Pointer) -> U): U {
    val status = uniffiCallStatus.get()!!
    val return_value = callback(status.pointer)
    // Its first field is the code.
    if (status.pointer.getByte(0) != UNIFFI_CALL_SUCCESS) {
        uniffiThrow(errorHandler, status)
    }
    return return_value
}

private fun <E: kotlin.Exception> uniffiThrow(errorHandler: UniffiRustCallStatusErrorHandler<E>, status: UniffiRustCallStatus) {
    val read = UniffiRustCallStatus()
    status.read()
    read.code = status.code
    read.error_buf = RustBuffer.create(status.error_buf.capacity.toULong(), status.error_buf.len.toULong(), status.error_buf.data)
    status.pointer.setByte(0, UNIFFI_CALL_SUCCESS)
    uniffiCheckCallStatus(errorHandler, read)
}
";

/// The generated Kotlin, with less for JNA to do.
pub(crate) fn lean(generated: &str) -> Result<String> {
    let mut text = generated.to_owned();
    for (what, with) in [
        (
            "internal object uniffiRustFutureContinuationCallbackImpl: UniffiRustFutureContinuationCallback {\n",
            ATTACHED,
        ),
        (
            "                    uniffiRustFutureContinuationCallbackImpl,\n",
            "                    uniffiRustFutureContinuationCallbackImpl.pointer,\n",
        ),
        (
            "    pollFunc: (Long, UniffiRustFutureContinuationCallback, Long) -> Unit,\n",
            "    pollFunc: (Long, Pointer, Long) -> Unit,\n",
        ),
        (
            "    completeFunc: (Long, UniffiRustCallStatus) -> F,\n",
            "    completeFunc: (Long, Pointer) -> F,\n",
        ),
        (
            "private inline fun <U, E: kotlin.Exception> uniffiRustCallWithError(errorHandler: UniffiRustCallStatusErrorHandler<E>, \
             callback: (UniffiRustCallStatus) -> U): U {\n    var status = UniffiRustCallStatus()\n    \
             val return_value = callback(status)\n    uniffiCheckCallStatus(errorHandler, status)\n    return return_value\n}\n",
            CALL,
        ),
        (
            "private inline fun <U> uniffiRustCall(callback: (UniffiRustCallStatus) -> U): U {\n",
            "private inline fun <U> uniffiRustCall(callback: (Pointer) -> U): U {\n",
        ),
    ] {
        once(&mut text, what, with)?;
    }
    for (what, with) in [
        (STATUS, "uniffi_out_err: Pointer"),
        (
            "`callback`: UniffiRustFutureContinuationCallback,`callbackData`",
            "`callback`: Pointer,`callbackData`",
        ),
    ] {
        if !text.contains(what) {
            bail!("what uniffi wrote has no {what:?}");
        }
        text = text.replace(what, with);
    }
    let native = |line: &&str| line.contains("external fun");
    let still = ["UniffiRustCallStatus", "UniffiRustFutureContinuationCallback"];
    let left = text.lines().filter(native).find(|line| still.iter().any(|it| line.contains(it)));
    if let Some(line) = left {
        bail!("a native function takes what costs too much still: {}", line.trim());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generator_that_writes_something_else_is_told() {
        let error = lean("internal object Other {}").unwrap_err();
        assert!(error.to_string().contains("ContinuationCallback"), "{error}");
    }
}
