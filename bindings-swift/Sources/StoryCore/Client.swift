// The client as an app makes it: its settings, once for all of its calls. The ways to the resources are generated.

public import Foundation
internal import StoryCoreNative

/// A client of one platform. Share one: its calls share connections, limits and credentials.
///
/// It opens nothing before its first call. Cancelling the `Task` that awaits a call stops its request.
///
/// ```swift
/// let client = try Client(apiKey: "…")
/// let project = try await client.projects.create(name: "Film")
/// ```
public final class Client: Sendable {
    let native: StoryCoreNative.Client

    /// A client with an API key, for StoryCore where no other platform is named.
    ///
    /// - Throws: ``StoryCoreError``: `config` for settings that cannot work.
    public convenience init(apiKey: String, baseURL: URL? = nil, configuration: Configuration = .init()) throws {
        try self.init(credential: .apiKey(Secret(apiKey)), baseURL: baseURL, configuration: configuration)
    }

    /// A client with any credential.
    ///
    /// - Parameters:
    ///   - credential: What opens the platform.
    ///   - baseURL: Where the platform is. Default: where it is for everybody.
    ///   - configuration: Everything else; each setting has a default.
    /// - Throws: ``StoryCoreError``: `config` for settings that cannot work.
    public init(credential: Credential, baseURL: URL? = nil, configuration: Configuration = .init()) throws {
        let (settings, listener) = try configuration.native(credential, baseURL)
        native = try translatedNow { try .init(settings: settings, tokens: listener) }
    }

    init(native: StoryCoreNative.Client) {
        self.native = native
    }

    /// A client that the environment sets up: `STORYCORE_API_KEY`, `STORYCORE_BASE_URL`, `STORYCORE_PLATFORM`,
    /// `STORYCORE_TIMEOUT` (seconds) and `STORYCORE_MAX_RETRIES`. For programs on a server or a desk; nothing else reads them. What
    /// is given comes before its variable.
    ///
    /// - Parameters:
    ///   - credential: What opens the platform, in place of the environment's key.
    ///   - baseURL: Where the platform is, in place of the environment's address.
    ///   - configuration: Everything else.
    /// - Throws: ``StoryCoreError``: `config`, naming the variable.
    public static func fromEnvironment(
        credential: Credential? = nil, baseURL: URL? = nil, configuration: Configuration = .init()
    ) throws -> Client {
        let (settings, listener) = try configuration.native(credential, baseURL)
        return try Client(native: translatedNow { try .fromEnv(settings: settings, tokens: listener) })
    }

    /// The name of the platform that it speaks to.
    public var platform: String {
        native.platform()
    }

    /// Lets go of its connections. Calls under way, and later ones, throw ``StoryCoreError/cancelled(_:)``.
    public func close() {
        native.close()
    }
}

extension Client: CustomStringConvertible, CustomReflectable {
    /// Without any credential.
    public var description: String {
        "Client(\(platform))"
    }

    /// Without any credential.
    public var customMirror: Mirror {
        Mirror(self, children: ["platform": platform])
    }
}

/// What the client says of itself to the platform.
let language = "swift"

/// What opens a platform.
public enum Credential: Sendable {
    /// An API key. One in an app can be read out of it: prefer ``oauth(_:onTokens:)`` there.
    case apiKey(Secret)
    /// JWTs that the client makes and renews.
    case jwt(JWT)
    /// OAuth tokens, which the client renews. `onTokens` hears of every new set: keep it, a refresh token is good for one use.
    case oauth(OAuth, onTokens: (@Sendable (TokenSet) -> Void)? = nil)
    /// Nothing.
    case anonymous
}

/// What JWTs are made of.
public struct JWT: Sendable {
    /// The text of an API key that may sign.
    public var secret: Secret
    /// The key's id. Without one the platform tries the user's keys.
    public var keyID: String?
    /// The user's id.
    public var subject: String
    /// What it may do: `read`, `write`, `admin`.
    public var permissions: [String]
    /// How long one holds. Default an hour.
    public var lifetime: Duration?

    /// What JWTs for `subject` are made of.
    public init(secret: Secret, subject: String, permissions: [String], keyID: String? = nil, lifetime: Duration? = nil) {
        self.secret = secret
        self.keyID = keyID
        self.subject = subject
        self.permissions = permissions
        self.lifetime = lifetime
    }
}

