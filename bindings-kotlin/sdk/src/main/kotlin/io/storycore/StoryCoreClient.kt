package io.storycore

import io.storycore.ffi.AppInfo
import io.storycore.ffi.CircuitBreakerSettings
import io.storycore.ffi.ClientCertificate
import io.storycore.ffi.ClientSettings
import io.storycore.ffi.NameAndValue
import io.storycore.ffi.RawBody
import io.storycore.ffi.RawRequest
import io.storycore.ffi.TokensListener
import io.storycore.internal.Calls
import io.storycore.internal.config
import io.storycore.internal.orUncaught
import io.storycore.internal.told
import io.storycore.internal.uint
import io.storycore.resources.Resources
import kotlin.time.Duration
import kotlinx.serialization.json.JsonElement
import io.storycore.ffi.Client as NativeClient
import io.storycore.ffi.TokenSet as NativeTokenSet

/** What the client says of itself to the platform. */
private const val LANGUAGE = "kotlin"

/**
 * A client of one platform. It opens nothing before its first call, and is safe to share between coroutines and threads.
 *
 * ```
 * StoryCoreClient(apiKey = key).use { client ->
 *     val project = client.projects.create(name = "Film")
 * }
 * ```
 *
 * Every failure of a call is a [StoryCoreException]. Cancelling the coroutine of a call ends its request.
 */
public class StoryCoreClient private constructor(calls: Calls) : Resources(calls), AutoCloseable {
    /**
     * A client with these settings: one credential, and what else differs from the defaults.
     *
     * @param apiKey Opens the platform with an API key.
     * @param jwt Opens it with JWTs that the client signs and renews.
     * @param oauth Opens it with OAuth tokens that the client gets and renews.
     * @param anonymous Opens it with nothing, for signing in.
     * @param baseUrl Where it is, without path and query. Default: the platform's own address.
     * @param platform The dialect. Default StoryCore.
     * @param timeout The most that a call may take, retries and waits included. Default 180 s. An upload or a download takes as
     * long as its bytes move: there it bounds each request that carries none of them.
     * @param attemptTimeout The most that one attempt may take, to the answer's last byte. Default 30 s.
     * @param connectTimeout The most that making a connection may take. Default 5 s.
     * @param maxRetries Attempts after the first. Default 2; 0 means none.
     * @param maxRetryAfter A platform that asks for a longer wait than this is not waited for. Default 120 s.
     * @param maxInFlight At most so many calls in flight, and none sooner than the rate limit's headers allow. Default: no
     * bound.
     * @param circuitBreaker Fails at once after so many failures in a row, and tries again after a while. Default off.
     * @param headers Headers of every request.
     * @param app The program's name and version, which go before the SDK's in `User-Agent`.
     * @param allowInsecureHttp Allows `http://` to other machines, which shows the credential to everyone between. Loopback
     * is always allowed.
     * @param caCertificates Further root certificates, in PEM, beside the system's, or the bundled ones where there are none.
     * @param clientCertificate A client certificate to show.
     * @param proxy A proxy for every request. Default: `HTTPS_PROXY` and `NO_PROXY`.
     * @throws ConfigException saying which setting is wrong.
     */
    public constructor(
        apiKey: String? = null,
        jwt: JwtCredential? = null,
        oauth: OAuthCredential? = null,
        anonymous: Boolean = false,
        baseUrl: String? = null,
        platform: Platform? = null,
        timeout: Duration? = null,
        attemptTimeout: Duration? = null,
        connectTimeout: Duration? = null,
        maxRetries: Int? = null,
        maxRetryAfter: Duration? = null,
        maxInFlight: Int? = null,
        circuitBreaker: CircuitBreaker? = null,
        headers: Map<String, String> = emptyMap(),
        app: App? = null,
        allowInsecureHttp: Boolean = false,
        caCertificates: String? = null,
        clientCertificate: Certificate? = null,
        proxy: String? = null,
    ) : this(
        calls(
            settings(
                apiKey = apiKey,
                jwt = jwt,
                oauth = oauth,
                anonymous = anonymous,
                baseUrl = baseUrl,
                platform = platform,
                timeout = timeout,
                attemptTimeout = attemptTimeout,
                connectTimeout = connectTimeout,
                maxRetries = maxRetries,
                maxRetryAfter = maxRetryAfter,
                maxInFlight = maxInFlight,
                circuitBreaker = circuitBreaker,
                headers = headers,
                app = app,
                allowInsecureHttp = allowInsecureHttp,
                caCertificates = caCertificates,
                clientCertificate = clientCertificate,
                proxy = proxy,
            ),
            oauth?.onTokens,
        ) { settings, listener -> NativeClient(settings, listener) },
    )

