// What is uploaded: a file, data, or a sequence of pieces, and what feeds the library with those.

public import Foundation
internal import StoryCoreNative

/// What is uploaded.
public struct UploadSource: Sendable {
    private enum Kind {
        case file(URL)
        case data(Data, fileName: String)
        case pieces(Pieces, fileName: String)
    }

    private let kind: Kind

    /// A file. Only this goes on after the app was ended.
    public static func file(_ url: URL) -> Self {
        Self(kind: .file(url))
    }

    /// Data, under a file's name.
    public static func data(_ data: Data, fileName: String) -> Self {
        Self(kind: .data(data, fileName: fileName))
    }

    /// Pieces that come one after another, their number unknown, under a file's name: for one upload, as another would have
    /// those that are left, or none. It is refused with ``StoryCoreError/config(_:)``, also while the first is under way. They
    /// are asked for when there is room, so that memory stays flat where they are made when they are asked for: by
    /// `AsyncThrowingStream(unfolding:)`, or as ``sequence(_:fileName:)`` does.
    public static func pieces(_ pieces: AsyncThrowingStream<Data, any Error>, fileName: String) -> Self {
        Self(kind: .pieces(Pieces(pieces), fileName: fileName))
    }

    /// The pieces of any asynchronous sequence, for one upload. The next is asked for when there is room.
    public static func sequence<Sequence: AsyncSequence & Sendable>(_ pieces: Sequence, fileName: String) -> Self
    where Sequence.Element == Data {
        let going = Going(pieces)
        return .pieces(AsyncThrowingStream(unfolding: { try await going.next() }), fileName: fileName)
    }

    /// The library's source, and what feeds it.
    func native() throws -> (StoryCoreNative.UploadSource, Pump?) {
        switch kind {
        case .file(let url): return (.path(path: try filePath("source", url)), nil)
        case .data(let data, let fileName): return (.bytes(fileName: fileName, data: data), nil)
        case .pieces(let pieces, let fileName):
            let pump = Pump(try pieces.take())
            return (.feed(fileName: fileName, feed: pump.feed), pump)
        }
    }
}

/// Goes over a sequence. It is asked for one piece after another, and never for two at a time: one upload has it.
private final class Going<Pieces: AsyncSequence>: @unchecked Sendable where Pieces.Element: Sendable {
    private var iterator: Pieces.AsyncIterator

    init(_ pieces: Pieces) {
        iterator = pieces.makeAsyncIterator()
    }

    func next() async throws -> Pieces.Element? {
        try await iterator.next()
    }
}

/// What the first upload that asks for it has.
private final class Pieces: @unchecked Sendable {
    private let lock = NSLock()
    private var left: AsyncThrowingStream<Data, any Error>?

    init(_ pieces: AsyncThrowingStream<Data, any Error>) {
        left = pieces
    }

    func take() throws -> AsyncThrowingStream<Data, any Error> {
        let taken = lock.withLock {
            defer { left = nil }
            return left
        }
        guard let taken else {
            throw StoryCoreError.given("config", "pieces can be uploaded once only: make them anew", param: "source")
        }
        return taken
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