/// How a client behaves; what is `nil` is as told beside it.
public struct Configuration: Sendable {
    /// The platform: `storycore`, `powalyze`, `hub_chantier`, `agents` or `registry`. Default `storycore`.
    public var platform: String?
    /// The most that a call may take, retries and waits included. Default 180 s. An upload or a download takes as long as its
    /// bytes move: there it bounds each request that carries none of them.
    public var timeout: Duration?
    /// The most that one attempt may take. Default 30 s.
    public var attemptTimeout: Duration?
    /// The most that connecting may take. Default 5 s.
    public var connectTimeout: Duration?
    /// The longest wait that the platform may ask for before a call fails. Default 120 s.
    public var maxRetryAfter: Duration?
    /// Attempts after the first. Default 2; 0 means none.
    public var maxRetries: Int?
    /// The most calls side by side, paced by the platform's rate limit. Default: not paced.
    public var maxInFlight: Int?
    /// Refuses calls for a while after failures in a row. Default: none.
    public var circuitBreaker: CircuitBreaker?
    /// Further headers of every request.
    public var headers: [String: String]
    /// The app that this is part of, told to the platform.
    public var app: (name: String, version: String)?
    /// Whether `http://` is taken beyond loopback. Default no.
    public var allowsInsecureHTTP: Bool
    /// Further root certificates, in PEM.
    public var caCertificates: String?
    /// A certificate of the client's own, and its key, in PEM.
    public var clientCertificate: (chain: String, key: Secret)?
    /// A proxy's URL.
    public var proxy: Secret?

    /// Every default but what is given.
    public init(
        platform: String? = nil,
        timeout: Duration? = nil,
        attemptTimeout: Duration? = nil,
        connectTimeout: Duration? = nil,
        maxRetryAfter: Duration? = nil,
        maxRetries: Int? = nil,
        maxInFlight: Int? = nil,
        circuitBreaker: CircuitBreaker? = nil,
        headers: [String: String] = [:],
        app: (name: String, version: String)? = nil,
        allowsInsecureHTTP: Bool = false,
        caCertificates: String? = nil,
        clientCertificate: (chain: String, key: Secret)? = nil,
        proxy: Secret? = nil
    ) {
        self.platform = platform
        self.timeout = timeout
        self.attemptTimeout = attemptTimeout
        self.connectTimeout = connectTimeout
        self.maxRetryAfter = maxRetryAfter
        self.maxRetries = maxRetries
        self.maxInFlight = maxInFlight
        self.circuitBreaker = circuitBreaker
        self.headers = headers
        self.app = app
        self.allowsInsecureHTTP = allowsInsecureHTTP
        self.caCertificates = caCertificates
        self.clientCertificate = clientCertificate
        self.proxy = proxy
    }

    func native(
        _ credential: Credential?,
        _ baseURL: URL?
    ) throws -> (StoryCoreNative.ClientSettings, StoryCoreNative.TokensListener?) {
        var (key, jwt, oauth): (String?, StoryCoreNative.JwtSettings?, StoryCoreNative.OAuthSettings?)
        var (anonymous, listener): (Bool, StoryCoreNative.TokensListener?) = (false, nil)
        switch credential {
        case .apiKey(let secret): key = secret.exposed
        case .jwt(let given):
            jwt = .init(
                secret: given.secret.exposed, keyId: given.keyID, subject: given.subject, permissions: given.permissions,
                lifetime: try seconds("lifetime", given.lifetime))
        case .oauth(let given, let onTokens):
            oauth = try given.native()
            listener = onTokens.map { Listening($0) }
        case .anonymous: anonymous = true
        case nil: break
        }
        let breaker = try circuitBreaker.map {
            StoryCoreNative.CircuitBreakerSettings(
                failureThreshold: try whole("failureThreshold", $0.failureThreshold) as UInt32?,
                recoveryTimeout: try seconds("recoveryTimeout", $0.recoveryTimeout))
        }
        let settings = StoryCoreNative.ClientSettings(
            platform: platform, baseUrl: baseURL?.absoluteString, apiKey: key, jwt: jwt, oauth: oauth, anonymous: anonymous,
            timeout: try seconds("timeout", timeout), attemptTimeout: try seconds("attemptTimeout", attemptTimeout),
            connectTimeout: try seconds("connectTimeout", connectTimeout),
            maxRetryAfter: try seconds("maxRetryAfter", maxRetryAfter), maxRetries: try whole("maxRetries", maxRetries),
            maxInFlight: try whole("maxInFlight", maxInFlight), circuitBreaker: breaker, headers: headers,
            app: app.map { .init(name: $0.name, version: $0.version) }, allowInsecureHttp: allowsInsecureHTTP,
            caCertificates: caCertificates,
            clientCertificate: clientCertificate.map { .init(chain: $0.chain, key: $0.key.exposed) },
            proxy: proxy?.exposed, language: language)
        return (settings, listener)
    }
}

