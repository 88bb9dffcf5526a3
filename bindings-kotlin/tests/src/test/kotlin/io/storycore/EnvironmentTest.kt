package io.storycore

import com.sun.jna.Library
import com.sun.jna.Native
import io.storycore.testing.LocalPlatform
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

/** The environment as the native side sees it; Java's own is a copy that cannot be changed. */
private interface Environment : Library {
    fun setenv(name: String, value: String, overwrite: Int): Int

    fun unsetenv(name: String): Int
}

class EnvironmentTest {
    private val platform = LocalPlatform()
    private val environment = Native.load("c", Environment::class.java)
    private val set = mutableSetOf<String>()

    private fun set(name: String, value: String) {
        set += name
        environment.setenv(name, value, 1)
    }

    @AfterTest
    fun close() {
        for (name in set) System.getenv(name)?.let { environment.setenv(name, it, 1) } ?: environment.unsetenv(name)
        platform.close()
    }

    @Test
    fun `what is given comes before the environment`() = runBlocking<Unit> {
        set("STORYCORE_API_KEY", platform.apiKey)
        set("STORYCORE_BASE_URL", platform.url)
        set("STORYCORE_MAX_RETRIES", "0")
        StoryCoreClient.fromEnv().use { it.projects.list() }
        StoryCoreClient.fromEnv(headers = mapOf("x-team" to "cut")).use { it.projects.list() }
        val teams = platform.requests().map { it.jsonObject.getValue("headers").jsonObject["x-team"]?.jsonPrimitive?.content }
        assertEquals(listOf(null, "cut"), teams)
        platform.fault("""{"path": "/api/projects", "times": 2, "action": {"status": 503}}""")
        StoryCoreClient.fromEnv(maxRetries = 2).use { it.projects.list() }
        StoryCoreClient.fromEnv(apiKey = "another-key").use { assertFailsWith<AuthenticationException> { it.projects.list() } }
        set("STORYCORE_BASE_URL", "http://127.0.0.1:9")
        StoryCoreClient.fromEnv(baseUrl = platform.url).use { it.projects.list() }
    }

    @Test
    fun `the key is missed only where no credential is given`() = runBlocking<Unit> {
        set("STORYCORE_API_KEY", "")
        val missing = assertFailsWith<ConfigException> { StoryCoreClient.fromEnv() }
        assertTrue("STORYCORE_API_KEY" in missing.message!!, missing.message)
        StoryCoreClient.fromEnv(apiKey = platform.apiKey, baseUrl = platform.url).use { it.projects.list() }
        assertFailsWith<ConfigException> { StoryCoreClient.fromEnv(apiKey = "a", anonymous = true) }
    }
}
