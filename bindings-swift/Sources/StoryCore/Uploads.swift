// Uploads: the calls, their progress as a sequence, and the handle that steers. What is uploaded is in `UploadSource.swift`, how in
// `UploadOptions.swift`.

internal import Foundation
internal import StoryCoreNative

/// How far an upload is.
public struct UploadProgress: Hashable, Sendable {
    /// Bytes of the file given to the network; fewer than before when some are to be sent again.
    public let sent: Int
    /// Bytes that the platform said it has.
    public let acknowledged: Int
    /// Bytes of the file. Of pieces, what came of them so far.
    public let total: Int
    /// Bytes a second over the last five seconds.
    public let rate: Double
    /// Time left at that rate, once there is one.
    public let timeLeft: Duration?
    /// Time since the upload began.
    public let elapsed: Duration

    init(_ from: StoryCoreNative.UploadProgress) {
        (sent, acknowledged, total) = (Int(clamping: from.sent), Int(clamping: from.acknowledged), Int(clamping: from.total))
        rate = from.rate
        timeLeft = from.timeLeft.map { .seconds($0) }
        elapsed = .seconds(from.elapsed)
    }
}

/// What came of an upload.
public struct UploadReport: Hashable, Sendable {
    /// The asset, its bytes compared with the file's.
    public let asset: Asset
    /// Bytes that went out, also those that went twice; fewer than the file has when an earlier upload went on.
    public let sent: Int
    /// Requests that failed and were made good. To be told that the joining of the parts is under way is no failure.
    public let failures: Int
    /// What had to be begun anew, and why, in words.
    public let restarts: [String]
}

/// The handle that pauses, resumes and cancels an upload.
public final class UploadControl: Sendable {
    let native = StoryCoreNative.UploadControl()

    /// A handle of an upload that runs.
    public init() {}

    /// Stops the requests at once; what arrived is kept. A small file's single request is not begun; one that is on its way
    /// goes on.
    public func pause() { native.pause() }

    /// Goes on from where the platform is.
    public func resume() { native.resume() }

    /// Ends the upload with ``StoryCoreError/cancelled(_:)``, and takes back what the platform has of it, the asset too that
    /// it may just have become: within five seconds. A small file whose single request had arrived whole is an asset that
    /// stays; so is what the platform needs longer than three seconds to join or to finish. Taking back needs the permission
    /// `admin`; without it, what arrived stays until it expires. The next upload of the same file goes on with what stayed.
    public func cancel() { native.cancel() }
}

/// One step of an upload, as ``Assets/uploading(_:options:control:call:)`` tells of it.
public enum UploadEvent: Hashable, Sendable {
    /// How far it is.
    case progress(UploadProgress)
    /// That it is done. Nothing follows.
    case done(UploadReport)
}

/// An upload as it goes: its progress, and its report last. Each iteration uploads, from its first step on (pieces can be
/// uploaded once); ending one stops its upload.
public struct UploadEvents: AsyncSequence, Sendable {
    let begin: @Sendable () -> AsyncThrowingStream<UploadEvent, any Error>

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(begin: begin)
    }

    /// Goes over the steps.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let begin: @Sendable () -> AsyncThrowingStream<UploadEvent, any Error>
        var events: AsyncThrowingStream<UploadEvent, any Error>.Iterator?
        var ended = false

        public mutating func next() async throws -> UploadEvent? {
            if ended {
                return nil
            }
            var going = events ?? begin().makeAsyncIterator()
            ended = true
            guard let event = try await going.next() else {
                // Without a report: of a `Task` that is cancelled the stream ends as if all were done.
                throw CancellationError()
            }
            if case .progress = event {
                (events, ended) = (going, false)
            } else {
                events = nil
            }
            return event
        }
    }
}

extension Assets {
    /// Uploads a file, whatever its size, with flat memory: small ones in one request, larger ones in parallel parts that
    /// survive broken connections and the app's end: the same call then goes on from where it was.
    ///
    /// ```swift
    /// let asset = try await client.media.upload(.file(url), options: .init(type: "video")) { progress in
    ///     print(progress.acknowledged, "of", progress.total)
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - source: What is uploaded.
    ///   - options: What is said of it, and how it is sent.
    ///   - control: Pauses, resumes and cancels it. Cancelling the `Task` stops it and leaves what arrived, to go on later.
    ///   - call: Options of its requests.
    ///   - onProgress: Hears of the progress, at most ten times a second, on one of the library's two threads, which carry
    ///     every other call too: it must not block.
    /// - Throws: ``StoryCoreError``: `upload` when the file cannot be read, changed meanwhile, or arrived changed; `cancelled`
    ///   when `control` cancelled it; and as every call.
    @discardableResult
    public func upload(
        _ source: UploadSource, options: UploadOptions = .init(), control: UploadControl? = nil, call: CallOptions = .init(),
        onProgress: (@Sendable (UploadProgress) -> Void)? = nil
    ) async throws -> Asset {
        try await uploadReport(source, options: options, control: control, call: call, onProgress: onProgress).asset
    }

    /// Uploads as ``upload(_:options:control:call:onProgress:)`` does, and tells how it went.
    public func uploadReport(
        _ source: UploadSource, options: UploadOptions = .init(), control: UploadControl? = nil, call: CallOptions = .init(),
        onProgress: (@Sendable (UploadProgress) -> Void)? = nil
    ) async throws -> UploadReport {
        let (settings, calling) = (try options.native(), try call.native())
        let (given, pump) = try source.native()
        let pumping = pump.map { pump in Task { await pump.run() } }
        defer { pumping?.cancel() }
        do {
            return try await translated {
                let done = try await native.upload(
                    source: given, settings: settings, control: control?.native,
                    listener: onProgress.map { Listening($0) }, options: calling)
                return UploadReport(
                    asset: Asset(done.asset), sent: Int(clamping: done.sent), failures: Int(done.failures),
                    restarts: done.restarts)
            }
        } catch let error as StoryCoreError {
            throw pump?.blamed(error) ?? error
        }
    }

    /// Uploads, and gives its progress as it comes, the report last. Ending the iteration stops the upload, which goes on
    /// where it was when the same file is uploaded again; cancelling its `Task` does so, too, and throws `CancellationError`.
    ///
    /// ```swift
    /// for try await event in client.media.uploading(.file(url)) {
    ///     switch event {
    ///     case .progress(let now): bar.value = Double(now.acknowledged) / Double(max(now.total, 1))
    ///     case .done(let report): print(report.asset.id)
    ///     }
    /// }
    /// ```
    public func uploading(
        _ source: UploadSource, options: UploadOptions = .init(), control: UploadControl? = nil, call: CallOptions = .init()
    ) -> UploadEvents {
        UploadEvents {
            // The newest progress is enough for whoever reads slowly; the report is the last and stays.
            AsyncThrowingStream(bufferingPolicy: .bufferingNewest(2)) { stream in
                let task = Task {
                    do {
                        let report = try await uploadReport(source, options: options, control: control, call: call) {
                            stream.yield(.progress($0))
                        }
                        stream.yield(.done(report))
                        stream.finish()
                    } catch {
                        stream.finish(throwing: error)
                    }
                }
                stream.onTermination = { _ in task.cancel() }
            }
        }
    }
}
