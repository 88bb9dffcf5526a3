//! What alike objects have in common: their keys in their order, and those of the objects in them.

use crate::scan::Scan;

/// Beyond so many keys V8 keeps objects as dictionaries anyway.
pub(crate) const MOST: usize = 128;

/// An object without its values.
pub(crate) struct Shape<'a> {
    /// What leads to each value.
    leads: Vec<Lead<'a>>,
    /// What stands behind the last one.
    end: Lead<'a>,
    /// Which value is the `id`.
    id: Option<usize>,
    /// How many keys, those of objects in it included.
    keys: usize,
    /// As JSON, with the number of each value in its place.
    pub(crate) json: Vec<u8>,
}

/// Most keys fit, with what stands around them: so many bytes are compared in a few steps, which is always as many.
const FEW: usize = 32;

/// A beginning of no more than `FEW` bytes.
#[derive(Debug)]
pub(crate) struct Start {
    /// Eight bytes each: single ones the compiler compares one by one.
    whole: [u64; FEW / 8],
    /// A 1 in each bit of those bytes that it has.
    counts: [u64; FEW / 8],
    length: usize,
}

impl Start {
    /// Nothing if there are more.
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        let (mut whole, mut counts) = ([0; FEW], [0; FEW]);
        whole.get_mut(..text.len())?.copy_from_slice(text);
        counts[..text.len()].fill(u8::MAX);
        Some(Self { whole: words(&whole), counts: words(&counts), length: text.len() })
    }

    /// Goes past it if it stands here, and not at the very end of the text.
    #[inline]
    pub(crate) fn pass(&self, scan: &mut Scan<'_>) -> bool {
        let is_here = scan.text[scan.at..].first_chunk().is_some_and(|here| self.is(here));
        if is_here {
            scan.at += self.length;
        }
        is_here
    }

    #[inline]
    fn is(&self, here: &[u8; FEW]) -> bool {
        let here = words(here);
        let each = here.iter().zip(&self.whole).zip(&self.counts);
        each.fold(0, |others, ((here, word), counts)| others | (here ^ word) & counts) == 0
    }
}

#[inline]
fn words(bytes: &[u8; FEW]) -> [u64; FEW / 8] {
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|at| u64::from_le_bytes(words[at]))
}

/// Keys, and what stands around them.
#[derive(Default)]
struct Lead<'a> {
    parts: Vec<&'a [u8]>,
    /// Of the value that it leads to.
    depth: usize,
    /// All of it where there is no white space, as most platforms write.
    start: Option<Start>,
}

impl<'a> Lead<'a> {
    /// To be made whole once nothing more is added.
    fn made(mut self) -> Self {
        self.start = Start::of(&self.parts.concat());
        self
    }

    /// Goes past it.
    #[inline]
    fn pass(&self, scan: &mut Scan<'a>) -> Option<()> {
        match &self.start {
            Some(start) if start.pass(scan) => Some(()),
            _ => self.pass_parts(scan),
        }
    }

    /// With white space in it, or at the very end of the text.
    #[cold]
    fn pass_parts(&self, scan: &mut Scan<'a>) -> Option<()> {
        self.parts.iter().try_for_each(|part| {
            scan.peek()?;
            scan.word(part)
        })
    }
}

impl<'a> Shape<'a> {
    /// Reads that of the object that stands here. Without `goes_in` an object in it is a value like another.
    pub(crate) fn read(scan: &mut Scan<'a>, goes_in: bool) -> Option<Self> {
        let (leads, end, json) = (Vec::new(), Lead::default(), Vec::new());
        let mut shape = Self { leads, end, id: None, keys: 0, json };
        shape.object(scan, 1, goes_in)?;
        shape.end = shape.end.made();
        shape.id.is_some().then_some(shape)
    }

    fn object(&mut self, scan: &mut Scan<'a>, depth: usize, goes_in: bool) -> Option<()> {
        self.put(b"{");
        let mut is_first = true;
        scan.members(depth, |key, scan| {
            self.keys += 1;
            // With an escape it may be another one in disguise.
            if self.keys > MOST || key.contains(&b'\\') {
                return None;
            }
            if !std::mem::take(&mut is_first) {
                self.put(b",");
            }
            self.put(key);
            self.put(b":");
            let is_id = depth == 1 && key == br#""id""#;
            if goes_in && scan.peek()? == b'{' && !is_id {
                return self.object(scan, depth + 1, goes_in);
            }
            let number = self.leads.len();
            if is_id && self.id.replace(number).is_some() {
                return None;
            }
            scan.value(depth + 1)?;
            self.json.extend_from_slice(number.to_string().as_bytes());
            let lead = Lead { depth: depth + 1, ..std::mem::take(&mut self.end) };
            self.leads.push(lead.made());
            Some(())
        })?;
        self.put(b"}");
        Some(())
    }

    fn put(&mut self, part: &'a [u8]) {
        self.end.parts.push(part);
        self.json.extend_from_slice(part);
    }

    /// How many values an object has.
    pub(crate) fn width(&self) -> usize {
        self.leads.len()
    }

    /// Reads an object of this shape, and adds its values.
    pub(crate) fn values(&self, scan: &mut Scan<'a>, values: &mut Vec<&'a [u8]>) -> Option<()> {
        let first = values.len();
        for lead in &self.leads {
            lead.pass(scan)?;
            values.push(if scan.peek()? == b'"' {
                scan.string()?
            } else {
                scan.value(lead.depth)?
            });
        }
        let id = values[first + self.id?];
        // With an escape it may be no text at all: half of a pair.
        if id[0] != b'"' || id.contains(&b'\\') {
            return None;
        }
        self.end.pass(scan)
    }
}
