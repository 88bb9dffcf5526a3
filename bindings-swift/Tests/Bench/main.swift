// Swift's side of `cargo xtask bench mobile`: a line of standard input says what to measure, a line of JSON answers.
//
//     calls N     the median of N calls, one after another: {"median_us"}
//     racing N    N calls that are cancelled while they end: {"started", "finished", "dropped"}
//     memory N    what the process holds after a tenth of N calls, and after all: {"before_kib", "after_kib"}

import Foundation
import StoryCore
import StoryCoreNative

let client = try StoryCore.Client.fromEnvironment()
let id = ProcessInfo.processInfo.environment["STORYCORE_BENCH_ID"] ?? "prj_1"

func say(_ answer: [String: JSONValue]) throws {
    var line = try JSONEncoder().encode(JSONValue.object(answer))
    line.append(0x0a)
    FileHandle.standardOutput.write(line)
}

/// What the process holds, in KiB.
func resident() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
    return line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0
}

func calls(_ count: Int) async throws -> [String: JSONValue] {
    var times: [Duration] = []
    for _ in 0..<count {
        let began = ContinuousClock.now
        _ = try await client.projects.get(id)
        times.append(ContinuousClock.now - began)
    }
    times.sort()
    return ["median_us": .number(times[times.count / 2] / .microseconds(1))]
}

func racing(_ count: Int) async throws -> [String: JSONValue] {
    let before = callCounts()
    for first in stride(from: 0, to: count, by: 32) {
        await withTaskGroup(of: Void.self) { group in
            for number in first..<min(first + 32, count) {
                group.addTask {
                    let call = Task { try await client.projects.get(id) }
                    try? await Task.sleep(for: .microseconds(number % 50 * 40))
                    call.cancel()
                    _ = await call.result
                }
            }
        }
    }
    var after = callCounts()
    for _ in 0..<100 where after.started != after.finished + after.dropped {
        try await Task.sleep(for: .milliseconds(50))
        after = callCounts()
    }
    return [
        "started": .integer(Int(after.started - before.started)),
        "finished": .integer(Int(after.finished - before.finished)),
        "dropped": .integer(Int(after.dropped - before.dropped)),
    ]
}

func memory(_ count: Int) async throws -> [String: JSONValue] {
    for _ in 0..<count / 10 {
        _ = try await client.projects.get(id)
    }
    let before = try resident()
    for _ in 0..<count - count / 10 {
        _ = try await client.projects.get(id)
    }
    return ["before_kib": .integer(before), "after_kib": .integer(try resident())]
}

while let line = readLine() {
    let words = line.split(separator: " ")
    guard words.count == 2, let count = Int(words[1]) else { fatalError("what is \(line)?") }
    switch words[0] {
    case "calls": try say(try await calls(count))
    case "racing": try say(try await racing(count))
    case "memory": try say(try await memory(count))
    default: fatalError("what is \(line)?")
    }
}
