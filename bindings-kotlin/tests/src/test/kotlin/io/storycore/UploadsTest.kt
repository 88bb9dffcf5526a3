package io.storycore

import io.storycore.testing.LocalPlatform
import io.storycore.testing.killedAndTakenUp
import java.io.ByteArrayInputStream
import java.io.IOException
import java.io.InputStream
import java.nio.file.FileSystems
import java.nio.file.Files
import java.nio.file.Path
import java.security.MessageDigest
import java.util.HexFormat
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.io.path.ExperimentalPathApi
import kotlin.io.path.createTempDirectory
import kotlin.io.path.deleteRecursively
import kotlin.random.Random
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeout
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

private const val MIB = 1024L * 1024

@OptIn(ExperimentalPathApi::class)
class UploadsTest {
    private val platform = LocalPlatform()
    private val client = platform.client()
    private val folder: Path = createTempDirectory("storycore-kotlin-")
    private val film = folder.resolve("film.bin")
    private val bytes = Random(1).nextBytes(24 * MIB.toInt())
    private val sha256 = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes))
    private val inParts = UploadTuning(chunkSize = MIB, maxStreams = 1)

    init {
        Files.write(film, bytes)
    }

    @AfterTest
    fun close() {
        client.close()
        platform.close()
        folder.deleteRecursively()
    }

    @Test
    fun `a file is uploaded with progress and comes back as it was`() = runBlocking<Unit> {
        val told = mutableListOf<UploadProgress>()
        val thread = Thread.currentThread()
        val asset = client.media.upload(film, type = "document", journal = Journal.Off, tuning = inParts) {
            assertEquals(thread, Thread.currentThread())
            told += it
        }
        assertEquals(sha256, asset.sha256)
        assertEquals(bytes.size.toLong(), told.last().acknowledged)
        client.media.download(asset.id, folder.resolve("back.bin"))
        assertContentEquals(bytes, Files.readAllBytes(folder.resolve("back.bin")))
        assertContentEquals(bytes, client.media.content(asset.id))
        assertFailsWith<InvalidRequestException> { client.media.download(asset.id, folder.resolve("none.bin"), maxStreams = -1) }
    }

    @Test
    fun `a download comes in as many ranges as one says`() = runBlocking<Unit> {
        // A range is 32 MiB.
        val large = Random(2).nextBytes(40 * MIB.toInt())
        val asset = client.media.uploadReport(UploadSource.Bytes("large.bin", large), type = "document").asset
        client.media.download(asset.id, folder.resolve("large.bin"), maxStreams = 2)
        assertContentEquals(large, Files.readAllBytes(folder.resolve("large.bin")))
        val ranges = platform.requests().count { "/content" in it.toString() && "bytes=" in it.toString() }
        assertEquals(2, ranges)
    }

    @Test
    fun `on Android a file's upload is not lost for want of a journal but says what to give`() = runBlocking<Unit> {
        val machine = System.getProperty("java.vm.name")
        try {
            System.setProperty("java.vm.name", "Dalvik")
            val refused = assertFailsWith<ConfigException> { client.media.upload(film, type = "document") }
            assertEquals("journal", refused.param)
            assertTrue("noBackupFilesDir" in refused.message!!, refused.message)
            val journal = Journal.At(folder.resolve("uploads.sqlite3"))
            assertEquals(sha256, client.media.upload(film, type = "document", journal = journal).sha256)
            // Nobody could read these again: they need none.
            val source = UploadSource.Bytes("note.txt", byteArrayOf(1, 2, 3))
            assertEquals(3L, client.media.uploadReport(source, type = "document").asset.size)
        } finally {
            System.setProperty("java.vm.name", machine)
        }
    }

    @Test
    fun `an upload is a flow that ends with its report`() = runBlocking {
        val events = client.media.uploading(UploadSource.File(film), type = "document", journal = Journal.Off, tuning = inParts)
            .toList()
        assertEquals(sha256, assertIs<UploadEvent.Done>(events.last()).report.asset.sha256)
        assertTrue(events.dropLast(1).all { it is UploadEvent.Moved })
    }

    @Test
    fun `who collects slowly is told of the newest progress and of the end`() = runBlocking {
        platform.fault("""{"method": "PATCH", "path": "/api/assets/uploads/*", "times": 0, "action": {"delay_ms": 200}}""")
        val events = mutableListOf<UploadEvent>()
        client.media.uploading(
            UploadSource.File(film), type = "document", journal = Journal.Off, tuning = inParts,
        ).collect { event ->
            events += event
            if (events.size == 1) {
                withTimeout(60.seconds) { while (client.media.list().data.isEmpty()) delay(50) }
                delay(1.seconds)
            }
        }
        assertEquals(sha256, assertIs<UploadEvent.Done>(events.last()).report.asset.sha256)
        // The first, at most one of those that came while that one was looked at, and the end.
        assertTrue(events.size <= 3, "${events.size} events: those of the past were kept")
    }

    @Test
    fun `a paused upload waits and goes on`() = runBlocking {
        val control = UploadControl()
        var moved = 0L
        val upload = launch(Dispatchers.Default) {
            val report = client.media.uploadReport(
                UploadSource.File(film), type = "document", journal = Journal.Off, control = control, tuning = inParts,
            ) {
                if (moved == 0L && it.acknowledged > 0) control.pause()
                moved = it.acknowledged
            }
            assertEquals(sha256, report.asset.sha256)
            assertEquals(emptyList(), report.restarts)
        }
        withTimeout(30.seconds) { while (moved == 0L) delay(10) }
        delay(500)
        assertTrue(upload.isActive)
        control.resume()
        withTimeout(60.seconds) { upload.join() }
    }

    @Test
    fun `an upload goes on after the app was ended`() = runBlocking {
        val journal = Journal.At(folder.resolve("uploads.sqlite"))
        // The app ends in the middle: another client, as another start of the app, knows the journal alone.
        platform.client().use { first ->
            first.media.uploading(UploadSource.File(film), type = "document", journal = journal, tuning = inParts)
                .first { it is UploadEvent.Moved && it.progress.acknowledged >= 4 * MIB }
        }
        val report = client.media.uploadReport(UploadSource.File(film), type = "document", journal = journal, tuning = inParts)
        assertEquals(sha256, report.asset.sha256)
        assertTrue(report.sent <= bytes.size - 4 * MIB, "${report.sent} of ${bytes.size} bytes were sent again")
        assertEquals(emptyList(), report.restarts)
    }

    @Test
    fun `an upload goes on after the system killed the app`() = runBlocking<Unit> {
        killedAndTakenUp(platform, folder)
    }

    @Test
    fun `a cancelled upload is an exception and a cancelled coroutine is none`() = runBlocking<Unit> {
        val control = UploadControl()
        assertFailsWith<CallCancelledException> {
            client.media.upload(film, type = "document", journal = Journal.Off, control = control, tuning = inParts) {
                control.cancel()
            }
        }
        // A chunk that takes a minute: the coroutine is cancelled in the middle of the upload.
        platform.fault("""{"method": "PATCH", "path": "/api/assets/uploads/*", "times": 0, "action": {"delay_ms": 60000}}""")
        val before = chunks()
        val upload = launch(Dispatchers.Default) {
            client.media.upload(film, type = "document", journal = Journal.Off, tuning = inParts)
        }
        withTimeout(30.seconds) { while (chunks() == before) delay(10) }
        withTimeout(30.seconds) { upload.cancelAndJoin() }
        assertTrue(upload.isCancelled)
        // And nothing is sent any more, in a time in which a retry would have come.
        delay(1.5.seconds)
        assertEquals(before + 1, chunks())
    }

    /** Chunks that arrived so far. */
    private fun chunks(): Int =
        platform.requests().count { it.jsonObject.getValue("method").jsonPrimitive.content == "PATCH" }

    /** A stream whose read nothing but [close] ends, no interrupt either. */
    private class Stuck : InputStream() {
        private val closing = CountDownLatch(1)
        val reading = CountDownLatch(1)
        val isClosed: Boolean get() = closing.count == 0L

        override fun read(): Int {
            reading.countDown()
            while (true) {
                try {
                    closing.await()
                    throw IOException("closed")
                } catch (_: InterruptedException) {
                    continue
                }
            }
        }

        override fun close() = closing.countDown()
    }

    @Test
    fun `an upload whose stream is stuck can be cancelled, and the stream is closed`() = runBlocking<Unit> {
        val first = Stuck()
        val upload = launch(Dispatchers.Default) { client.media.uploadReport(UploadSource.Stream("film.bin", first)) }
        withContext(Dispatchers.IO) { assertTrue(first.reading.await(30, TimeUnit.SECONDS)) }
        withTimeout(30.seconds) { upload.cancelAndJoin() }
        assertTrue(first.isClosed)

        val (second, control) = Stuck() to UploadControl()
        launch(Dispatchers.IO) {
            assertTrue(second.reading.await(30, TimeUnit.SECONDS))
            control.cancel()
        }
        withTimeout(30.seconds) {
            assertFailsWith<CallCancelledException> {
                client.media.uploadReport(UploadSource.Stream("film.bin", second), control = control)
            }
        }
        assertTrue(second.isClosed)
    }

    @Test
    fun `a stream is closed also when the upload's settings are wrong`() = runBlocking<Unit> {
        val stream = Stuck()
        withTimeout(30.seconds) {
            assertFailsWith<InvalidRequestException> {
                client.media.uploadReport(UploadSource.Stream("film.bin", stream), tuning = UploadTuning(maxStreams = -1))
            }
        }
        assertTrue(stream.isClosed)
    }

    @Test
    fun `bytes and streams are uploaded, and a stream that breaks is told`() = runBlocking<Unit> {
        val some = bytes.copyOf(300_000)
        val asset = client.media.uploadReport(UploadSource.Bytes("some.bin", some)).asset
        assertContentEquals(some, client.media.content(asset.id))
        val streamed = client.media.uploadReport(UploadSource.Stream("film.bin", Files.newInputStream(film))).asset
        assertEquals(sha256, streamed.sha256)
        val broken = object : InputStream() {
            override fun read(): Int = throw IOException("the card was taken out")
        }
        val error = assertFailsWith<UploadException> {
            client.media.uploadReport(UploadSource.Stream("film.bin", broken))
        }
        assertTrue("the card was taken out" in error.stackTraceToString(), error.stackTraceToString())
        assertEquals(UploadSource.Bytes("a", byteArrayOf(1)), UploadSource.Bytes("a", byteArrayOf(1)))
    }

    @Test
    fun `a stream is sent once and never in part`() = runBlocking<Unit> {
        // One that can be read on after it was closed.
        val source = UploadSource.Stream("some.bin", ByteArrayInputStream(bytes.copyOf(300_000)))
        assertEquals(300_000L, client.media.uploadReport(source).asset.size)
        assertEquals("source", assertFailsWith<ConfigException> { client.media.uploadReport(source) }.param)
        assertFailsWith<ConfigException> { client.media.uploading(source).toList() }
    }

    @Test
    fun `a path of another file system is told and no file here taken for it`() = runBlocking<Unit> {
        val zip = folder.resolve("films.zip")
        FileSystems.newFileSystem(zip, mapOf("create" to "true")).use { films ->
            // A file here has the same path.
            val elsewhere = films.getPath(film.toString())
            val refused = listOf<suspend () -> Unit>(
                { client.media.upload(elsewhere, journal = Journal.Off) },
                { client.media.upload(film, journal = Journal.At(elsewhere)) },
                { client.media.download("ast_1", elsewhere) },
                { client.media.download("ast_1", elsewhere, maxStreams = 2) },
            )
            for (call in refused) {
                val error = assertFailsWith<InvalidRequestException> { call() }
                assertTrue("open it as a stream" in error.message!!)
            }
        }
    }

    @Test
    fun `what a stream threw is the last cause of its upload's exception`() = runBlocking<Unit> {
        // Whatever it is: not every stream throws only what Java's own do.
        val thrown = listOf(
            IOException("the card was taken out", IllegalStateException("by hand")),
            IllegalStateException("the card was locked", IOException("by hand")),
            CancellationException("the card's reader was called off", IOException("by hand")),
        )
        // In one request, and in resumable ones.
        for (mine in thrown) for (multipartBelow in listOf(null, 0L)) {
            val broken = object : InputStream() {
                override fun read(): Int = throw mine
            }
            val error = assertFailsWith<UploadException>("$mine") {
                withTimeout(1.minutes) {
                    client.media.uploadReport(UploadSource.Stream("film.bin", broken), tuning = UploadTuning(multipartBelow = multipartBelow))
                }
            }
            val chain = generateSequence<Throwable>(error) { it.cause }.toList()
            assertTrue(chain.any { it === mine }, error.stackTraceToString())
            assertTrue("by hand" in error.stackTraceToString())
        }
    }

    @Test
    fun `a listener that throws ends the upload with its own exception`() = runBlocking<Unit> {
        assertFailsWith<IllegalStateException> {
            client.media.upload(film, type = "document", journal = Journal.Off, tuning = inParts) { error("no more") }
        }
    }
}
