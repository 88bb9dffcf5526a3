package io.storycore

import io.storycore.testing.LocalPlatform
import io.storycore.testing.film
import java.io.File
import java.nio.file.Files
import java.nio.file.Path
import java.util.concurrent.TimeUnit
import kotlin.io.path.ExperimentalPathApi
import kotlin.io.path.createTempDirectory
import kotlin.io.path.deleteRecursively
import kotlin.io.path.readText
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** The program that the README shows, as its reader would run it. */
@OptIn(ExperimentalPathApi::class)
class SampleTest {
    private val home = Path.of(System.getProperty("storycore.package"))

    @Test
    fun `the sample does the main job`() {
        val folder = createTempDirectory("storycore-sample-")
        try {
            film(folder)
            val java = Path.of(System.getProperty("java.home"), "bin", "java").toString()
            val said = LocalPlatform().use { platform ->
                run(
                    folder, java, "-cp", System.getProperty("java.class.path"), "io.storycore.sample.MainKt",
                    environment = mapOf("STORYCORE_BASE_URL" to platform.url, "STORYCORE_API_KEY" to platform.apiKey),
                )
            }
            val size = Files.size(folder.resolve("result.mp4"))
            assertTrue(size > 0 && said.trim().lines().last().endsWith("$size bytes"), said)
        } finally {
            folder.deleteRecursively()
        }
    }

    @Test
    fun `the README shows the sample`() {
        val source = home.resolve("sample/src/main/kotlin/io/storycore/sample/Main.kt").readText()
        val shown = source.substringAfter("package io.storycore.sample\n\n").trim()
        assertTrue("```kotlin\n$shown\n```" in home.resolve("README.md").readText(), "the README shows another program")
    }

    private fun run(folder: Path, vararg command: String, environment: Map<String, String> = emptyMap()): String {
        val output = File.createTempFile("output", null, folder.toFile())
        val builder = ProcessBuilder(*command).directory(folder.toFile()).redirectErrorStream(true).redirectOutput(output)
        builder.environment() += environment
        builder.environment() += mapOf("XDG_STATE_HOME" to folder.toString())
        val process = builder.start()
        try {
            assertTrue(process.waitFor(120, TimeUnit.SECONDS), "${command.first()} does not end")
            assertEquals(0, process.exitValue(), output.readText())
        } finally {
            process.destroyForcibly()
        }
        return output.readText()
    }
}
