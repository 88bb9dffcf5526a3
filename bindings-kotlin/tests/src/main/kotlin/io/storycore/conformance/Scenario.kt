// The calls that scenarios make, by the names they have in every language.

package io.storycore.conformance

import io.storycore.Authorization
import io.storycore.Change
import io.storycore.Journal
import io.storycore.StoryCoreClient
import io.storycore.TokenSet
import io.storycore.UploadControl
import io.storycore.UploadProgress
import io.storycore.UploadSource
import io.storycore.UploadTuning
import io.storycore.ffi.watchSeen
import java.net.URI
import java.nio.file.Files
import java.nio.file.Path
import java.util.Collections
import java.util.concurrent.ConcurrentHashMap
import kotlin.concurrent.thread
import kotlin.io.path.ExperimentalPathApi
import kotlin.io.path.createTempDirectory
import kotlin.io.path.deleteRecursively
import kotlin.io.path.readText
import kotlin.time.Duration.Companion.milliseconds
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.doubleOrNull
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.put

/** Arguments of a list that are no filter. */
private val LIST = setOf("limit", "page_size", "max_items", "offset", "sort", "pause_ms")

/** What one scenario's calls share. */
class Scenario {
    val tokens: MutableMap<String, TokenSet> = ConcurrentHashMap()
    private val controls = ConcurrentHashMap<String, UploadControl>()
    private var authorization: Authorization? = null

    suspend fun call(client: StoryCoreClient?, operation: JsonObject): JsonElement {
        val args = operation.of("args")
        return when (val method = operation.needed("method")) {
            "webhooks.verify", "webhooks.guard" -> throw NotHere("an app receives no webhooks: they are verified on a server")
            "process.fork" -> throw NotHere("a JVM does not fork")
            "watch.spans", "watch.metrics", "watch.text" ->
                Json.parseToJsonElement(watchSeen(method.removePrefix("watch.")))
            "watch.client" -> JsonPrimitive("$client ${client?.projects} ${client?.media}")
            "assets.steer" -> steer(args)
            "process.runtimes" -> JsonArray(List(2) { inThread(client, args) })
            else -> {
                val made = client ?: error("a scenario makes its client first")
                plain(made.withOptions(callOptions(operation.of("options"))), method, args)
            }
        }
    }

    private suspend fun plain(client: StoryCoreClient, method: String, args: JsonObject): JsonElement {
        val id = args.text("id") ?: ""
        return when (method) {
            "projects.create" -> plain(
                client.projects.create(
                    name = args.text("name") ?: "",
                    description = args.text("description"),
                    budget = args["budget"]?.jsonPrimitive?.doubleOrNull,
                    settings = args.maybe("settings"),
                ),
            )
            "projects.get" -> plain(client.projects.get(id))
            "projects.update" ->
                plain(client.projects.update(id, name = change(args, "name"), description = change(args, "description")))
            "projects.delete" -> plain(client.projects.delete(id))
            "projects.list" -> plain(
                client.projects.list(
                    pageSize = pageSize(args), maxItems = args.long("max_items"), offset = args.long("offset"),
                    sort = args.text("sort"), filters = filters(args),
                ),
            )
            "projects.items" -> collected(
                client.projects.items(
                    pageSize = pageSize(args), maxItems = args.long("max_items"), offset = args.long("offset"),
                    sort = args.text("sort"), filters = filters(args),
                ),
                args.long("pause_ms"),
            )
            "projects.pages" -> collected(
                client.projects.pages(
                    pageSize = pageSize(args), maxItems = args.long("max_items"), offset = args.long("offset"),
                    sort = args.text("sort"), filters = filters(args),
                ),
            )
            "assets.get" -> plain(client.assets.get(id))
            "assets.content" -> JsonPrimitive(client.assets.content(id).decodeToString())
            "assets.download" -> downloaded(client, id)
            "assets.upload" -> upload(client, args)
            "jobs.get" -> plain(client.jobs.get(id))
            "jobs.list" -> plain(client.jobs.list(pageSize = pageSize(args), filters = filters(args)))
            "jobs.create" -> plain(client.jobs.create(type = args.text("type") ?: "", parameters = args.of("parameters")))
            "jobs.wait" -> plain(client.jobs.wait(id, timeout = args.long("timeout_ms")?.milliseconds))
            "jobs.events" -> JsonArray(
                client.jobs.events(id).toList().map {
                    buildJsonObject {
                        put("id", it.id)
                        put("type", it.type)
                        put("progress", it.job.progress)
                        put("status", it.job.status.raw)
                    }
                },
            )
            "webhooks.get" -> plain(client.webhooks.get(id))
            "webhooks.create" -> {
                val made = client.webhooks.create(url = URI(args.needed("url")), events = args.texts("events"))
                secret(made.id, made.secret.expose())
            }
            "api_keys.get" -> plain(client.apiKeys.get(id))
            "api_keys.create" -> {
                val made = client.apiKeys.create(name = args.needed("name"), permissions = listOf("read"))
                secret(made.id, made.secret.expose())
            }
            "events.get" -> plain(client.events.get(id))
            "oauth.begin" -> {
                val begun = Authorization(args.needed("client_id"), URI(args.needed("redirect_uri")), args.texts("scopes"))
                authorization = begun
                buildJsonObject { put("url", begun.url(client).toString()) }
            }
            "oauth.exchange" -> {
                val begun = authorization ?: error("a scenario begins a sign-in first")
                val got = begun.exchange(client, args.needed("code"), args.needed("state"))
                tokens[args.needed("code")] = got
                buildJsonObject {
                    put("expires_in", got.expiresIn)
                    put("refreshes", got.refreshToken != null)
                }
            }
            "request" -> {
                // A body that cannot be had again.
                val body = args.text("stream")?.toByteArray()
                val answer = client.request(
                    args.needed("method"), args.needed("path"), body = body, contentType = "application/json",
                )
                buildJsonObject {
                    put("status", answer.status)
                    put("request_id", answer.requestId)
                    put("body", if (answer.body.isEmpty()) JsonNull else answer.json())
                }
            }
            else -> error("the driver knows no method $method")
        }
    }

