package io.storycore.resources

import io.storycore.CallOptions
import io.storycore.Journal
import io.storycore.StoryCoreException
import io.storycore.UploadControl
import io.storycore.UploadEvent
import io.storycore.UploadProgress
import io.storycore.UploadReport
import io.storycore.UploadSource
import io.storycore.UploadTuning
import io.storycore.ffi.ProgressListener
import io.storycore.ffi.UploadFeed
import io.storycore.ffi.UploadSettings
import io.storycore.internal.Calls
import io.storycore.internal.filePath
import io.storycore.internal.uint
import io.storycore.internal.ulong
import io.storycore.models.Asset
import io.storycore.models.model
import io.storycore.native
import io.storycore.positive
import io.storycore.progress
import io.storycore.report
import java.io.InputStream
import java.nio.file.Path
import java.util.concurrent.atomic.AtomicReference
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.async
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.channelFlow
import kotlinx.coroutines.isActive
import kotlinx.coroutines.launch
import kotlinx.coroutines.runInterruptible
import kotlinx.coroutines.withContext
import io.storycore.ffi.Assets as NativeAssets
import io.storycore.ffi.UploadProgress as NativeUploadProgress
import io.storycore.ffi.UploadSource as NativeUploadSource

/** Bytes of a stream that are read at a time. */
private const val PIECE = 256 * 1024

/** Uploads, which stream and tell of their progress. */
public abstract class AssetsByHand internal constructor(
    internal val calls: Calls,
    internal val native: NativeAssets,
) {
    /**
     * Uploads a file, whatever its size, with flat memory: small ones in one request, larger ones in parallel parts that
     * survive broken connections. With a [journal] a file's upload survives the app's end too: the same call then goes on
     * from where it was. Cancelling the coroutine stops it and keeps what arrived.
     *
     * @param path The file.
     * @param type `video`, `audio`, `image` or `document`. Default: by the file's extension.
     * @param name Its name. Default: the file's.
     * @param description What it shows.
     * @param projectId The project it belongs to.
     * @param contentType Its media type. Default: by the file's extension.
     * @param journal Where it is written down. Default: the user's own; on Android a file's upload must be given one of the
     * app's, or [Journal.Off].
     * @param control Pauses, resumes and cancels it.
     * @param tuning How it is done.
     * @param options Options of this call alone.
     * @param onProgress Is told of the progress, at most ten times a second, in the caller's coroutine: on its thread, and
     * never while a request waits for it. What it throws ends the upload.
     * @throws io.storycore.StoryCoreException [io.storycore.UploadException] when the file cannot be read, changed meanwhile
     * or arrived changed, and as every call. Whatever it is, the same upload called again goes on from what the platform has.
     */
    public suspend fun upload(
        path: Path,
        type: String? = null,
        name: String? = null,
        description: String? = null,
        projectId: String? = null,
        contentType: String? = null,
        journal: Journal = Journal.User,
        control: UploadControl? = null,
        tuning: UploadTuning = UploadTuning(),
        options: CallOptions? = null,
        onProgress: ((UploadProgress) -> Unit)? = null,
    ): Asset = uploadReport(
        UploadSource.File(path), type, name, description, projectId, contentType, journal, control, tuning, options,
        onProgress,
    ).asset

    /**
     * Uploads as [upload] does, from any source, and tells how that went. Bytes and streams are in no journal.
     *
     * @param source What is uploaded.
     * @param type `video`, `audio`, `image` or `document`. Default: by the file's extension.
     * @param name Its name. Default: the file's.
     * @param description What it shows.
     * @param projectId The project it belongs to.
     * @param contentType Its media type. Default: by the file's extension.
     * @param journal Where it is written down. Default: the user's own; on Android a file's upload must be given one of the
     * app's, or [Journal.Off].
     * @param control Pauses, resumes and cancels it.
     * @param tuning How it is done.
     * @param options Options of this call alone.
     * @param onProgress Is told of the progress, as in [upload].
     * @throws io.storycore.StoryCoreException As [upload].
     */
    public suspend fun uploadReport(
        source: UploadSource,
        type: String? = null,
        name: String? = null,
        description: String? = null,
        projectId: String? = null,
        contentType: String? = null,
        journal: Journal = Journal.User,
        control: UploadControl? = null,
        tuning: UploadTuning = UploadTuning(),
        options: CallOptions? = null,
        onProgress: ((UploadProgress) -> Unit)? = null,
    ): UploadReport = coroutineScope {
        // First, so that the stream is closed whatever is wrong with the rest.
        val feeding = (source as? UploadSource.Stream)?.let { feeding(it.take()) }
        val settings = UploadSettings(
            kind = type,
            name = name,
            description = description,
            projectId = projectId,
            contentType = contentType,
            journal = journal.native(source),
            chunkSize = tuning.chunkSize?.let { ulong("chunkSize", it) },
            maxStreams = tuning.maxStreams?.let { uint("maxStreams", it.toLong()) },
            multipartBelow = tuning.multipartBelow?.let { ulong("multipartBelow", it) },
            chunkChecksums = tuning.chunkChecksums,
            retries = tuning.retries?.let { uint("retries", it.toLong()) },
            stallTimeout = tuning.stallTimeout?.positive("stallTimeout"),
        )
        // The newest is enough: who is told slowly is told of less.
        val told = Channel<UploadProgress>(Channel.CONFLATED)
        val listener = onProgress?.let {
            launch { for (progress in told) it(progress) }
            Listener(told)
        }
        val given = when (source) {
            is UploadSource.File -> NativeUploadSource.Path(filePath("path", source.path))
            is UploadSource.Bytes -> NativeUploadSource.Bytes(source.fileName, source.data)
            is UploadSource.Stream -> NativeUploadSource.Feed(source.fileName, checkNotNull(feeding).feed)
        }
        try {
            calls.make(options) { native.upload(given, settings, control?.native, listener, it) }.report()
        } catch (failed: StoryCoreException) {
            feeding?.broken?.get()?.let { failed.blame(it) }
            throw failed
        } finally {
            told.close()
            feeding?.job?.cancel()
        }
    }

    /**
     * Downloads as `download` does, with a say in how many ranges are asked for side by side.
     *
     * @param id Its id.
     * @param to Where the file is to be.
     * @param maxStreams The most ranges side by side, from 1 to 16. Where it is left out: 1 under 64 MiB, else 4.
     * @param options Options of this call alone.
     * @throws io.storycore.StoryCoreException As `download`.
     */
    public suspend fun download(id: String, to: Path, maxStreams: Int, options: CallOptions? = null): Asset =
        calls.make(options) {
            native.downloadWithStreams(id, filePath("to", to), uint("maxStreams", maxStreams.toLong()), it)
        }.model()

    /**
     * Uploads as [uploadReport] does, as a flow: how far it is, and at last what came of it. Each collector uploads;
     * ending the collection stops the upload and keeps what arrived.
     *
     * @param source What is uploaded.
     * @param type `video`, `audio`, `image` or `document`. Default: by the file's extension.
     * @param name Its name. Default: the file's.
     * @param description What it shows.
     * @param projectId The project it belongs to.
     * @param contentType Its media type. Default: by the file's extension.
     * @param journal Where it is written down. Default: the user's own; on Android a file's upload must be given one of the
     * app's, or [Journal.Off].
     * @param control Pauses, resumes and cancels it.
     * @param tuning How it is done.
     * @param options Options of this call alone.
     */
    public fun uploading(
        source: UploadSource,
        type: String? = null,
        name: String? = null,
        description: String? = null,
        projectId: String? = null,
        contentType: String? = null,
        journal: Journal = Journal.User,
        control: UploadControl? = null,
        tuning: UploadTuning = UploadTuning(),
        options: CallOptions? = null,
    ): Flow<UploadEvent> = channelFlow {
        val report = uploadReport(
            source, type, name, description, projectId, contentType, journal, control, tuning, options,
        ) { trySend(UploadEvent.Moved(it)) }
        send(UploadEvent.Done(report))
        // The newest is enough: who collects slowly is told of less, and of the end always.
    }.buffer(Channel.CONFLATED)
}

