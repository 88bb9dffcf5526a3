package io.storycore

import io.storycore.ffi.FailureDetails
import io.storycore.internal.readJson
import java.time.Duration
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.JsonElement
import io.storycore.ffi.RawResponse as NativeRawResponse

/** An answer as it came. Two are equal when their bytes are. */
public class RawResponse internal constructor(
    /** The HTTP status. */
    public val status: Int,
    /** Every header, its name in lower case; a repeated one has each of its values. */
    public val headers: Map<String, List<String>>,
    /** The platform's id of the request. */
    public val requestId: String?,
    /** The body. */
    public val body: ByteArray,
) {
    /** The body as text. */
    public fun text(): String = body.decodeToString()

    /**
     * The body as JSON.
     *
     * @throws DecodeException where it is none.
     */
    public fun json(): JsonElement = try {
        readJson(text())
    } catch (wrong: SerializationException) {
        throw noJson(this, wrong)
    }

    override fun equals(other: Any?): Boolean = other is RawResponse && other.status == status &&
        other.headers == headers && other.body.contentEquals(body)

    override fun hashCode(): Int = 31 * status + body.contentHashCode()

    override fun toString(): String = "RawResponse(status=$status, requestId=$requestId, ${body.size} bytes)"
}

internal fun NativeRawResponse.response() = RawResponse(
    status = status.toInt(),
    headers = headers.groupBy({ it.name }, { it.value }),
    requestId = requestId,
    body = body,
)

/** An answer that was to be JSON; what the parser threw is its cause. Behind its first line the parser quotes the answer. */
private fun noJson(answer: RawResponse, wrong: SerializationException): StoryCoreException {
    val reason = "the answer is no JSON: ${wrong.message.orEmpty().lineSequence().first()}"
    return FailureDetails(
        kind = "decode", text = reason, reason = reason, status = answer.status.toUShort(), code = null, param = null,
        details = null, requestId = answer.requestId, idempotencyKey = null, retryAfter = null, attempts = 1u,
        elapsed = Duration.ZERO, retryable = false, body = null, job = null, causes = emptyList(),
    ).exception().also { it.causedBy(wrong) }
}
