// The conformance driver for Kotlin: reads operations from standard input, makes them with this package, answers on standard
// output. The protocol is in `tests/conformance/src/driver.rs`. Its native library is built with the feature `conformance`.

package io.storycore.conformance

import io.storycore.StoryCoreClient
import io.storycore.StoryCoreException
import io.storycore.ffi.advance
import io.storycore.ffi.watchBegin
import java.time.Duration
import java.util.concurrent.ConcurrentHashMap
import kotlin.system.exitProcess
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.put

/** Something that Kotlin, or an app, does not have. */
class NotHere(message: String) : Exception(message)

/** The clients of one scenario and its calls that are under way. */
class Driver {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
    private val clients = ConcurrentHashMap<String, StoryCoreClient>()
    private val running = ConcurrentHashMap<Long, Job>()
    private val calls = Scenario()

    // A scenario may want to see that a client leaves the program's logging to the program.
    private var watchLater = System.getenv("CONFORMANCE_WATCH") == "later"

    fun begin() {
        if (!watchLater) watchBegin()
        // Like the runtime of the driver for Rust, the threads are there before a scenario counts what is open.
        runBlocking(Dispatchers.Default) { advance(Duration.ZERO) }
    }

    fun act(line: String) {
        val operation = Json.parseToJsonElement(line).jsonObject
        val id = operation.long("id") ?: error("an operation has an id")
        val name = operation.text("client") ?: "a"
        when (operation.text("op")) {
            "client" -> answer(id) {
                clients[name] = client(operation.of("options"), calls.tokens)
                if (watchLater) watchBegin()
                watchLater = false
                JsonNull
            }
            "cancel" -> {
                running[operation.long("target")]?.cancel()
                write(id, "result", JsonNull)
            }
            "advance" -> start(id) {
                advance(Duration.ofMillis(operation.long("ms") ?: 0))
                JsonNull
            }
            else -> start(id) { calls.call(clients[name], operation) }
        }
    }

    private fun start(id: Long, call: suspend () -> JsonElement) {
        val job = scope.launch(start = CoroutineStart.LAZY) {
            answer(id) { call() }
            running.remove(id)
        }
        running[id] = job
        // Also one that is cancelled before it began is answered.
        job.invokeOnCompletion { if (running.remove(id) != null) write(id, "error", told("cancelled")) }
        job.start()
    }

    private inline fun answer(id: Long, call: () -> JsonElement) {
        val (key, value) = try {
            "result" to call()
        } catch (error: StoryCoreException) {
            "error" to told(error)
        } catch (_: CancellationException) {
            "error" to told("cancelled")
        } catch (error: NotHere) {
            "error" to told("not_here", error.message)
        } catch (error: Exception) {
            "error" to told("broken driver", error.stackTraceToString())
        }
        running.remove(id)
        write(id, key, value)
    }

    private fun told(kind: String, message: String? = "the call was cancelled"): JsonObject = buildJsonObject {
        put("kind", kind)
        put("message", message)
    }

    private fun write(id: Long, key: String, value: JsonElement) {
        val line = buildJsonObject {
            put("id", id)
            put(key, value)
        }.toString()
        synchronized(System.out) {
            println(line)
            System.out.flush()
        }
    }
}

fun main() {
    val driver = Driver()
    driver.begin()
    while (true) driver.act(readlnOrNull() ?: break)
    // What is still under way ends with the scenario.
    exitProcess(0)
}
