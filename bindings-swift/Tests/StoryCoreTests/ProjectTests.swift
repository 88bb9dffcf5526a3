import Foundation
import StoryCore
import Testing

@Suite struct ProjectTests {
    @Test func aProjectIsMadeReadChangedAndDeleted() async throws {
        let client = try makeClient()
        let made = try await client.projects.create(
            name: "Film", description: "A film", status: .inProgress, budget: 12.5,
            startDate: CalendarDate(year: 2026, month: 1, day: 31), settings: ["fps": 24, "tags": ["a", "b"]])
        #expect(made.name == "Film" && made.status == .inProgress && made.budget == 12.5)
        #expect(made.startDate?.description == "2026-01-31")
        #expect(made.settings["fps"] == 24 && made.settings["tags"] == ["a", "b"])
        let created = try #require(made.createdAt)
        #expect(abs(created.timeIntervalSinceNow) < 3600)
        let changed = try await client.projects.update(made.id, name: "Film 2", description: .clear)
        #expect(changed.name == "Film 2" && changed.description == nil)
        #expect(changed.budget == 12.5, "what is kept is not sent")
        let deleted = try await client.projects.delete(made.id)
        #expect(deleted.deleted)
        let gone = await kind { _ = try await client.projects.get(made.id) }
        #expect(gone == "not_found")
    }

    @Test func aListGoesOverAllOfItsPages() async throws {
        let client = try makeClient()
        let name = "List \(UUID())"
        for _ in 0..<7 {
            try await client.projects.create(name: name)
        }
        var found = 0
        for try await project in client.projects.items(name: name, pageSize: 3) {
            #expect(project.name == name)
            found += 1
        }
        #expect(found == 7)
        var sizes: [Int] = []
        for try await page in client.projects.pages(name: name, pageSize: 3) {
            sizes.append(page.items.count)
        }
        #expect(sizes == [3, 3, 1])
        let page = try await client.projects.list(name: name, pageSize: 2)
        #expect(page.items.count == 2 && page.total == 7 && page.hasMore)
        var most = 0
        for try await _ in client.projects.items(name: name, maxItems: 4) {
            most += 1
        }
        #expect(most == 4)
    }

    @Test func aValueThatThisVersionDoesNotKnowIsKept() throws {
        #expect(ProjectStatus(rawValue: "frozen") == .other("frozen"))
        #expect(ProjectStatus.other("frozen").rawValue == "frozen")
        #expect(ProjectStatus(rawValue: "on_hold") == .onHold && ProjectStatus.onHold.rawValue == "on_hold")
        #expect(JobStatus.failed.isFinal && !JobStatus(rawValue: "thinking").isFinal)
    }

    @Test func aWebhooksAddressIsAURLAndItsSecretIsNotPrinted() async throws {
        let client = try makeClient()
        let url = try #require(URL(string: "http://127.0.0.1:9/hook"))
        let webhook = try await client.webhooks.create(url: url, events: ["project.*"])
        #expect(webhook.url == url && webhook.secret.exposed.hasPrefix("whsec_"))
        var dumped = ""
        dump(webhook, to: &dumped)
        #expect(!dumped.contains("whsec_") && !"\(webhook)".contains("whsec_"))
        try await client.webhooks.delete(webhook.id)
    }
}
