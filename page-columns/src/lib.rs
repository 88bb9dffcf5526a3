//! A page of alike objects with their keys once and the values of each key beside one another, for bindings: V8 parses that and
//! makes objects of it in half the time that it takes to parse them with their keys. One pass reads the page as strictly as serde
//! would, and writes it.
//! What it does not expect it leaves alone, for a reader that says what is wrong with it, if anything.
//!
//! Single objects are read likewise, one by one: `rows`.
//!
//! It stands by itself because of its speed: where all else is built for size, this is not. Its tests are in `storycore`,
//! which compares it with serde.

mod kinds;
mod rows;
mod scan;
mod shape;

pub use rows::{Row, RowShape, Rows};
use scan::Scan;
use shape::Shape;

/// Fewer objects are not worth it.
const FEWEST: usize = 4;
/// As many objects as a page may have on the platform.
const USUAL: usize = 100;

/// Up to so many values, each stands there once. At most ten: they are told apart by a digit.
const FEW: usize = 8;

/// A page that was written in the other form.
#[derive(Debug)]
pub struct Columns<'a> {
    /// The page with `data` as `[shape,count,column…]`. The shape is an object's JSON as a text, with the number of a column in
    /// the place of each value. A column is an array with a value for each object. Where few texts, numbers and words are all
    /// that it has, it is `{"few":[value…],"which":"…"}` with a digit for each object, and where all have the same one, that.
    pub text: Vec<u8>,
    /// How many objects it has.
    pub count: usize,
    /// The value of `pagination` as it stands there: JSON.
    pub pagination: Option<&'a [u8]>,
}

/// Reads a page whose objects have all the same keys in the same order, among them an `id` that is a text.
#[must_use]
pub fn read(page: &[u8]) -> Option<Columns<'_>> {
    let mut scan = Scan::new(page);
    let mut text = Vec::with_capacity(page.len());
    let (mut copied, mut count) = (0, None);
    let mut pagination = None;
    scan.members(0, |key, scan| match key {
        // It may spell `data` in another way, and of two alike readers take the last.
        _ if key.contains(&b'\\') => None,
        br#""data""# if count.is_none() => {
            text.extend_from_slice(&page[..scan.at]);
            let objects = objects(scan)?;
            objects.write(&mut text);
            count = Some(objects.count());
            copied = scan.at;
            Some(())
        }
        br#""pagination""# if pagination.is_none() => {
            pagination = Some(scan.value(1)?);
            Some(())
        }
        // Twice.
        br#""data""# | br#""pagination""# => None,
        _ => scan.value(1).map(drop),
    })?;
    if !scan.is_at_end() {
        return None;
    }
    text.extend_from_slice(&page[copied..]);
    Some(Columns { text, count: count?, pagination })
}

/// The objects of a page.
struct Objects<'a> {
    shape: Shape<'a>,
    /// Of one object after another.
    values: Vec<&'a [u8]>,
}

/// Reads an array of alike objects. What is in an object of theirs need not be alike.
fn objects<'a>(scan: &mut Scan<'a>) -> Option<Objects<'a>> {
    scan.expect(b'[')?;
    scan.peek()?;
    let first = scan.at;
    let read = |scan: &mut Scan<'a>, goes_in| {
        scan.at = first;
        Objects::read(scan, goes_in)
    };
    read(scan, true).or_else(|| read(scan, false))
}

impl<'a> Objects<'a> {
    fn read(scan: &mut Scan<'a>, goes_in: bool) -> Option<Self> {
        let first = scan.at;
        let shape = Shape::read(scan, goes_in)?;
        scan.at = first;
        let mut values = Vec::with_capacity(shape.width() * USUAL);
        loop {
            shape.values(scan, &mut values)?;
            if !scan.goes_on(b']')? {
                break;
            }
        }
        let objects = Self { shape, values };
        (objects.count() >= FEWEST).then_some(objects)
    }

    fn count(&self) -> usize {
        self.values.len() / self.shape.width()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"[\"");
        // A key has no backslash.
        for piece in self.shape.json.split_inclusive(|byte| *byte == b'"') {
            match piece {
                [plain @ .., b'"'] => {
                    out.extend_from_slice(plain);
                    out.extend_from_slice(b"\\\"");
                }
                plain => out.extend_from_slice(plain),
            }
        }
        out.extend_from_slice(b"\",");
        out.extend_from_slice(self.count().to_string().as_bytes());
        let width = self.shape.width();
        for place in 0..width {
            out.push(b',');
            let column = || self.values[place..].iter().step_by(width).copied();
            if let Some((few, which)) = few(column()) {
                if let [one] = few[..] {
                    out.extend_from_slice(one);
                } else {
                    out.extend_from_slice(b"{\"few\":[");
                    out.extend_from_slice(&few.join(&b','));
                    out.extend_from_slice(b"],\"which\":\"");
                    out.extend_from_slice(&which);
                    out.extend_from_slice(b"\"}");
                }
                continue;
            }
            out.push(b'[');
            for value in column() {
                out.extend_from_slice(value);
                out.push(b',');
            }
            // In place of the last comma.
            out.pop();
            out.push(b']');
        }
        out.push(b']');
    }
}

/// The values of a column that has few, and which of them is each object's, as digits. Of objects and arrays each has one of its
/// own.
fn few<'a>(column: impl Iterator<Item = &'a [u8]>) -> Option<(Vec<&'a [u8]>, Vec<u8>)> {
    let mut few: Vec<&[u8]> = Vec::new();
    let mut which = Vec::with_capacity(USUAL);
    for value in column {
        let known = few.iter().position(|known| *known == value);
        if known.is_none() {
            if few.len() == FEW || matches!(value[0], b'{' | b'[') {
                return None;
            }
            few.push(value);
        }
        let number = known.unwrap_or(few.len() - 1);
        which.push(b'0' + u8::try_from(number).ok()?);
    }
    (few.len() * 2 <= which.len()).then_some((few, which))
}
