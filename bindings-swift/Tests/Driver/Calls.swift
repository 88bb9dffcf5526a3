// The calls that scenarios make, by the names they have in every language.

import Foundation
import StoryCore
import StoryCoreNative

/// What outlives a call: the handles of uploads, and a sign-in under way.
actor Calls {
    private var controls: [String: StoryCore.UploadControl] = [:]
    private var tokens: [String: StoryCore.TokenSet] = [:]
    private var authorization: StoryCore.Authorization?

    func control(_ name: String) -> StoryCore.UploadControl {
        if let known = controls[name] {
            return known
        }
        let made = StoryCore.UploadControl()
        controls[name] = made
        return made
    }

    /// A client as a scenario sets it up.
    func client(_ options: JSONValue) throws -> StoryCore.Client {
        guard case .object(let given) = options else { fatalError("options are an object") }
        if given["from_env"] == true {
            return try .fromEnvironment()
        }
        var made = StoryCore.Configuration()
        var (credential, baseURL): (StoryCore.Credential?, URL?)
        for (name, value) in given {
            switch name {
            case "base_url": baseURL = value.string.flatMap { URL(string: $0) }
            case "api_key": credential = .apiKey(Secret(value.string ?? ""))
            case "anonymous": credential = .anonymous
            case "platform": made.platform = value.string
            case "timeout_ms": made.timeout = time(value)
            case "attempt_timeout_ms": made.attemptTimeout = time(value)
            case "max_retry_after_ms": made.maxRetryAfter = time(value)
            case "max_retries": made.maxRetries = value.number.map { Int($0) }
            case "max_in_flight": made.maxInFlight = value.number.map { Int($0) }
            case "allow_insecure_http": made.allowsInsecureHTTP = value == true
            case "app_info": made.app = (value["name"]?.string ?? "", value["version"]?.string ?? "")
            case "headers": made.headers = texts(value)
            case "breaker":
                made.circuitBreaker = .init(
                    failureThreshold: value["failure_threshold"]?.number.map { Int($0) },
                    recoveryTimeout: value["recovery_timeout_ms"].flatMap { time($0) })
            case "roots": made.caCertificates = value.string
            case "certificate":
                made.clientCertificate = (value["chain"]?.string ?? "", Secret(value["key"]?.string ?? ""))
            case "proxy": made.proxy = value.string.map { Secret($0) }
            case "jwt":
                credential = .jwt(
                    .init(
                        secret: Secret(value["secret"]?.string ?? ""), subject: value["subject"]?.string ?? "",
                        permissions: list(value["permissions"]), keyID: value["key_id"]?.string,
                        lifetime: value["lifetime_s"]?.number.map { .seconds($0) }))
            case "oauth":
                credential = .oauth(
                    .init(
                        clientID: value["client_id"]?.string ?? "", clientSecret: Secret(value["client_secret"]?.string ?? ""),
                        scopes: list(value["scopes"])))
            case "signed_in":
                guard let got = tokens[value["code"]?.string ?? ""] else { fatalError("a sign-in got tokens") }
                credential = .oauth(.init(clientID: value["client_id"]?.string ?? "", tokens: got))
            default: fatalError("the driver knows no client option \(name)")
            }
        }
        guard let credential else {
            throw NotHere(reason: "a client without a credential cannot be written in Swift")
        }
        return try StoryCore.Client(credential: credential, baseURL: baseURL, configuration: made)
    }

    nonisolated func call(_ client: StoryCore.Client?, _ operation: JSONValue) async throws -> JSONValue {
        let method = operation["method"]?.string ?? ""
        let args = operation["args"] ?? .object([:])
        switch method {
        case "webhooks.verify", "webhooks.guard":
            throw NotHere(reason: "webhooks arrive at servers: a phone does not verify them")
        case "process.fork": throw NotHere(reason: "an app does not fork")
        case "process.runtimes": throw NotHere(reason: "Swift has one runtime a process")
        case "watch.spans", "watch.metrics", "watch.text":
            let seen = watchSeen(what: String(method.dropFirst("watch.".count)))
            return try JSONDecoder().decode(JSONValue.self, from: Data(seen.utf8))
        case "watch.client":
            guard let client else { fatalError("a scenario makes its client first") }
            var dumped = ""
            dump(client, to: &dumped)
            return .string("\(client) \(String(reflecting: client)) \(dumped)")
        case "assets.steer":
            let control = await control(args["control"]?.string ?? "")
            switch args["say"]?.string {
            case "pause": control.pause()
            case "resume": control.resume()
            case "cancel": control.cancel()
            default: fatalError("an upload does not know how to do that")
            }
            return .null
        default: break
        }
        guard let client else { fatalError("a scenario makes its client first") }
        return try await plain(client, method, args, options(operation["options"]))
    }

    private nonisolated func plain(
        _ client: StoryCore.Client, _ method: String, _ args: JSONValue, _ options: StoryCore.CallOptions
    ) async throws -> JSONValue {
        let id = args["id"]?.string ?? ""
        switch method {
        case "projects.create":
            let settings: [String: JSONValue]? = if case .object(let given)? = args["settings"] { given } else { nil }
            return wire(
                try await client.projects.create(
                    name: args["name"]?.string ?? "", description: args["description"]?.string,
                    budget: args["budget"]?.number, settings: settings, options: options))
        case "projects.update":
            return wire(
                try await client.projects.update(
                    id, name: change(args["name"]), description: change(args["description"]), options: options))
        case "projects.get": return wire(try await client.projects.get(id, options: options))
        case "projects.delete": return wire(try await client.projects.delete(id, options: options))
        case "assets.get": return wire(try await client.assets.get(id, options: options))
        case "jobs.get": return wire(try await client.jobs.get(id, options: options))
        case "webhooks.get": return wire(try await client.webhooks.get(id, options: options))
        case "api_keys.get": return wire(try await client.apiKeys.get(id, options: options))
        case "events.get": return wire(try await client.events.get(id, options: options))
        case "projects.list":
            let list = Listed(args)
            return page(
                try await client.projects.list(
                    pageSize: list.pageSize, maxItems: list.maxItems, offset: list.offset, sort: list.sort,
                    filters: list.filters, options: options))
        case "jobs.list":
            let list = Listed(args)
            return page(
                try await client.jobs.list(
                    pageSize: list.pageSize, maxItems: list.maxItems, offset: list.offset, sort: list.sort,
                    filters: list.filters, options: options))
        case "projects.items":
            let list = Listed(args)
            let pause = args["pause_ms"].flatMap { time($0) }
            let items = client.projects.items(
                pageSize: list.pageSize, maxItems: list.maxItems, offset: list.offset, sort: list.sort, filters: list.filters,
                options: options)
            var all: [JSONValue] = []
            for try await item in items {
                all.append(wire(item))
                if let pause {
                    try await Task.sleep(for: pause)
                }
            }
            return .array(all)
        case "projects.pages":
            let list = Listed(args)
            let pages = client.projects.pages(
                pageSize: list.pageSize, maxItems: list.maxItems, offset: list.offset, sort: list.sort, filters: list.filters,
                options: options)
            var all: [JSONValue] = []
            for try await one in pages {
                all.append(page(one))
            }
            return .array(all)
        case "assets.content":
            return .string(String(decoding: try await client.assets.content(id, options: options), as: UTF8.self))
        case "assets.download":
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("conformance-\(UUID())")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let file = folder.appendingPathComponent("download")
            try await client.assets.download(id, to: file, options: options)
            return .string(String(decoding: try Data(contentsOf: file), as: UTF8.self))
        case "assets.upload": return try await upload(client, args, options)
        case "webhooks.create":
            guard let url = URL(string: args["url"]?.string ?? "") else { fatalError("a URL") }
            let made = try await client.webhooks.create(url: url, events: list(args["events"]), options: options)
            return ["id": .string(made.id), "secret": .string(made.secret.exposed)]
        case "api_keys.create":
            let made = try await client.apiKeys.create(
                name: args["name"]?.string ?? "", permissions: ["read"], options: options)
            return ["id": .string(made.id), "secret": .string(made.secret.exposed)]
        case "jobs.create":
            let parameters: [String: JSONValue] = if case .object(let given)? = args["parameters"] { given } else { [:] }
            return wire(
                try await client.jobs.create(type: args["type"]?.string ?? "", parameters: parameters, options: options))
        case "jobs.wait":
            return wire(
                try await client.jobs.wait(id, timeout: args["timeout_ms"].flatMap { time($0) }, options: options))
        case "jobs.events":
            var all: [JSONValue] = []
            for try await event in client.jobs.events(id, options: options) {
                all.append([
                    "id": wire(event.id), "type": .string(event.type), "progress": wire(event.job.progress),
                    "status": wire(event.job.status),
                ])
            }
            return .array(all)
        case "oauth.begin": return ["url": .string(try await begin(client, args).absoluteString)]
        case "oauth.exchange": return try await exchange(client, args)
        case "request": return try await request(client, args, options)
        default: fatalError("the driver knows no method \(method)")
        }
    }

    private func begin(_ client: StoryCore.Client, _ args: JSONValue) throws -> URL {
        let made = StoryCore.Authorization(
            clientID: args["client_id"]?.string ?? "", redirectURI: args["redirect_uri"]?.string ?? "",
            scopes: list(args["scopes"]))
        authorization = made
        return try made.url(client)
    }

    private func exchange(_ client: StoryCore.Client, _ args: JSONValue) async throws -> JSONValue {
        guard let authorization else { fatalError("a scenario begins its sign-in first") }
        let code = args["code"]?.string ?? ""
        let got = try await authorization.exchange(client, code: code, state: args["state"]?.string ?? "")
        tokens[code] = got
        return ["expires_in": wire(got.expiresIn.map { Int($0 / .seconds(1)) }), "refreshes": .bool(got.refreshToken != nil)]
    }

    private nonisolated func request(
        _ client: StoryCore.Client, _ args: JSONValue, _ options: StoryCore.CallOptions
    ) async throws -> JSONValue {
        // Swift's data goes out as Rust's stream does: once.
        let body: RequestBody = args["stream"]?.string.map { .data(Data($0.utf8), contentType: "application/json") } ?? .none
        let answer = try await client.request(
            args["method"]?.string ?? "", args["path"]?.string ?? "", body: body, options: options)
        let read: JSONValue = answer.body.isEmpty ? .null : try answer.decode()
        return ["status": .integer(answer.status), "request_id": wire(answer.requestID), "body": read]
    }

    /// Uploads the file at `path`: as such, or its bytes, or a stream of them.
    private nonisolated func upload(
        _ client: StoryCore.Client, _ args: JSONValue, _ options: StoryCore.CallOptions
    ) async throws -> JSONValue {
        let file = URL(fileURLWithPath: args["path"]?.string ?? "")
        let source: StoryCore.UploadSource
        switch args["source"]?.string {
        case "bytes": source = .data(try Data(contentsOf: file), fileName: "film.bin")
        case "stream":
            let bytes = try Data(contentsOf: file)
            source = .pieces(
                AsyncThrowingStream { stream in
                    for first in stride(from: 0, to: bytes.count, by: 100_000) {
                        stream.yield(bytes[first..<min(first + 100_000, bytes.count)])
                    }
                    stream.finish()
                }, fileName: "film.bin")
        default: source = .file(file)
        }
        var given = StoryCore.UploadOptions(type: "document", journal: .off)
        given.journal = args["journal"]?.string.map { .at(URL(fileURLWithPath: $0)) } ?? .off
        given.chunkSize = args["chunk_kib"]?.number.map { Int($0) * 1024 }
        given.maxStreams = args["streams"]?.number.map { Int($0) }
        given.stallTimeout = args["stall_ms"].flatMap { time($0) }
        var control: StoryCore.UploadControl?
        if let name = args["control"]?.string {
            control = await self.control(name)
        }
        let heard = Heard()
        let report = try await client.media.uploadReport(source, options: given, control: control, call: options) {
            heard.note($0)
        }
        let last: JSONValue = heard.last.map { ["acknowledged": .integer($0.acknowledged), "total": .integer($0.total)] } ?? .null
        return [
            "asset": wire(report.asset), "sent": .integer(report.sent), "failures": .integer(report.failures),
            "restarts": .array(report.restarts.map { .string($0) }),
            "progress": ["last": last, "shortest_ms": wire(heard.shortest)],
        ]
    }
}

