//! Single objects without their keys: `value,value,…` beside a shape, which all objects with these keys in this order have.
//!
//! What a type takes for each of its fields is asked of the type itself, once a shape, by examples of each kind of value. From then
//! on an object of the shape is read without being made: it is taken only if the type would take it, and what is not sure is left
//! to the type's own reader.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use memchr::{memchr2, memmem};

use crate::{
    kinds::Kinds,
    scan::Scan,
    shape::{MOST, Start},
};

/// So many objects are of no known shape before one is learned: that takes about as long as the type's own reader takes for them.
const BEFORE: u32 = 64;

/// Twice as many each time, up to so many, until one that was learned is met as often: next to nothing is spent on learning where
/// no two objects have the same shape, or where they have what is left to the type's own reader.
const BEFORE_AT_MOST: u32 = 1 << 20;

/// Shapes of a type that are kept.
const KEPT: usize = 4;

/// Of no more bytes, where a project's has some 300: each thread keeps its own.
const LONGEST: usize = 16 * 1024;

/// What alike objects of a type have in common.
#[derive(Debug)]
pub struct RowShape {
    /// What tells it from all others of the process.
    pub number: u32,
    /// An object's JSON with the place of a value in place of each value.
    pub json: String,
    fields: Vec<Field>,
    end: Vec<u8>,
    /// The keys of the object itself.
    own: Vec<u8>,
}

/// A value in a shape.
#[derive(Debug)]
struct Field {
    /// What stands before it; there is no white space.
    lead: Vec<u8>,
    start: Option<Start>,
    takes: Kinds,
    depth: usize,
}

/// An object of a shape. Its `Debug` does not show its values, one of which may be a secret.
#[derive(Clone)]
pub struct Row {
    /// What it has in common with others.
    pub shape: Arc<RowShape>,
    /// Its values as they stand there, with commas between them.
    pub values: String,
    /// Whether the object is ASCII.
    pub is_ascii: bool,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = format_args!("{} bytes", self.values.len());
        f.debug_struct("Row").field("shape", &self.shape.json).field("values", &values).finish()
    }
}

/// The shapes that one type's objects were met in.
#[derive(Debug)]
pub struct Rows {
    /// The one that was met last is the first.
    shapes: Vec<Arc<RowShape>>,
    /// Objects of none of them since one was to be learned, and how many those are before the next one is.
    missed: u32,
    before: u32,
    /// The shape that was learned last, and how often it was met.
    newest: u32,
    met: u32,
}

impl Default for Rows {
    fn default() -> Self {
        Self { shapes: Vec::new(), missed: 0, before: BEFORE, newest: 0, met: 0 }
    }
}

impl Rows {
    /// Reads an object of a known shape whose type takes its values.
    pub fn read(&mut self, object: &[u8]) -> Option<Row> {
        if self.shapes.is_empty() {
            return None;
        }
        let text = plain(object)?;
        let mut scan = Scan::of_short_numbers(object);
        let mut values = String::new();
        let mut shapes = self.shapes.iter();
        let at = shapes.position(|shape| shape.read(text, &mut scan, &mut values).is_some())?;
        self.shapes[..=at].rotate_right(1);
        let shape = Arc::clone(&self.shapes[0]);
        if shape.number == self.newest {
            self.met = self.met.saturating_add(1);
            if self.met == BEFORE {
                self.before = BEFORE;
            }
        }
        Some(Row { shape, values, is_ascii: text.is_ascii() })
    }

    /// Hears of an object that was not read and is one of the type, which says of a text whether it takes it.
    pub fn learn(&mut self, object: &[u8], takes: &dyn Fn(&str) -> bool) {
        self.missed += 1;
        if self.missed < self.before {
            return;
        }
        self.missed = 0;
        self.before = BEFORE_AT_MOST.min(self.before * 2);
        let Some(mut shape) = RowShape::learned(object, true, takes) else { return };
        // Objects within it have other keys each time, as those have where users keep what they like.
        if self.shapes.iter().any(|known| known.own == shape.own) {
            let Some(without) = RowShape::learned(object, false, takes) else { return };
            shape = without;
        }
        (self.newest, self.met) = (shape.number, 0);
        self.shapes.truncate(KEPT - 1);
        self.shapes.insert(0, Arc::new(shape));
    }
}

/// The text of an object, if there is nothing in it that might not be what it seems: a character by its number may be half of
/// one, or spell a name in another way, and one name means something to `serde_json` wherever it stands.
fn plain(object: &[u8]) -> Option<&str> {
    if memchr2(b'\\', b'$', object).is_some()
        && [&b"\\u"[..], b"$serde_json"].iter().any(|odd| memmem::find(object, odd).is_some())
    {
        return None;
    }
    std::str::from_utf8(object).ok()
}

