//! A page of alike objects with their keys once, for bindings: V8 makes objects of arrays of values by one constructor in half
//! the time that it takes to parse them with their keys. One pass reads the page as strictly as serde would, and writes it.
//! What it does not expect it leaves alone: `decode` says what is wrong with it, if anything.

use memchr::memchr2;

use crate::models::Pagination;

/// Beyond so many keys V8 keeps objects as dictionaries anyway.
const MOST_KEYS: usize = 128;
/// Fewer objects are not worth it.
const FEWEST_ROWS: usize = 4;
/// Values within values; what is deeper is for a reader that has a limit of its own.
const DEEPEST: usize = 64;

/// A page that was written in the other form.
#[derive(Debug)]
pub(super) struct Rows {
    /// The page with `data` as `[[key…],[value…],[value…]…]`.
    pub(super) text: Vec<u8>,
    /// How many objects it has.
    pub(super) count: usize,
    pub(super) pagination: Pagination,
}

/// Reads a page whose objects have all the same keys in the same order, among them an `id` that is a text.
pub(super) fn read(page: &[u8]) -> Option<Rows> {
    let mut scan = Scan { text: page, at: 0, has_control: has_control(page) };
    let mut text = Vec::with_capacity(page.len());
    let (mut copied, mut count) = (0, None);
    let mut pagination = None;
    scan.members(0, |key, scan| match key {
        br#""data""# if count.is_none() => {
            text.extend_from_slice(&page[..scan.at]);
            count = Some(scan.rows(&mut text)?);
            copied = scan.at;
            Some(())
        }
        br#""pagination""# if pagination.is_none() => {
            let value = serde_json::from_slice(scan.value(1)?).ok()?;
            pagination = Some(Option::<Pagination>::unwrap_or_default(value));
            Some(())
        }
        // Twice.
        br#""data""# | br#""pagination""# => None,
        _ => scan.value(1).map(drop),
    })?;
    if !page[scan.at..].trim_ascii().is_empty() {
        return None;
    }
    text.extend_from_slice(&page[copied..]);
    Some(Rows { text, count: count?, pagination: pagination.unwrap_or_default() })
}

/// Whether a byte is below a space: in a text of JSON none may be. Eight at a time.
fn has_control(text: &[u8]) -> bool {
    const EACH: u64 = u64::MAX / 255;
    let (words, rest) = text.as_chunks::<8>();
    let below = |word: u64| word.wrapping_sub(EACH * 0x20) & !word & (EACH * 0x80);
    words.iter().fold(0, |found, word| found | below(u64::from_le_bytes(*word))) != 0
        || rest.iter().any(|byte| *byte < 0x20)
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    /// Of the whole text, white space included.
    has_control: bool,
}

