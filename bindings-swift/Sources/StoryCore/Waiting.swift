// Waiting for jobs, and making the jobs that are typed.

internal import Foundation
internal import StoryCoreNative

extension Jobs {
    /// Waits until the job has completed.
    ///
    /// Cancelling the `Task` ends all of its traffic; the job goes on.
    ///
    /// - Parameters:
    ///   - id: The job's id.
    ///   - timeout: How long to wait at most. Default 30 minutes. The job goes on when it is over.
    ///   - options: Options of its requests.
    ///   - onProgress: Hears of the job each time that it is seen, on a thread of the library's.
    /// - Throws: ``StoryCoreError``: `jobFailed`, `jobCancelled` or `waitTimeout`, each with the job in its details, and as
    ///   every call.
    @discardableResult
    public func wait(
        _ id: String, timeout: Duration? = nil, options: CallOptions = .init(), onProgress: (@Sendable (Job) -> Void)? = nil
    ) async throws -> Job {
        try await translated {
            Job(
                try await native.wait(
                    id: id, timeout: try seconds("timeout", timeout), listener: onProgress.map { Listening($0) },
                    options: try options.native()))
        }
    }
}