    private fun steer(args: JsonObject): JsonElement {
        val control = control(args.needed("control"))
        when (val word = args.needed("say")) {
            "pause" -> control.pause()
            "resume" -> control.resume()
            "cancel" -> control.cancel()
            else -> error("an upload does not know how to $word")
        }
        return JsonNull
    }

    private fun control(name: String): UploadControl = controls.computeIfAbsent(name) { UploadControl() }

    /** Uploads the file at `path`: as such, or its bytes, or a stream of them. */
    private suspend fun upload(client: StoryCoreClient, args: JsonObject): JsonElement {
        val path = Path.of(args.needed("path"))
        val source = when (args.text("source")) {
            "bytes" -> UploadSource.Bytes("film.bin", Files.readAllBytes(path))
            "stream" -> UploadSource.Stream("film.bin", Files.newInputStream(path))
            else -> UploadSource.File(path)
        }
        val told = Collections.synchronizedList(mutableListOf<UploadProgress>())
        val report = client.media.uploadReport(
            source,
            type = "document",
            journal = args.text("journal")?.let { Journal.At(Path.of(it)) } ?: Journal.Off,
            control = args.text("control")?.let { control(it) },
            tuning = UploadTuning(
                chunkSize = args.long("chunk_kib")?.let { it * 1024 },
                maxStreams = args.long("streams")?.toInt(),
                stallTimeout = args.long("stall_ms")?.milliseconds,
            ),
        ) { told += it }
        val last = told.lastOrNull()
        val shortest = told.dropLast(1).zipWithNext { a, b -> (b.elapsed - a.elapsed).inWholeMilliseconds }.minOrNull()
        return buildJsonObject {
            put("asset", plain(report.asset))
            put("sent", report.sent)
            put("failures", report.failures)
            put("restarts", plain(report.restarts))
            put(
                "progress",
                buildJsonObject {
                    put("last", plain(last))
                    put("shortest_ms", shortest)
                },
            )
        }
    }

    /** The call in a thread of its own, with an event loop of its own. */
    private fun inThread(client: StoryCoreClient?, args: JsonObject): JsonElement {
        var seen: JsonElement = JsonNull
        thread {
            seen = runBlocking { buildJsonObject { put("result", call(client, args)) } }
        }.join()
        return seen
    }
}

@OptIn(ExperimentalPathApi::class)
private suspend fun downloaded(client: StoryCoreClient, id: String): JsonElement {
    val folder = createTempDirectory("conformance-")
    try {
        client.assets.download(id, folder.resolve("download"))
        return JsonPrimitive(folder.resolve("download").readText())
    } finally {
        folder.deleteRecursively()
    }
}

private fun secret(id: String, secret: String): JsonElement = buildJsonObject {
    put("id", id)
    put("secret", secret)
}

private fun pageSize(args: JsonObject): Long? = args.long("limit") ?: args.long("page_size")

private fun filters(args: JsonObject): Map<String, String> =
    (args.keys - LIST).associateWith { args[it]?.jsonPrimitive?.contentOrNull ?: "" }

private fun change(args: JsonObject, name: String): Change<String> = when (val given = args[name]) {
    null -> Change.Keep
    JsonNull -> Change.Clear
    else -> Change.Set(given.jsonPrimitive.content)
}

private suspend fun collected(flow: Flow<Any>, pause: Long? = null): JsonElement {
    val all = mutableListOf<JsonElement>()
    flow.collect {
        all += plain(it)
        if (pause != null) delay(pause)
    }
    return JsonArray(all)
}