/** What an upload takes a stream's pieces from, what the stream threw, and the job that ends when the stream is closed. */
private class Feeding(val feed: UploadFeed, val broken: AtomicReference<Exception>, val job: Job)

/** Begins to read a stream, and closes it at the end, whatever that is. */
private fun CoroutineScope.feeding(stream: InputStream): Feeding {
    val feed = UploadFeed()
    val broken = AtomicReference<Exception>()
    // No child of the upload's: it would be waited for, and there are reads that no interrupt ends.
    val reading = CoroutineScope(Dispatchers.IO).async { read(stream, feed, broken) }
    // At once, so that what is cancelled before it began closes the stream, too.
    val job = launch(start = CoroutineStart.UNDISPATCHED) {
        try {
            reading.await()
        } finally {
            reading.cancel()
            withContext(NonCancellable + Dispatchers.IO) {
                try {
                    stream.close()
                } catch (_: Exception) {
                    // What was read of it is as good as before.
                }
            }
        }
    }
    return Feeding(feed, broken, job)
}

/** Hears of the progress on a thread of the native side, and never keeps it. */
private class Listener(private val told: Channel<UploadProgress>) : ProgressListener {
    override fun onProgress(progress: NativeUploadProgress) {
        told.trySend(progress.progress())
    }
}

/** Reads a stream for as long as pieces are wanted. */
private suspend fun read(stream: InputStream, feed: UploadFeed, broken: AtomicReference<Exception>) {
    val buffer = ByteArray(PIECE)
    val upload = currentCoroutineContext()
    while (true) {
        // Not `readNBytes`, which Android has since 13 only.
        val length = runInterruptible(Dispatchers.IO) {
            try {
                stream.read(buffer)
            } catch (thrown: Exception) {
                // The upload has ended, and interrupted it: `runInterruptible` knows that by what it throws.
                if (!upload.isActive) throw thrown
                // Kept here: from coroutine to coroutine a debugger's mode takes a copy.
                broken.set(thrown)
                -1
            }
        }
        broken.get()?.let { return feed.fail(it.toString()) }
        if (length < 0 || !feed.push(buffer.copyOf(length))) break
    }
    feed.finish()
}
