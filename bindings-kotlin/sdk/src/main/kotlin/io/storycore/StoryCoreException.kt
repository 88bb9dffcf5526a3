package io.storycore

import io.storycore.ffi.FailureDetails
import io.storycore.internal.readJson
import io.storycore.models.Job
import io.storycore.models.model
import kotlin.time.Duration
import kotlin.time.toKotlinDuration
import kotlinx.serialization.json.JsonElement

/**
 * Why a call failed: the root of all exceptions of this package, with a class for each kind below it. [message] says what
 * went wrong, with the facts that help to find it; no credential or secret is ever in it. New kinds may be added.
 */
public open class StoryCoreException internal constructor(details: FailureDetails) : Exception(details.text) {
    /** What stood behind it in words, and behind that; last, of an upload, what its stream threw. */
    final override var cause: Throwable? = cause(details.causes)
        private set

    /** The kind, the same in every language: `not_found`, `rate_limited` … */
    public val kind: String = details.kind

    /** What went wrong in words alone, without the facts below. */
    public val reason: String = details.reason

    /** The HTTP status, where an answer arrived. */
    public val status: Int? = details.status?.toInt()

    /** The platform's own code, such as `idempotency_mismatch`. */
    public val code: String? = details.code

    /** The parameter, field or JSON path at fault. */
    public val param: String? = details.param

    /** The platform's `details`, usually a message for each field. */
    public val details: JsonElement? = details.details?.let { readJson(it) }

    /** The platform's id of the request, to quote to its support. */
    public val requestId: String? = details.requestId

    /** The idempotency key that was sent. Calling again with it cannot do the work twice. */
    public val idempotencyKey: String? = details.idempotencyKey

    /** How long the platform asked to wait before the next request. */
    public val retryAfter: Duration? = details.retryAfter?.toKotlinDuration()

    /** How many requests were sent, or tried to be sent. */
    public val attempts: Int = details.attempts.toInt()

    /** The time from the call's start to the failure. */
    public val elapsed: Duration = details.elapsed.toKotlinDuration()

    /** Whether the same call may succeed later without being changed. */
    public val retryable: Boolean = details.retryable

    /** The answer's body as text, in part where it is long. */
    public val body: String? = details.body

    /** The job that was waited for, as it was last seen. */
    public val job: Job? = details.job?.model()

    /** Sets what it came of, where that was thrown on this side. */
    internal fun causedBy(thrown: Throwable) {
        cause = thrown
    }

    /** Puts what the app's own code threw behind the last cause, where this came of it: then its words are in this one's. */
    internal fun blame(thrown: Throwable) {
        val causes = generateSequence(cause) { it.cause }.filterIsInstance<NativeCause>().toList()
        val words = thrown.toString()
        if ((causes + this).none { words in it.message.orEmpty() }) return
        if (causes.isEmpty()) cause = thrown else causes.last().cause = thrown
    }
}

/** What stood behind a failure on the native side, and behind that, in words. */
private class NativeCause(text: String, override var cause: Throwable?) : Exception(text, null, false, false) {
    override fun toString(): String = message.orEmpty()
}

private fun cause(words: List<String>): Throwable? =
    words.foldRight(null as Throwable?) { text, behind -> NativeCause(text, behind) }
