// Values that Swift has no type for, or none that says enough: JSON, secrets, days, and what an update does to a field.

public import Foundation
internal import StoryCoreNative

/// Any JSON.
public enum JSONValue: Hashable, Sendable {
    /// `null`.
    case null
    /// A truth value.
    case bool(Bool)
    /// A whole number.
    case integer(Int)
    /// Any other number.
    case number(Double)
    /// A text.
    case string(String)
    /// Values in a row.
    case array([JSONValue])
    /// Values by name.
    case object([String: JSONValue])

    /// The value with this name, of an object.
    public subscript(name: String) -> JSONValue? {
        guard case .object(let fields) = self else { return nil }
        return fields[name]
    }

    /// The text, of a text.
    public var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// The number, of a number of either kind.
    public var number: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .number(let number): number
        default: nil
        }
    }

    /// JSON of the library's, which is well-formed.
    init(json: String) {
        self = (try? JSONDecoder().decode(JSONValue.self, from: Data(json.utf8))) ?? .null
    }

    static func object(json: String) -> [String: JSONValue] {
        if json == "{}" {
            return [:]
        }
        guard case .object(let fields) = JSONValue(json: json) else { return [:] }
        return fields
    }

    static func text(_ value: some Encodable) throws -> String {
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(value), as: UTF8.self)
        } catch {
            throw StoryCoreError.given("invalid_request", "a value cannot be JSON: \(error)")
        }
    }
}

extension JSONValue: Codable {
    public init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let read = try? value.decode(Bool.self) {
            self = .bool(read)
        } else if let read = try? value.decode(Int.self) {
            self = .integer(read)
        } else if let read = try? value.decode(Double.self) {
            self = .number(read)
        } else if let read = try? value.decode(String.self) {
            self = .string(read)
        } else if let read = try? value.decode([JSONValue].self) {
            self = .array(read)
        } else {
            self = .object(try value.decode([String: JSONValue].self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .null: try value.encodeNil()
        case .bool(let given): try value.encode(given)
        case .integer(let given): try value.encode(given)
        case .number(let given): try value.encode(given)
        case .string(let given): try value.encode(given)
        case .array(let given): try value.encode(given)
        case .object(let given): try value.encode(given)
        }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(nilLiteral: ()) { self = .null }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements) { _, last in last })
    }
}

/// A text that is never printed.
public struct Secret: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// The text itself. Keep it out of logs and messages.
    public let exposed: String

    /// A secret with this text.
    public init(_ text: String) {
        exposed = text
    }

    public init(stringLiteral text: String) {
        exposed = text
    }

    /// `[redacted]`.
    public var description: String { "[redacted]" }
    /// `[redacted]`.
    public var debugDescription: String { description }
    /// Without the text.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A day, without a time and without a time zone.
public struct CalendarDate: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The year.
    public let year: Int
    /// The month, from 1 to 12.
    public let month: Int
    /// The day, from 1 to 31.
    public let day: Int

    /// A day. Whether there is such a day, the platform says.
    public init(year: Int, month: Int, day: Int) {
        (self.year, self.month, self.day) = (year, month, day)
    }

    /// The day that `date` is in, where `calendar` is.
    public init(_ date: Date, in calendar: Calendar = .current) {
        let parts = calendar.dateComponents([.year, .month, .day], from: date)
        self.init(year: parts.year ?? 1, month: parts.month ?? 1, day: parts.day ?? 1)
    }

    /// A day in the form `2026-01-31`.
    public init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 3, let year = parts[0], let month = parts[1], let day = parts[2] else { return nil }
        self.init(year: year, month: month, day: day)
    }

    /// Its first moment, where `calendar` is.
    public func start(in calendar: Calendar = .current) -> Date? {
        calendar.date(from: DateComponents(year: year, month: month, day: day))
    }

    public var description: String {
        func padded(_ number: Int, _ length: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, length - text.count)) + text
        }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
    }

    public static func < (one: Self, other: Self) -> Bool {
        (one.year, one.month, one.day) < (other.year, other.month, other.day)
    }
}

