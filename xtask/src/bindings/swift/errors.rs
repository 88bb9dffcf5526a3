//! The errors: one case a kind.

use super::{
    FOLDER, Files, marked,
    words::{case, commented},
};
use crate::bindings::form::Sdk;

pub(super) fn write(sdk: &Sdk, files: &mut Files) {
    let (mut cases, mut made, mut details) = (String::new(), String::new(), Vec::new());
    for kind in &sdk.errors {
        // Webhooks are not verified on a phone.
        if kind.kind == "webhook_signature" {
            continue;
        }
        let own = case(&kind.name);
        cases += &commented(sdk, &kind.doc, "    ");
        cases += &format!("    case {own}(ErrorDetails)\n");
        made += &format!("        case \"{}\": self = .{own}(details)\n", kind.kind);
        details.push(format!(".{own}(let details)"));
    }
    let text = marked("error.rs")
        + &format!(
            "/// Why something failed: one case a kind, each with the same ``ErrorDetails``, whose fields can be asked of the\n\
            /// error itself: `error.status`. New kinds may be added, so `switch` with a `default`.\n\
            ///\n\
            /// A cancelled `Task` throws `CancellationError`, as everywhere in Swift.\n\
            @dynamicMemberLookup\npublic enum StoryCoreError: Error, Sendable {{\n{cases}    \
            /// The SDK itself broke, or this version does not know the kind. Please report it with what was called.\n    \
            case other(ErrorDetails)\n\n    \
            init(_ details: ErrorDetails) {{\n        switch details.kind {{\n{made}        \
            default: self = .other(details)\n        }}\n    }}\n\n    \
            /// Everything that is known of it.\n    \
            public var details: ErrorDetails {{\n        switch self {{\n        \
            case {},\n            .other(let details): details\n        }}\n    }}\n}}\n",
            details.join(",\n            "),
        );
    files.insert(format!("{FOLDER}/StoryCoreError.swift").into(), text);
}
