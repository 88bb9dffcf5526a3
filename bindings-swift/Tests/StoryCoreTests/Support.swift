// What the tests share: the platform that the test run began, faults planted in it, and files.

import Foundation
import StoryCore
import func StoryCoreNative.callCounts
import struct StoryCoreNative.CallCounts
import Testing

/// A client of the platform of this test run.
func makeClient(timeout: Duration? = nil) throws -> Client {
    let environment = ProcessInfo.processInfo.environment
    let url = try #require(environment["STORYCORE_BASE_URL"].flatMap { URL(string: $0) }, "no platform was begun")
    let key = try #require(environment["STORYCORE_API_KEY"])
    return try Client(apiKey: key, baseURL: url, configuration: .init(timeout: timeout))
}

/// Has the platform do something to the next request to a path.
func plant(_ client: Client, _ method: String, _ path: String, _ action: JSONValue, times: Int = 1) async throws {
    let fault: JSONValue = [
        "method": .string(method), "path": .string(path), "times": .integer(times), "action": action,
    ]
    _ = try await client.request("POST", "/_local/faults", body: .json(fault))
}

/// Begins the platform's journal of requests anew.
func forgetRequests(_ client: Client) async throws {
    _ = try await client.request("DELETE", "/_local/requests")
}

/// How many requests of a method and below a path arrived, answered or not.
func arrived(_ client: Client, _ method: String, _ path: String) async throws -> Int {
    let journal: JSONValue = try await client.request("GET", "/_local/requests").decode()
    guard case .array(let requests)? = journal["data"] else {
        throw NoJournal()
    }
    return requests.count { $0["method"]?.string == method && $0["path"]?.string?.hasPrefix(path) == true }
}

struct NoJournal: Error {}

/// Waits until something holds, for a minute at the most.
func eventually(_ what: Comment, _ holds: () async throws -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(60)
    while try await !holds() {
        try #require(ContinuousClock.now < end, what)
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// What became of the calls, once none is under way.
func settled() async throws -> CallCounts {
    // A minute: the machine may be slow.
    for _ in 0..<1_200 {
        let counts = callCounts()
        if counts.started == counts.finished + counts.dropped {
            return counts
        }
        try await Task.sleep(for: .milliseconds(50))
    }
    let counts = callCounts()
    Issue.record("calls are under way still: \(counts)")
    return counts
}

/// A folder that goes with the test.
func withFolder<Value>(_ body: (URL) async throws -> Value) async throws -> Value {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("storycore-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder)
}

/// A file of so many bytes, none like the next.
func file(in folder: URL, named name: String, bytes: Int) throws -> URL {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    var data = Data(count: bytes)
    data.withUnsafeMutableBytes { (words: UnsafeMutableRawBufferPointer) in
        for word in words.bindMemory(to: UInt64.self).indices {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            words.storeBytes(of: state, toByteOffset: word * 8, as: UInt64.self)
        }
    }
    let url = folder.appendingPathComponent(name)
    try data.write(to: url)
    return url
}

/// A value that closures of the library's threads may change.
final class Shared<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var held: Value

    init(_ value: Value) {
        held = value
    }

    var value: Value {
        lock.withLock { held }
    }

    func change(_ change: (inout Value) -> Void) {
        lock.withLock { change(&held) }
    }
}

/// The kind of the error that something fails with; nothing where it does not.
func kind(_ body: () async throws -> Void) async -> String? {
    do {
        try await body()
        return nil
    } catch let error as StoryCoreError {
        return error.details.kind
    } catch is CancellationError {
        return "CancellationError"
    } catch {
        return "\(error)"
    }
}
