// The main job from a command line: a project, a film uploaded with its progress, a job, and what came of it.
//
//     STORYCORE_API_KEY=… storycore-sample film.mp4 [result.mp4]

import Foundation
import StoryCore

let arguments = CommandLine.arguments.dropFirst()
guard let film = arguments.first else {
    FileHandle.standardError.write(Data("storycore-sample FILM [RESULT]\n".utf8))
    exit(2)
}
let result = URL(fileURLWithPath: arguments.dropFirst().first ?? "result.mp4")

do {
    let client = try Client.fromEnvironment()
    let project = try await client.projects.create(name: "Film")
    print("project \(project.id)")

    var asset: Asset?
    let options = UploadOptions(type: "video", projectID: project.id)
    for try await event in client.media.uploading(.file(URL(fileURLWithPath: film)), options: options) {
        switch event {
        case .progress(let now): print("  \(now.acknowledged) of \(now.total) bytes")
        case .done(let report): asset = report.asset
        }
    }
    guard let asset else { throw CancellationError() }
    print("asset \(asset.id)")

    let job = try await client.media.process(asset.id, outputSettings: .init(format: "mp4", resolution: "160x120"))
    let done = try await client.jobs.wait(job.id) { job in
        print("  \(job.status.rawValue) \(job.progress.map { "\(Int($0)) %" } ?? "")")
    }
    guard let output = done.outputAsset else { throw CancellationError() }
    try await client.media.download(output, to: result)
    print("\(result.path) is there")
} catch let error as StoryCoreError {
    FileHandle.standardError.write(Data("\(error.kind): \(error)\n".utf8))
    exit(1)
}