/// What an update does to one field: three things, which an optional cannot tell apart.
///
/// ```swift
/// try await client.projects.update(id, name: "Film 2", description: .clear)
/// ```
public enum Change<Value: Sendable>: Sendable {
    /// It stays.
    case keep
    /// It is cleared.
    case clear
    /// It becomes this.
    case set(Value)
}

extension Change: Equatable where Value: Equatable {}
extension Change: Hashable where Value: Hashable {}

extension Change: ExpressibleByUnicodeScalarLiteral where Value == String {
    public init(unicodeScalarLiteral value: String) { self = .set(value) }
}
extension Change: ExpressibleByExtendedGraphemeClusterLiteral where Value == String {
    public init(extendedGraphemeClusterLiteral value: String) { self = .set(value) }
}
extension Change: ExpressibleByStringLiteral where Value == String {
    public init(stringLiteral value: String) { self = .set(value) }
}
extension Change: ExpressibleByIntegerLiteral where Value: ExpressibleByIntegerLiteral {
    public init(integerLiteral value: Value.IntegerLiteralType) { self = .set(Value(integerLiteral: value)) }
}
extension Change: ExpressibleByFloatLiteral where Value: ExpressibleByFloatLiteral {
    public init(floatLiteral value: Value.FloatLiteralType) { self = .set(Value(floatLiteral: value)) }
}
extension Change: ExpressibleByBooleanLiteral where Value == Bool {
    public init(booleanLiteral value: Bool) { self = .set(value) }
}

extension Change {
    func text(_ text: (Value) throws -> String) rethrows -> StoryCoreNative.TextChange {
        switch self {
        case .keep: .keep
        case .clear: .clear
        case .set(let value): .set(value: try text(value))
        }
    }
}

extension Change<Double> {
    func number() -> StoryCoreNative.NumberChange {
        switch self {
        case .keep: .keep
        case .clear: .clear
        case .set(let value): .set(value: value)
        }
    }
}

extension Change<Bool> {
    func bool() -> StoryCoreNative.BoolChange {
        switch self {
        case .keep: .keep
        case .clear: .clear
        case .set(let value): .set(value: value)
        }
    }
}

extension Change<Int> {
    func integer(_ name: String) throws -> StoryCoreNative.IntegerChange {
        switch self {
        case .keep: .keep
        case .clear: .clear
        case .set(let value): .set(value: try whole(name, value))
        }
    }
}

extension Change<[String]> {
    func texts() -> StoryCoreNative.TextsChange {
        switch self {
        case .keep: .keep
        case .clear: .clear
        case .set(let value): .set(value: value)
        }
    }
}

/// A number as the library takes it; one that does not fit is told and not a trap.
func whole<Number: FixedWidthInteger>(_ name: String, _ value: Int) throws -> Number {
    guard let number = Number(exactly: value) else {
        throw StoryCoreError.given("invalid_request", "`\(name)` must be from 0 to \(Number.max): \(value)", param: name)
    }
    return number
}

func whole<Number: FixedWidthInteger>(_ name: String, _ value: Int?) throws -> Number? {
    try value.map { try whole(name, $0) as Number }
}

/// A file's path. The path of a URL that leads elsewhere may be one of a file that is here, and that nobody meant.
func filePath(_ name: String, _ url: URL) throws -> String {
    guard url.isFileURL else {
        let message = "`\(name)` must be the URL of a file, as `URL(fileURLWithPath:)` makes it"
        throw StoryCoreError.given("invalid_request", message, param: name)
    }
    return url.path
}

/// A time as the library takes it, in seconds.
func seconds(_ name: String, _ time: Duration?) throws -> TimeInterval? {
    guard let time else { return nil }
    let seconds = time.seconds
    guard seconds >= 0, seconds < 1e12 else {
        throw StoryCoreError.given("config", "`\(name)` cannot be \(time)", param: name)
    }
    return seconds
}

extension Duration {
    var seconds: TimeInterval {
        TimeInterval(components.seconds) + TimeInterval(components.attoseconds) * 1e-18
    }
}