    /** The name of the platform that it speaks to. */
    public val platform: Platform get() = Platform(calls.native.platform())

    /**
     * The same client with options for the calls made through it. It shares this one's connections and limits, and ends with
     * this one; its own [close] ends its own calls alone.
     */
    public fun withOptions(options: CallOptions): StoryCoreClient =
        StoryCoreClient(Calls(calls.native.derived(), options.over(calls.defaults)))

    /**
     * Sends what is not typed here, with retries, limits and credentials as every call.
     *
     * @param method `GET`, `POST` …
     * @param path Below the base URL, beginning with `/`.
     * @param query Its query.
     * @param json Sends JSON.
     * @param body Sends bytes, once: a request that fails with them is not tried again.
     * @param contentType Of `body`.
     * @param options Options of this call alone.
     * @throws StoryCoreException As every call.
     */
    public suspend fun request(
        method: String,
        path: String,
        query: Map<String, String> = emptyMap(),
        json: JsonElement? = null,
        body: ByteArray? = null,
        contentType: String = "application/octet-stream",
        options: CallOptions? = null,
    ): RawResponse {
        if (json != null && body != null) throw config("body", "a request has one body: give `json` or `body`, not both")
        val sent = when {
            json != null -> RawBody.Json(json.toString())
            body != null -> RawBody.Bytes(contentType, body)
            else -> RawBody.None
        }
        val parameters = query.map { (name, value) -> NameAndValue(name, value) }
        return calls.make(options) { calls.native.request(RawRequest(method, path, parameters, sent), it) }.response()
    }

    /**
     * Ends what is under way with [CallCancelledException], and lets go of the connections. Of a client that [withOptions] gave
     * it ends that one's calls alone: the connections are those of the client that it was made of.
     */
    override fun close() {
        calls.native.end()
    }

    override fun toString(): String = "StoryCoreClient(platform=$platform)"

