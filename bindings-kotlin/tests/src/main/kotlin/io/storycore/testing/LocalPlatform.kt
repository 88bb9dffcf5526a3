package io.storycore.testing

import io.storycore.StoryCoreClient
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import java.util.concurrent.TimeUnit
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

/** A local platform of one's own: the program that `STORYCORE_CLI` names. It ends with [close], or with this process. */
class LocalPlatform : AutoCloseable {
    private val process: Process
    private val http = HttpClient.newHttpClient()

    val url: String
    val apiKey: String

    init {
        val program = System.getenv("STORYCORE_CLI") ?: "storycore"
        process = ProcessBuilder(
            program, "dev", "--in-memory", "--listen", "127.0.0.1:0", "--json", "--stop-with-stdin",
        ).redirectError(ProcessBuilder.Redirect.INHERIT).start()
        val line = process.inputReader().readLine() ?: error("$program ended without a word")
        val ready = Json.parseToJsonElement(line).jsonObject
        url = ready.getValue("url").jsonPrimitive.content
        apiKey = ready.getValue("api_key").jsonPrimitive.content
    }

    fun client(maxRetries: Int? = null): StoryCoreClient =
        StoryCoreClient(apiKey = apiKey, baseUrl = url, maxRetries = maxRetries)

    /** Plants a fault, such as `{"path": "/api/projects", "action": {"status": 503}}`. */
    fun fault(json: String) {
        send("POST", "/_local/faults", json)
    }

    /** What arrived so far. */
    fun requests(): JsonArray {
        val answer = Json.parseToJsonElement(send("GET", "/_local/requests"))
        return (answer as? JsonArray) ?: answer.jsonObject.getValue("data").jsonArray
    }

    private fun send(method: String, path: String, json: String? = null): String {
        val body = json?.let { HttpRequest.BodyPublishers.ofString(it) } ?: HttpRequest.BodyPublishers.noBody()
        val request = HttpRequest.newBuilder(URI(url + path)).method(method, body)
            .header("authorization", "Bearer $apiKey").header("content-type", "application/json").build()
        val answer = http.send(request, HttpResponse.BodyHandlers.ofString())
        check(answer.statusCode() in 200..299) { "$method $path: ${answer.statusCode()} ${answer.body()}" }
        return answer.body()
    }

    override fun close() {
        process.outputStream.close()
        if (!process.waitFor(10, TimeUnit.SECONDS)) process.destroyForcibly()
    }
}
