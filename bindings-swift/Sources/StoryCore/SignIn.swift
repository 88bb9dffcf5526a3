// Signing in with a browser's help (authorization code with PKCE), and the tokens that come of it.

public import Foundation
internal import StoryCoreNative

/// What a token endpoint gives. Keep it where secrets are kept: in the Keychain.
public struct TokenSet: Sendable {
    /// What opens the platform.
    public var accessToken: Secret
    /// What gets the next access token; good for one use.
    public var refreshToken: Secret?
    /// How long the access token holds.
    public var expiresIn: Duration?
    /// What it is good for, where that is not what was asked for.
    public var scope: String?

    /// Tokens that were kept.
    public init(accessToken: Secret, refreshToken: Secret? = nil, expiresIn: Duration? = nil, scope: String? = nil) {
        self.accessToken = accessToken
        self.refreshToken = refreshToken
        self.expiresIn = expiresIn
        self.scope = scope
    }

    init(_ from: StoryCoreNative.TokenSet) {
        accessToken = Secret(from.accessToken)
        refreshToken = from.refreshToken.map { Secret($0) }
        expiresIn = from.expiresIn.map { .seconds(Int64(clamping: $0)) }
        scope = from.scope
    }

    func native() throws -> StoryCoreNative.TokenSet {
        .init(
            accessToken: accessToken.exposed, refreshToken: refreshToken?.exposed,
            expiresIn: try seconds("expiresIn", expiresIn).map { UInt64($0) }, scope: scope)
    }
}

/// OAuth tokens that a client gets and renews by itself.
public struct OAuth: Sendable {
    /// The app's id.
    public var clientID: String
    /// The secret of a confidential app. None belongs into an app that others can download.
    public var clientSecret: Secret?
    /// What is asked for with the app's own access.
    public var scopes: [String]?
    /// Tokens of a sign-in.
    public var tokens: TokenSet?

    /// A user's access, by the tokens that ``Authorization`` gave.
    public init(clientID: String, tokens: TokenSet, clientSecret: Secret? = nil) {
        (self.clientID, self.tokens, self.clientSecret, scopes) = (clientID, tokens, clientSecret, nil)
    }

    /// An app's own access, by its id and secret.
    public init(clientID: String, clientSecret: Secret, scopes: [String] = []) {
        (self.clientID, tokens, self.clientSecret, self.scopes) = (clientID, nil, clientSecret, scopes)
    }

    func native() throws -> StoryCoreNative.OAuthSettings {
        .init(
            clientId: clientID, clientSecret: clientSecret?.exposed, scopes: scopes, tokens: try tokens.map { try $0.native() })
    }
}

/// A sign-in under way.
///
/// ```swift
/// let anonymous = try Client(credential: .anonymous)
/// let signIn = Authorization(clientID: "my-app", redirectURI: "my-app://callback", scopes: ["read", "write"])
/// // Open `try signIn.url(anonymous)` in an ASWebAuthenticationSession; it comes back with a code and a state.
/// let tokens = try await signIn.exchange(anonymous, code: code, state: state)
/// let client = try Client(credential: .oauth(.init(clientID: "my-app", tokens: tokens)))
/// ```
public final class Authorization: Sendable {
    private let native: StoryCoreNative.Authorization

    /// A sign-in that comes back to `redirectURI`.
    public init(clientID: String, redirectURI: String, scopes: [String]) {
        native = .init(clientId: clientID, redirectUri: redirectURI, scopes: scopes)
    }

    /// The page that the user is to open.
    ///
    /// - Throws: ``StoryCoreError``: `unsupported` when the platform has no OAuth.
    public func url(_ client: Client) throws -> URL {
        let text = try translatedNow { try native.url(client: client.native) }
        guard let url = URL(string: text) else {
            throw StoryCoreError.given("decode", "the platform's page for signing in is no URL")
        }
        return url
    }

    /// Exchanges the code that came back, with the state that came with it.
    ///
    /// - Throws: ``StoryCoreError``: `authentication` when the state is not the one that was sent or the code is refused.
    public func exchange(_ client: Client, code: String, state: String) async throws -> TokenSet {
        try await translated { [native] in
            TokenSet(try await native.exchange(client: client.native, code: code, state: state))
        }
    }
}
