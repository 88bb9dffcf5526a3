package io.storycore.testing

import java.nio.file.Path
import java.util.concurrent.TimeUnit

/** A film of one second, as `clip.mp4` in this folder. */
fun film(folder: Path): Path {
    val ffmpeg = ProcessBuilder(
        "ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=duration=1:size=320x240:rate=10",
        "-pix_fmt", "yuv420p", "clip.mp4",
    ).directory(folder.toFile()).inheritIO().start()
    check(ffmpeg.waitFor(60, TimeUnit.SECONDS) && ffmpeg.exitValue() == 0) { "ffmpeg made no film" }
    return folder.resolve("clip.mp4")
}
