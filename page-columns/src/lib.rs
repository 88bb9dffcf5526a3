//! A page of alike objects with their keys once and the values of each key beside one another, for bindings: V8 parses that and
//! makes objects of it in half the time that it takes to parse them with their keys. One pass reads the page as strictly as serde
//! would, and writes it.
//! What it does not expect it leaves alone, for a reader that says what is wrong with it, if anything.
//!
//! It stands by itself because of its speed: where all else is built for size, this is not. Its tests are in `storycore`,
//! which compares it with serde.

use memchr::memchr2;

/// Beyond so many keys V8 keeps objects as dictionaries anyway.
const MOST_KEYS: usize = 128;
/// Fewer objects are not worth it.
const FEWEST: usize = 4;
/// As many objects as a page may have on the platform.
const USUAL: usize = 100;
/// Values within values; what is deeper is for a reader that has a limit of its own.
const DEEPEST: usize = 64;

/// A page that was written in the other form.
#[derive(Debug)]
pub struct Columns<'a> {
    /// The page with `data` as `[[key…],[value of the first key…],[value of the second…]…]`.
    pub text: Vec<u8>,
    /// How many objects it has.
    pub count: usize,
    /// The value of `pagination` as it stands there: JSON.
    pub pagination: Option<&'a [u8]>,
}

/// Reads a page whose objects have all the same keys in the same order, among them an `id` that is a text.
#[must_use]
pub fn read(page: &[u8]) -> Option<Columns<'_>> {
    let mut scan = Scan { text: page, at: 0, has_control: has_control(page) };
    let mut text = Vec::with_capacity(page.len());
    let (mut copied, mut count) = (0, None);
    let mut pagination = None;
    scan.members(0, |key, scan| match key {
        // It may spell `data` in another way, and of two alike readers take the last.
        _ if key.contains(&b'\\') => None,
        br#""data""# if count.is_none() => {
            text.extend_from_slice(&page[..scan.at]);
            count = Some(scan.columns(&mut text)?);
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
    if !page[scan.at..].trim_ascii().is_empty() {
        return None;
    }
    text.extend_from_slice(&page[copied..]);
    Some(Columns { text, count: count?, pagination })
}

/// Whether a byte is below a space: in a text of JSON none may be. Eight at a time.
fn has_control(text: &[u8]) -> bool {
    const EACH: u64 = u64::MAX / 255;
    let (words, rest) = text.as_chunks::<8>();
    let below = |word: u64| word.wrapping_sub(EACH * 0x20) & !word & (EACH * 0x80);
    words.iter().fold(0, |found, word| found | below(u64::from_le_bytes(*word))) != 0
        || rest.iter().any(|byte| *byte < 0x20)
}

/// Where the first quote or backslash stands. Most texts are short: a search that is made for long ones takes as long to begin
/// as these to end.
fn quote_or_backslash(text: &[u8]) -> Option<usize> {
    const EACH: u64 = u64::MAX / 255;
    const SHORT: usize = 40;
    // The lowest bit that is set is of the first such byte; those above it may be wrong.
    let is = |word: u64, byte: u8| {
        let zero = word ^ (EACH * u64::from(byte));
        zero.wrapping_sub(EACH) & !zero & (EACH << 7)
    };
    let (words, _) = text[..text.len().min(SHORT)].as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = is(word, b'"') | is(word, b'\\');
        if found != 0 {
            return Some(number * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let searched = words.len() * 8;
    memchr2(b'"', b'\\', &text[searched..]).map(|at| searched + at)
}

/// A key of each object.
struct Key<'a> {
    text: &'a [u8],
    /// With what stands around it where there is no white space, as most platforms write.
    led: Vec<u8>,
}

impl<'a> Key<'a> {
    fn new(text: &'a [u8], is_first: bool) -> Self {
        let before: &[u8] = if is_first { b"{" } else { b"," };
        Self { text, led: [before, text, b":"].concat() }
    }
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
            self.at += quote_or_backslash(self.text.get(self.at..)?)?;
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
    fn columns(&mut self, out: &mut Vec<u8>) -> Option<usize> {
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
        let keys: Vec<Key<'a>> =
            keys.iter().enumerate().map(|(place, key)| Key::new(key, place == 0)).collect();
        self.at = first;
        let mut values = Vec::with_capacity(keys.len() * USUAL);
        loop {
            self.object(&keys, id, &mut values)?;
            if !self.goes_on(b']')? {
                break;
            }
        }
        out.extend_from_slice(b"[[");
        for key in &keys {
            out.extend_from_slice(key.text);
            out.push(b',');
        }
        for place in 0..keys.len() {
            close(out, b"],[");
            for value in values[place..].iter().step_by(keys.len()) {
                out.extend_from_slice(value);
                out.push(b',');
            }
        }
        close(out, b"]]");
        let count = values.len() / keys.len();
        (count >= FEWEST).then_some(count)
    }

    /// Reads an object that has just these keys, and adds its values.
    fn object(&mut self, keys: &[Key<'a>], id: usize, values: &mut Vec<&'a [u8]>) -> Option<()> {
        for (place, key) in keys.iter().enumerate() {
            self.key(key, place == 0)?;
            let value = self.value(2)?;
            if place == id && (value[0] != b'"' || value.contains(&b'\\')) {
                return None;
            }
            values.push(value);
        }
        self.expect(b'}')
    }

    /// Goes past a key, and what stands before and behind it.
    #[inline]
    fn key(&mut self, key: &Key<'a>, is_first: bool) -> Option<()> {
        if self.text[self.at..].starts_with(&key.led) {
            self.at += key.led.len();
            return Some(());
        }
        self.expect(if is_first { b'{' } else { b',' })?;
        self.peek()?;
        if !self.text[self.at..].starts_with(key.text) {
            return None;
        }
        self.at += key.text.len();
        self.expect(b':')
    }
}

/// Ends an array whose last comma stands there, and goes on with what follows.
fn close(out: &mut Vec<u8>, end: &[u8]) {
    out.pop();
    out.extend_from_slice(end);
}
