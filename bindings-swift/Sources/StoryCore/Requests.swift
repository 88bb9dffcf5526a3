// What is not typed yet: any method and path, through the same transport, and the whole answer.

public import Foundation
internal import StoryCoreNative

/// What a request that is not typed sends.
public enum RequestBody: Sendable {
    /// Nothing.
    case none
    /// JSON.
    case json(JSONValue)
    /// Data of this media type. It is sent once: a request that fails with it is not tried again.
    case data(Data, contentType: String)
}

/// An answer as it came.
public struct RawResponse: Sendable {
    /// The HTTP status.
    public let status: Int
    /// Every header, in the order it came.
    public let headers: [(name: String, value: String)]
    /// The platform's id of the request.
    public let requestID: String?
    /// The body.
    public let body: Data

    /// The body as `Value`.
    ///
    /// - Throws: ``StoryCoreError``: `decode` where it is none, naming the JSON path; what the decoder threw is its `underlying`.
    public func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: body)
        } catch {
            throw StoryCoreError(ErrorDetails(of: self, unread: error))
        }
    }
}

extension Client {
    /// Sends a request for what is not typed here, with retries, limits and credentials as every call.
    ///
    /// ```swift
    /// let answer = try await client.request("GET", "/api/audit", query: ["limit": "10"])
    /// ```
    ///
    /// - Throws: ``StoryCoreError``: as every call; an answer that is no success is an error.
    public func request(
        _ method: String, _ path: String, query: KeyValuePairs<String, String> = [:], body: RequestBody = .none,
        options: CallOptions = .init()
    ) async throws -> RawResponse {
        let query = query.map { StoryCoreNative.NameAndValue(name: $0.key, value: $0.value) }
        let given: StoryCoreNative.RawBody =
            switch body {
            case .none: .none
            case .json(let value): .json(text: try JSONValue.text(value))
            case .data(let data, let contentType): .bytes(contentType: contentType, data: data)
            }
        return try await translated { [native] in
            let answer = try await native.request(
                request: .init(method: method, path: path, query: query, body: given), options: try options.native())
            return RawResponse(
                status: Int(answer.status), headers: answer.headers.map { ($0.name, $0.value) }, requestID: answer.requestId,
                body: answer.body)
        }
    }
}
