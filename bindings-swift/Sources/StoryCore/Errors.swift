// Errors: what is known of one, and how the library's become Swift's. The cases are generated.

public import Foundation
internal import StoryCoreNative

/// Everything that is known of a failure. No credential, secret or token is ever in it.
public struct ErrorDetails: Sendable {
    /// Its kind, the same in every language: `not_found`, `rate_limited` …
    public let kind: String
    /// What went wrong, in words.
    public let message: String
    /// The same, with the facts below that help to find it.
    public let text: String
    /// The HTTP status, where an answer arrived.
    public let status: Int?
    /// The platform's own code, such as `idempotency_mismatch`.
    public let code: String?
    /// The parameter, field or JSON path at fault.
    public let param: String?
    /// The platform's details, usually a message for each field.
    public let details: JSONValue?
    /// The platform's id of the request, to quote to its support.
    public let requestID: String?
    /// The idempotency key that was sent. Calling again with it cannot do the work twice.
    public let idempotencyKey: String?
    /// How long the platform asked to wait before the next request.
    public let retryAfter: Duration?
    /// How many requests were sent, or tried to be sent; 0 when it failed before the first.
    public let attempts: Int
    /// The time from the call's start to this failure, all attempts and waits included.
    public let elapsed: Duration
    /// Whether the same call may succeed later without being changed.
    public let isRetryable: Bool
    /// The answer's body as text, at most 16 KiB of it, secrets blanked.
    public let body: String?
    /// The job that was waited for, as it was last seen.
    public let job: Job?
    /// What stood behind it, and behind that, in words, outermost first.
    public let causes: [String]
    /// The error that came from the app itself: of an upload, what its pieces ended with; or from Swift's decoder.
    public internal(set) var underlying: (any Error)?

    init(_ from: StoryCoreNative.FailureDetails) {
        kind = from.kind
        message = from.reason
        text = from.text
        status = from.status.map(Int.init)
        code = from.code
        param = from.param
        details = from.details.map { JSONValue(json: $0) }
        requestID = from.requestId
        idempotencyKey = from.idempotencyKey
        retryAfter = from.retryAfter.map { .seconds($0) }
        attempts = Int(from.attempts)
        elapsed = .seconds(from.elapsed)
        isRetryable = from.retryable
        body = from.body
        job = from.job.map { Job($0) }
        causes = from.causes
    }

    /// A failure of what was given, before the library saw it.
    init(kind: String, message: String, param: String?) {
        (self.kind, self.message, text, self.param) = (kind, message, message, param)
        (status, code, details, requestID, idempotencyKey, retryAfter) = (nil, nil, nil, nil, nil, nil)
        (attempts, elapsed, isRetryable, body, job, causes) = (0, .zero, false, nil, nil, [])
    }

    /// A failure of reading an answer as what it is not.
    init(of answer: RawResponse, unread error: any Error) {
        let (path, why) = Self.told(error)
        let place = path.isEmpty ? "" : " at `\(path)`"
        (kind, message, param) = ("decode", "the answer cannot be read\(place): \(why)", path.isEmpty ? nil : path)
        (text, status, requestID, underlying) = (message, answer.status, answer.requestID, error)
        (code, details, idempotencyKey, retryAfter) = (nil, nil, nil, nil)
        (attempts, elapsed, isRetryable, body, job, causes) = (1, .zero, false, nil, nil, ["\(error)"])
    }

    /// Where a decoder stood, and what it missed.
    private static func told(_ error: any Error) -> (path: String, why: String) {
        let (path, context): ([any CodingKey], DecodingError.Context)
        switch error {
        case DecodingError.keyNotFound(let key, let at): (path, context) = (at.codingPath + [key], at)
        case DecodingError.valueNotFound(_, let at), DecodingError.typeMismatch(_, let at), DecodingError.dataCorrupted(let at):
            (path, context) = (at.codingPath, at)
        default: return ("", "\(error)")
        }
        let names = path.reduce("") { before, key in
            if let number = key.intValue { return "\(before)[\(number)]" }
            return before.isEmpty ? key.stringValue : "\(before).\(key.stringValue)"
        }
        return (names, context.debugDescription)
    }
}

extension StoryCoreError {
    /// Any of the details: `error.status`, `error.requestID`.
    public subscript<Value>(dynamicMember path: KeyPath<ErrorDetails, Value>) -> Value {
        details[keyPath: path]
    }

    static func given(_ kind: String, _ message: String, param: String? = nil) -> Self {
        Self(ErrorDetails(kind: kind, message: message, param: param))
    }
}

extension StoryCoreError: LocalizedError, CustomStringConvertible {
    /// What went wrong, in words.
    public var description: String { details.text }
    /// What went wrong, in words.
    public var errorDescription: String? { details.text }
}

/// Makes a call, whose failure becomes an error of this package.
func translated<Value: Sendable>(_ call: @Sendable () async throws -> Value) async throws -> Value {
    do {
        return try await call()
    } catch StoryCoreNative.Failure.Failed(let details) {
        throw StoryCoreError(ErrorDetails(details))
    }
}

/// The same for what is done at once.
func translatedNow<Value>(_ call: () throws -> Value) throws -> Value {
    do {
        return try call()
    } catch StoryCoreNative.Failure.Failed(let details) {
        throw StoryCoreError(ErrorDetails(details))
    }
}
