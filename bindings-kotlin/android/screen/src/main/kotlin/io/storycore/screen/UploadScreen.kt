// A screen that uploads a film the user picks, and goes on after the app was ended. To be dropped into an app with Compose
// and `androidx.lifecycle:lifecycle-viewmodel-compose`.
//
// NOT COMPILED HERE: the project's tests have no Android SDK.

package io.storycore.screen

import android.app.Application
import android.net.Uri
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts.PickVisualMedia
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.Button
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.collectAsState
import androidx.compose.runtime.getValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.unit.dp
import androidx.lifecycle.AndroidViewModel
import androidx.lifecycle.viewModelScope
import androidx.lifecycle.viewmodel.compose.viewModel
import io.storycore.Journal
import io.storycore.StoryCoreClient
import io.storycore.StoryCoreException
import io.storycore.UploadControl
import io.storycore.UploadEvent
import io.storycore.UploadProgress
import io.storycore.UploadSource
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.StandardCopyOption
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/** What the screen shows. */
sealed interface UploadState {
    data object Idle : UploadState
    data object Preparing : UploadState
    data class Uploading(val progress: UploadProgress?, val isPaused: Boolean) : UploadState
    data class Done(val assetId: String) : UploadState
    data class Failed(val message: String) : UploadState
}

/** Holds the upload over rotations; the journal and the copied film hold it over the app's end. */
class UploadViewModel(application: Application) : AndroidViewModel(application) {
    // An app gets a short-lived credential from its own server: an API key does not belong into an app.
    private val client = StoryCoreClient(apiKey = "…")
    private val folder: File = application.noBackupFilesDir
    private val film: Path = folder.resolve("film.mp4").toPath()
    private val journal = Journal.At(folder.resolve("uploads.sqlite").toPath())
    private val shown = MutableStateFlow<UploadState>(UploadState.Idle)
    private var control = UploadControl()
    private var work: Job? = null

    val state: StateFlow<UploadState> = shown.asStateFlow()

    init {
        // What an earlier run left: it goes on where it was.
        if (Files.exists(film)) upload()
    }

    /** Copies what was picked, since the permission to read it ends with the app, and uploads the copy. */
    fun pick(uri: Uri) {
        work?.cancel()
        work = viewModelScope.launch {
            shown.value = UploadState.Preparing
            try {
                withContext(Dispatchers.IO) { copy(uri) }
            } catch (error: IOException) {
                // The film was removed meanwhile, or there is no room for the copy.
                shown.value = UploadState.Failed(error.message ?: "the film cannot be copied")
                return@launch
            } catch (error: SecurityException) {
                shown.value = UploadState.Failed(error.message ?: "the film may not be read")
                return@launch
            }
            upload()
        }
    }

    private fun copy(uri: Uri) {
        val part = folder.resolve("film.part").toPath()
        val source = getApplication<Application>().contentResolver.openInputStream(uri)
            ?: throw FileNotFoundException("$uri cannot be opened")
        source.use { Files.copy(it, part, StandardCopyOption.REPLACE_EXISTING) }
        Files.move(part, film, StandardCopyOption.REPLACE_EXISTING)
    }

    fun pause() {
        control.pause()
        update { it.copy(isPaused = true) }
    }

    fun resume() {
        control.resume()
        update { it.copy(isPaused = false) }
    }

    private fun upload() {
        control = UploadControl()
        work = viewModelScope.launch {
            shown.value = UploadState.Uploading(null, isPaused = false)
            try {
                client.media.uploading(UploadSource.File(film), type = "video", journal = journal, control = control)
                    .collect { event ->
                        when (event) {
                            is UploadEvent.Moved -> update { it.copy(progress = event.progress) }
                            is UploadEvent.Done -> {
                                withContext(Dispatchers.IO) { Files.deleteIfExists(film) }
                                shown.value = UploadState.Done(event.report.asset.id)
                            }
                        }
                    }
            } catch (error: StoryCoreException) {
                shown.value = UploadState.Failed(error.message ?: error.kind)
            }
        }
    }

    private fun update(change: (UploadState.Uploading) -> UploadState) {
        (shown.value as? UploadState.Uploading)?.let { shown.value = change(it) }
    }

    override fun onCleared() {
        client.close()
    }
}

/** The screen. */
@Composable
fun UploadScreen(model: UploadViewModel = viewModel()) {
    val state by model.state.collectAsState()
    val picker = rememberLauncherForActivityResult(PickVisualMedia()) { it?.let(model::pick) }
    Column(Modifier.fillMaxWidth().padding(24.dp), verticalArrangement = Arrangement.spacedBy(16.dp)) {
        when (val now = state) {
            UploadState.Idle -> Text("No film yet.")
            UploadState.Preparing -> Text("Copying the film …")
            is UploadState.Uploading -> {
                val done = now.progress?.let { if (it.total > 0) it.acknowledged.toFloat() / it.total else 0f } ?: 0f
                LinearProgressIndicator(progress = { done }, modifier = Modifier.fillMaxWidth())
                Text(now.progress?.timeLeft?.let { "${it.inWholeSeconds} s left" } ?: "Uploading …")
                Row(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
                    if (now.isPaused) Button(onClick = model::resume) { Text("Resume") }
                    else OutlinedButton(onClick = model::pause) { Text("Pause") }
                }
            }
            is UploadState.Done -> Text("Uploaded: ${now.assetId}")
            is UploadState.Failed -> Text("It failed: ${now.message}")
        }
        Button(onClick = { picker.launch(PickVisualMediaRequest(PickVisualMedia.VideoOnly)) }) { Text("Pick a film") }
    }
}
