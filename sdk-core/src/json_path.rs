//! The path of the value that a JSON text could not be read at, found by where the reader stood. It is looked for in the text
//! alone, once something failed: a reader that notes its path on the way would be compiled anew for each type that is read.

/// What the reader was inside of.
enum Within {
    /// An object, and the key whose value is next; none while a key is.
    Object(Option<String>),
    /// A list, and how many values stand before.
    List(usize),
}

/// The path of the value that begins or ends at this offset, such as `data[1].name`; of what is around it where none does. `.` is
/// the whole text. What stands behind the offset is not looked at.
pub(crate) fn path_at(text: &[u8], at: usize) -> String {
    let mut around: Vec<Within> = Vec::new();
    let mut next = 0;
    while let Some(&byte) = text.get(next).filter(|_| next <= at) {
        let begin = next;
        next += 1;
        let is_value = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b':' => false,
            b',' => {
                match around.last_mut() {
                    Some(Within::Object(key)) => *key = None,
                    Some(Within::List(before)) => *before += 1,
                    None => {}
                }
                false
            }
            b'{' | b'[' if begin == at => true,
            b'{' => {
                around.push(Within::Object(None));
                false
            }
            b'[' => {
                around.push(Within::List(0));
                false
            }
            b'}' | b']' => {
                around.pop();
                next == at
            }
            b'"' => {
                next += length_of_rest(&text[next..]);
                match around.last_mut() {
                    Some(Within::Object(key @ None)) => {
                        *key = Some(key_of(&text[begin..next]));
                        false
                    }
                    _ => next == at,
                }
            }
            _ => {
                let is_over =
                    |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
                next += text[next..].iter().position(is_over).unwrap_or(text.len() - next);
                next == at
            }
        };
        if is_value {
            return shown(&around);
        }
    }
    around.pop();
    shown(&around)
}

/// Bytes of a string behind its first quotation mark, its last one included.
fn length_of_rest(text: &[u8]) -> usize {
    let mut is_escaped = false;
    let end = text.iter().position(|byte| {
        let ends = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 1)
}

fn key_of(quoted: &[u8]) -> String {
    serde_json::from_slice(quoted).unwrap_or_else(|_| String::from_utf8_lossy(quoted).into_owned())
}

fn shown(around: &[Within]) -> String {
    let mut path = String::new();
    for within in around {
        match within {
            Within::Object(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key.as_deref().unwrap_or_default());
            }
            Within::List(before) => {
                path.push('[');
                path.push_str(&before.to_string());
                path.push(']');
            }
        }
    }
    if path.is_empty() { ".".to_owned() } else { path }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;
    use crate::models::{Asset, Job, Page, Project, WebhookStats};

    /// Where a reader gives up, and the path that one says which notes it on the way.
    fn both<T: DeserializeOwned>(text: &str) -> Option<(String, String)> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let noted = serde_path_to_error::deserialize::<_, T>(&mut reader).err()?;
        let error = serde_json::from_str::<T>(text).err()?;
        let found = path_at(text.as_bytes(), crate::decode::offset(text.as_bytes(), &error));
        error.is_data().then(|| (found, noted.path().to_string()))
    }

    #[test]
    fn the_value_at_fault_is_named() {
        for (text, path) in [
            (r#"{"data":[{"id":"a"},{"id":7}]}"#, "data[1].id"),
            ("{\n  \"data\" : [ {\"id\":\"a\",\n\"settings\" : \n[1]} ] }", "data[0].settings"),
            (r#"{"data":[{"id":"a","rag_status":{}}]}"#, "data[0].rag_status"),
            (r#"{"data":[{"a\"}]é":"\\","id":"x","created_at":"soon"}]}"#, "data[0].created_at"),
            (r#"{"data":[{"name":"a"}]}"#, "data[0]"),
            (r#"{"data":{"id":1}}"#, "data"),
            (r#"{"data":[],"pagination":{"total":-1}}"#, "pagination.total"),
            ("7", "."),
            ("{}", "."),
        ] {
            let (found, noted) = both::<Page<Project>>(text).expect(text);
            assert_eq!((found.as_str(), noted.as_str()), (path, path), "{text}");
        }
    }

    #[test]
    fn any_value_that_does_not_fit_has_the_path_that_a_noting_reader_says() {
        let object = json!({
            "id": "x", "name": "n", "type": "t", "status": "s", "progress": 1.5, "settings": {"a": [1, {"b": null}]},
            "parameters": {}, "result": {}, "size": 3, "metadata": {"é\"": 1}, "created_at": "2026-01-02T03:04:05Z",
            "start_date": "2026-01-02", "other": [[], {}],
        });
        let names: Vec<String> = object.as_object().unwrap().keys().cloned().collect();
        let wrong = prop_oneof![
            Just(json!(null)),
            Just(json!(true)),
            Just(json!(-1)),
            Just(json!(1.25)),
            Just(json!("text")),
            Just(json!([])),
            Just(json!([{}])),
            Just(json!({})),
            Just(json!({"a": "b"})),
        ];
        let input =
            (proptest::sample::select(names), wrong, 0_usize..3, any::<bool>(), any::<bool>());
        crate::for_a_while::for_a_while(&input, |(name, wrong, before, is_pretty, is_left_out)| {
            let mut changed = object.clone();
            changed[&name] = wrong;
            if is_left_out {
                changed.as_object_mut().unwrap().remove(&name);
            }
            let mut data = vec![object.clone(); before];
            data.push(changed.clone());
            let page = json!({"data": data, "pagination": {"total": 1}});
            let text = |value: &Value| {
                if is_pretty {
                    serde_json::to_string_pretty(value).unwrap()
                } else {
                    value.to_string()
                }
            };
            let (one, all) = (text(&changed), text(&page));
            let pairs = [
                both::<Project>(&one),
                both::<Asset>(&one),
                both::<Job>(&one),
                both::<WebhookStats>(&one),
                both::<Page<Project>>(&all),
                both::<Page<Asset>>(&all),
                both::<Page<Job>>(&all),
            ];
            for (found, noted) in pairs.into_iter().flatten() {
                prop_assert_eq!(found, noted, "{}", all);
            }
            Ok(())
        });
    }

    #[test]
    fn no_bytes_and_no_offset_make_it_panic() {
        let input = ("[{}\\[\\],:\"\\\\a1 \n]{0,30}", 0_usize..40);
        crate::for_a_while::for_a_while(&input, |(text, at)| {
            path_at(text.as_bytes(), at);
            Ok(())
        });
    }
}
