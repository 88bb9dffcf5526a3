import Foundation
import StoryCore
import Testing

@Suite(.serialized) struct UploadTests {
    @Test func aFileIsUploadedWithProgressAndComesBackAsItWas() async throws {
        let client = try makeClient()
        try await withFolder { folder in
            let film = try file(in: folder, named: "film.bin", bytes: 20 * 1024 * 1024)
            var last: UploadProgress?
            var report: UploadReport?
            for try await event in client.media.uploading(.file(film), options: .init(type: "document", journal: .off)) {
                switch event {
                case .progress(let now): last = now
                case .done(let done): report = done
                }
            }
            let asset = try #require(report?.asset)
            #expect(asset.size == 20 * 1024 * 1024 && asset.status == .ready)
            #expect(last?.acknowledged == asset.size && last?.total == asset.size)
            let copy = folder.appendingPathComponent("copy.bin")
            try await client.media.download(asset.id, to: copy)
            #expect(try Data(contentsOf: copy) == Data(contentsOf: film))
            // In as many streams as one says, and in no number that is none.
            try await client.media.download(asset.id, to: copy, maxStreams: 4)
            #expect(try Data(contentsOf: copy) == Data(contentsOf: film))
            let refused = await kind { _ = try await client.media.download(asset.id, to: copy, maxStreams: -1) }
            #expect(refused == "invalid_request")
        }
    }

    @Test func anUploadThatWasStoppedGoesOnWhereItWas() async throws {
        let client = try makeClient()
        try await withFolder { folder in
            let film = try file(in: folder, named: "film.bin", bytes: 40 * 1024 * 1024)
            let journal = Journal.at(folder.appendingPathComponent("uploads.sqlite3"))
            let options = UploadOptions(type: "document", journal: journal, chunkSize: 1024 * 1024, maxStreams: 1)
            // As an app that is ended does: the journal is all that stays.
            let (control, stopped) = (UploadControl(), AsyncStream<Void>.makeStream())
            let first = Task {
                try await client.media.upload(.file(film), options: options, control: control) { now in
                    if now.acknowledged >= 5 * 1024 * 1024 {
                        control.pause()
                        stopped.continuation.finish()
                    }
                }
            }
            for await _ in stopped.stream {}
            first.cancel()
            let failed = await kind { _ = try await first.value }
            #expect(failed == "CancellationError")
            let again = try makeClient()
            let report = try await again.media.uploadReport(.file(film), options: options)
            #expect(report.asset.size == 40 * 1024 * 1024)
            #expect(report.sent < 40 * 1024 * 1024, "what had arrived is not sent again")
            #expect(report.restarts == [])
        }
    }

    @Test func anUploadStandsStillWhilePausedAndCanBeCancelled() async throws {
        let client = try makeClient()
        try await withFolder { folder in
            let film = try file(in: folder, named: "film.bin", bytes: 40 * 1024 * 1024)
            try await forgetRequests(client)
            let control = UploadControl()
            control.pause()
            let upload = Task {
                try await client.media.upload(
                    .file(film), options: .init(type: "document", journal: .off), control: control)
            }
            // A time in which one that runs has sent much.
            try await Task.sleep(for: .seconds(1))
            #expect(try await arrived(client, "PATCH", "/") == 0, "it sends while it is paused")
            control.cancel()
            let failed = await kind { _ = try await upload.value }
            #expect(failed == "cancelled")
        }
    }

    @Test func piecesAreUploadedAsTheyCome() async throws {
        let client = try makeClient()
        let pieces = AsyncThrowingStream<Data, any Error> { stream in
            for number in 0..<50 {
                stream.yield(Data(repeating: UInt8(number), count: 10_000))
            }
            stream.finish()
        }
        let asset = try await client.media.upload(
            .pieces(pieces, fileName: "pieces.bin"), options: .init(type: "document"))
        #expect(asset.size == 500_000)
        let content = try await client.media.content(asset.id)
        #expect(content.count == 500_000)
    }

