// Lists and what happens to a job, as asynchronous sequences. Each iteration asks anew, from the beginning; ending one early
// stops what it has asked for ahead.

internal import Foundation
internal import StoryCoreNative

/// One page of a list.
public struct Page<Element: Sendable>: Sendable {
    /// Its objects.
    public let items: [Element]
    /// How many there are in all pages.
    public let total: Int
    /// The most that a page holds.
    public let limit: Int
    /// How many stand before this page.
    public let offset: Int
    /// Whether another page follows.
    public let hasMore: Bool

    init(_ items: [Element], _ at: StoryCoreNative.Pagination) {
        self.items = items
        (total, limit, offset) = (Int(clamping: at.total), Int(clamping: at.limit), Int(clamping: at.offset))
        hasMore = at.hasMore
    }
}

extension Page: Equatable where Element: Equatable {}

/// Gives the next piece of a stream, or nothing at the end.
typealias Next<Element> = @Sendable () async throws -> Element?

/// Every page of a list, the next fetched while this one is read. It ends after an error.
public struct Pages<Element: Sendable>: AsyncSequence, Sendable {
    let open: @Sendable () throws -> Next<Page<Element>>

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(stream: Opening(open))
    }

    /// Goes over the pages.
    public struct AsyncIterator: AsyncIteratorProtocol {
        var stream: Opening<Page<Element>>

        public mutating func next() async throws -> Page<Element>? {
            try await stream.next()
        }
    }
}

/// Every object of a list, over all of its pages.
///
/// ```swift
/// for try await project in client.projects.items(status: .inProgress) {
///     print(project.name)
/// }
/// ```
public struct Items<Element: Sendable>: AsyncSequence, Sendable {
    let open: @Sendable () throws -> Next<Page<Element>>

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(stream: Opening(open))
    }

    /// Goes over the objects.
    public struct AsyncIterator: AsyncIteratorProtocol {
        var stream: Opening<Page<Element>>
        var ready: ArraySlice<Element> = []

        public mutating func next() async throws -> Element? {
            while true {
                if let element = ready.popFirst() {
                    return element
                }
                guard let page = try await stream.next() else { return nil }
                ready = page.items[...]
            }
        }
    }
}

/// What happens to a job, as it happens. It ends with the job; a connection that breaks is taken up where it was.
public struct JobEvents: AsyncSequence, Sendable {
    let open: @Sendable () throws -> Next<JobEvent>

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(stream: Opening(open))
    }

    /// Goes over the events.
    public struct AsyncIterator: AsyncIteratorProtocol {
        var stream: Opening<JobEvent>

        public mutating func next() async throws -> JobEvent? {
            try await stream.next()
        }
    }
}

/// A stream that is opened when its first piece is asked for, and closed after an error.
struct Opening<Element: Sendable>: Sendable {
    private let open: @Sendable () throws -> Next<Element>
    private var opened: Next<Element>?
    private var ended = false

    init(_ open: @escaping @Sendable () throws -> Next<Element>) {
        self.open = open
    }

    mutating func next() async throws -> Element? {
        if ended {
            return nil
        }
        do {
            let next = try opened ?? open()
            opened = next
            if let element = try await translated({ try await next() }) {
                return element
            }
        } catch {
            (ended, opened) = (true, nil)
            throw error
        }
        (ended, opened) = (true, nil)
        return nil
    }
}

func listParams(
    pageSize: Int?, maxItems: Int?, offset: Int?, sort: String?, filters: [String: String], named: [(String, String?)]
) throws -> StoryCoreNative.ListParams {
    var all = filters
    for case (let name, let value?) in named {
        all[name] = value
    }
    return .init(
        pageSize: try whole("pageSize", pageSize), maxItems: try whole("maxItems", maxItems),
        offset: try whole("offset", offset), sort: sort, filters: all)
}
