//! Goes through a text of JSON as strictly as serde would, and gives its values as they stand there.

use memchr::memchr2;

/// Values within values; what is deeper is for a reader that has a limit of its own.
const DEEPEST: usize = 64;

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
    const NEAR: usize = 40;
    // The lowest bit that is set is of the first such byte; those above it may be wrong.
    let is = |word: u64, byte: u8| {
        let zero = word ^ (EACH * u64::from(byte));
        zero.wrapping_sub(EACH) & !zero & (EACH << 7)
    };
    let (words, _) = text[..text.len().min(NEAR)].as_chunks::<8>();
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

pub(crate) struct Scan<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) at: usize,
    /// Of the whole text, white space included.
    has_control: bool,
    /// Numbers are taken only where every reader takes them.
    short_numbers: bool,
}

/// Bytes of a number that is none of the largest or smallest.
const SHORT: usize = 19;

impl<'a> Scan<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, has_control: has_control(text), short_numbers: false }
    }

    /// The same for what is read into numbers: one with an exponent may be beyond them.
    pub(crate) fn of_short_numbers(text: &'a [u8]) -> Self {
        Self { short_numbers: true, ..Self::new(text) }
    }

    /// Whether nothing but white space follows.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// The next byte that is no white space.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        while let b' ' | b'\n' | b'\r' | b'\t' = *self.text.get(self.at)? {
            self.at += 1;
        }
        Some(self.text[self.at])
    }

    pub(crate) fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Goes past what stands here, if it does.
    #[inline]
    pub(crate) fn word(&mut self, word: &[u8]) -> Option<()> {
        self.text[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    /// A text with its quotes, as it stands there. Its first quote is here.
    #[inline]
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        self.at += 1;
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
        (!self.has_control || string.iter().all(|byte| *byte >= b' ')).then_some(string)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
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
        if self.short_numbers && self.at - start > SHORT {
            return None;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            if self.short_numbers {
                return None;
            }
            self.at += 1;
            if let Some(b'+' | b'-') = self.text.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    /// Any value, as it stands there.
    pub(crate) fn value(&mut self, depth: usize) -> Option<&'a [u8]> {
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
    #[inline]
    pub(crate) fn goes_on(&mut self, end: u8) -> Option<bool> {
        let next = self.peek()?;
        self.at += 1;
        (next == b',' || next == end).then_some(next == b',')
    }

    /// Goes through an object: `each` is given a key, and stands before its value.
    pub(crate) fn members(
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
            let key = (self.peek()? == b'"').then(|| self.string())??;
            self.expect(b':')?;
            self.peek()?;
            each(key, self)?;
            if !self.goes_on(b'}')? {
                return Some(());
            }
        }
    }
}
