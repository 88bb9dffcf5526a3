package io.storycore

import io.storycore.models.ProjectStatus
import io.storycore.models.RagStatus
import io.storycore.testing.LocalPlatform
import java.time.Duration
import java.time.Instant
import java.time.LocalDate
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlinx.coroutines.flow.count
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.put

class ProjectsTest {
    private val platform = LocalPlatform()
    private val client = platform.client()

    @AfterTest
    fun close() {
        client.close()
        platform.close()
    }

    @Test
    fun `a project is made with named arguments and read with Kotlins own types`() = runBlocking {
        val made = client.projects.create(
            name = "Film",
            status = ProjectStatus.IN_PROGRESS,
            budget = 1200.5,
            startDate = LocalDate.of(2026, 1, 31),
            settings = buildJsonObject { put("fps", 25) },
        )
        val got = client.projects.get(made.id)
        assertEquals(made, got)
        assertEquals(ProjectStatus.IN_PROGRESS, got.status)
        assertEquals(LocalDate.of(2026, 1, 31), got.startDate)
        assertEquals(JsonPrimitive(25), got.settings["fps"])
        assertTrue(Duration.between(got.createdAt, Instant.now()).abs() < Duration.ofMinutes(5))
    }

    @Test
    fun `an update keeps, clears and sets`() = runBlocking {
        val made = client.projects.create(name = "Film", description = "Long", budget = 10.0)
        val now = client.projects.update(made.id, name = Change.Set("Short film"), description = Change.Clear)
        assertEquals("Short film", now.name)
        assertNull(now.description)
        assertEquals(10.0, now.budget)
    }

    @Test
    fun `a value that this version does not know keeps its text`() = runBlocking {
        platform.fault("""{"path": "/api/projects/p", "action": {"status": 200, "body": "{\"id\": \"p\", \"status\": \"resting\", \"moon\": 3}"}}""")
        val got = client.projects.get("p")
        assertEquals("resting", got.status.raw)
        assertTrue(!got.status.isKnown && RagStatus.GREEN.isKnown)
        assertEquals(ProjectStatus("resting"), got.status)
        assertEquals(JsonPrimitive(3), got.extra["moon"])
    }

    @Test
    fun `a flow goes over every page and stops where its collector does`() = runBlocking {
        repeat(7) { client.projects.create(name = "Film $it") }
        assertEquals(7, client.projects.items(pageSize = 3).count())
        assertEquals(listOf(3, 3, 1), client.projects.pages(pageSize = 3).toList().map { it.data.size })
        assertEquals(5, client.projects.items(pageSize = 3, maxItems = 5).count())
        assertEquals(2, client.projects.items(pageSize = 1).take(2).toList().size)
        val page = client.projects.list(pageSize = 2, sort = "name.asc")
        assertEquals("Film 0", page.data.first().name)
        assertTrue(page.pagination.hasMore && page.pagination.total == 7L)
        assertEquals(7, client.projects.items(status = ProjectStatus.PLANNED).count())
        assertEquals(0, client.projects.items(status = ProjectStatus.ARCHIVED).count())
    }

    @Test
    fun `an error is the class of its kind and carries the facts`() = runBlocking<Unit> {
        val error = assertFailsWith<NotFoundException> { client.projects.get("prj_0") }
        assertEquals("not_found", error.kind)
        assertEquals(404, error.status)
        assertEquals(1, error.attempts)
        assertTrue(error.requestId != null && !error.retryable)
        assertTrue(error.reason in error.message!!, error.message)
        val wrong = assertFailsWith<InvalidRequestException> { client.projects.create(name = "") }
        assertEquals("name", wrong.param)
        // Also in a flow, and as the root.
        assertFailsWith<StoryCoreException> { client.projects.items(sort = "nothing").first() }
    }

    @Test
    fun `a number that cannot be sent is told before anything is`() = runBlocking {
        val before = platform.requests().size
        val wrong = assertFailsWith<InvalidRequestException> { client.projects.list(pageSize = -1) }
        assertEquals("pageSize", wrong.param)
        assertEquals(before, platform.requests().size)
    }

    @Test
    fun `options are of one call or of several`() = runBlocking {
        platform.fault("""{"path": "/api/projects", "times": 0, "action": {"status": 503}}""")
        val once = assertFailsWith<ServerException> { client.projects.list(options = CallOptions(maxRetries = 0)) }
        assertEquals(1, once.attempts)
        val other = client.withOptions(CallOptions(maxRetries = 1, headers = mapOf("x-team" to "cut")))
        val twice = assertFailsWith<ServerException> { other.projects.list() }
        assertEquals(2, twice.attempts)
        val seen = platform.requests().last().jsonObject.getValue("headers").jsonObject
        assertEquals("cut", seen["x-team"]?.jsonPrimitive?.content)
        assertTrue("(kotlin;" in seen.getValue("user-agent").jsonPrimitive.content)
    }
}
