use proptest::prelude::*;

use super::*;
use crate::CallOptions;
use crate::models::{ApiKey, Asset, Delivery, Job, PlatformEvent, Project, Webhook};

const PROJECT: &str = r#"{"id":"prj_1","name":"Film \"x\" é","description":"a\nb","status":"planned","rag_status":"GREEN","progress":49.5,"budget":9850.5,"spent":null,"start_date":"2026-06-10","end_date":null,"settings":{"resolution":"1920x1080","fps":24,"cuts":[1,{"a":{}}]},"organization_id":"org_1","created_at":"2026-11-21T08:32:12.739Z","updated_at":"2026-11-21T08:33:42.739Z","mood":{"a":[null]},"level":7}"#;
const ASSET: &str = r#"{"id":"ast_1","name":"a","type":"video","description":null,"status":"ready","size":1234567,"content_type":"video/mp4","sha256":"00ff","url":"/a","project_id":"prj_1","metadata":{"of":{"a":1}},"created_at":"2026-11-21T08:32:12Z"}"#;
const JOB: &str = r#"{"id":"job_1","type":"probe","project_id":null,"status":"completed","progress":100,"parameters":{"input":"ast_1"},"result":{"asset_id":"ast_2"},"result_url":"/r","error_message":null,"created_at":"2026-11-21T08:32:12Z","started_at":null,"completed_at":"2026-11-21T08:32:13.1Z"}"#;
const KEY: &str = r#"{"id":"key_1","name":"k","description":null,"prefix":"sk_","permissions":["a:read","b"],"scopes":[],"status":"active","rate_limit":60,"usage_count":12345,"last_used_at":"2026-11-21T08:32:12Z","expires_at":null,"revoked_at":null,"created_at":"2026-11-21T08:32:12Z"}"#;
const WEBHOOK: &str = r#"{"id":"wh_1","url":"https://x","events":["job.completed"],"name":null,"retry_count":3,"timeout_seconds":30,"is_active":true,"created_at":"2026-11-21T08:32:12Z","updated_at":"2026-11-21T08:32:12Z"}"#;
const DELIVERY: &str = r#"{"id":"dlv_1","webhook_id":"wh_1","event_id":"evt_1","event_type":"job.completed","payload":{"a":[1]},"status_code":200,"response_body":"ok","error_message":null,"duration_ms":12.5,"retry_attempt":0,"created_at":"2026-11-21T08:32:12Z"}"#;
const EVENT: &str = r#"{"id":"evt_1","event":"job.completed","timestamp":"2026-11-21T08:32:12Z","organization_id":"org_1","job_id":"job_1","by":{"id":"u"}}"#;

/// Objects of these types, each with what reads its text.
macro_rules! each {
    ($what:ident($($given:expr),*)) => {{
        $what::<Project>(PROJECT, $($given),*);
        $what::<Asset>(ASSET, $($given),*);
        $what::<Job>(JOB, $($given),*);
        $what::<ApiKey>(KEY, $($given),*);
        $what::<Webhook>(WEBHOOK, $($given),*);
        $what::<Delivery>(DELIVERY, $($given),*);
        $what::<PlatformEvent>(EVENT, $($given),*);
    }};
}

fn takes<T: DeserializeOwned>(text: &str) -> bool {
    serde_json::from_str::<T>(text).is_ok()
}

/// What knows this object's shape, alone or with that of the objects in it.
fn learned<T: DeserializeOwned>(object: &str, goes_in: bool) -> Rows {
    let mut rows = Rows::default();
    let mut learn = |object: &str, times| {
        (0..times).for_each(|_| rows.learn(object.as_bytes(), &takes::<T>));
    };
    if goes_in {
        learn(object, 64);
    } else {
        learn(&other_within(object), 64);
        learn(object, 128);
    }
    rows
}

/// With another key in each object within it.
fn other_within(object: &str) -> String {
    object.replace(":{", ":{\"other\":0,").replace("0,}", "0}")
}

/// The object again, with its keys in the order in which JavaScript will have them.
fn undone(row: &Row) -> String {
    let values = format!("[{}]", row.values);
    let values: Vec<&serde_json::value::RawValue> = serde_json::from_str(&values).unwrap();
    assert_eq!(values.len(), row.shape.width());
    // The numbers of the values are all that is no text in it.
    let (mut whole, mut is_text, mut left) = (String::new(), false, row.shape.json.as_str());
    while let Some(next) = left.chars().next() {
        let digits = left.len() - left.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if is_text || digits == 0 {
            is_text ^= next == '"';
            whole.push(next);
            left = &left[next.len_utf8()..];
        } else {
            whole.push_str(values[left[..digits].parse::<usize>().unwrap()].get());
            left = &left[digits..];
        }
    }
    whole
}

