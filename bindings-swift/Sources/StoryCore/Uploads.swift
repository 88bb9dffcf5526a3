// Uploads: from a file, from data, and from a sequence of pieces; their progress as a sequence, and the handle that steers.

public import Foundation
internal import StoryCoreNative

/// What is uploaded.
public enum UploadSource: Sendable {
    /// A file. Only this goes on after the app was ended.
    case file(URL)
    /// Data, under a file's name.
    case data(Data, fileName: String)
    /// Pieces that come one after another, their number unknown, under a file's name: for one upload, as another would have
    /// those that are left, or none. They are asked for when there is room,
    /// so that memory stays flat where they are made when they are asked for: by `AsyncThrowingStream(unfolding:)`, or as
    /// ``sequence(_:fileName:)`` does.
    case pieces(AsyncThrowingStream<Data, any Error>, fileName: String)

    /// The pieces of any asynchronous sequence, for one upload. The next is asked for when there is room.
    public static func sequence<Pieces: AsyncSequence & Sendable>(_ pieces: Pieces, fileName: String) -> Self
    where Pieces.Element == Data {
        let going = Going(pieces)
        return .pieces(AsyncThrowingStream(unfolding: { try await going.next() }), fileName: fileName)
    }
}

/// Goes over a sequence. It is asked for one piece after another, and never for two at a time.
private final class Going<Pieces: AsyncSequence>: @unchecked Sendable where Pieces.Element: Sendable {
    private var iterator: Pieces.AsyncIterator

    init(_ pieces: Pieces) {
        iterator = pieces.makeAsyncIterator()
    }

    func next() async throws -> Pieces.Element? {
        try await iterator.next()
    }
}

/// Where uploads are written down, so that the same file goes on where it was after the app was ended.
public enum Journal: Hashable, Sendable {
    /// In the app's Application Support folder; in the user's state folder where there is none, as on Linux.
    case standard
    /// In this SQLite file, made where it is missing.
    case at(URL)
    /// Nowhere.
    case off
}

/// What is said of a file that is uploaded, and how it is sent; what is `nil` is as told beside it.
public struct UploadOptions: Sendable {
    /// `video`, `audio`, `image` or `document`. Default: by the file's name.
    public var type: String?
    /// Its name. Default: the file's.
    public var name: String?
    /// What it shows.
    public var description: String?
    /// The project it belongs to.
    public var projectID: String?
    /// Its media type. Default: by the file's extension.
    public var contentType: String?
    /// Where it is written down.
    public var journal: Journal
    /// The bytes of a chunk. Default: 5 to 64 MiB, so that each takes 2 to 8 s.
    public var chunkSize: Int?
    /// The most requests side by side, from 1 to 16. A number that is given holds. Default 16: it begins with 4 and adds while
    /// that brings more; from 128 MiB on, to a platform on this machine, 1.
    public var maxStreams: Int?
    /// Files of fewer bytes go as one request, which cannot be continued. Default 16 MiB.
    public var multipartBelow: Int?
    /// Whether the SHA-256 of each chunk is sent, where the platform takes it. Default yes.
    public var chunkChecksums: Bool?
    /// Failures in a row, without a byte arriving between them, that are survived. Default 8.
    public var retries: Int?
    /// A request of which no byte moves for so long is given up and continued by another. Default 30 s.
    public var stallTimeout: Duration?

    /// Options; none is set but what is given.
    public init(
        type: String? = nil, name: String? = nil, description: String? = nil, projectID: String? = nil,
        contentType: String? = nil, journal: Journal = .standard, chunkSize: Int? = nil, maxStreams: Int? = nil,
        multipartBelow: Int? = nil, chunkChecksums: Bool? = nil, retries: Int? = nil, stallTimeout: Duration? = nil
    ) {
        self.type = type
        self.name = name
        self.description = description
        self.projectID = projectID
        self.contentType = contentType
        self.journal = journal
        self.chunkSize = chunkSize
        self.maxStreams = maxStreams
        self.multipartBelow = multipartBelow
        self.chunkChecksums = chunkChecksums
        self.retries = retries
        self.stallTimeout = stallTimeout
    }

    func native() throws -> StoryCoreNative.UploadSettings {
        .init(
            kind: type, name: name, description: description, projectId: projectID, contentType: contentType,
            journal: try journal.native(), chunkSize: try whole("chunkSize", chunkSize),
            maxStreams: try whole("maxStreams", maxStreams), multipartBelow: try whole("multipartBelow", multipartBelow),
            chunkChecksums: chunkChecksums, retries: try whole("retries", retries),
            stallTimeout: try seconds("stallTimeout", stallTimeout))
    }
}

