package io.storycore.testing

import io.storycore.ffi.CallCounts
import io.storycore.ffi.callCounts
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.delay
import kotlinx.coroutines.withTimeout

/** Waits until every call that began is over, and says what became of them. */
suspend fun settled(): CallCounts = withTimeout(60.seconds) {
    var now = callCounts()
    while (now.started != now.finished + now.dropped) {
        delay(5)
        now = callCounts()
    }
    now
}
