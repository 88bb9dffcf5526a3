// The main job: a film goes in, another one comes out. The README shows this file.
package io.storycore.sample

import io.storycore.StoryCoreClient
import io.storycore.models.VideoSettings
import java.nio.file.Path

suspend fun main() {
    StoryCoreClient.fromEnv().use { client -> // STORYCORE_API_KEY and STORYCORE_BASE_URL
        val project = client.projects.create(name = "Summer film")
        val clip = client.media.upload(Path.of("clip.mp4"), projectId = project.id) { progress ->
            println("${progress.acknowledged} of ${progress.total} bytes")
        }

        val job = client.media.process(clip.id, VideoSettings(format = "mp4", resolution = "640x360"))
        val done = client.jobs.wait(job.id) { println("${it.status}: ${it.progress ?: 0.0} %") }

        val id = checkNotNull(done.outputAsset) { "a completed job has a result" }
        val result = client.media.download(id, Path.of("result.mp4"))
        println("result.mp4 is ${result.name}, ${result.size} bytes")
    }
}
