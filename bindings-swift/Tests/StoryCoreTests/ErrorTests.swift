import Foundation
import StoryCore
import Testing

@Suite struct ErrorTests {
    @Test func anErrorIsACaseOfItsKindWithItsFacts() async throws {
        let client = try makeClient()
        do {
            _ = try await client.projects.get("prj_none")
            Issue.record("there is no such project")
        } catch StoryCoreError.notFound(let details) {
            #expect(details.status == 404 && details.kind == "not_found" && details.attempts == 1)
            #expect(details.requestID != nil && !details.isRetryable)
        }
        do {
            _ = try await client.projects.create(name: "")
            Issue.record("a project needs a name")
        } catch let error as StoryCoreError {
            guard case .invalidRequest = error else { throw error }
            #expect(error.param == "name", "any detail can be asked of the error itself")
            #expect(error.localizedDescription.contains(error.message))
        }
    }

    @Test(arguments: [Duration.seconds(-1), .seconds(1e15)])
    func aTimeThatCannotBeIsToldAndNoTrap(time: Duration) async throws {
        let client = try makeClient()
        let failed = await kind { _ = try await client.projects.list(options: .init(timeout: time)) }
        #expect(failed == "config")
    }

    @Test func aNumberThatDoesNotFitIsToldAndNoTrap() async throws {
        let client = try makeClient()
        for try await _ in client.projects.items(maxItems: 0) {
            Issue.record("none was wanted")
        }
        let page = await kind { _ = try await client.projects.list(pageSize: -1) }
        #expect(page == "invalid_request")
        let items = await kind { for try await _ in client.projects.items(maxItems: -1) {} }
        #expect(items == "invalid_request")
        let json = await kind { try await client.projects.create(name: "Film", settings: ["a": .number(.nan)]) }
        #expect(json == "invalid_request")
    }

    @Test func aURLThatLeadsToNoFileIsToldAndItsPathNotTaken() async throws {
        let client = try makeClient()
        try await withFolder { folder in
            let film = try file(in: folder, named: "film.bin", bytes: 1000)
            // A file of this machine has its path.
            let elsewhere = try #require(URL(string: "https://example.com\(film.path)"))
            let up = await kind { try await client.media.upload(.file(elsewhere), options: .init(journal: .off)) }
            #expect(up == "invalid_request")
            let kept = await kind { try await client.media.upload(.file(film), options: .init(journal: .at(elsewhere))) }
            #expect(kept == "invalid_request")
            let asset = try await client.media.upload(.file(film), options: .init(journal: .off))
            let down = await kind { try await client.media.download(asset.id, to: elsewhere) }
            let ranges = await kind { try await client.media.download(asset.id, to: elsewhere, maxStreams: 2) }
            #expect(down == "invalid_request" && ranges == "invalid_request")
        }
    }

    @Test func anAnswerThatIsReadAsWhatItIsNotNamesThePath() async throws {
        struct Listed: Decodable {
            struct Project: Decodable { let name: Int }
            let data: [Project]
        }
        let client = try makeClient()
        try await client.projects.create(name: "Film")
        let answer = try await client.request("GET", "/api/projects", query: ["limit": "1"])
        do {
            _ = try answer.decode(Listed.self)
            Issue.record("a name is no number")
        } catch StoryCoreError.decode(let details) {
            #expect(details.param == "data[0].name" && details.message.contains("data[0].name"))
            #expect(details.status == 200 && details.requestID == answer.requestID)
            #expect(details.underlying is DecodingError)
        }
    }

    @Test func settingsThatCannotWorkAreToldAtOnce() throws {
        #expect(throws: StoryCoreError.self) { try Client(apiKey: "key", baseURL: URL(string: "http://example.com")) }
        #expect(throws: StoryCoreError.self) {
            try Client(apiKey: "key", configuration: .init(platform: "nowhere"))
        }
    }

    @Test func whatIsGivenComesBeforeTheEnvironment() async throws {
        _ = try await Client.fromEnvironment().projects.list()
        let other = try Client.fromEnvironment(credential: .apiKey("another-key"))
        #expect(await kind { _ = try await other.projects.list() } == "authentication")
        let nowhere = try Client.fromEnvironment(
            baseURL: URL(string: "http://127.0.0.1:9"), configuration: .init(maxRetries: 0))
        #expect(await kind { _ = try await nowhere.projects.list() } == "connection")
    }

    @Test func aClientShowsNoCredential() throws {
        let client = try Client(apiKey: "very-secret-key")
        var dumped = ""
        dump(client, to: &dumped)
        dump(Credential.apiKey("very-secret-key"), to: &dumped)
        #expect(!"\(client) \(String(reflecting: client)) \(dumped)".contains("very-secret-key"))
    }

    @Test func aClosedClientEndsItsCalls() async throws {
        let client = try makeClient()
        let other = try makeClient()
        try await plant(other, "GET", "/api/projects", ["delay_ms": 20_000])
        let waiting = Task { try await client.projects.list() }
        try await Task.sleep(for: .milliseconds(300))
        client.close()
        let underWay = await kind { _ = try await waiting.value }
        #expect(underWay == "cancelled")
        let later = await kind { _ = try await client.projects.list() }
        #expect(later == "cancelled")
        _ = try await other.request("DELETE", "/_local/faults")
    }
}