/// What was told of an upload's progress.
private final class Heard: @unchecked Sendable {
    private let lock = NSLock()
    private var all: [StoryCore.UploadProgress] = []

    func note(_ progress: StoryCore.UploadProgress) {
        lock.lock()
        defer { lock.unlock() }
        all.append(progress)
    }

    var last: StoryCore.UploadProgress? {
        all.last
    }

    /// The shortest time between two that were told, the last left out: it comes at the end, whenever that is.
    var shortest: Int? {
        let times = all.dropLast().map(\.elapsed)
        return zip(times, times.dropFirst()).map { milliseconds($1 - $0) }.min()
    }
}

/// What a list is asked with.
private struct Listed {
    var (pageSize, maxItems, offset): (Int?, Int?, Int?)
    var sort: String?
    var filters: [String: String] = [:]

    init(_ args: JSONValue) {
        guard case .object(let given) = args else { return }
        for (name, value) in given {
            let number = value.number.map { Int($0) }
            switch name {
            case "limit", "page_size": pageSize = number
            case "max_items": maxItems = number
            case "offset": offset = number
            case "sort": sort = value.string
            // Of this driver's own.
            case "pause_ms": break
            default: filters[name] = value.string
            }
        }
    }
}

private func page<Element>(_ page: Page<Element>) -> JSONValue {
    [
        "data": .array(page.items.map { wire($0) }),
        "pagination": [
            "total": .integer(page.total), "limit": .integer(page.limit), "offset": .integer(page.offset),
            "has_more": .bool(page.hasMore),
        ],
    ]
}

private func options(_ given: JSONValue?) -> StoryCore.CallOptions {
    var options = StoryCore.CallOptions()
    guard case .object(let given)? = given else { return options }
    for (name, value) in given {
        switch name {
        case "timeout_ms": options.timeout = time(value)
        case "max_retries": options.maxRetries = value.number.map { Int($0) }
        case "idempotency_key": options.idempotencyKey = value.string
        case "headers": options.headers = texts(value)
        default: fatalError("the driver knows no call option \(name)")
        }
    }
    return options
}

private func change(_ value: JSONValue?) -> Change<String> {
    switch value {
    case nil: .keep
    case .null: .clear
    case let value?: .set(value.string ?? "")
    }
}

private func time(_ value: JSONValue) -> Duration? {
    value.number.map { .milliseconds($0) }
}

private func list(_ value: JSONValue?) -> [String] {
    guard case .array(let all)? = value else { return [] }
    return all.compactMap(\.string)
}

private func texts(_ value: JSONValue) -> [String: String] {
    guard case .object(let all) = value else { return [:] }
    return all.compactMapValues(\.string)
}
