package io.storycore

import com.sun.jna.Platform as Native
import io.storycore.testing.LocalPlatform
import io.storycore.testing.settled
import java.net.ServerSocket
import java.net.URI
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.atomic.AtomicInteger
import kotlin.concurrent.thread
import kotlin.random.Random
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.joinAll
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeout
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.jsonObject

class CallsTest {
    private val platform = LocalPlatform()
    private val client = platform.client()

    @AfterTest
    fun close() {
        client.close()
        platform.close()
    }

    private fun stalled() = platform.fault("""{"path": "/api/projects", "times": 0, "action": {"delay_ms": 60000}}""")

    @Test
    fun `cancelling a coroutine ends its request`() = runBlocking {
        stalled()
        val before = settled().dropped
        val call = launch(Dispatchers.Default) { client.projects.list() }
        withTimeout(30.seconds) { while (platform.requests().none { "/api/projects" in it.toString() }) delay(10) }
        call.cancelAndJoin()
        assertEquals(before + 1u, settled().dropped)
        // And nothing is tried again, in a time in which a retry would have come.
        delay(1.5.seconds)
        assertEquals(1, platform.requests().count { "/api/projects" in it.toString() })
    }

    @Test
    fun `of two thousand racing cancellations each call is finished or dropped`() = runBlocking {
        val before = settled()
        val answered = AtomicInteger()
        val others = ConcurrentLinkedQueue<Throwable>()
        withContext(Dispatchers.Default) {
            val chance = Random(7)
            List(2000) {
                val pause = chance.nextLong(0, 4)
                launch {
                    val call = launch {
                        try {
                            client.projects.list(pageSize = 1)
                            answered.incrementAndGet()
                        } catch (cancelled: CancellationException) {
                            throw cancelled
                        } catch (other: Throwable) {
                            others += other
                        }
                    }
                    delay(pause)
                    call.cancel()
                }
            }.joinAll()
        }
        // That it settles at all says that none is left over.
        val now = settled()
        assertEquals(emptyList(), others.toList())
        assertTrue(answered.get().toULong() <= now.finished - before.finished, "an answer came of a call that was dropped")
        assertTrue(now.dropped > before.dropped, "none was cancelled in time")
        // The client is as good as before.
        assertEquals(0, client.projects.list().data.size)
    }

    @Test
    fun `a closed client ends what is under way and refuses what follows`() = runBlocking<Unit> {
        stalled()
        val call = async(Dispatchers.Default, CoroutineStart.UNDISPATCHED) {
            assertFailsWith<CallCancelledException> { client.projects.list() }
        }
        withTimeout(30.seconds) { while (platform.requests().none { "/api/projects" in it.toString() }) delay(10) }
        client.close()
        withTimeout(30.seconds) { call.await() }
        assertFailsWith<CallCancelledException> { client.projects.list() }
        client.close()
    }

    @Test
    fun `closing a client with other options ends its own calls and leaves the one it was made of open`() = runBlocking<Unit> {
        stalled()
        val derived = client.withOptions(CallOptions(maxRetries = 0))
        val below = derived.withOptions(CallOptions(timeout = 60.seconds))
        val beside = client.withOptions(CallOptions(maxRetries = 0))
        val (mine, theirs) = listOf(listOf(derived, below), listOf(client, beside)).map { clients ->
            clients.map {
                async(Dispatchers.Default, CoroutineStart.UNDISPATCHED) {
                    assertFailsWith<CallCancelledException> { it.projects.list() }
                }
            }
        }
        withTimeout(30.seconds) { while (platform.requests().count { "/api/projects" in it.toString() } < 4) delay(10) }
        derived.close()
        withTimeout(30.seconds) { mine.forEach { it.await() } }
        listOf(derived, below).forEach { assertFailsWith<CallCancelledException> { it.jobs.list() } }
        listOf(client, beside).forEach { assertEquals(0, it.jobs.list().data.size) }
        client.close()
        withTimeout(30.seconds) { theirs.forEach { it.await() } }
        assertFailsWith<CallCancelledException> { beside.jobs.list() }
    }

