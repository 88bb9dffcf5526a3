// How a file is uploaded, and where that is written down.

public import Foundation
internal import StoryCoreNative

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
