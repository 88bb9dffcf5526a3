package io.storycore

import io.storycore.internal.readJson
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
     * @throws SerializationException where it is none.
     */
    public fun json(): JsonElement = readJson(text())

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