impl<'a> Scan<'a> {
    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        while let b' ' | b'\n' | b'\r' | b'\t' = *self.text.get(self.at)? {
            self.at += 1;
        }
        Some(self.text[self.at])
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// A text with its quotes, as it stands there.
    fn string(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        self.expect(b'"')?;
        loop {
            self.at += memchr2(b'"', b'\\', self.text.get(self.at..)?)?;
            if self.text[self.at] == b'"' {
                break;
            }
            self.at += match self.text.get(self.at + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                b'u' => {
                    let code = self.text.get(self.at + 2..self.at + 6)?;
                    code.iter().all(u8::is_ascii_hexdigit).then_some(6)?
                }
                _ => return None,
            };
        }
        self.at += 1;
        let string = &self.text[start..self.at];
        (!self.has_control || string.iter().all(|byte| *byte >= 0x20)).then_some(string)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        if self.text[self.at] == b'-' {
            self.at += 1;
        }
        match self.text.get(self.at)? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.text.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.text[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    /// Any value, as it stands there.
    fn value(&mut self, depth: usize) -> Option<&'a [u8]> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => return self.string(),
            b'{' => self.members(depth, |_, scan| scan.value(depth + 1).map(drop))?,
            b'[' => self.array(depth)?,
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            b'n' => self.word(b"null")?,
            _ => return None,
        }
        Some(&self.text[start..self.at])
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.expect(b'[')?;
        if depth > DEEPEST {
            return None;
        }
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.value(depth + 1)?;
            if self.goes_on(b']')? {
                continue;
            }
            return Some(());
        }
    }

    /// Whether a comma follows, and not the end.
    fn goes_on(&mut self, end: u8) -> Option<bool> {
        let next = self.peek()?;
        self.at += 1;
        (next == b',' || next == end).then_some(next == b',')
    }

    /// Goes through an object: `each` is given a key, and stands before its value.
    fn members(
        &mut self,
        depth: usize,
        mut each: impl FnMut(&'a [u8], &mut Self) -> Option<()>,
    ) -> Option<()> {
        self.expect(b'{')?;
        if depth > DEEPEST {
            return None;
        }
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.peek()?;
            let key = self.string()?;
            self.expect(b':')?;
            self.peek()?;
            each(key, self)?;
            if !self.goes_on(b'}')? {
                return Some(());
            }
        }
    }

    /// Writes an array of alike objects in the other form, and gives how many there are.
    fn rows(&mut self, out: &mut Vec<u8>) -> Option<usize> {
        self.expect(b'[')?;
        let first = self.peek().filter(|byte| *byte == b'{').map(|_| self.at)?;
        let mut keys = Vec::new();
        self.members(1, |key, scan| {
            keys.push(key);
            scan.value(2).map(drop)
        })?;
        // A key with an escape may be another one in disguise.
        let is_plain = keys.len() <= MOST_KEYS && keys.iter().all(|key| !key.contains(&b'\\'));
        let mut ids = keys.iter().enumerate().filter(|(_, key)| **key == br#""id""#);
        let (Some((id, _)), None, true) = (ids.next(), ids.next(), is_plain) else { return None };
        self.at = first;
        out.extend_from_slice(b"[[");
        out.extend_from_slice(&keys.join(&b','));
        out.push(b']');
        let mut count = 0;
        loop {
            out.extend_from_slice(b",[");
            self.row(&keys, id, out)?;
            out.push(b']');
            count += 1;
            if !self.goes_on(b']')? {
                out.push(b']');
                return (count >= FEWEST_ROWS).then_some(count);
            }
        }
    }

    /// Writes the values of an object that has just these keys.
    fn row(&mut self, keys: &[&[u8]], id: usize, out: &mut Vec<u8>) -> Option<()> {
        for (place, key) in keys.iter().enumerate() {
            self.expect(if place == 0 { b'{' } else { b',' })?;
            self.peek()?;
            if !self.text[self.at..].starts_with(key) {
                return None;
            }
            self.at += key.len();
            self.expect(b':')?;
            let value = self.value(2)?;
            if place == id && (value[0] != b'"' || value.contains(&b'\\')) {
                return None;
            }
            if place > 0 {
                out.push(b',');
            }
            out.extend_from_slice(value);
        }
        self.expect(b'}')
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    /// The page again, from its rows.
    fn undone(rows: &Rows) -> Value {
        let mut page: Value = serde_json::from_slice(&rows.text).unwrap();
        let Value::Array(data) = page["data"].take() else { panic!("no rows") };
        let keys: Vec<&str> =
            data[0].as_array().unwrap().iter().map(|k| k.as_str().unwrap()).collect();
        let object = |row: &Value| {
            let values = row.as_array().unwrap();
            assert_eq!(values.len(), keys.len());
            let fields = keys.iter().zip(values).map(|(k, v)| ((*k).to_owned(), v.clone()));
            Value::Object(fields.collect::<Map<_, _>>())
        };
        assert_eq!(data.len(), rows.count + 1);
        page["data"] = data[1..].iter().map(object).collect();
        page
    }

    fn page(of: &str) -> String {
        format!(r#"{{"data":[{}],"pagination":{{"total":9,"has_more":true}}}}"#, [of; 5].join(","))
    }

    #[test]
    fn alike_objects_have_their_keys_once() {
        let one = r#"{"id":"p","a":[1,{"b":null}],"é":"\u00e9\n","n":-1.5e+7,"t":true}"#;
        let rows = read(page(one).as_bytes()).unwrap();
        assert!(rows.text.starts_with(br#"{"data":[["id","a","#));
        assert_eq!((rows.count, rows.pagination.total, rows.pagination.has_more), (5, 9, true));
        let spaced = page(one).replace(':', " :\n").replace(',', " ,\t").replace("e+7", "E7");
        for text in [page(one), format!(" {spaced}\n")] {
            let expected: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(undone(&read(text.as_bytes()).unwrap()), expected);
        }
        let none = page(r#"{"id":"p"}"#).replace(r#"{"total":9,"has_more":true}"#, "null");
        assert_eq!(read(none.as_bytes()).unwrap().pagination, Pagination::default());
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
            if let (Some(rows), Ok(text)) = (read(&bytes), std::str::from_utf8(&bytes)) {
                let expected: Result<Value, _> = serde_json::from_str(text);
                prop_assert!(expected.is_ok(), "{text}");
                prop_assert_eq!(undone(&rows), expected.unwrap());
            }
            Ok(())
        });
    }
}
