// The app's closures as the library's listeners.

internal import StoryCoreNative

/// A closure as the library's listener.
final class Listening<Heard: Sendable>: Sendable {
    let heard: @Sendable (Heard) -> Void

    init(_ heard: @escaping @Sendable (Heard) -> Void) {
        self.heard = heard
    }
}

extension Listening: StoryCoreNative.ProgressListener where Heard == UploadProgress {
    func onProgress(progress: StoryCoreNative.UploadProgress) throws {
        heard(UploadProgress(progress))
    }
}

extension Listening: StoryCoreNative.JobListener where Heard == Job {
    func onJob(job: StoryCoreNative.Job) throws {
        heard(Job(job))
    }
}

extension Listening: StoryCoreNative.TokensListener where Heard == TokenSet {
    func onTokens(tokens: StoryCoreNative.TokenSet) throws {
        heard(TokenSet(tokens))
    }
}
