// What the client gives, as the wire has it, so that one scenario can look at it in every language.

import Foundation
import StoryCore

/// Any value of the package's in the names and forms of the wire.
func wire(_ value: Any?) -> JSONValue {
    guard let value else { return .null }
    switch value {
    case let json as JSONValue: return json
    case let bool as Bool: return .bool(bool)
    case let number as Int: return .integer(number)
    case let number as Double: return .number(number)
    case let text as String: return .string(text)
    case let secret as Secret: return .string(secret.exposed)
    case let url as URL: return .string(url.absoluteString)
    case let time as Date: return .string(iso(time))
    case let day as CalendarDate: return .string(day.description)
    case let list as [Any]: return .array(list.map { wire($0) })
    case let object as [String: JSONValue]: return .object(object)
    case let open as any RawRepresentable: return wire(open.rawValue)
    default: return fields(value)
    }
}

private func fields(_ value: Any) -> JSONValue {
    let mirror = Mirror(reflecting: value)
    if mirror.displayStyle == .optional {
        return wire(mirror.children.first?.value)
    }
    var all: [String: JSONValue] = [:]
    for case (let name?, let field) in mirror.children {
        if name == "extra", let extra = field as? [String: JSONValue] {
            all.merge(extra) { _, unknown in unknown }
        } else {
            all[snake(name)] = wire(field)
        }
    }
    return .object(all)
}

/// `projectID` is `project_id`.
private func snake(_ name: String) -> String {
    var out = ""
    var wasUpper = false
    for letter in name {
        if letter.isUppercase && !wasUpper {
            out += "_"
        }
        wasUpper = letter.isUppercase
        out += letter.lowercased()
    }
    return out
}

/// A time in UTC, with as many digits of its fraction as it needs.
private func iso(_ time: Date) -> String {
    let micros = (time.timeIntervalSince1970 * 1_000_000).rounded()
    let seconds = (micros / 1_000_000).rounded(.down)
    let fraction = Int(micros - seconds * 1_000_000)
    let formatter = ISO8601DateFormatter()
    let text = formatter.string(from: Date(timeIntervalSince1970: seconds))
    if fraction == 0 {
        return text
    }
    var digits = String(fraction + 1_000_000).dropFirst()
    while digits.last == "0" {
        digits.removeLast()
    }
    return text.replacingOccurrences(of: "Z", with: ".\(digits)Z")
}
