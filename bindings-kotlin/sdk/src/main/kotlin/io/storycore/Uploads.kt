// What an upload is told, and what it tells.

package io.storycore

import io.storycore.internal.config
import io.storycore.internal.filePath
import io.storycore.internal.readLong
import io.storycore.models.Asset
import io.storycore.models.model
import java.io.InputStream
import java.nio.file.Path
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.time.Duration
import kotlin.time.toKotlinDuration
import io.storycore.ffi.Journal as NativeJournal
import io.storycore.ffi.UploadControl as NativeUploadControl
import io.storycore.ffi.UploadProgress as NativeUploadProgress
import io.storycore.ffi.UploadReport as NativeUploadReport

/** What can be uploaded. */
public sealed interface UploadSource {
    /**
     * A file, whose upload survives the app's end where it has a [Journal].
     *
     * @param path Where it is.
     */
    public data class File(public val path: Path) : UploadSource

    /**
     * Bytes. Two are equal when their bytes are.
     *
     * @param fileName The name that the platform is told.
     * @param data The bytes.
     */
    public class Bytes(public val fileName: String, public val data: ByteArray) : UploadSource {
        override fun equals(other: Any?): Boolean =
            other is Bytes && other.fileName == fileName && other.data.contentEquals(data)

        override fun hashCode(): Int = 31 * fileName.hashCode() + data.contentHashCode()

        override fun toString(): String = "Bytes(fileName=$fileName, ${data.size} bytes)"
    }

    /**
     * A stream of any length, read once and closed at the end: what Android's `ContentResolver.openInputStream` gives. It is
     * read on `Dispatchers.IO`. An upload that ends early closes it while a read may wait, and does not wait for that read.
     * Another upload needs another one: of what was read before it would send the rest.
     *
     * @param fileName The name that the platform is told.
     * @param stream Where the bytes come from.
     */
    public class Stream(public val fileName: String, public val stream: InputStream) : UploadSource {
        private val isTaken = AtomicBoolean()

        internal fun take(): InputStream {
            if (isTaken.getAndSet(true)) throw config("source", "a stream can be sent once only: open it again")
            return stream
        }
    }
}

/** Where an upload is written down, so that the same file continues after the app was ended. */
public sealed interface Journal {
    /** Nowhere. */
    public data object Off : Journal

    /** In the user's state directory. Android has none: the upload of a file is refused there, see [At] and [Off]. */
    public data object User : Journal

    /**
     * In this SQLite file, made if it is not there: on Android, one in `context.noBackupFilesDir`.
     *
     * @param path Where it is.
     */
    public data class At(public val path: Path) : Journal
}

/** The journal of an upload of `source`: only a file's is written down. */
internal fun Journal.native(source: UploadSource): NativeJournal = when (this) {
    Journal.Off -> NativeJournal.Off
    Journal.User -> {
        // Without a word it would be in none, and the upload lost with the app.
        if (source is UploadSource.File && isAndroid()) throw homeless()
        NativeJournal.User
    }
    is Journal.At -> NativeJournal.At(filePath("journal", path))
}

private fun isAndroid() = System.getProperty("java.vm.name") == "Dalvik"

private fun homeless() = config(
    "journal",
    "Android has no state directory of a user's to write the upload down in: give `Journal.At` a file of the app's, such as " +
        "one in `context.noBackupFilesDir`, or `Journal.Off` for an upload that ends with the app",
)

/**
 * How an upload is done, beside what is said of the file; what is not set suits.
 *
 * @param chunkSize The bytes of a chunk. Default: 5 to 64 MiB, so that each takes 2 to 8 s.
 * @param maxStreams The most requests side by side, from 1 to 16. A number that is given holds. Default 16: it begins with 4 and
 * adds while that brings more; from 128 MiB on, to a platform on this machine, 1.
 * @param multipartBelow Files of fewer bytes go as one request, which cannot be continued. Default 16 MiB.
 * @param chunkChecksums Whether the SHA-256 of each chunk is sent, where the platform takes it. Default true.
 * @param retries Failures in a row, without a byte arriving between them, that are survived. Default 8.
 * @param stallTimeout A request of which no byte moves for so long is given up. Default 30 s.
 */
public data class UploadTuning(
    public val chunkSize: Long? = null,
    public val maxStreams: Int? = null,
    public val multipartBelow: Long? = null,
    public val chunkChecksums: Boolean? = null,
    public val retries: Int? = null,
    public val stallTimeout: Duration? = null,
)

/**
 * How far an upload is.
 *
 * @param sent Bytes of the file given to the network; less than before when some are to be sent again.
 * @param acknowledged Bytes that the platform said it has.
 * @param total Bytes of the file. Of a stream, what was read of it so far.
 * @param rate Bytes a second over the last five seconds.
 * @param timeLeft Time left at that rate, once there is one.
 * @param elapsed Time since the upload began.
 */
public data class UploadProgress(
    public val sent: Long,
    public val acknowledged: Long,
    public val total: Long,
    public val rate: Double,
    public val timeLeft: Duration?,
    public val elapsed: Duration,
)

internal fun NativeUploadProgress.progress() =
    UploadProgress(
        readLong(sent), readLong(acknowledged), readLong(total), rate, timeLeft?.toKotlinDuration(), elapsed.toKotlinDuration(),
    )

/**
 * A finished upload.
 *
 * @param asset The asset, its bytes compared with the file's.
 * @param sent Bytes of the file that went out, also those that went twice; fewer than the file has when one was continued.
 * @param failures Requests that failed and were made good. To be told that the joining of the parts is under way is no failure.
 * @param restarts What had to be begun anew, and why, in words.
 */
public data class UploadReport(
    public val asset: Asset,
    public val sent: Long,
    public val failures: Long,
    public val restarts: List<String>,
)

internal fun NativeUploadReport.report() = UploadReport(asset.model(), readLong(sent), failures.toLong(), restarts)

/** What happens to an upload. */
public sealed interface UploadEvent {
    /**
     * It moved.
     *
     * @param progress How far it is.
     */
    public data class Moved(public val progress: UploadProgress) : UploadEvent

    /**
     * It is done; nothing follows.
     *
     * @param report What came of it.
     */
    public data class Done(public val report: UploadReport) : UploadEvent
}

/** Steers the upload that it was given to. */
public class UploadControl {
    internal val native = NativeUploadControl()

    /**
     * Stops the requests at once; what arrived is kept. A small file's single request is not begun; one that is on its
     * way goes on.
     */
    public fun pause() {
        native.pause()
    }

    /** Goes on from where the platform is. */
    public fun resume() {
        native.resume()
    }

    /**
     * Ends the upload with [CallCancelledException], and takes back what the platform has of it, the asset too that it
     * may just have become: within five seconds. A small file whose single request had arrived whole is an asset that
     * stays; so is what the platform needs longer than three seconds to join or to finish. Taking back needs the
     * permission `admin`; without it, what arrived stays until it expires. The next upload of the same file goes on
     * with what stayed.
     */
    public fun cancel() {
        native.cancel()
    }
}
