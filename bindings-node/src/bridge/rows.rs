//! A page of alike objects with their keys sent once: V8 makes objects of arrays of values by one constructor in half the
//! time that it takes to parse them with their keys. Pages whose objects differ go as they arrived.

/// Beyond so many keys V8 keeps objects as dictionaries anyway.
const MOST_KEYS: usize = 128;
/// Fewer objects are not worth it.
const FEWEST_ROWS: usize = 4;

/// The page with `data` as `[[key…],[value…],[value…]…]`; nothing when its objects have not all the same keys in the same
/// order. `page` has been read as JSON; what is not is refused likewise.
pub(crate) fn of(page: &[u8]) -> Option<Vec<u8>> {
    let mut scan = Scan { text: page, at: 0 };
    let mut data = None;
    scan.members(|key, scan| {
        let start = scan.at;
        scan.value()?;
        if key == br#""data""# && data.replace(start).is_some() {
            return None; // Twice, of which the last counts.
        }
        Some(())
    })?;
    let start = data?;
    scan.at = start;
    let mut out = Vec::with_capacity(page.len());
    out.extend_from_slice(&page[..start]);
    scan.rows(&mut out)?;
    out.extend_from_slice(&page[scan.at..]);
    Some(out)
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
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

    /// A string with its quotes, as it stands there.
    fn string(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        self.expect(b'"')?;
        loop {
            self.at += memchr::memchr2(b'"', b'\\', self.text.get(self.at..)?)? + 1;
            match self.text[self.at - 1] {
                b'"' => return Some(&self.text[start..self.at]),
                _ => self.at += 1,
            }
        }
    }

    /// Any value, as it stands there.
    fn value(&mut self) -> Option<&'a [u8]> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => return self.string(),
            b'{' | b'[' => {
                let mut depth = 0_usize;
                loop {
                    match *self.text.get(self.at)? {
                        b'"' => {
                            self.string()?;
                            continue;
                        }
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => depth -= 1,
                        _ => {}
                    }
                    self.at += 1;
                    if depth == 0 {
                        break;
                    }
                }
            }
            _ => {
                let is_end =
                    |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
                self.at += self.text[self.at..].iter().position(is_end)?;
            }
        }
        (self.at > start).then(|| &self.text[start..self.at])
    }

    /// Goes through an object: `each` is given a key, and stands before its value.
    fn members(&mut self, mut each: impl FnMut(&'a [u8], &mut Self) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
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
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// Writes an array of alike objects in the other form.
    fn rows(&mut self, out: &mut Vec<u8>) -> Option<()> {
        self.expect(b'[')?;
        let first = self.peek().filter(|byte| *byte == b'{').map(|_| self.at)?;
        let mut keys = Vec::new();
        self.members(|key, scan| {
            keys.push(key);
            scan.value().map(drop)
        })?;
        if keys.is_empty() || keys.len() > MOST_KEYS {
            return None;
        }
        self.at = first;
        out.extend_from_slice(b"[[");
        out.extend_from_slice(&keys.join(&b','));
        out.push(b']');
        let mut rows = 0;
        loop {
            out.extend_from_slice(b",[");
            let mut expected = keys.iter();
            self.members(|key, scan| {
                if expected.len() < keys.len() {
                    out.push(b',');
                }
                (*expected.next()? == key).then_some(())?;
                out.extend_from_slice(scan.value()?);
                Some(())
            })?;
            if expected.len() > 0 {
                return None;
            }
            out.push(b']');
            rows += 1;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    out.push(b']');
                    return (rows >= FEWEST_ROWS).then_some(());
                }
                _ => return None,
            }
            self.peek()?;
        }
    }
}
