// An app that the system kills in the middle of an upload, as it does with those that nobody looks at, and that is begun again:
// once as a process of its own, and once here. As a program it says how that went, over whichever native library it was
// started with.

package io.storycore.testing

import io.storycore.Journal
import io.storycore.StoryCoreClient
import io.storycore.UploadReport
import io.storycore.UploadSource
import io.storycore.UploadTuning
import java.io.File
import java.nio.file.Files
import java.nio.file.Path
import java.security.MessageDigest
import java.util.HexFormat
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread
import kotlin.io.path.ExperimentalPathApi
import kotlin.io.path.createTempDirectory
import kotlin.io.path.deleteRecursively
import kotlin.random.Random
import kotlinx.coroutines.runBlocking

private const val MIB = 1024 * 1024
private const val FILE = 24L * MIB
/** Acknowledged when the app is killed. */
private const val ENOUGH = 4L * MIB

/** Kills an app that uploads, and takes its upload up. What it had sent is not sent again. */
suspend fun killedAndTakenUp(platform: LocalPlatform, folder: Path): UploadReport {
    val film = Files.write(folder.resolve("killed.bin"), Random(2).nextBytes(FILE.toInt()))
    val journal = folder.resolve("killed.sqlite")
    // Slow enough that it is killed in the middle.
    platform.fault("""{"method": "PATCH", "path": "/api/assets/uploads/*", "times": 0, "action": {"delay_ms": 100}}""")
    val app = ProcessBuilder(
        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-Djna.library.path=${System.getProperty("jna.library.path").orEmpty()}",
        "-Djna.tmpdir=${Files.createDirectories(folder.resolve("jna"))}",
        "-cp", System.getProperty("java.class.path"),
        "io.storycore.testing.KilledKt", film.toString(), journal.toString(),
    ).redirectError(ProcessBuilder.Redirect.INHERIT)
    app.environment() += mapOf("STORYCORE_BASE_URL" to platform.url, "STORYCORE_API_KEY" to platform.apiKey)
    val running = app.start()
    // One that hangs is ended, too, and then says nothing more.
    val guard = thread(isDaemon = true) { if (!running.waitFor(120, TimeUnit.SECONDS)) running.destroyForcibly() }
    try {
        val isUnderWay = running.inputReader().lineSequence().any { it.toLong() >= ENOUGH }
        check(isUnderWay && running.isAlive) { "the app ended by itself" }
    } finally {
        running.destroyForcibly().waitFor(60, TimeUnit.SECONDS)
        guard.join()
    }
    val report = platform.client().use { upload(it, film, journal) }
    val sha256 = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(film)))
    check(report.asset.sha256 == sha256) { "other bytes arrived" }
    check(report.sent <= FILE - ENOUGH) { "${report.sent} of $FILE bytes were sent again" }
    check(report.restarts.isEmpty()) { "begun anew: ${report.restarts}" }
    return report
}

private suspend fun upload(client: StoryCoreClient, film: Path, journal: Path, told: (Long) -> Unit = {}): UploadReport =
    client.media.uploadReport(
        UploadSource.File(film), type = "document", journal = Journal.At(journal),
        tuning = UploadTuning(chunkSize = MIB.toLong(), maxStreams = 1),
    ) { told(it.acknowledged) }

/** With a file and a journal: the app that is killed. Without: all of it. */
@OptIn(ExperimentalPathApi::class)
fun main(arguments: Array<String>): Unit = runBlocking {
    if (arguments.isNotEmpty()) {
        val (film, journal) = arguments.map { File(it).toPath() }
        StoryCoreClient.fromEnv().use { client -> upload(client, film, journal) { println(it) } }
        return@runBlocking
    }
    val folder = createTempDirectory("storycore-killed-")
    try {
        LocalPlatform().use { killedAndTakenUp(it, folder) }
        println("1 passed, 0 failed, 0 skipped")
    } finally {
        folder.deleteRecursively()
    }
}
