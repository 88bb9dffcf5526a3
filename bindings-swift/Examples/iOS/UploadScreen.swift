// A screen for an iOS app: pick a film, see it go up, pause it, and see it go on after the app was ended. For iOS 17 and later,
// because of `@Observable`; the package itself begins with iOS 16.
//
// NOT COMPILED by this repository's tests, which run on Linux, where there is no SwiftUI. Drop it into an app that has the
// package, and show `UploadScreen(client: …)`.

#if canImport(SwiftUI) && canImport(PhotosUI)
    import PhotosUI
    import StoryCore
    import SwiftUI

    @MainActor @Observable
    final class Upload {
        enum State {
            case idle
            case running(UploadProgress?)
            case done(Asset)
            case failed(String)
        }

        private(set) var state = State.idle
        private(set) var isPaused = false
        private var control = UploadControl()
        private var task: Task<Void, Never>?
        private let client: Client

        init(client: Client) {
            self.client = client
        }

        /// The same film goes on where it was: its place in the journal is known by the file.
        func start(_ film: URL) {
            task?.cancel()
            let control = UploadControl()
            self.control = control
            (state, isPaused) = (.running(nil), false)
            task = Task {
                do {
                    for try await event in client.media.uploading(.file(film), options: .init(type: "video"), control: control) {
                        switch event {
                        case .progress(let now): state = .running(now)
                        case .done(let report): state = .done(report.asset)
                        }
                    }
                } catch is CancellationError {
                    // It was stopped, and not for another film.
                    if self.control === control { state = .idle }
                } catch {
                    state = .failed(error.localizedDescription)
                }
            }
        }

        func pauseOrResume() {
            isPaused.toggle()
            isPaused ? control.pause() : control.resume()
        }

        /// Keeps what arrived, to go on later. `control.cancel()` would take it back.
        func stop() {
            task?.cancel()
        }
    }

    struct Film: Transferable {
        let url: URL

        static var transferRepresentation: some TransferRepresentation {
            FileRepresentation(contentType: .movie) { film in
                SentTransferredFile(film.url)
            } importing: { received in
                // A place of the app's own, under the same name each time: the journal knows the file by its path.
                let folder = URL.documentsDirectory.appending(path: "films")
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                let copy = folder.appending(path: received.file.lastPathComponent)
                // Another film may have the same name; one that is there already stays as it is, and goes on where it was.
                if !FileManager.default.contentsEqual(atPath: received.file.path, andPath: copy.path) {
                    try? FileManager.default.removeItem(at: copy)
                    try FileManager.default.copyItem(at: received.file, to: copy)
                }
                return Film(url: copy)
            }
        }
    }

    struct UploadScreen: View {
        @State private var upload: Upload
        @State private var picked: PhotosPickerItem?

        init(client: Client) {
            _upload = State(initialValue: Upload(client: client))
        }

        var body: some View {
            VStack(spacing: 24) {
                PhotosPicker("Choose a film", selection: $picked, matching: .videos)
                switch upload.state {
                case .idle: EmptyView()
                case .running(let now):
                    ProgressView(value: Double(now?.acknowledged ?? 0), total: Double(max(now?.total ?? 1, 1)))
                    if let left = now?.timeLeft {
                        Text("\(left.formatted(.units(allowed: [.minutes, .seconds]))) left")
                    }
                    HStack {
                        Button(upload.isPaused ? "Go on" : "Pause", action: upload.pauseOrResume)
                        Button("Stop", role: .cancel, action: upload.stop)
                    }
                case .done(let asset): Label(asset.name, systemImage: "checkmark.circle")
                case .failed(let why): Label(why, systemImage: "exclamationmark.triangle")
                }
            }
            .padding()
            .onChange(of: picked) { _, item in
                Task {
                    if let film = try? await item?.loadTransferable(type: Film.self) {
                        upload.start(film.url)
                    }
                }
            }
        }
    }
#endif
