// Values on their way over the boundary: JSON, URLs and numbers, both ways.

package io.storycore.internal

import io.storycore.Change
import io.storycore.exception
import io.storycore.ffi.BoolChange
import io.storycore.ffi.FailureDetails
import io.storycore.ffi.IntegerChange
import io.storycore.ffi.ListParams
import io.storycore.ffi.NumberChange
import io.storycore.ffi.TextChange
import io.storycore.ffi.TextsChange
import java.net.URI
import java.net.URISyntaxException
import java.nio.file.FileSystems
import java.nio.file.Path
import java.time.Duration
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonObject

private val EMPTY = JsonObject(emptyMap())

internal fun readJson(text: String): JsonElement = Json.parseToJsonElement(text)

internal fun readObject(text: String?): JsonObject =
    if (text == null || text == "{}") EMPTY else readJson(text).jsonObject

/** An unsigned number; what `Long` does not hold is its most. */
internal fun readLong(number: ULong): Long = if (number > Long.MAX_VALUE.toULong()) Long.MAX_VALUE else number.toLong()

/** A URL as the platform has it. Characters that Java's class does not take are escaped: one odd URL must not hide a list. */
internal fun readUri(text: String): URI =
    uriOrNull(text) ?: uriOrNull(escaped(text, "-._~:/?#@!$&'()*+,;=%")) ?: URI(escaped(text, "-._~/"))

private fun uriOrNull(text: String): URI? = try {
    URI(text)
} catch (_: URISyntaxException) {
    null
}

private fun escaped(text: String, kept: String): String = buildString {
    for (byte in text.toByteArray()) {
        val letter = byte.toInt().toChar()
        val stays = letter in 'a'..'z' || letter in 'A'..'Z' || letter in '0'..'9' || letter in kept
        if (stays) append(letter) else append("%%%02X".format(byte))
    }
}

internal fun uint(name: String, number: Long): UInt {
    if (number !in 0..UInt.MAX_VALUE.toLong()) throw outside(name, number)
    return number.toUInt()
}

internal fun ulong(name: String, number: Long): ULong {
    if (number < 0) throw outside(name, number)
    return number.toULong()
}

private fun outside(name: String, number: Long) = invalid(name, "`$name` cannot be $number")

/** A file's path. The same text in another file system, such as one of a ZIP file, may be a file here that nobody meant. */
internal fun filePath(name: String, path: Path): String {
    if (path.fileSystem != FileSystems.getDefault()) {
        throw invalid(name, "`$name` must be a path of the system's own files: open it as a stream")
    }
    return path.toString()
}

/** An argument that cannot be what it is to be. Nothing was sent. */
internal fun invalid(name: String, reason: String) = refused("invalid_request", name, reason)

/** A setting that cannot work here. Nothing was sent. */
internal fun config(name: String, reason: String) = refused("config", name, reason)

private fun refused(kind: String, name: String, reason: String) = FailureDetails(
    kind = kind, text = reason, reason = reason, status = null, code = null, param = name,
    details = null, requestId = null, idempotencyKey = null, retryAfter = null, attempts = 0u,
    elapsed = Duration.ZERO, retryable = false, body = null, job = null, causes = emptyList(),
).exception()

internal inline fun <T> Change<T>.text(text: (T) -> String): TextChange = when (this) {
    Change.Keep -> TextChange.Keep
    Change.Clear -> TextChange.Clear
    is Change.Set -> TextChange.Set(text(value))
}

internal fun Change<List<String>>.texts(): TextsChange = when (this) {
    Change.Keep -> TextsChange.Keep
    Change.Clear -> TextsChange.Clear
    is Change.Set -> TextsChange.Set(value)
}

internal fun Change<Double>.number(): NumberChange = when (this) {
    Change.Keep -> NumberChange.Keep
    Change.Clear -> NumberChange.Clear
    is Change.Set -> NumberChange.Set(value)
}

internal fun Change<Boolean>.bool(): BoolChange = when (this) {
    Change.Keep -> BoolChange.Keep
    Change.Clear -> BoolChange.Clear
    is Change.Set -> BoolChange.Set(value)
}

internal inline fun Change<Long>.integer(number: (Long) -> ULong): IntegerChange = when (this) {
    Change.Keep -> IntegerChange.Keep
    Change.Clear -> IntegerChange.Clear
    is Change.Set -> IntegerChange.Set(number(value))
}

/** What a list is asked with. A filter with a name of its own comes before one of the same name in `filters`. */
internal fun listParams(
    pageSize: Long?,
    maxItems: Long?,
    offset: Long?,
    sort: String?,
    filters: Map<String, String>,
    vararg named: Pair<String, String?>,
): ListParams {
    val all = filters.toMutableMap()
    for ((name, value) in named) if (value != null) all[name] = value
    return ListParams(
        pageSize = pageSize?.let { uint("pageSize", it) },
        maxItems = maxItems?.let { ulong("maxItems", it) },
        offset = offset?.let { ulong("offset", it) },
        sort = sort,
        filters = all,
    )
}