impl RowShape {
    fn learned(object: &[u8], goes_in: bool, takes: &dyn Fn(&str) -> bool) -> Option<Self> {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let text = plain(object)?;
        let mut scan = Scan::of_short_numbers(object);
        let (path, fields, lead, json, own) = Default::default();
        let mut learning = Learning { goes_in, takes, path, fields, lead, json, own };
        learning.object(&mut scan)?;
        let Learning { fields, lead: end, json, own, .. } = learning;
        if fields.is_empty() {
            return None;
        }
        let json = String::from_utf8(json).ok()?;
        let number = LAST.fetch_add(1, Relaxed);
        let shape = Self { number, json, fields, end, own };
        // It may have values of which the examples say nothing.
        shape.read(text, &mut scan, &mut String::new()).is_some().then_some(shape)
    }

    /// Puts the values of an object of this shape in place of those that another one found.
    fn read(&self, text: &str, scan: &mut Scan<'_>, values: &mut String) -> Option<()> {
        scan.at = 0;
        values.clear();
        for field in &self.fields {
            field.pass_lead(scan)?;
            let start = scan.at;
            field.takes.pass(scan, field.depth)?;
            if values.is_empty() {
                // Once for all shapes, and not where none has the object's first key.
                values.reserve_exact(text.len());
            } else {
                values.push(',');
            }
            values.push_str(&text[start..scan.at]);
        }
        scan.word(&self.end)?;
        scan.is_at_end().then_some(())
    }

    /// How many values an object has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.fields.len()
    }
}

impl Field {
    #[inline]
    fn pass_lead(&self, scan: &mut Scan<'_>) -> Option<()> {
        match &self.start {
            Some(start) if start.pass(scan) => Some(()),
            // It is longer, or at the very end of the text.
            _ => scan.word(&self.lead),
        }
    }
}

/// A shape on its way.
struct Learning<'a, 't> {
    goes_in: bool,
    takes: &'t dyn Fn(&str) -> bool,
    /// The keys that lead to what is looked at.
    path: Vec<&'a [u8]>,
    fields: Vec<Field>,
    /// Since the last value.
    lead: Vec<u8>,
    json: Vec<u8>,
    own: Vec<u8>,
}

impl<'a> Learning<'a, '_> {
    fn object(&mut self, scan: &mut Scan<'a>) -> Option<()> {
        self.put(b"{");
        let depth = self.path.len();
        let mut keys: Vec<&[u8]> = Vec::new();
        scan.members(depth, |key, scan| {
            // Twice there is a mistake or the last one; where `data` stands may be all of the object.
            let is_odd = keys.contains(&key) || key.contains(&b'\\');
            if is_odd || depth == 0 && key == br#""data""# || keys.len() == MOST {
                return None;
            }
            if self.json.len() + key.len() > LONGEST {
                return None;
            }
            if !keys.is_empty() {
                self.put(b",");
            }
            keys.push(key);
            if depth == 0 {
                self.own.extend_from_slice(key);
            }
            self.put(key);
            self.put(b":");
            self.path.push(key);
            self.value(scan, depth + 1)?;
            self.path.pop();
            Some(())
        })?;
        self.put(b"}");
        Some(())
    }

    fn value(&mut self, scan: &mut Scan<'a>, depth: usize) -> Option<()> {
        let takes = Kinds::taken(|value| self.is_taken(value));
        if self.goes_in && scan.peek()? == b'{' && takes.has_objects() {
            return self.object(scan);
        }
        scan.value(depth)?;
        if self.fields.len() == MOST {
            return None;
        }
        self.json.extend_from_slice(self.fields.len().to_string().as_bytes());
        let lead = std::mem::take(&mut self.lead);
        self.fields.push(Field { start: Start::of(&lead), lead, takes, depth });
        Some(())
    }

    /// Whether the type takes an object with this value in this place, and an id.
    fn is_taken(&self, value: &str) -> bool {
        let mut text = Vec::with_capacity(64);
        text.push(b'{');
        if self.path != [br#""id""#] {
            text.extend_from_slice(br#""id":"x","#);
        }
        text.extend_from_slice(&self.path.join(&b":{"[..]));
        text.push(b':');
        text.extend_from_slice(value.as_bytes());
        text.resize(text.len() + self.path.len(), b'}');
        std::str::from_utf8(&text).is_ok_and(self.takes)
    }

    fn put(&mut self, part: &[u8]) {
        self.lead.extend_from_slice(part);
        self.json.extend_from_slice(part);
    }
}
