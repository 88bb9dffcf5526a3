package io.storycore

import io.storycore.models.ProjectStatus
import io.storycore.testing.LocalPlatform
import io.storycore.testing.film
import java.nio.file.Path
import kotlin.io.path.ExperimentalPathApi
import kotlin.io.path.createTempDirectory
import kotlin.io.path.deleteRecursively
import kotlin.io.path.readText
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.time.Duration
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/** What the README shows beside the sample, as it stands there. */
@OptIn(ExperimentalPathApi::class)
class ReadmeTest {
    @Test
    fun `what one meets every day is compiled and runs`() = runBlocking {
        val folder = createTempDirectory("storycore-readme-")
        try {
            val film = film(folder)
            LocalPlatform().use { platform ->
                val id = platform.client().use { it.projects.create(name = "Film").id }
                everyDay(platform.apiKey, platform.url, id, film, folder.resolve("journal"))
                platform.client().use { assertEquals("Short film", it.projects.get(id).name) }
            }
        } finally {
            folder.deleteRecursively()
        }
    }

    @Test
    fun `a failure is caught by its class`() = runBlocking<Unit> {
        LocalPlatform().use { platform ->
            platform.client(maxRetries = 0).use { client ->
                assertEquals(null, caught(client) { error("it is not tried later") })
                platform.fault("""{"path": "/api/projects/prj_1", "action": {"status": 503}}""")
                assertEquals("later", caught(client) { "later" })
            }
            StoryCoreClient(apiKey = "wrong", baseUrl = platform.url).use { client ->
                assertFailsWith<AuthenticationException> { caught(client) { "later" } }
            }
        }
    }

    @Test
    fun `the README shows what is run here`() {
        val home = Path.of(System.getProperty("storycore.package"))
        val readme = home.resolve("README.md").readText()
        val source = home.resolve("tests/src/test/kotlin/io/storycore/ReadmeTest.kt").readText()
        for (name in listOf("every day", "failures")) {
            val shown = source.substringAfterLast("// README: $name\n").substringBefore("// README: end").trimIndent().trim()
            check("```kotlin\n$shown\n```" in readme) { "the README shows something else than:\n$shown" }
        }
    }

    private suspend fun everyDay(key: String, url: String, id: String, path: Path, journal: Path) {
        // README: every day
        // A client: one credential, and what differs from the defaults. It opens nothing before its first call.
        val client = StoryCoreClient(apiKey = key, baseUrl = url, timeout = 60.seconds, maxRetries = 2)

        // Lists: a page, a flow of pages, a flow of objects. While one page is read the next is on its way.
        val page = client.projects.list(pageSize = 10, sort = "name.asc")
        println("${page.data.size} of ${page.pagination.total}")
        client.projects.items(status = ProjectStatus.PLANNED).collect { println(it.name) }

        // Updates: what is not named stays.
        client.projects.update(id, name = Change.Set("Short film"), description = Change.Clear)

        // Uploads: from a path, bytes or a stream; with progress, pause, and a journal to go on from after the app was ended.
        val control = UploadControl()
        val source = UploadSource.File(path)
        client.media.uploading(source, journal = Journal.At(journal), control = control).collect { event ->
            when (event) {
                is UploadEvent.Moved -> println("${event.progress.acknowledged} of ${event.progress.total}")
                is UploadEvent.Done -> println(event.report.asset.id)
            }
        }

        // Jobs: each event, or the end.
        val asset = client.media.upload(path, projectId = id)
        val job = client.jobs.create(type = "probe", parameters = JsonObject(mapOf("input" to JsonPrimitive(asset.id))))
        client.jobs.events(job.id).collect { println(it.type) }
        val done = client.jobs.wait(job.id, timeout = 10.minutes)
        println(done.completedAt)

        // Options for one call, for several, and what is not typed
        client.projects.get(id, options = CallOptions(timeout = 5.seconds, maxRetries = 0))
        val patient = client.withOptions(CallOptions(timeout = 600.seconds, headers = mapOf("x-team" to "cut")))
        println(patient.request("GET", "/api/projects", query = mapOf("limit" to "10")).json())

        client.close()
        // README: end
    }

    private suspend fun caught(client: StoryCoreClient, later: (Duration?) -> Any?): Any? =
        // README: failures
        try {
            client.projects.get("prj_1")
        } catch (error: NotFoundException) {
            null
        } catch (error: StoryCoreException) {
            if (error.retryable) later(error.retryAfter) else throw error
        }
        // README: end
}
