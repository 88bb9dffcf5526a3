//! Doc comments: from Rust's attributes to plain paragraphs without Rust's links, headings and examples.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// A doc comment: what it says, and what it says of errors.
#[derive(Debug, Default)]
pub(crate) struct Doc {
    pub(crate) text: String,
    pub(crate) errors: String,
}

/// Reads a doc comment.
pub(crate) fn read(attributes: &[Attribute]) -> Doc {
    let lines: Vec<String> = attributes.iter().filter_map(line).collect();
    let mut doc = Doc::default();
    let (mut in_code, mut in_errors) = (false, false);
    for line in &lines {
        let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
        if line.starts_with("```") {
            in_code = !in_code;
            continue;
        }
        if in_code {
            continue;
        }
        if let Some(heading) = line.strip_prefix("# ") {
            in_errors = heading == "Errors";
            continue;
        }
        let to = if in_errors { &mut doc.errors } else { &mut doc.text };
        // An empty line ends a paragraph; any other goes on with it.
        if line.is_empty() {
            if !to.is_empty() && !to.ends_with("\n\n") {
                to.push_str("\n\n");
            }
        } else {
            if !to.is_empty() && !to.ends_with('\n') {
                to.push(' ');
            }
            to.push_str(line);
        }
    }
    Doc { text: plain(doc.text.trim()), errors: plain(doc.errors.trim()) }
}

fn line(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value else { return None };
    pair.path.is_ident("doc").then(|| text.value())
}

/// Without Rust's links and paths: [`wait`](Self::wait) is `wait`, `Jobs::create` is `Jobs.create`.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("[`") {
        let Some(length) = rest[start..].find(']') else { break };
        out.push_str(&rest[..start]);
        out.push_str(&rest[start + 1..start + length]);
        rest = &rest[start + length + 1..];
        if rest.starts_with('(')
            && let Some(end) = rest.find(')')
        {
            rest = &rest[end + 1..];
        }
    }
    out.push_str(rest);
    out.replace("Error::", "").replace("Self::", "").replace("::", ".")
}

/// Lines of at most so many characters, an empty one between paragraphs.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, paragraph) in text.split("\n\n").filter(|text| !text.is_empty()).enumerate() {
        if at > 0 {
            lines.push(String::new());
        }
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_rust_is_left() {
        let item: syn::ItemFn = syn::parse_str(
            "/// Waits, as [`wait`](Self::wait) does.
             /// It ends with the job.
             ///
             /// ```no_run
             /// let x = 1;
             /// ```
             ///
             /// # Errors
             /// `job_failed`, carrying the job ([`Error::job`]), as [`Jobs::create`](super::Jobs::create).
             fn f() {}",
        )
        .unwrap();
        let doc = read(&item.attrs);
        assert_eq!(doc.text, "Waits, as `wait` does. It ends with the job.");
        assert_eq!(doc.errors, "`job_failed`, carrying the job (`job`), as `Jobs.create`.");
    }
}
