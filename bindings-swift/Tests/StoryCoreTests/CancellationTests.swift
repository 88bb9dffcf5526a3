import Foundation
import StoryCore
import func StoryCoreNative.callCounts
import Testing

@Suite(.serialized) struct CancellationTests {
    @Test func cancellingATaskStopsItsRequest() async throws {
        let client = try makeClient()
        // Longer than the call may take: what ends it otherwise is no cancellation.
        try await plant(client, "GET", "/api/projects", ["delay_ms": 600_000])
        try await forgetRequests(client)
        let before = try await settled()
        let call = Task { try await client.projects.list() }
        try await eventually("the request arrives") { try await arrived(client, "GET", "/api/projects") == 1 }
        call.cancel()
        let failed = await kind { _ = try await call.value }
        #expect(failed == "CancellationError")
        let after = try await settled()
        #expect(after.dropped == before.dropped + 1)
        _ = try await client.request("DELETE", "/_local/faults")
    }

    @Test func cancellingATaskThatFollowsAnUploadIsNotItsEnd() async throws {
        let client = try makeClient()
        try await withFolder { folder in
            let film = try file(in: folder, named: "film.bin", bytes: 20 * 1024 * 1024)
            // It would go on for ever.
            let control = UploadControl()
            control.pause()
            let events = client.media.uploading(
                .file(film), options: .init(type: "document", journal: .off), control: control)
            let before = callCounts()
            let following = Task { for try await _ in events {} }
            try await eventually("the upload begins") { callCounts().started > before.started }
            following.cancel()
            let failed = await kind { try await following.value }
            #expect(failed == "CancellationError")
            _ = try await settled()
        }
    }

    @Test func endingTheIterationOverAnUploadStopsItWhoeverKeepsTheSequence() async throws {
        let client = try makeClient()
        try await withFolder { folder in
            let film = try file(in: folder, named: "film.bin", bytes: 20 * 1024 * 1024)
            let control = UploadControl()
            let events = client.media.uploading(
                .file(film), options: .init(type: "document", journal: .off, chunkSize: 1024 * 1024), control: control)
            for try await _ in events {
                // From here on it would stand still for ever.
                control.pause()
                break
            }
            _ = try await settled()
            // Another iteration is another upload.
            control.resume()
            var last: UploadEvent?
            for try await event in events {
                last = event
            }
            guard case .done(let report) = last else { throw NoReport() }
            #expect(report.asset.size == 20 * 1024 * 1024)
        }
    }

    private struct NoReport: Error {}

    @Test func ofManyCallsThatAreCancelledWhileTheyEndNoneIsLost() async throws {
        let client = try makeClient()
        let before = try await settled()
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<2_000 {
                group.addTask {
                    let call = Task { try await client.events.list(pageSize: 1) }
                    // From at once to long after the answer came.
                    try? await Task.sleep(for: .microseconds(number % 100 * 600))
                    if number % 10 == 0 {
                        // However slow the machine is, some end by themselves.
                        _ = await call.result
                    }
                    call.cancel()
                    _ = await call.result
                }
                // As many at a time as an app may have.
                if number % 32 == 31 {
                    await group.waitForAll()
                }
            }
        }
        let after = try await settled()
        let (started, finished, dropped) = (
            after.started - before.started, after.finished - before.finished, after.dropped - before.dropped
        )
        print("2 000 racing cancellations: \(started) started, \(finished) finished, \(dropped) dropped")
        #expect(started == finished + dropped)
        #expect(finished > 0 && dropped > 0, "they raced")
    }

    @Test func endingAnIterationEarlyStopsWhatWasAskedForAhead() async throws {
        let client = try makeClient()
        for _ in 0..<4 {
            try await client.projects.create(name: "Ahead")
        }
        try await forgetRequests(client)
        for try await _ in client.projects.items(name: "Ahead", pageSize: 1) {
            break
        }
        _ = try await settled()
        // Nothing is under way: what is asked for from here on would be a page that nobody wants.
        try await Task.sleep(for: .milliseconds(500))
        let asked = try await arrived(client, "GET", "/api/projects")
        try await Task.sleep(for: .milliseconds(500))
        #expect(try await arrived(client, "GET", "/api/projects") == asked, "it asks on after its end")
        #expect(asked < 4, "it asked for more than it was to be ahead by")
    }
}
