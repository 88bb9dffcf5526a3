//! What kinds of values a field takes: asked of its type by examples, and told of a value as it stands in an object.

use crate::scan::Scan;

/// Kinds of values, a bit each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kinds(u16);

const NULL: u16 = 1;
const BOOLEAN: u16 = 1 << 1;
const TEXT: u16 = 1 << 2;
/// `"2026-06-10T08:32:12.739Z"`, with up to nine digits behind the second.
const TIME: u16 = 1 << 3;
/// `"2026-06-10"`.
const DAY: u16 = 1 << 4;
/// A whole number of at most 4 digits.
const SMALL: u16 = 1 << 5;
/// The same of 5 to 9.
const MIDDLE: u16 = 1 << 6;
/// The same of 10 to 15.
const LARGE: u16 = 1 << 7;
/// Any other number that takes no more than 19 bytes and has no exponent.
const NUMBER: u16 = 1 << 8;
const TEXTS: u16 = 1 << 9;
const ARRAY: u16 = 1 << 10;
const OBJECT: u16 = 1 << 11;

/// A field that takes all of these takes whatever is of the kind. They are the kind's edges, or have one of each in them: numbers
/// have bounds, times a form. An object is a map or any value: no answer has a field that is a struct, whose own fields would have
/// to be asked, too (a test of the SDK's rows sees to it).
const EXAMPLES: [(u16, &[&str]); 12] = [
    (NULL, &["null"]),
    (BOOLEAN, &["true", "false"]),
    (TEXT, &[r#""""#, r#""x""#, r#""\n\"é/1""#]),
    (TIME, &[r#""1000-01-01T00:00:00Z""#, r#""2999-12-31T23:59:59.123456789Z""#]),
    (DAY, &[r#""1000-01-01""#, r#""2999-12-31""#]),
    (SMALL, &["0", "9999"]),
    (MIDDLE, &["10000", "999999999"]),
    (LARGE, &["1000000000", "999999999999999"]),
    (
        NUMBER,
        &["-0", "-1", "0.5", "-0.00000000000001", "9999999999999999999", "-999999999999999999"],
    ),
    (TEXTS, &["[]", r#"["","x"]"#]),
    (ARRAY, &["[]", "[null]", "[false]", "[-1.5]", r#"["x"]"#, "[[1]]", "[{}]", r#"[1,{"x":[]}]"#]),
    (OBJECT, &["{}", r#"{"x":null}"#, r#"{"x":1,"y":"z"}"#, r#"{"x":{"y":[true]},"z":-1.5}"#]),
];

impl Kinds {
    /// Those that `takes` takes all examples of.
    pub(crate) fn taken(takes: impl Fn(&str) -> bool) -> Self {
        let taken = EXAMPLES.iter().filter(|(_, examples)| examples.iter().all(|each| takes(each)));
        Self(taken.fold(0, |kinds, (kind, _)| kinds | kind))
    }

    pub(crate) fn has_objects(self) -> bool {
        self.has(OBJECT)
    }

    fn has(self, kind: u16) -> bool {
        self.0 & kind != 0
    }

    /// Goes past a value of one of these kinds that begins right here.
    #[inline]
    pub(crate) fn pass(self, scan: &mut Scan<'_>, depth: usize) -> Option<()> {
        let start = scan.at;
        let kind = match *scan.text.get(start)? {
            b'"' => {
                let text = scan.string()?;
                if self.has(TEXT) { TEXT } else { form(&text[1..text.len() - 1])? }
            }
            b'[' if !self.has(ARRAY) => {
                texts(scan)?;
                TEXTS
            }
            first => {
                let value = scan.value(depth)?;
                match first {
                    b'n' => NULL,
                    b't' | b'f' => BOOLEAN,
                    b'[' => ARRAY,
                    b'{' => OBJECT,
                    b'-' | b'0'..=b'9' => number(value),
                    // White space.
                    _ => return None,
                }
            }
        };
        self.has(kind).then_some(())
    }
}

fn number(number: &[u8]) -> u16 {
    match number.len() {
        _ if !number.iter().all(u8::is_ascii_digit) => NUMBER,
        ..=4 => SMALL,
        5..=9 => MIDDLE,
        10..=15 => LARGE,
        _ => NUMBER,
    }
}

fn texts(scan: &mut Scan<'_>) -> Option<()> {
    scan.expect(b'[')?;
    if scan.peek()? == b']' {
        scan.at += 1;
        return Some(());
    }
    loop {
        (scan.peek()? == b'"').then(|| scan.string())??;
        if !scan.goes_on(b']')? {
            return Some(());
        }
    }
}

/// Whether a text is a time or a day. What it says of others that they are none is left to who knows more forms.
fn form(text: &[u8]) -> Option<u16> {
    let (day, time) = text.split_first_chunk::<10>()?;
    let [y, _, _, _, b'-', _, _, b'-', _, _] = day else { return None };
    let month = two(day, 5)?;
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        // Each fourth has a day more.
        2 => 28,
        _ => return None,
    };
    let is_day = matches!(y, b'1' | b'2') && two(day, 0).and(two(day, 2)).is_some();
    if !is_day || !(1..=last).contains(&two(day, 8)?) {
        return None;
    }
    if time.is_empty() {
        return Some(DAY);
    }
    let (clock, rest) = time.split_first_chunk::<9>()?;
    let [b'T', _, _, b':', _, _, b':', _, _] = clock else { return None };
    if two(clock, 1)? > 23 || two(clock, 4)? > 59 || two(clock, 7)? > 59 {
        return None;
    }
    match rest {
        [b'Z'] => Some(TIME),
        [b'.', digits @ .., b'Z'] => {
            let fits = (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
            fits.then_some(TIME)
        }
        _ => None,
    }
}

/// The number of two digits.
fn two(text: &[u8], at: usize) -> Option<u8> {
    match (text[at], text[at + 1]) {
        (tens @ b'0'..=b'9', ones @ b'0'..=b'9') => Some((tens - b'0') * 10 + (ones - b'0')),
        _ => None,
    }
}
