// The conformance driver for Swift: reads operations from standard input, makes them with this package, answers on standard
// output. The protocol is in `tests/conformance/src/driver.rs`. Its native library is built with the feature `conformance`.

import Foundation
import StoryCoreNative

// A scenario may want to see that a client leaves the program's logging to the program.
let watchLater = ProcessInfo.processInfo.environment["CONFORMANCE_WATCH"] == "later"
if !watchLater {
    watchBegin()
}

let driver = Driver(watchLater: watchLater)
// Like the runtime of the driver for Rust, the threads are there before a scenario counts what is open.
try await advance(by: 0)

// From a thread of its own: reading waits, and must not take one of those that tasks run on.
let lines = AsyncStream<String> { stream in
    Thread.detachNewThread {
        while let line = readLine() {
            stream.yield(line)
        }
        stream.finish()
    }
}
for await line in lines {
    await driver.perform(line)
}
// What is still under way ends with the scenario.
exit(0)