extension Journal {
    func native() throws -> StoryCoreNative.Journal {
        switch self {
        case .off: .off
        case .at(let url): .at(path: try filePath("journal", url))
        case .standard:
            #if os(Linux)
                .user
            #else
                FileManager.default.urls(for: .applicationSupportDirectory, in: .userDomainMask).first.map {
                    .at(path: $0.appendingPathComponent("StoryCore/uploads.sqlite3").path)
                } ?? .user
            #endif
        }
    }
}

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
        let (given, pump) = try source.native()
        let pumping = pump.map { pump in Task { await pump.run() } }
        defer { pumping?.cancel() }
        do {
            return try await translated {
                let done = try await native.upload(
                    source: given, settings: try options.native(), control: control?.native,
                    listener: onProgress.map { Listening($0) }, options: try call.native())
                return UploadReport(
                    asset: Asset(done.asset), sent: Int(clamping: done.sent), failures: Int(done.failures),
                    restarts: done.restarts)
            }
        } catch let error as StoryCoreError {
            throw pump?.blamed(error) ?? error
        }
    }

    /// Downloads as ``download(_:to:options:)`` does, with a say in how many ranges are asked for side by side.
    ///
    /// - Parameters:
    ///   - id: Its id.
    ///   - to: Where the file is to be.
    ///   - maxStreams: The most ranges side by side, from 1 to 16. Where it is left out: 1 under 64 MiB, else 4.
    ///   - options: Options of its requests.
    @discardableResult
    public func download(
        _ id: String, to: URL, maxStreams: Int, options: CallOptions = .init()
    ) async throws -> Asset {
        try await translated {
            Asset(
                try await native.downloadWithStreams(
                    id: id, to: try filePath("to", to), maxStreams: try whole("maxStreams", maxStreams),
                    options: try options.native()))
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
        let begun = Begun()
        return UploadEvents {
            // The newest progress is enough for whoever reads slowly; the report is the last and stays.
            AsyncThrowingStream(bufferingPolicy: .bufferingNewest(2)) { stream in
                let task = Task {
                    do {
                        if case .pieces = source {
                            try begun.once()
                        }
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

extension UploadSource {
    /// The library's source, and what feeds it.
    func native() throws -> (StoryCoreNative.UploadSource, Pump?) {
        switch self {
        case .file(let url): return (.path(path: try filePath("source", url)), nil)
        case .data(let data, let fileName): return (.bytes(fileName: fileName, data: data), nil)
        case .pieces(let pieces, let fileName):
            let pump = Pump(pieces)
            return (.feed(fileName: fileName, feed: pump.feed), pump)
        }
    }
}

/// Whether a sequence's pieces were asked for before: another upload would have those that are left, or none.
private final class Begun: @unchecked Sendable {
    private let lock = NSLock()
    private var before = false

    func once() throws {
        try lock.withLock {
            if before {
                throw StoryCoreError.given("config", "pieces can be uploaded once only", param: "source")
            }
            before = true
        }
    }
}

/// Feeds the library with the app's pieces, and keeps what they end with where that is an error.
final class Pump: @unchecked Sendable {
    let feed = StoryCoreNative.UploadFeed()
    private let pieces: AsyncThrowingStream<Data, any Error>
    private let lock = NSLock()
    private var broken: (any Error)?

    init(_ pieces: AsyncThrowingStream<Data, any Error>) {
        self.pieces = pieces
    }

    func run() async {
        do {
            for try await piece in pieces {
                guard try await feed.push(data: piece) else { return }
            }
            feed.finish()
        } catch is CancellationError where Task.isCancelled {
            // The upload has ended: nobody reads it any more.
            return
        } catch {
            // Also a cancellation that is the producer's own: what it gave is not all of it.
            lock.withLock { broken = error }
            try? await feed.fail(reason: "\(error)")
        }
    }

    /// The upload's error, with the pieces' own in it where it came of that.
    func blamed(_ error: StoryCoreError) -> StoryCoreError {
        guard let broken = lock.withLock({ broken }) else { return error }
        var details = error.details
        let words = "\(broken)"
        guard ([details.text] + details.causes).contains(where: { $0.contains(words) }) else { return error }
        details.underlying = broken
        return StoryCoreError(details)
    }
}

/// A closure as the library's listener.
final class Listening<Heard: Sendable>: Sendable {
    let heard: @Sendable (Heard) -> Void

    init(_ heard: @escaping @Sendable (Heard) -> Void) {
        self.heard = heard
    }
}

extension Listening: StoryCoreNative.ProgressListener where Heard == UploadProgress {
    func onProgress(progress: StoryCoreNative.UploadProgress) throws {
        heard(UploadProgress(progress))
    }
}

extension Listening: StoryCoreNative.JobListener where Heard == Job {
    func onJob(job: StoryCoreNative.Job) throws {
        heard(Job(job))
    }
}

extension Listening: StoryCoreNative.TokensListener where Heard == TokenSet {
    func onTokens(tokens: StoryCoreNative.TokenSet) throws {
        heard(TokenSet(tokens))
    }
}
