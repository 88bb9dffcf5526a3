// Clients as scenarios set them up.

package io.storycore.conformance

import io.storycore.App
import io.storycore.CallOptions
import io.storycore.Certificate
import io.storycore.CircuitBreaker
import io.storycore.JwtCredential
import io.storycore.OAuthCredential
import io.storycore.Platform
import io.storycore.Secret
import io.storycore.StoryCoreClient
import io.storycore.TokenSet
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlinx.serialization.json.JsonObject

private val KNOWN = setOf(
    "from_env", "base_url", "api_key", "platform", "timeout_ms", "attempt_timeout_ms", "max_retries",
    "max_retry_after_ms", "max_in_flight", "allow_insecure_http", "app_info", "headers", "breaker", "roots", "certificate",
    "proxy", "jwt", "oauth", "anonymous", "signed_in",
)

fun client(options: JsonObject, tokens: Map<String, TokenSet>): StoryCoreClient {
    if (options.bool("from_env") == true) return StoryCoreClient.fromEnv()
    val unknown = options.keys - KNOWN
    require(unknown.isEmpty()) { "the driver knows no client option ${unknown.first()}" }
    return StoryCoreClient(
        apiKey = options.text("api_key"),
        jwt = options.maybe("jwt")?.let {
            JwtCredential(
                secret = Secret(it.needed("secret")),
                subject = it.needed("subject"),
                permissions = it.texts("permissions"),
                keyId = it.text("key_id"),
                lifetime = it.long("lifetime_s")?.seconds,
            )
        },
        oauth = options.maybe("oauth")?.let {
            OAuthCredential(it.needed("client_id"), Secret(it.needed("client_secret")), it.texts("scopes"))
        } ?: options.maybe("signed_in")?.let {
            OAuthCredential(it.needed("client_id"), tokens.getValue(it.needed("code")))
        },
        anonymous = options.bool("anonymous") ?: false,
        baseUrl = options.text("base_url"),
        platform = options.text("platform")?.let { Platform(it) },
        timeout = options.long("timeout_ms")?.milliseconds,
        attemptTimeout = options.long("attempt_timeout_ms")?.milliseconds,
        maxRetries = options.long("max_retries")?.toInt(),
        maxRetryAfter = options.long("max_retry_after_ms")?.milliseconds,
        maxInFlight = options.long("max_in_flight")?.toInt(),
        circuitBreaker = options.maybe("breaker")?.let {
            CircuitBreaker(it.long("failure_threshold")?.toInt(), it.long("recovery_timeout_ms")?.milliseconds)
        },
        headers = options.headers(),
        app = options.maybe("app_info")?.let { App(it.needed("name"), it.needed("version")) },
        allowInsecureHttp = options.bool("allow_insecure_http") ?: false,
        caCertificates = options.text("roots"),
        clientCertificate = options.maybe("certificate")?.let {
            Certificate(it.needed("chain"), Secret(it.needed("key")))
        },
        proxy = options.text("proxy"),
    )
}

fun callOptions(options: JsonObject): CallOptions = CallOptions(
    timeout = options.long("timeout_ms")?.milliseconds,
    maxRetries = options.long("max_retries")?.toInt(),
    idempotencyKey = options.text("idempotency_key"),
    headers = options.headers(),
)

private fun JsonObject.headers(): Map<String, String> = maybe("headers")?.let { of ->
    of.keys.associateWith { of.needed(it) }
} ?: emptyMap()
