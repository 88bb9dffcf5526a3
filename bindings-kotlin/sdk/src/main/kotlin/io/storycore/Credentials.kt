// What opens a platform, beside an API key.

package io.storycore

import io.storycore.ffi.JwtSettings
import io.storycore.ffi.OAuthSettings
import io.storycore.internal.readLong
import io.storycore.internal.told
import io.storycore.internal.ulong
import kotlin.time.Duration
import java.net.URI
import io.storycore.ffi.Authorization as NativeAuthorization
import io.storycore.ffi.TokenSet as NativeTokenSet

/**
 * JWTs that the client signs and renews by itself.
 *
 * @param secret The text of a key that may sign JWTs.
 * @param subject The user's id (`sub`).
 * @param permissions What it may do: `read`, `write`, `admin`.
 * @param keyId The key's id, sent as `kid`. Without one the platform tries the user's keys.
 * @param lifetime How long one holds. Default an hour.
 */
public data class JwtCredential(
    public val secret: Secret,
    public val subject: String,
    public val permissions: List<String>,
    public val keyId: String? = null,
    public val lifetime: Duration? = null,
) {
    internal fun native() = JwtSettings(secret.expose(), keyId, subject, permissions, lifetime?.positive("lifetime"))
}

/** OAuth tokens that the client gets and renews by itself. */
public class OAuthCredential private constructor(
    private val native: OAuthSettings,
    internal val onTokens: ((TokenSet) -> Unit)?,
) {
    /** The client's own access, by its id and secret (client credentials). */
    public constructor(clientId: String, clientSecret: Secret, scopes: List<String> = emptyList()) :
        this(OAuthSettings(clientId, clientSecret.expose(), scopes, null), null)

    /**
     * A user's access, by the tokens of a sign-in.
     *
     * @param onTokens Is told of every new set of tokens, so that it can be stored: a refresh token is good for one use. It
     * is called from a thread of the client's, which waits for it: store and return. What it throws goes to the thread's
     * uncaught-exception handler.
     */
    public constructor(
        clientId: String,
        tokens: TokenSet,
        clientSecret: Secret? = null,
        onTokens: ((TokenSet) -> Unit)? = null,
    ) : this(OAuthSettings(clientId, clientSecret?.expose(), null, tokens.native()), onTokens)

    internal fun native() = native
}

/**
 * What a token endpoint gives.
 *
 * @param accessToken What opens the platform.
 * @param refreshToken What gets the next access token; good for one use.
 * @param expiresIn Seconds that the access token holds.
 * @param scope What it is good for, where that is not what was asked for.
 */
public data class TokenSet(
    public val accessToken: Secret,
    public val refreshToken: Secret? = null,
    public val expiresIn: Long? = null,
    public val scope: String? = null,
) {
    internal fun native() = NativeTokenSet(
        accessToken.expose(),
        refreshToken?.expose(),
        expiresIn?.let { ulong("expiresIn", it) },
        scope,
    )
}

internal fun NativeTokenSet.set() =
    TokenSet(Secret(accessToken), refreshToken?.let { Secret(it) }, expiresIn?.let { readLong(it) }, scope)

/**
 * A sign-in with a browser's help: authorization code with PKCE.
 *
 * @param clientId The app's id.
 * @param redirectUri Where the browser comes back to, with a code.
 * @param scopes What is asked for.
 */
public class Authorization(clientId: String, redirectUri: URI, scopes: List<String> = emptyList()) {
    private val native = told { NativeAuthorization(clientId, redirectUri.toString(), scopes) }

    /** The page that the user is to open. */
    public fun url(client: StoryCoreClient): URI = told { URI(native.url(client.calls.native)) }

    /** Exchanges the code that came back, with the `state` that came with it, for tokens. */
    public suspend fun exchange(client: StoryCoreClient, code: String, state: String): TokenSet =
        told { native.exchange(client.calls.native, code, state) }.set()
}
