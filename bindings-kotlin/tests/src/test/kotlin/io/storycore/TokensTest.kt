package io.storycore

import io.storycore.testing.LocalPlatform
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertSame
import kotlinx.coroutines.runBlocking

class TokensTest {
    private val platform = LocalPlatform()

    @AfterTest
    fun close() = platform.close()

    /** A client whose access token is past, so that its first call gets new ones. */
    private fun signedIn(onTokens: (TokenSet) -> Unit): StoryCoreClient {
        platform.fault(
            """{"method": "POST", "path": "/auth/oauth/token", "action": {"status": 200, "body":
               "{\"access_token\": \"${platform.apiKey}\", \"refresh_token\": \"second\", \"expires_in\": 3600}"}}""",
        )
        val tokens = TokenSet(Secret("past"), refreshToken = Secret("first"), expiresIn = 0)
        return StoryCoreClient(oauth = OAuthCredential("my-app", tokens, onTokens = onTokens), baseUrl = platform.url)
    }

    @Test
    fun `whoever keeps tokens is told of those that a client got`() = runBlocking {
        val told = LinkedBlockingQueue<TokenSet>()
        signedIn { told += it }.use { assertEquals(emptyList(), it.projects.list().data) }
        assertEquals("second", told.poll(10, TimeUnit.SECONDS)?.refreshToken?.expose())
    }

    @Test
    fun `what onTokens throws reaches the uncaught-exception handler, and the call goes on`() = runBlocking {
        val mine = IllegalStateException("the keystore is locked")
        val uncaught = LinkedBlockingQueue<Throwable>()
        val before = Thread.getDefaultUncaughtExceptionHandler()
        Thread.setDefaultUncaughtExceptionHandler { _, thrown -> uncaught += thrown }
        try {
            signedIn { throw mine }.use { assertEquals(emptyList(), it.projects.list().data) }
            assertSame(mine, uncaught.poll(10, TimeUnit.SECONDS))
        } finally {
            Thread.setDefaultUncaughtExceptionHandler(before)
        }
    }
}