/// Whether it is read. If it is, then as `decode` reads it and as it stands there.
fn is_read<T: DeserializeOwned>(rows: &mut Rows, body: &[u8]) -> bool {
    let Some(row) = rows.read(body) else { return false };
    let text = std::str::from_utf8(body).expect("it was read");
    if let Err(error) = decode::object::<T>(body) {
        panic!("{error}: {text}");
    }
    assert_eq!(undone(&row), text.trim_end(), "{row:?}");
    assert_eq!(row.is_ascii, row.values.is_ascii());
    assert_eq!(decode::unwrapped(body), None);
    true
}

fn is_read_again<T: DeserializeOwned>(object: &str) {
    for goes_in in [true, false] {
        let mut rows = learned::<T>(object, goes_in);
        assert!(is_read::<T>(&mut rows, object.as_bytes()), "{object}");
        assert!(is_read::<T>(&mut rows, format!("{object} \r\n\t").as_bytes()));
        assert!(is_read::<T>(&mut rows, object.replacen("_1\"", "_2\"", 1).as_bytes()));
    }
}

#[test]
fn an_object_of_a_known_shape_is_read() {
    each!(is_read_again());
}

#[test]
fn nothing_is_learned_of_a_few() {
    let mut rows = Rows::default();
    (0..63).for_each(|_| rows.learn(PROJECT.as_bytes(), &takes::<Project>));
    assert!(rows.read(PROJECT.as_bytes()).is_none());
    rows.learn(PROJECT.as_bytes(), &takes::<Project>);
    assert!(rows.read(PROJECT.as_bytes()).is_some());
}

/// After how many misses one is learned.
fn learns(rows: &mut Rows, object: &str) -> Option<u32> {
    (1..2000).find(|_| {
        rows.learn(object.as_bytes(), &takes::<Project>);
        is_read::<Project>(rows, object.as_bytes())
    })
}

#[test]
fn four_shapes_are_known_and_the_one_that_was_met_longest_ago_goes() {
    let of = |key: &str| PROJECT.replace("mood", key);
    let mut rows = Rows::default();
    for key in ["a", "b", "c", "d", "e"] {
        assert_eq!(learns(&mut rows, &of(key)), Some(64));
        (0..64).for_each(|_| assert!(is_read::<Project>(&mut rows, of(key).as_bytes())));
    }
    let known = ["a", "b", "c", "d", "e"].map(|key| rows.read(of(key).as_bytes()).is_some());
    assert_eq!(known, [false, true, true, true, true]);
}

#[test]
fn less_and_less_is_learned_where_it_brings_nothing() {
    let mut rows = Rows::default();
    let numbers = [64, 128, 256, 512];
    for (at, misses) in numbers.into_iter().enumerate() {
        assert_eq!(learns(&mut rows, &PROJECT.replace("mood", &format!("mood{at}"))), Some(misses));
    }
    let mut rows = Rows::default();
    let odd = PROJECT.replace("08:32:12.739Z", "08:32:12.739+00:00");
    assert_eq!(learns(&mut rows, &odd), None);
    // After 64, 192, 448, 960 and 1984 of the other: the next is at 4032.
    assert_eq!(learns(&mut rows, PROJECT), None);
    (0..33).for_each(|_| rows.learn(PROJECT.as_bytes(), &takes::<Project>));
    assert!(rows.read(PROJECT.as_bytes()).is_none());
    rows.learn(PROJECT.as_bytes(), &takes::<Project>);
    assert!(rows.read(PROJECT.as_bytes()).is_some());
}

