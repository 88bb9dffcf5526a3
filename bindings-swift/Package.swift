// swift-tools-version: 6.0
// The Swift package `StoryCore`. In a release the native library comes as a binary by URL and checksum; in development it is
// what `cargo xtask test swift` (Linux) or `scripts/xcframework.sh` (Apple) has built.

import PackageDescription

/// Written by `scripts/xcframework.sh` for a release.
let release: (url: String, checksum: String)? = nil

#if os(Linux)
    // The header with a library that lies where `-Xlinker -L` says.
    let native = Target.target(
        name: "StoryCoreFFI", linkerSettings: [.linkedLibrary("storycore_mobile")])
#else
    let native: Target =
        if let release {
            .binaryTarget(name: "StoryCoreFFI", url: release.url, checksum: release.checksum)
        } else {
            .binaryTarget(name: "StoryCoreFFI", path: "StoryCoreFFI.xcframework")
        }
#endif

// What Apple wants declared is for Apple's systems; elsewhere it would be copied beside every program.
let privacy = "PrivacyInfo.xcprivacy"
#if os(Linux)
    let (excluded, resources): ([String], [Resource]) = ([privacy], [])
#else
    let (excluded, resources): ([String], [Resource]) = ([], [.copy(privacy)])
#endif

let package = Package(
    name: "storycore-swift",
    // Those that `scripts/xcframework.sh` builds the library for.
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [.library(name: "StoryCore", targets: ["StoryCore"])],
    targets: [
        native,
        // What uniffi generates from the library. No product: nothing of it is seen by an app.
        .target(name: "StoryCoreNative", dependencies: ["StoryCoreFFI"]),
        .target(name: "StoryCore", dependencies: ["StoryCoreNative"], exclude: excluded, resources: resources),
    ],
    swiftLanguageModes: [.v6]
)

// With a library that has the feature `conformance`, and for nobody else.
if Context.environment["STORYCORE_CONFORMANCE"] != nil {
    package.targets += [
        .testTarget(name: "StoryCoreTests", dependencies: ["StoryCore", "StoryCoreNative"]),
        .executableTarget(
            name: "storycore-driver", dependencies: ["StoryCore", "StoryCoreNative"], path: "Tests/Driver"),
        .executableTarget(name: "storycore-sample", dependencies: ["StoryCore"], path: "Examples/CommandLine"),
        .executableTarget(name: "storycore-readme", dependencies: ["StoryCore"], path: "Tests/Readme"),
        .executableTarget(name: "storycore-bench", dependencies: ["StoryCore", "StoryCoreNative"], path: "Tests/Bench"),
    ]
}
