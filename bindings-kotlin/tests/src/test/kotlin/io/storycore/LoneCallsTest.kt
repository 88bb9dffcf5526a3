package io.storycore

import io.storycore.testing.LocalPlatform
import io.storycore.testing.settled
import kotlin.concurrent.thread
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.time.Duration.Companion.microseconds
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

/** Calls that come one after another begin on the thread that makes them, the app's: whatever happens to one there. */
class LoneCallsTest {
    private val platform = LocalPlatform()
    private val client = platform.client()

    @AfterTest
    fun close() {
        client.close()
        platform.close()
    }

    @Test
    fun `a lone call that is cancelled as soon as it began is accounted for`() = runBlocking {
        val before = settled()
        repeat(300) { number ->
            client.projects.list()
            val call = launch(start = CoroutineStart.UNDISPATCHED) { client.projects.list() }
            if (number % 3 > 0) delay((number % 10 * 30).microseconds)
            call.cancelAndJoin()
        }
        val now = settled()
        assertEquals(now.started - before.started, now.finished - before.finished + (now.dropped - before.dropped))
        assertEquals(0, client.projects.list().data.size)
    }

    @Test
    fun `calls are made on threads that end`() {
        repeat(200) { thread { runBlocking { client.projects.list() } }.join() }
        // Several at a time, as an app's pool that grows and shrinks has them.
        repeat(20) {
            List(10) { thread { runBlocking { client.projects.list() } } }.forEach { it.join() }
        }
        assertEquals(0, runBlocking { client.projects.list() }.data.size)
    }

    @Test
    fun `a call is made where the last one ended`() = runBlocking {
        // On a thread of the library's, which nothing may keep waiting.
        withContext(Dispatchers.Unconfined) { repeat(200) { client.projects.list() } }
        assertEquals(0, client.projects.list().data.size)
    }

    @Test
    fun `a threads small stack is enough`() {
        var made: Result<Unit>? = null
        val small = Thread(null, { made = runCatching { runBlocking { repeat(50) { client.projects.list() } } } }, "small", 512L shl 10)
        small.start()
        small.join()
        made!!.getOrThrow()
    }

    @Test
    fun `a connection that is cut ends its call alone`() = runBlocking {
        // So much that some may not be written yet when the connection is cut.
        val settings = buildJsonObject { put("note", "x".repeat(900 shl 10)) }
        val cuts = listOf(
            """"drop_before": true""", """"drop_before": true, "after_bytes": 1000""", """"reset": true""",
            """"reset": true, "after_bytes": 1000""", """"drop_after": true""",
        )
        for (cut in cuts) {
            repeat(3) {
                client.projects.list()
                platform.fault("""{"method": "GET", "path": "/api/projects", "action": {$cut}}""")
                client.projects.list()
                platform.fault("""{"method": "POST", "path": "/api/projects", "action": {$cut}}""")
                client.projects.delete(client.projects.create(name = "Cut", settings = settings).id)
            }
        }
    }

    @Test
    fun `a client that is closed meanwhile ends its lone call`() = runBlocking {
        platform.fault("""{"path": "/api/jobs", "times": 0, "action": {"delay_ms": 60000}}""")
        repeat(20) { number ->
            val own = platform.client()
            repeat(3) { own.projects.list() }
            val call = async(start = CoroutineStart.UNDISPATCHED) { assertFailsWith<CallCancelledException> { own.jobs.list() } }
            if (number % 2 == 0) delay((number * 50).microseconds)
            own.close()
            call.await()
        }
        assertEquals(0, client.projects.list().data.size)
    }
}