#[test]
fn objects_within_that_differ_are_values() {
    let mut rows = Rows::default();
    let own = |key: &str| PROJECT.replace("\"fps\"", key);
    assert_eq!(learns(&mut rows, &own("\"a\"")), Some(64));
    let row = rows.read(own("\"a\"").as_bytes()).unwrap();
    assert!(
        row.shape.json.contains(r#""settings":{"resolution":10,"a":11,"cuts":12},"#),
        "{row:?}"
    );
    assert_eq!(learns(&mut rows, &own("\"b\"")), Some(128));
    for key in ["\"b\"", "\"c\"", "\"a\""] {
        let row = rows.read(own(key).as_bytes()).unwrap();
        assert!(row.shape.json.contains(r#""settings":10,"#), "{row:?}");
    }
}

#[test]
fn what_is_not_sure_is_left_to_the_other_reader() {
    let cases = [
        ("\"prj_1\"", "7"),
        ("\"prj_1\"", "null"),
        ("\"prj_1\"", r#""\u0070""#),
        ("\"planned\"", r#""\ud800""#),
        ("\"planned\"", "1"),
        ("49.5", "\"49.5\""),
        ("49.5", "1e3"),
        ("49.5", "1e999"),
        ("49.5", "049"),
        ("49.5", "NaN"),
        ("49.5", "123456789012345678901"),
        ("24", "1e999"),
        ("24", "-"),
        ("\"level\":7", "\"mood\":7"),
        ("\"fps\"", "\"f\\u0070s\""),
        ("\"fps\"", "\"$serde_json::private::RawValue\""),
        ("{\"a\":{}}", "{\"$serde_json::private::RawValue\":{}}"),
        ("2026-06-10", "2026-02-30"),
        ("2026-06-10", "2026-13-10"),
        ("08:32:12.739Z", "24:32:12.739Z"),
        ("08:32:12.739Z", "08:32:12.739"),
        ("08:32:12.739Z", "08:32:12.Z"),
        ("\"level\":7", "\"level\":7,"),
        ("\"level\":7", "\"level\":7,\"id\":\"q\""),
        ("\"level\"", "\"data\""),
        ("{\"id\"", "\u{feff}{\"id\""),
        ("7}", "7}}"),
        ("7}", "7}\u{c}"),
        ("7}", "7"),
    ];
    // As it stands there it has one meaning: the last one.
    let twice = PROJECT.replacen(":24", ":24,\"fps\":25", 1);
    assert!(learned::<Project>(PROJECT, true).read(twice.as_bytes()).is_none());
    assert!(is_read::<Project>(&mut learned::<Project>(PROJECT, false), twice.as_bytes()));
    for goes_in in [true, false] {
        let mut rows = learned::<Project>(PROJECT, goes_in);
        for (old, new) in cases {
            let changed = PROJECT.replacen(old, new, 1);
            assert!(changed != PROJECT && rows.read(changed.as_bytes()).is_none(), "{changed}");
        }
        let bytes = [PROJECT.as_bytes(), b"\xff"].concat();
        assert!(rows.read(&bytes).is_none());
        let text = PROJECT.as_bytes().iter().map(|b| if *b == b'G' { 0xff } else { *b });
        assert!(rows.read(&text.collect::<Vec<_>>()).is_none());
    }
}

#[test]
fn what_cannot_be_told_by_its_shape_is_never_learned() {
    for object in [
        r#"{"id":"x","mood":1,"mood":2}"#,
        r#"{"id":"x","settings":{"a":1,"a":2}}"#,
        r#"{"id":"x","m\u006fod":1}"#,
        r#"{"id":"x","m\"ood":1}"#,
        r#"{"id":"x","data":{"id":"y"}}"#,
        r#"{"data":{"id":"y"}}"#,
        r#"{"id":"x","mood":1e5}"#,
    ] {
        let mut rows = learned::<Project>(object, true);
        assert!(rows.read(object.as_bytes()).is_none(), "{object}");
    }
    for (key, is_read) in [("k".repeat(100), true), ("k".repeat(20_000), false)] {
        let of = format!(r#"{{"id":"{}","settings":{{"{key}":1}}}}"#, "v".repeat(20_000));
        let row = learned::<Project>(&of, true).read(of.as_bytes());
        assert_eq!(row.is_some(), is_read, "a key of {} bytes", key.len());
    }
    for object in ["{}", r#"{"extra":{}}"#] {
        let mut rows = learned::<crate::models::ApiKeyUsage>(object, true);
        assert!(rows.read(object.as_bytes()).is_none(), "without a value there is no row");
    }
    let created = KEY.replace("{\"id\"", "{\"secret\":\"s\",\"id\"");
    let mut rows = learned::<crate::models::CreatedApiKey>(&created, true);
    assert!(rows.read(created.as_bytes()).is_none());
}

/// Values that stand in the place of another, and pieces that break one.
const VALUES: &[&str] = &[
    "null",
    "true",
    "false",
    "\"\"",
    "\"x\"",
    "\"é\"",
    r#""\n""#,
    r#""\u00e9""#,
    r#""\ud800""#,
    "0",
    "-0",
    "7",
    "-7",
    "1.5",
    "9999",
    "65536",
    "100000",
    "4294967296",
    "999999999999999",
    "99999999999999999999",
    "1e5",
    "1e999",
    "01",
    "1.",
    "[]",
    "{}",
    "[1]",
    r#"["a","b"]"#,
    r#"["a",1]"#,
    r#"[[],{}]"#,
    r#"{"a":1}"#,
    r#"{"a":1,"a":2}"#,
    r#"{"a":1e999}"#,
    "\"2026-06-10\"",
    "\"2026-02-29\"",
    "\"2026-04-31\"",
    "\"2024-02-29\"",
    "\"0001-01-01\"",
    "\"2026-11-21T08:32:12Z\"",
    "\"2026-11-21T08:32:60Z\"",
    "\"2026-11-21T23:59:59.123456789Z\"",
    "\"2026-11-21T08:32:12.1234567890Z\"",
    "\"2026-11-21T08:32:12+01:00\"",
    "nul",
    "\"",
    "",
];

/// Where the values of an object stand, those within others, too: behind each colon up to the next comma or brace that is not
/// within a text.
fn places(object: &str) -> Vec<std::ops::Range<usize>> {
    let (mut places, mut open, mut is_text, mut after_escape) = (Vec::new(), None, false, false);
    for (at, byte) in object.bytes().enumerate() {
        match byte {
            _ if after_escape => after_escape = false,
            b'\\' if is_text => after_escape = true,
            b'"' => is_text = !is_text,
            b':' if !is_text => open = Some(at + 1),
            b',' | b'}' if !is_text => places.extend(open.take().map(|from| from..at)),
            _ => {}
        }
    }
    places
}

fn whatever_is_read_is_what_the_type_takes<T: DeserializeOwned>(
    object: &str,
    changes: &[(prop::sample::Index, u8, bool)],
    taken: &mut [u64; 2],
) {
    let mut bytes = object.as_bytes().to_vec();
    let symbols = b"\"\\{}[]:,01-+.eEtfnul \n\x01uTZ$";
    for (place, byte, is_value) in changes {
        if *is_value {
            let Ok(text) = std::str::from_utf8(&bytes) else { continue };
            let places = places(text);
            if places.is_empty() {
                continue;
            }
            let range = places[place.index(places.len())].clone();
            let value = VALUES[usize::from(*byte) % VALUES.len()];
            bytes.splice(range, value.bytes());
        } else if !bytes.is_empty() {
            let place = place.index(bytes.len());
            bytes[place] = match *byte {
                byte @ 200.. => byte,
                byte => symbols[usize::from(byte) % symbols.len()],
            };
        }
    }
    for goes_in in [true, false] {
        let is_read = is_read::<T>(&mut learned::<T>(object, goes_in), &bytes);
        taken[usize::from(is_read)] += 1;
    }
}

#[test]
fn whatever_is_read_the_type_takes_and_it_is_the_same() {
    let index = any::<prop::sample::Index>();
    let changes = proptest::collection::vec((index, any::<u8>(), any::<bool>()), 0..3);
    let taken = std::cell::RefCell::new([0; 2]);
    crate::for_a_while::for_a_while(&changes, |changes| {
        let mut taken = taken.borrow_mut();
        each!(whatever_is_read_is_what_the_type_takes(&changes, &mut taken));
        Ok(())
    });
    let [left, read] = taken.into_inner();
    assert!(left > 100 && read > 100, "{left} left, {read} read");
}

#[test]
fn each_value_in_each_place_is_read_only_if_the_type_takes_it() {
    fn each<T: DeserializeOwned>(object: &str) {
        for goes_in in [true, false] {
            let mut rows = learned::<T>(object, goes_in);
            for (place, value) in places(object)
                .into_iter()
                .flat_map(|place| VALUES.iter().map(move |v| (place.clone(), v)))
            {
                let changed = [&object[..place.start], value, &object[place.end..]].concat();
                is_read::<T>(&mut rows, changed.as_bytes());
            }
        }
    }
    each!(each());
}

#[test]
fn a_call_gives_the_row_and_the_same_error_as_without_rows() {
    let answer = |body: &str| RawResponse {
        status: 200,
        headers: http::HeaderMap::new(),
        request_id: None,
        body: body.to_owned().into(),
    };
    let capture = Capture::of_rows();
    let call = |body: &str| {
        capture.set(&answer(body));
        answered::<Project>(&capture, answer(body))
    };
    for number in 0..200 {
        let body = PROJECT.replace("prj_1", &format!("prj_{number}"));
        call(&body).unwrap();
        let row = capture.take_row();
        assert_eq!(row.is_some(), number >= 64);
        assert_eq!(row.map_or(body.clone(), |row| undone(&row)), body);
    }
    let wrong = PROJECT.replace("49.5", "\"much\"");
    let error = call(&wrong).unwrap_err();
    let expected = decode::answered::<Project>(answer(&wrong)).unwrap_err();
    assert_eq!((error.to_string(), error.param()), (expected.to_string(), expected.param()));
    assert!(error.param() == Some("progress") && capture.take_row().is_none());
    let takes_rows = |capture| CallOptions::new().capture(&capture).rows().is_some();
    assert!(takes_rows(Capture::of_rows()) && !takes_rows(Capture::new()));
    let shown = format!("{:?}", learned::<Project>(PROJECT, true).read(PROJECT.as_bytes()));
    assert!(!shown.contains("prj_1") && shown.contains("organization_id"), "{shown}");
}
