package io.storycore

import kotlin.time.Duration
import kotlin.time.Duration.Companion.days
import kotlin.time.toJavaDuration
import io.storycore.ffi.CallOptions as NativeCallOptions
import io.storycore.internal.uint

/**
 * Options of single calls; what is not set is as the client has it.
 *
 * @param timeout The most that the whole call may take, retries and waits included: of an upload or a download, too, to the
 * last byte. Default: the client's, 180 s, which does not bound these two as a whole.
 * @param maxRetries Attempts after the first. Default: the client's, 2; 0 means none.
 * @param idempotencyKey The `Idempotency-Key` of a POST in place of a random one: at most 255 visible ASCII characters.
 * @param headers Further headers, or others in the place of the client's own.
 */
public data class CallOptions(
    public val timeout: Duration? = null,
    public val maxRetries: Int? = null,
    public val idempotencyKey: String? = null,
    public val headers: Map<String, String> = emptyMap(),
) {
    /** The options, of the headers their names alone: a value may be a credential. */
    override fun toString(): String =
        "CallOptions(timeout=$timeout, maxRetries=$maxRetries, idempotencyKey=$idempotencyKey, headers=${headers.keys})"

    /** These options; for what they leave open, those of `others`. */
    internal fun over(others: CallOptions): CallOptions = if (others == NONE) this else CallOptions(
        timeout ?: others.timeout,
        maxRetries ?: others.maxRetries,
        idempotencyKey ?: others.idempotencyKey,
        others.headers.filterKeys { name -> headers.keys.none { it.equals(name, ignoreCase = true) } } + headers,
    )

    internal companion object {
        val NONE = CallOptions()
    }
}

/** Nothing where nothing is set, which saves the way over the boundary. */
internal fun CallOptions.native(): NativeCallOptions? = if (this == CallOptions.NONE) null else NativeCallOptions(
    timeout = timeout?.positive("timeout"),
    maxRetries = maxRetries?.let { uint("maxRetries", it.toLong()) },
    idempotencyKey = idempotencyKey,
    headers = headers,
)

/** A time that is none before now. */
internal fun Duration.positive(name: String): java.time.Duration {
    if (isNegative()) throw io.storycore.internal.invalid(name, "`$name` cannot be $this")
    return coerceAtMost(MOST).toJavaDuration()
}

/** More than anybody waits, and less than what a clock can be moved by. */
private val MOST: Duration = 36500.days