    @Test func thePiecesOfAnySequenceAreUploaded() async throws {
        let client = try makeClient()
        let numbers = AsyncStream<UInt8> { stream in
            for number in 0..<50 {
                stream.yield(UInt8(number))
            }
            stream.finish()
        }
        let pieces = numbers.map { Data(repeating: $0, count: 10_000) }
        let asset = try await client.media.upload(.sequence(pieces, fileName: "pieces.bin"))
        let content = try await client.media.content(asset.id)
        #expect(content.count == 500_000 && content.last == 49)
    }

    @Test func aSequenceOfPiecesIsUploadedOnceAndNeverInPart() async throws {
        let client = try makeClient()
        let pieces = AsyncThrowingStream<Data, any Error> { stream in
            stream.yield(Data(repeating: 1, count: 10_000))
            stream.finish()
        }
        let events = client.media.uploading(.pieces(pieces, fileName: "pieces.bin"))
        for try await _ in events {}
        #expect(await kind { for try await _ in events {} } == "config")
    }

    @Test func piecesAreForOneOfTwoUploadsAtATime() async throws {
        let client = try makeClient()
        let (asked, gate) = (AsyncStream<Void>.makeStream(), AsyncStream<Void>.makeStream())
        let numbers = AsyncStream<UInt8> { stream in
            for number in 0..<50 {
                stream.yield(UInt8(number))
            }
            stream.finish()
        }
        let pieces = numbers.map { number in
            asked.continuation.finish()
            for await _ in gate.stream {}
            return Data(repeating: number, count: 10_000)
        }
        let source = UploadSource.sequence(pieces, fileName: "pieces.bin")
        let first = Task { try await client.media.upload(source) }
        for await _ in asked.stream {}
        let refused = Task { await kind { try await client.media.upload(source) } }
        // One that is not refused waits for a piece, too.
        let late = Task {
            try await Task.sleep(for: .seconds(5))
            gate.continuation.finish()
        }
        #expect(await refused.value == "config")
        late.cancel()
        gate.continuation.finish()
        let content = try await client.media.content(try await first.value.id)
        #expect(content.count == 500_000 && content.last == 49, "the first has every piece")
    }

    @Test func piecesThatFailFailTheUpload() async throws {
        final class Torn: Error {}
        let client = try makeClient()
        let mine = Torn()
        // In one request, and in resumable ones.
        for multipartBelow in [nil, 0] {
            let pieces = AsyncThrowingStream<Data, any Error> { stream in
                stream.yield(Data(repeating: 1, count: 10_000))
                stream.finish(throwing: mine)
            }
            do {
                try await client.media.upload(
                    .pieces(pieces, fileName: "pieces.bin"), options: .init(multipartBelow: multipartBelow))
                Issue.record("the pieces are torn")
            } catch StoryCoreError.upload(let details) {
                #expect(details.underlying as? Torn === mine, "what the app threw is lost")
            }
        }
    }

    @Test func piecesWhoseProducerIsCancelledFailTheUpload() async throws {
        let client = try makeClient()
        let pieces = AsyncThrowingStream<Data, any Error> { stream in
            stream.yield(Data(repeating: 1, count: 10_000))
            stream.finish(throwing: CancellationError())
        }
        let failed = await kind { try await client.media.upload(.pieces(pieces, fileName: "pieces.bin")) }
        #expect(failed == "upload", "half a file is no success")
    }

    @Test func aJobIsWaitedForAndItsEventsAreHeard() async throws {
        let client = try makeClient()
        let asset = try await client.media.upload(
            .data(Data("nothing to see".utf8), fileName: "note.txt"), options: .init(type: "document"))
        let job = try await client.jobs.create(type: "probe", parameters: ["input": .string(asset.id)])
        var types: [String] = []
        for try await event in client.jobs.events(job.id) {
            types.append(event.type)
        }
        #expect(types.last == "job.completed" || types.last == "job.failed")
        let seen = Shared<[JobStatus]>([])
        do {
            let done = try await client.jobs.wait(job.id) { job in seen.change { $0.append(job.status) } }
            #expect(done.status == .completed)
        } catch StoryCoreError.jobFailed(let details) {
            #expect(details.job?.id == job.id, "the error carries the job")
        }
        #expect(!seen.value.isEmpty)
    }
}
