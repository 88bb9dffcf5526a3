// Downloads with a say in their streams; the others are generated.

public import Foundation
internal import StoryCoreNative

extension Assets {
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
}
