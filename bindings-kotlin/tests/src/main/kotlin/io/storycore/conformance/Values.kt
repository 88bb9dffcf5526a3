// JSON as scenarios have it, and the package's objects as JSON with the platform's names.

package io.storycore.conformance

import io.storycore.OpenEnum
import io.storycore.Page
import io.storycore.Secret
import io.storycore.StoryCoreException
import java.lang.reflect.Modifier
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.longOrNull
import kotlinx.serialization.json.put

private val EMPTY = JsonObject(emptyMap())

fun JsonObject.text(name: String): String? = this[name]?.jsonPrimitive?.contentOrNull

fun JsonObject.needed(name: String): String = text(name) ?: error("a scenario gives $name")

fun JsonObject.long(name: String): Long? = this[name]?.jsonPrimitive?.longOrNull

fun JsonObject.bool(name: String): Boolean? = this[name]?.jsonPrimitive?.booleanOrNull

fun JsonObject.maybe(name: String): JsonObject? = (this[name] ?: JsonNull).takeIf { it !is JsonNull }?.jsonObject

fun JsonObject.of(name: String): JsonObject = maybe(name) ?: EMPTY

fun JsonObject.texts(name: String): List<String> = this[name]?.jsonArray?.map { it.jsonPrimitive.content } ?: emptyList()

/** An object of the package by its fields, in the names of the wire. */
fun plain(value: Any?): JsonElement = when (value) {
    null -> JsonNull
    is JsonElement -> value
    is String -> JsonPrimitive(value)
    is Number -> JsonPrimitive(value)
    is Boolean -> JsonPrimitive(value)
    is OpenEnum -> JsonPrimitive(value.raw)
    is Secret -> JsonPrimitive(value.expose())
    is List<*> -> JsonArray(value.map { plain(it) })
    is Page<*> -> buildJsonObject {
        put("data", plain(value.data))
        put("pagination", plain(value.pagination))
    }
    else -> if (value.javaClass.packageName.startsWith("io.storycore")) fields(value) else JsonPrimitive(value.toString())
}

private fun fields(of: Any): JsonObject {
    val own = of.javaClass.declaredFields.filter { !Modifier.isStatic(it.modifiers) && it.name != "extra" }
    val known = own.associate { field ->
        field.isAccessible = true
        snake(field.name) to plain(field.get(of))
    }
    val extra = of.javaClass.declaredFields.find { it.name == "extra" }?.let {
        it.isAccessible = true
        it.get(of) as JsonObject
    }
    return JsonObject(known + (extra ?: emptyMap()))
}

private fun snake(name: String): String = name.replace(Regex("[A-Z]")) { "_" + it.value.lowercase() }

/** An error with every field that scenarios ask for. */
fun told(error: StoryCoreException): JsonObject = buildJsonObject {
    put("kind", error.kind)
    put("message", error.reason)
    put("status", error.status)
    put("code", error.code)
    put("param", error.param)
    put("details", error.details ?: JsonNull)
    put("request_id", error.requestId)
    put("idempotency_key", error.idempotencyKey)
    put("retry_after_ms", error.retryAfter?.inWholeMilliseconds)
    put("attempts", error.attempts)
    put("elapsed_ms", error.elapsed.inWholeMilliseconds)
    put("retryable", error.retryable)
    put("body", error.body)
    put("job", plain(error.job))
    put("cause", error.cause?.message)
    put("text", error.stackTraceToString())
}
