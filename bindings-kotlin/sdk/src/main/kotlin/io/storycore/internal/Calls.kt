// How a call of the native client is made: with its options, and with Kotlin's own exceptions.

package io.storycore.internal

import io.storycore.CallOptions
import io.storycore.Page
import io.storycore.StoryCoreException
import io.storycore.exception
import io.storycore.ffi.Client
import io.storycore.ffi.Failure
import io.storycore.ffi.FailureDetails
import io.storycore.ffi.InternalException
import io.storycore.native
import java.time.Duration
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import io.storycore.ffi.CallOptions as NativeCallOptions

/** A native client, and the options of every call that is made through it. */
internal class Calls(val native: Client, val defaults: CallOptions) {
    /** Makes a call. Cancelling the coroutine drops it, which ends its request. */
    suspend inline fun <T> make(options: CallOptions?, call: (NativeCallOptions?) -> T): T =
        told { call(given(options)) }

    /** What goes on by itself, piece by piece, begun anew by each collector. */
    inline fun <S : AutoCloseable, T : Any> flow(
        options: CallOptions?,
        crossinline open: (NativeCallOptions?) -> S,
        crossinline next: suspend (S) -> T?,
    ): Flow<T> = flow {
        told { open(given(options)) }.use { source ->
            while (true) emit(told { next(source) } ?: break)
        }
    }

    /** The objects of all pages. */
    inline fun <S : AutoCloseable, T> items(
        options: CallOptions?,
        crossinline open: (NativeCallOptions?) -> S,
        crossinline next: suspend (S) -> Page<T>?,
    ): Flow<T> {
        val pages = flow(options, open, next)
        return flow { pages.collect { page -> page.data.forEach { emit(it) } } }
    }

    fun given(options: CallOptions?): NativeCallOptions? = (options?.over(defaults) ?: defaults).native()
}

/** Does what may fail on the native side, with the exceptions of this package. */
internal inline fun <T> told(call: () -> T): T = try {
    call()
} catch (failure: Failure.Failed) {
    throw failure.details.exception()
} catch (broken: InternalException) {
    throw internal(broken)
}

/** Calls what the app gave where nobody waits for it: what it throws goes where a thread's own exceptions go. */
internal inline fun orUncaught(call: () -> Unit) {
    try {
        call()
    } catch (thrown: Throwable) {
        val thread = Thread.currentThread()
        thread.uncaughtExceptionHandler.uncaughtException(thread, thrown)
    }
}

/** The native side itself broke, which it must not. */
internal fun internal(broken: InternalException): StoryCoreException {
    val text = "the SDK failed inside: please report it with what was called"
    val causes = listOfNotNull(broken.message)
    return FailureDetails(
        kind = "internal", text = text, reason = text, status = null, code = null, param = null, details = null,
        requestId = null, idempotencyKey = null, retryAfter = null, attempts = 0u, elapsed = Duration.ZERO,
        retryable = false, body = null, job = null, causes = causes,
    ).exception()
}
