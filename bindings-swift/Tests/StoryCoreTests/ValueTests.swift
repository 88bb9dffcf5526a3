import Foundation
import StoryCore
import Testing

@Suite struct ValueTests {
    @Test func jsonComesBackAsItWas() throws {
        let value: JSONValue = ["a": [1, 2.5, true, nil, "x"], "b": ["c": .object([:])]]
        let again = try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(value))
        #expect(again == value && again["a"] != nil && again["b"]?["c"] == .object([:]))
    }

    @Test func aDayIsADayAndNoTime() throws {
        let day = try #require(CalendarDate("2026-02-03"))
        #expect(day == CalendarDate(year: 2026, month: 2, day: 3) && day.description == "2026-02-03")
        #expect(CalendarDate("2026-02") == nil && CalendarDate("a-b-c") == nil)
        #expect(day < CalendarDate(year: 2026, month: 2, day: 4))
        let start = try #require(day.start())
        #expect(CalendarDate(start) == day)
    }

    @Test func aSecretIsNeverPrinted() {
        let secret: Secret = "whsec_abc"
        var dumped = ""
        dump(secret, to: &dumped)
        #expect(!"\(secret) \(String(reflecting: secret)) \(dumped)".contains("whsec"))
        #expect(secret.exposed == "whsec_abc")
    }

    @Test func whatAppleWantsDeclaredCanBeRead() throws {
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
        let file = package.appendingPathComponent("Sources/StoryCore/PrivacyInfo.xcprivacy")
        let read = try PropertyListSerialization.propertyList(from: Data(contentsOf: file), format: nil)
        let declared = try #require(read as? [String: Any])
        #expect(declared["NSPrivacyTracking"] as? Bool == false)
        #expect((declared["NSPrivacyTrackingDomains"] as? [String])?.isEmpty == true)
        #expect((declared["NSPrivacyCollectedDataTypes"] as? [[String: Any]])?.isEmpty == true)
        let calls = try #require(declared["NSPrivacyAccessedAPITypes"] as? [[String: Any]])
        // The journal knows a file again by what `stat` says of it.
        #expect(calls.map { $0["NSPrivacyAccessedAPIType"] as? String } == ["NSPrivacyAccessedAPICategoryFileTimestamp"])
        #expect(calls.first?["NSPrivacyAccessedAPITypeReasons"] as? [String] == ["C617.1", "3B52.1"])
    }

    @Test func aHeadersValueIsNeverPrinted() {
        let options = CallOptions(timeout: .seconds(5), headers: ["x-token": "hush"])
        let configuration = Configuration(headers: ["x-token": "hush"])
        var dumped = ""
        dump(options, to: &dumped)
        dump(configuration, to: &dumped)
        let printed = "\(options) \(String(reflecting: options)) \(configuration) \(String(reflecting: configuration)) \(dumped)"
        #expect(!printed.contains("hush"))
        #expect(printed.contains("x-token") && printed.contains("5.0 seconds"))
    }
}
