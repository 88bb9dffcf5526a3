package io.storycore.resources

import io.storycore.CallOptions
import io.storycore.ffi.JobListener
import io.storycore.internal.Calls
import io.storycore.models.Job
import io.storycore.models.model
import io.storycore.positive
import kotlin.time.Duration
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import io.storycore.ffi.JobRecord as NativeJob
import io.storycore.ffi.Jobs as NativeJobs

/** Waiting, which takes long and tells of what it sees. */
public abstract class JobsByHand internal constructor(
    internal val calls: Calls,
    internal val native: NativeJobs,
) {
    /**
     * Waits until the job has completed. Cancelling the coroutine ends all traffic of the wait; the job goes on.
     *
     * @param id The job's id.
     * @param timeout How long to wait at most. Default 30 minutes. The job goes on when it is over.
     * @param options Options of this call alone.
     * @param onProgress Is told of the job each time that it is seen, in the caller's coroutine.
     * @throws io.storycore.StoryCoreException [io.storycore.JobFailedException], [io.storycore.JobCancelledException] or
     * [io.storycore.WaitTimeoutException], each carrying the job, and as every call.
     */
    public suspend fun wait(
        id: String,
        timeout: Duration? = null,
        options: CallOptions? = null,
        onProgress: ((Job) -> Unit)? = null,
    ): Job = coroutineScope {
        val told = Channel<Job>(Channel.UNLIMITED)
        val listener = onProgress?.let {
            launch { for (job in told) it(job) }
            object : JobListener {
                override fun onJob(job: NativeJob) {
                    told.trySend(job.model())
                }
            }
        }
        try {
            calls.make(options) { native.wait(id, timeout?.positive("timeout"), listener, it) }.model()
        } finally {
            told.close()
        }
    }
}
