// One operation after another is begun; calls run side by side.

import Foundation
import StoryCore
import StoryCoreNative

/// That Swift, or a phone, does not have what a scenario asks for. The scenario is left out by this reason.
struct NotHere: Error {
    let reason: String
}

actor Driver {
    private var clients: [String: StoryCore.Client] = [:]
    private var running: [Int: Task<Void, Never>] = [:]
    private var watchLater: Bool
    private let calls = Calls()

    init(watchLater: Bool) {
        self.watchLater = watchLater
    }

    func perform(_ line: String) async {
        guard let operation = try? JSONDecoder().decode(JSONValue.self, from: Data(line.utf8)),
            case .integer(let id)? = operation["id"]
        else {
            fatalError("the runner sent what is no operation: \(line)")
        }
        let name = operation["client"]?.string ?? "a"
        switch operation["op"]?.string {
        case "client":
            answer(id) { [calls] in
                let made = try await calls.client(operation["options"] ?? .object([:]))
                await self.keep(made, name)
                return .null
            }
            // The next operation may be for it.
            await running[id]?.value
        case "cancel":
            if case .integer(let target)? = operation["target"] {
                running[target]?.cancel()
            }
            answer(id) { .null }
        case "advance":
            let ms = operation["ms"]?.number ?? 0
            answer(id) {
                try await advance(by: ms / 1000)
                return .null
            }
        default:
            let client = clients[name]
            answer(id) { [calls] in try await calls.call(client, operation) }
        }
    }

    private func keep(_ client: StoryCore.Client, _ name: String) {
        clients[name] = client
        if watchLater {
            watchBegin()
            watchLater = false
        }
    }

    private func answer(_ id: Int, _ act: @escaping @Sendable () async throws -> JSONValue) {
        running[id] = Task {
            var message: [String: JSONValue] = ["id": .integer(id)]
            do {
                message["result"] = try await act()
            } catch {
                message["error"] = told(error)
            }
            say(.object(message))
            running[id] = nil
        }
    }
}

private let output = NSLock()

func say(_ message: JSONValue) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    guard var line = try? encoder.encode(message) else { fatalError("an answer is no JSON: \(message)") }
    line.append(0x0a)
    output.lock()
    defer { output.unlock() }
    FileHandle.standardOutput.write(line)
}

/// An error with every field that scenarios ask for.
func told(_ error: any Error) -> JSONValue {
    switch error {
    case is CancellationError: return ["kind": "cancelled", "message": "the call was cancelled"]
    case let error as NotHere: return ["kind": "not_here", "message": .string(error.reason)]
    case let error as StoryCoreError:
        let details = error.details
        return [
            "kind": .string(details.kind), "message": .string(details.message), "status": wire(details.status),
            "code": wire(details.code), "param": wire(details.param), "request_id": wire(details.requestID),
            "idempotency_key": wire(details.idempotencyKey), "retry_after_ms": wire(details.retryAfter.map(milliseconds)),
            "attempts": wire(details.attempts), "elapsed_ms": wire(milliseconds(details.elapsed)),
            "retryable": wire(details.isRetryable), "body": wire(details.body), "details": details.details ?? .null,
            "job": wire(details.job), "cause": wire(details.causes.first),
            "text": .string("\(error) \(String(reflecting: error)) \(error.localizedDescription)"),
        ]
    default: return ["kind": "no error of the client's", "message": .string("\(error)")]
    }
}

func milliseconds(_ time: Duration) -> Int {
    Int(time / .milliseconds(1))
}
