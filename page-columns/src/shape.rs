//! What alike objects have in common: their keys in their order, and those of the objects in them.

use crate::scan::Scan;

/// Beyond so many keys V8 keeps objects as dictionaries anyway.
const MOST: usize = 128;

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

/// Keys, and what stands around them.
#[derive(Default)]
struct Lead<'a> {
    parts: Vec<&'a [u8]>,
    /// Of the value that it leads to.
    depth: usize,
    /// All of it where there is no white space, as most platforms write, if it has no more than `FEW` bytes; and a 1 in each bit
    /// of those that it has.
    whole: [u8; FEW],
    counts: [u8; FEW],
    /// How many it has; nothing if they are more.
    length: Option<usize>,
}

impl<'a> Lead<'a> {
    /// To be made whole once nothing more is added.
    fn made(mut self) -> Self {
        let whole = self.parts.concat();
        if whole.len() <= FEW {
            self.whole[..whole.len()].copy_from_slice(&whole);
            self.counts[..whole.len()].fill(u8::MAX);
            self.length = Some(whole.len());
        }
        self
    }

    /// Goes past it.
    #[inline]
    fn pass(&self, scan: &mut Scan<'a>) -> Option<()> {
        if let (Some(here), Some(length)) = (scan.text[scan.at..].first_chunk(), self.length)
            && self.is(here)
        {
            scan.at += length;
            return Some(());
        }
        self.pass_parts(scan)
    }

    fn is(&self, here: &[u8; FEW]) -> bool {
        let each = here.iter().zip(&self.whole).zip(&self.counts);
        each.fold(0, |others, ((here, byte), counts)| others | (here ^ byte) & counts) == 0
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