    /** Ways to a client. */
    public companion object {
        /**
         * A client set up by the environment: `STORYCORE_API_KEY`, `STORYCORE_BASE_URL`, `STORYCORE_PLATFORM`,
         * `STORYCORE_TIMEOUT` (seconds) and `STORYCORE_MAX_RETRIES`. Nothing else reads them.
         *
         * @throws ConfigException naming the variable that is wrong.
         */
        @JvmStatic
        public fun fromEnv(): StoryCoreClient = fromEnv(apiKey = null)

        /**
         * A client set up by the environment, and by what is given, which comes before its variable. Each setting is as the
         * constructor has it.
         *
         * @throws ConfigException naming the variable or the setting that is wrong.
         */
        public fun fromEnv(
            apiKey: String? = null,
            jwt: JwtCredential? = null,
            oauth: OAuthCredential? = null,
            anonymous: Boolean = false,
            baseUrl: String? = null,
            platform: Platform? = null,
            timeout: Duration? = null,
            attemptTimeout: Duration? = null,
            connectTimeout: Duration? = null,
            maxRetries: Int? = null,
            maxRetryAfter: Duration? = null,
            maxInFlight: Int? = null,
            circuitBreaker: CircuitBreaker? = null,
            headers: Map<String, String> = emptyMap(),
            app: App? = null,
            allowInsecureHttp: Boolean = false,
            caCertificates: String? = null,
            clientCertificate: Certificate? = null,
            proxy: String? = null,
        ): StoryCoreClient = StoryCoreClient(
            calls(
                settings(
                    apiKey = apiKey,
                    jwt = jwt,
                    oauth = oauth,
                    anonymous = anonymous,
                    baseUrl = baseUrl,
                    platform = platform,
                    timeout = timeout,
                    attemptTimeout = attemptTimeout,
                    connectTimeout = connectTimeout,
                    maxRetries = maxRetries,
                    maxRetryAfter = maxRetryAfter,
                    maxInFlight = maxInFlight,
                    circuitBreaker = circuitBreaker,
                    headers = headers,
                    app = app,
                    allowInsecureHttp = allowInsecureHttp,
                    caCertificates = caCertificates,
                    clientCertificate = clientCertificate,
                    proxy = proxy,
                ),
                oauth?.onTokens,
            ) { settings, listener -> NativeClient.fromEnv(settings, listener) },
        )

        private fun calls(
            settings: ClientSettings,
            onTokens: ((TokenSet) -> Unit)?,
            make: (ClientSettings, TokensListener?) -> NativeClient,
        ): Calls {
            val listener = onTokens?.let {
                object : TokensListener {
                    override fun onTokens(tokens: NativeTokenSet) = orUncaught { it(tokens.set()) }
                }
            }
            return Calls(told { make(settings, listener) }, CallOptions.NONE)
        }

        private fun settings(
            apiKey: String?,
            jwt: JwtCredential?,
            oauth: OAuthCredential?,
            anonymous: Boolean,
            baseUrl: String?,
            platform: Platform?,
            timeout: Duration?,
            attemptTimeout: Duration?,
            connectTimeout: Duration?,
            maxRetries: Int?,
            maxRetryAfter: Duration?,
            maxInFlight: Int?,
            circuitBreaker: CircuitBreaker?,
            headers: Map<String, String>,
            app: App?,
            allowInsecureHttp: Boolean,
            caCertificates: String?,
            clientCertificate: Certificate?,
            proxy: String?,
        ) = ClientSettings(
            platform = platform?.raw,
            baseUrl = baseUrl,
            apiKey = apiKey,
            jwt = jwt?.native(),
            oauth = oauth?.native(),
            anonymous = anonymous,
            timeout = timeout?.positive("timeout"),
            attemptTimeout = attemptTimeout?.positive("attemptTimeout"),
            connectTimeout = connectTimeout?.positive("connectTimeout"),
            maxRetryAfter = maxRetryAfter?.positive("maxRetryAfter"),
            maxRetries = maxRetries?.let { uint("maxRetries", it.toLong()) },
            maxInFlight = maxInFlight?.let { uint("maxInFlight", it.toLong()) },
            circuitBreaker = circuitBreaker?.native(),
            headers = headers,
            app = app?.let { AppInfo(it.name, it.version) },
            allowInsecureHttp = allowInsecureHttp,
            caCertificates = caCertificates,
            clientCertificate = clientCertificate?.let { ClientCertificate(it.chain, it.key.expose()) },
            proxy = proxy,
            language = LANGUAGE,
        )
    }
}

/**
 * When the circuit breaker opens, and for how long.
 *
 * @param failureThreshold Failures in a row after which it opens. Default 5.
 * @param recoveryTimeout How long it stays open before one call is let through. Default 60 s.
 */
public data class CircuitBreaker(
    public val failureThreshold: Int? = null,
    public val recoveryTimeout: Duration? = null,
) {
    internal fun native() = CircuitBreakerSettings(
        failureThreshold?.let { uint("failureThreshold", it.toLong()) },
        recoveryTimeout?.positive("recoveryTimeout"),
    )
}

/**
 * A program.
 *
 * @param name Its name.
 * @param version Its version.
 */
public data class App(public val name: String, public val version: String)

/**
 * A certificate that a client shows.
 *
 * @param chain The certificate and those that vouch for it, in PEM.
 * @param key Its key, in PEM.
 */
public data class Certificate(public val chain: String, public val key: Secret)