/// When a circuit breaker opens, and for how long.
public struct CircuitBreaker: Sendable {
    /// Failures in a row after which it opens. Default 5.
    public var failureThreshold: Int?
    /// How long it stays open before one call is let through. Default 60 s.
    public var recoveryTimeout: Duration?

    /// A circuit breaker.
    public init(failureThreshold: Int? = nil, recoveryTimeout: Duration? = nil) {
        self.failureThreshold = failureThreshold
        self.recoveryTimeout = recoveryTimeout
    }
}

/// Options of one call; what is `nil` is as the client has it.
public struct CallOptions: Sendable {
    /// The most that the whole call may take, retries and waits included: of an upload or a download, too, to the last byte.
    /// Default: the client's, which does not bound these two as a whole.
    public var timeout: Duration?
    /// Attempts after the first; 0 means none.
    public var maxRetries: Int?
    /// The `Idempotency-Key` of a POST in place of a random one: at most 255 visible ASCII characters.
    public var idempotencyKey: String?
    /// Further headers.
    public var headers: [String: String]

    /// Options; none is set but what is given.
    public init(
        timeout: Duration? = nil, maxRetries: Int? = nil, idempotencyKey: String? = nil, headers: [String: String] = [:]
    ) {
        self.timeout = timeout
        self.maxRetries = maxRetries
        self.idempotencyKey = idempotencyKey
        self.headers = headers
    }

    func native() throws -> StoryCoreNative.CallOptions? {
        if timeout == nil, maxRetries == nil, idempotencyKey == nil, headers.isEmpty {
            return nil
        }
        return .init(
            timeout: try seconds("timeout", timeout), maxRetries: try whole("maxRetries", maxRetries),
            idempotencyKey: idempotencyKey, headers: headers)
    }
}

/// Without the values of headers, which may be credentials.
extension CallOptions: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private var shown: KeyValuePairs<String, Any?> {
        [
            "timeout": timeout, "maxRetries": maxRetries, "idempotencyKey": idempotencyKey,
            "headers": headers.keys.sorted(),
        ]
    }
    /// The options, of the headers their names alone.
    public var description: String { described("CallOptions", shown) }
    /// As ``description``.
    public var debugDescription: String { description }
    /// As ``description``.
    public var customMirror: Mirror { mirrored(self, shown) }
}

/// Without the values of headers, which may be credentials.
extension Configuration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private var shown: KeyValuePairs<String, Any?> {
        [
            "platform": platform, "timeout": timeout, "attemptTimeout": attemptTimeout, "maxRetries": maxRetries,
            "headers": headers.keys.sorted(),
        ]
    }
    /// What it says of the calls, of the headers their names alone.
    public var description: String { described("Configuration", shown) }
    /// As ``description``.
    public var debugDescription: String { description }
    /// As ``description``.
    public var customMirror: Mirror { mirrored(self, shown) }
}

private func described(_ type: String, _ fields: KeyValuePairs<String, Any?>) -> String {
    let shown = fields.map { name, value in "\(name): \(value.map { "\($0)" } ?? "nil")" }
    return "\(type)(\(shown.joined(separator: ", ")))"
}

private func mirrored(_ subject: Any, _ fields: KeyValuePairs<String, Any?>) -> Mirror {
    let children: [Mirror.Child] = fields.map { field in
        let label: String? = field.key
        return (label: label, value: field.value as Any)
    }
    return Mirror(subject, children: children)
}
