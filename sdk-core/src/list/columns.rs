//! A page whose objects are alike, with their keys once: what `storycore-page-columns` writes, and where the page stands.

use crate::models::Pagination;

/// A page that was written in the other form.
#[derive(Debug)]
pub(super) struct Columns {
    /// The page with `data` in the other form.
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
    use serde_json::{Value, json};

    use super::*;

    /// The page again, from its columns.
    fn undone(columns: &Columns) -> Value {
        let mut page: Value = serde_json::from_slice(&columns.text).unwrap();
        let data = page["data"].take();
        let [shape, count, values @ ..] = data.as_array().unwrap().as_slice() else {
            panic!("no columns")
        };
        assert_eq!(*count, columns.count);
        assert!(values.iter().filter_map(Value::as_array).all(|each| each.len() == columns.count));
        let shape: Value = serde_json::from_str(shape.as_str().unwrap()).unwrap();
        page["data"] = (0..columns.count).map(|at| object(&shape, values, at)).collect();
        page
    }

    fn object(shape: &Value, columns: &[Value], at: usize) -> Value {
        if let Value::Object(fields) = shape {
            let field = |(key, of): (&String, &Value)| (key.clone(), object(of, columns, at));
            return Value::Object(fields.iter().map(field).collect());
        }
        let column = &columns[usize::try_from(shape.as_u64().unwrap()).unwrap()];
        match column {
            Value::Array(values) => values[at].clone(),
            Value::Object(few) => {
                let which = few["which"].as_str().unwrap().as_bytes()[at] - b'0';
                few["few"][usize::from(which)].clone()
            }
            same => same.clone(),
        }
    }

    /// What stands in the place of the objects.
    fn data(columns: &Columns) -> Value {
        serde_json::from_slice::<Value>(&columns.text).unwrap()["data"].take()
    }

    fn page(of: &str) -> String {
        format!(r#"{{"data":[{}],"pagination":{{"total":9,"has_more":true}}}}"#, [of; 5].join(","))
    }

    #[test]
    fn alike_objects_have_their_keys_once() {
        let one = r#"{"id":"p","a":[1,{"b":null}],"é":"\u00e9\n","n":-1.5e+7,"t":true}"#;
        let columns = read(page(one).as_bytes()).unwrap();
        assert!(columns.text.starts_with(br#"{"data":["{\"id\":0,\"a\":1,"#));
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

    fn of_some(objects: &[&str]) -> Columns {
        let text = format!(r#"{{"data":[{}]}}"#, objects.join(","));
        let columns = read(text.as_bytes()).unwrap();
        let expected: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(undone(&columns), expected);
        columns
    }

    #[test]
    fn a_value_that_several_objects_have_stands_there_once() {
        let columns = of_some(&[
            r#"{"id":"a","org":"o","cost":1.0,"of":null,"no":[],"in":{},"key":"k"}"#,
            r#"{"id":"b","org":"o","cost":1.0,"of":null,"no":[],"in":{},"key":"k"}"#,
            r#"{"id":"c","org":"o","cost":1.0,"of":null,"no":[],"in":{},"key":"k"}"#,
            r#"{"id":"d","org":"o","cost":1.0,"of":null,"no":[],"in":{},"key":"l"}"#,
        ]);
        let shape = r#"{"id":0,"org":1,"cost":2,"of":3,"no":4,"in":{},"key":5}"#;
        let (ids, none) = (["a", "b", "c", "d"], [[0; 0]; 4]);
        let keys = json!({"few": ["k", "l"], "which": "0001"});
        assert_eq!(data(&columns), json!([shape, 4, ids, "o", 1.0, null, none, keys]));
        for values in [2, 8, 9] {
            let object = |n: usize| format!(r#"{{"id":"{n}","of":{}}}"#, n % values);
            let objects: Vec<String> = (0..16).map(object).collect();
            let columns = of_some(&objects.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(data(&columns)[3].is_object(), values < 9);
        }
    }

    #[test]
    fn objects_within_alike_objects_are_columns_if_they_are_alike() {
        let one = r#"{"id":"a","in":{"b":{"c":1},"d":2},"e":3}"#;
        let columns = of_some(&[one, one, one, one]);
        let shape = r#"{"id":0,"in":{"b":{"c":1},"d":2},"e":3}"#;
        assert_eq!(data(&columns), json!([shape, 4, "a", 1, 2, 3]));
        let twice = r#"{"id":"a","in":{"b":1,"b":{"c":2}},"in":{"b":3,"b":4}}"#;
        of_some(&[twice, twice, twice, twice]);
        for other in [
            r#"{"id":"a","in":{"b":{"c":1}},"e":3}"#,
            r#"{"id":"a","in":{"b":{},"d":2},"e":3}"#,
            r#"{"id":"a","in":null,"e":3}"#,
            r#"{"id":"a","in":{"b":{"\u0063":1},"d":2},"e":3}"#,
        ] {
            for objects in [[one, one, one, other], [other, one, one, one]] {
                let columns = of_some(&objects);
                assert_eq!(data(&columns)[0], r#"{"id":0,"in":1,"e":2}"#);
            }
        }
    }

    #[test]
    fn what_it_takes_is_never_deeper_than_serde_goes() {
        let nested = |outer: usize, value: &str| {
            let (open, close) = (r#"{"a":"#.repeat(outer), "}".repeat(outer));
            format!(r#"{{"id":"p","a":{open}{value}{close}}}"#)
        };
        for outer in 0..70 {
            for inner in 0..140 {
                let array = format!("{}{}", "[".repeat(inner), "]".repeat(inner));
                let (flat, deep) = (nested(outer, "0"), nested(outer, &array));
                let text = format!(r#"{{"data":[{flat},{flat},{flat},{deep}]}}"#);
                if read(text.as_bytes()).is_some() {
                    serde_json::from_str::<Value>(&text).unwrap();
                }
            }
        }
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
        let keys: Vec<String> = (0..200).map(|key| format!(r#""{key}":{{}}"#)).collect();
        let many = format!(r#"{{"id":"p",{}}}"#, keys.join(","));
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
            &many,
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
            // White space for who reads texts, and not for JSON.
            format!("{good}\u{c}"),
            good[..good.len() - 1].to_owned(),
            good.replacen(r#"{"id":"p"},{"id":"p"},"#, "", 1),
        ] {
            assert!(read(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn whatever_it_takes_serde_reads_as_the_same() {
        let text = json!([null, 1.25, -7, "é\"\\\n", {"k": []}, [1, "x"], true]).to_string();
        let whole = page(&format!(
            r#"{{"id":"p","a":{text},"b":{{"d":{{}},"e":-1}},"c":"{}"}}"#,
            "x".repeat(20)
        ));
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
