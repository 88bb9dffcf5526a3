// Calls that come one after another begin on the thread that makes them, a thread of Swift's: whatever happens to one there.

import Foundation
import StoryCore
import Testing

@Suite(.serialized) struct LoneCallTests {
    @Test func aLoneCallThatIsCancelledAsItBeginsIsAccountedFor() async throws {
        let client = try makeClient()
        let before = try await settled()
        for number in 0..<300 {
            _ = try await client.projects.list(pageSize: 1)
            let call = Task { try await client.projects.list(pageSize: 1) }
            // From before it begins to after its request was written.
            try await Task.sleep(for: .microseconds(number % 10 * 30))
            call.cancel()
            _ = await call.result
        }
        let after = try await settled()
        #expect(after.started - before.started == after.finished - before.finished + after.dropped - before.dropped)
        _ = try await client.projects.list(pageSize: 1)
    }

    @Test func aConnectionThatIsCutEndsItsCallAndNotTheProgram() async throws {
        // As a program of Swift's has it: whoever writes into a connection that was closed is ended by it.
        signal(SIGPIPE, SIG_DFL)
        let client = try makeClient()
        // So much that some may not be written yet when the connection is cut.
        let settings: [String: JSONValue] = ["note": .string(String(repeating: "x", count: 900 << 10))]
        let cuts: [JSONValue] = [
            ["drop_before": true], ["drop_before": true, "after_bytes": 1_000], ["reset": true],
            ["reset": true, "after_bytes": 1_000], ["drop_after": true],
        ]
        for (number, cut) in cuts.enumerated() {
            for _ in 0..<5 {
                _ = try await client.projects.list(pageSize: 1)
                try await plant(client, "GET", "/api/projects", cut)
                _ = try await client.projects.list(pageSize: 1)
                try await plant(client, "POST", "/api/projects", cut)
                let project = try await client.projects.create(name: "Cut \(number)", settings: settings)
                try await client.projects.delete(project.id)
            }
        }
    }

    @Test func aClientThatIsClosedMeanwhileEndsItsLoneCall() async throws {
        let other = try makeClient()
        try await plant(other, "GET", "/api/jobs", ["delay_ms": 600_000], times: 0)
        for number in 0..<20 {
            let client = try makeClient()
            _ = try await client.projects.list(pageSize: 1)
            let call = Task { try await client.jobs.list() }
            try await Task.sleep(for: .microseconds(number % 10 * 100))
            client.close()
            #expect(await kind { _ = try await call.value } == "cancelled")
        }
        _ = try await other.request("DELETE", "/_local/faults")
    }

    @available(macOS 15, iOS 18, tvOS 18, watchOS 11, *)
    @Test func aThreadsSmallStackIsEnough() async throws {
        let client = try makeClient()
        // What threads have on Apple's systems, but for the main one.
        let executor = OneThread(stackSize: 512 << 10)
        try await withTaskExecutorPreference(executor) {
            for _ in 0..<100 {
                _ = try await client.projects.list(pageSize: 1)
            }
            let project = try await client.projects.create(name: "Small")
            try await client.projects.delete(project.id)
        }
        #expect(executor.jobsRun > 0, "the calls were made there")
        executor.end()
    }
}

/// A thread of one's own that runs tasks.
@available(macOS 15, iOS 18, tvOS 18, watchOS 11, *)
private final class OneThread: TaskExecutor, @unchecked Sendable {
    private let condition = NSCondition()
    private var jobs: [UnownedJob] = []
    private var run = 0
    private var isEnded = false

    init(stackSize: Int) {
        let thread = Thread { [self] in work() }
        thread.stackSize = stackSize
        thread.start()
    }

    var jobsRun: Int {
        condition.withLock { run }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        condition.withLock {
            jobs.append(job)
            condition.signal()
        }
    }

    func end() {
        condition.withLock {
            isEnded = true
            condition.signal()
        }
    }

    private func work() {
        while let job = next() {
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }

    private func next() -> UnownedJob? {
        condition.withLock {
            while jobs.isEmpty && !isEnded {
                condition.wait()
            }
            run += 1
            return jobs.isEmpty ? nil : jobs.removeFirst()
        }
    }
}
