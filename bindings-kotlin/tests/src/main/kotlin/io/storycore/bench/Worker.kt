// The Kotlin side of `cargo xtask bench mobile`: does what it is told on standard input, and answers each line with one JSON
// object. The client is set up by the environment. `calls N`: one after another; `racing N`: each cancelled at some moment;
// `memory N`: what the process holds after a tenth of them and after all. Its native library is built with the feature
// `conformance`.

package io.storycore.bench

import io.storycore.StoryCoreClient
import io.storycore.ffi.CallCounts
import io.storycore.ffi.callCounts
import java.nio.file.Files
import java.nio.file.Path
import kotlin.random.Random
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.joinAll
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

fun main(): Unit = runBlocking {
    StoryCoreClient.fromEnv().use { client ->
        val id = System.getenv("STORYCORE_BENCH_ID") ?: client.projects.create(name = "Film").id
        while (true) {
            val (word, number) = (readlnOrNull() ?: break).split(' ')
            println(
                when (word) {
                    "calls" -> calls(client, id, number.toInt())
                    "racing" -> racing(client, id, number.toInt())
                    "memory" -> memory(client, id, number.toInt())
                    else -> error("the worker knows no $word")
                },
            )
        }
    }
}

private suspend fun calls(client: StoryCoreClient, id: String, number: Int): JsonObject {
    val times = LongArray(number)
    repeat(number) {
        val start = System.nanoTime()
        client.projects.get(id)
        times[it] = System.nanoTime() - start
    }
    times.sort()
    return buildJsonObject { put("median_us", times[number / 2] / 1000.0) }
}

private suspend fun racing(client: StoryCoreClient, id: String, number: Int): JsonObject {
    val before = settled()
    val chance = Random(7)
    withContext(Dispatchers.Default) {
        List(number) {
            val pause = chance.nextLong(0, 4)
            launch {
                val call = launch { runCatching { client.projects.get(id) } }
                delay(pause)
                call.cancel()
            }
        }.joinAll()
    }
    val now = settled()
    return buildJsonObject {
        put("started", (now.started - before.started).toLong())
        put("finished", (now.finished - before.finished).toLong())
        put("dropped", (now.dropped - before.dropped).toLong())
    }
}

/** The counts once no call is under way, or after ten seconds as they are. */
private suspend fun settled(): CallCounts {
    repeat(1000) {
        val now = callCounts()
        if (now.started == now.finished + now.dropped) return now
        delay(10)
    }
    return callCounts()
}

private suspend fun memory(client: StoryCoreClient, id: String, number: Int): JsonObject {
    // By then the JVM has compiled what it will, and its heap has the size that it keeps.
    repeat(number / 10) { client.projects.get(id) }
    val before = resident()
    repeat(number - number / 10) { client.projects.get(id) }
    return buildJsonObject {
        put("before_kib", before)
        put("after_kib", resident())
    }
}

/** What the process holds after a collection, in KiB. */
private suspend fun resident(): Long {
    System.gc()
    // The cleaner frees what the collector found, on a thread of its own.
    delay(500)
    val line = Files.readAllLines(Path.of("/proc/self/status")).first { it.startsWith("VmRSS:") }
    return line.filter { it.isDigit() }.toLong()
}