    @Test
    fun `a sign-in that is no sign-in and settings that cannot work are told in words`() {
        val none = assertFailsWith<ConfigException> { StoryCoreClient(baseUrl = platform.url) }
        assertTrue("credential" in none.message!!, none.message)
        assertFailsWith<ConfigException> { StoryCoreClient(apiKey = "key", baseUrl = "http://example.com") }
        val retries = assertFailsWith<InvalidRequestException> { StoryCoreClient(apiKey = "key", maxRetries = -1) }
        assertEquals("maxRetries", retries.param, "it is named as Kotlin names it")
        assertTrue("`maxRetries`" in retries.message!!, retries.message)
    }

    @Test
    fun `no secret is printed`() = runBlocking {
        val made = client.apiKeys.create(name = "Reader", permissions = listOf("read"))
        assertTrue(made.secret.expose().isNotEmpty())
        assertFalse(made.secret.expose() in made.toString())
        val hook = client.webhooks.create(url = URI("http://127.0.0.1:9/hook"), events = listOf("project.*"))
        assertEquals(URI("http://127.0.0.1:9/hook"), hook.url)
        assertFalse("whsec_" in hook.toString())
        assertFalse(platform.apiKey in client.toString())
        val options = CallOptions(headers = mapOf("x-token" to "hush")).toString()
        assertTrue("x-token" in options && "hush" !in options, options)
    }

    @Test
    fun `what is not typed can be asked for`() = runBlocking {
        val answer = client.request("GET", "/api/projects", query = mapOf("limit" to "1"))
        assertEquals(200, answer.status)
        assertTrue("data" in answer.json().jsonObject)
        assertEquals(answer.requestId, answer.headers["x-request-id"]?.single())
        // Of two bodies one would be lost.
        val both = assertFailsWith<ConfigException> {
            client.request("POST", "/api/projects", json = answer.json(), body = byteArrayOf(1))
        }
        assertEquals("body", both.param)
        // An answer that is read as what it is not is one of this package's errors, too.
        val asset = client.media.uploadReport(UploadSource.Bytes("note.txt", "no {JSON".toByteArray())).asset
        val text = client.request("GET", "/api/assets/${asset.id}/content")
        val wrong = assertFailsWith<DecodeException> { text.json() }
        assertEquals(listOf<Any?>(200, text.requestId), listOf(wrong.status, wrong.requestId))
        assertIs<SerializationException>(wrong.cause)
        // A secret may be in it.
        assertFalse("no {JSON" in wrong.message!!, wrong.message)
    }

    @Test
    fun `TLS needs nothing of Java and fails with words where nobody vouches`() = runBlocking<Unit> {
        // A port that answers TLS with plain words: the handshake is begun with the roots that are there.
        ServerSocket(0).use { server ->
            thread(isDaemon = true) {
                runCatching {
                    while (true) server.accept().use { it.getOutputStream().write("HTTP/1.0 200 no\r\n\r\n".toByteArray()) }
                }
            }
            val secure = StoryCoreClient(apiKey = "key", baseUrl = "https://127.0.0.1:${server.localPort}", maxRetries = 0)
            val error = secure.use { assertFailsWith<ApiConnectionException> { it.projects.list() } }
            assertTrue(error.cause != null)
        }
    }

    @Test
    fun `a job is followed and waited for, and its failure is an exception that carries it`() = runBlocking {
        platform.fault("""{"path": "/api/jobs/j", "times": 0, "action": {"status": 200, "body": "{\"id\": \"j\", \"status\": \"failed\", \"error_message\": \"no film\"}"}}""")
        platform.fault("""{"path": "/api/jobs/j/events", "times": 0, "action": {"status": 404}}""")
        val seen = mutableListOf<String>()
        val error = assertFailsWith<JobFailedException> {
            client.jobs.wait("j", timeout = 1.minutes) { seen += it.status.raw }
        }
        assertEquals("no film", error.job?.errorMessage)
        assertTrue(error.job!!.status.isFinal)
        assertEquals(listOf("failed"), seen)
    }

    @Test
    fun `many coroutines share a client`() = runBlocking {
        val made = coroutineScope {
            List(100) { async(Dispatchers.Default) { client.projects.create(name = "Film $it") } }.map { it.await().id }
        }
        assertEquals(100, made.toSet().size)
    }

    @Test
    fun `the native library comes out of the jar`() {
        val name = "${Native.RESOURCE_PREFIX}/${System.mapLibraryName("storycore_mobile")}"
        assertTrue(StoryCoreClient::class.java.classLoader.getResource(name)!!.toString().startsWith("jar:"))
        assertEquals("storycore", StoryCoreClient(apiKey = "key").use { it.platform.raw })
    }
}
