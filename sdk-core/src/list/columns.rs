//! A page whose objects are alike, with their keys once: what `storycore-page-columns` writes, and where the page stands.

use crate::models::Pagination;

/// A page that was written in the other form.
#[derive(Debug)]
pub(super) struct Columns {
    /// The page with `data` as `[[key…],[value of the first key…],[value of the second…]…]`.
    pub(super) text: Vec<u8>,
    /// How many objects it has.
    pub(super) count: usize,
    pub(super) pagination: Pagination,
}

/// Reads a page whose objects have all the same keys in the same order, among them an `id` that is a text. What is not as
/// expected is `decode`'s.
pub(super) fn read(page: &[u8]) -> Option<Columns> {
    let columns = storycore_page_columns::read(page)?;
    let pagination = match columns.pagination {
        None => Pagination::default(),
        Some(json) => serde_json::from_slice::<Option<_>>(json).ok()?.unwrap_or_default(),
    };
    Some(Columns { text: columns.text, count: columns.count, pagination })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    /// The page again, from its columns.
    fn undone(columns: &Columns) -> Value {
        let mut page: Value = serde_json::from_slice(&columns.text).unwrap();
        let Value::Array(data) = page["data"].take() else { panic!("no columns") };
        let data: Vec<&Vec<Value>> = data.iter().map(|column| column.as_array().unwrap()).collect();
        let (keys, values) = data.split_first().unwrap();
        assert_eq!(values.len(), keys.len());
        assert!(values.iter().all(|column| column.len() == columns.count));
        let object = |at: usize| {
            let fields = keys.iter().zip(values);
            let fields = fields.map(|(key, of)| (key.as_str().unwrap().to_owned(), of[at].clone()));
            Value::Object(fields.collect::<Map<_, _>>())
        };
        page["data"] = (0..columns.count).map(object).collect();
        page
    }

    fn page(of: &str) -> String {
        format!(r#"{{"data":[{}],"pagination":{{"total":9,"has_more":true}}}}"#, [of; 5].join(","))
    }

    #[test]
    fn alike_objects_have_their_keys_once() {
        let one = r#"{"id":"p","a":[1,{"b":null}],"é":"\u00e9\n","n":-1.5e+7,"t":true}"#;
        let columns = read(page(one).as_bytes()).unwrap();
        assert!(columns.text.starts_with(br#"{"data":[["id","a","#));
        assert_eq!(
            (columns.count, columns.pagination.total, columns.pagination.has_more),
            (5, 9, true)
        );
        let spaced = page(one).replace(':', " :\n").replace(',', " ,\t").replace("e+7", "E7");
        for text in [page(one), format!(" {spaced}\n")] {
            let expected: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(undone(&read(text.as_bytes()).unwrap()), expected);
        }
        let none = page(r#"{"id":"p"}"#).replace(r#"{"total":9,"has_more":true}"#, "null");
        assert_eq!(read(none.as_bytes()).unwrap().pagination, Pagination::default());
    }

    #[test]
    fn texts_of_each_length_end_where_they_end() {
        for length in 0..70 {
            let plain = "x".repeat(length);
            for text in
                [plain.clone(), format!("{plain}\\\""), format!("é{plain}\\\\{plain}\\u00e9")]
            {
                let page = page(&format!(r#"{{"id":"p","a":"{text}","b":"{plain}"}}"#));
                let expected: Value = serde_json::from_str(&page).unwrap();
                assert_eq!(undone(&read(page.as_bytes()).unwrap()), expected);
            }
        }
    }

    #[test]
    fn what_is_not_as_expected_is_left_to_the_other_reader() {
        let deep = format!(r#"{{"id":"p","a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        for one in [
            "{}",
            "7",
            r#"{"a":1}"#,
            r#"{"id":7}"#,
            r#"{"id":"p","id":"q"}"#,
            r#"{"\u0069d":"p"}"#,
            r#"{"id":"\ud800"}"#,
            r#"{"id":"p","a":01}"#,
            r#"{"id":"p","a":+1}"#,
            r#"{"id":"p","a":1.}"#,
            r#"{"id":"p","a":nul}"#,
            r#"{"id":"p","a":"\x"}"#,
            r#"{"id":"p","a":"\u12g4"}"#,
            r#"{"id":"p",}"#,
            "{\"id\":\"p\",\"a\":\"\n\"}",
            "{\"id\":\"p\",\"a\":\"\u{1}\"}",
            &deep,
        ] {
            assert!(read(page(one).as_bytes()).is_none(), "{one}");
        }
        let good = page(r#"{"id":"p"}"#);
        assert!(read(good.as_bytes()).is_some());
        for bad in [
            good.replacen(r#""p""#, r#""p","q":1"#, 1),
            good.replace("true", r#""yes""#),
            good.replace("\"pagination\"", "\"data\""),
            good.replace("\"pagination\"", r#""d\u0061ta""#),
            good.replace("\"pagination\"", r#""pagin\u0061tion""#),
            format!("{good}]"),
            good[..good.len() - 1].to_owned(),
            good.replacen(r#"{"id":"p"},{"id":"p"},"#, "", 1),
        ] {
            assert!(read(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn whatever_it_takes_serde_reads_as_the_same() {
        let text = json!([null, 1.25, -7, "é\"\\\n", {"k": []}, [1, "x"], true]).to_string();
        let whole = page(&format!(r#"{{"id":"p","a":{text},"c":"{}"}}"#, "x".repeat(20)));
        let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
        let symbols = b"\"\\{}[]:,01-+.eEtfnul \n\x01u";
        crate::for_a_while::for_a_while(&changes, |changes| {
            let mut bytes = whole.clone().into_bytes();
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] =
                    if byte < 200 { symbols[usize::from(byte) % symbols.len()] } else { byte };
            }
            if let (Some(columns), Ok(text)) = (read(&bytes), std::str::from_utf8(&bytes)) {
                let expected: Result<Value, _> = serde_json::from_str(text);
                prop_assert!(expected.is_ok(), "{text}");
                prop_assert_eq!(undone(&columns), expected.unwrap());
            }
            Ok(())
        });
    }
}
