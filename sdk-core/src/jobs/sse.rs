//! Reading Server-Sent Events (WHATWG HTML, 9.2) piece by piece: bytes in, events out, no I/O.

/// The longest line and the longest event that are read; what is longer is no event of ours.
const MAX_EVENT: usize = 1024 * 1024;

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SseEvent {
    /// The `id` that came with it. By WHATWG one without inherits that of the event before, and could then not be told
    /// from it by whoever drops what was seen.
    pub(crate) id: Option<String>,
    /// Its name; `message` where none was given.
    pub(crate) name: String,
    pub(crate) data: String,
}

/// What of a stream has been read so far.
#[derive(Debug, Default)]
pub(crate) struct SseParser {
    line: Vec<u8>,
    /// A line ended with a carriage return, of which a line feed may be part.
    after_return: bool,
    begun: bool,
    id: Option<String>,
    name: String,
    data: String,
    has_data: bool,
    /// What `retry` asked for, in milliseconds.
    pub(crate) retry_ms: Option<u64>,
}

/// A stream that holds no events.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl SseParser {
    /// Reads a piece and gives the events that it completed.
    pub(crate) fn feed(&mut self, piece: &[u8]) -> Result<Vec<SseEvent>, TooLong> {
        let mut events = Vec::new();
        for &byte in piece {
            match byte {
                b'\n' if self.after_return => self.after_return = false,
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    events.extend(self.end_line());
                }
                _ => {
                    self.after_return = false;
                    self.line.push(byte);
                    if self.line.len() + self.data.len() > MAX_EVENT {
                        return Err(TooLong);
                    }
                }
            }
        }
        Ok(events)
    }

    /// A parser for the next connection of the same stream.
    pub(crate) fn reconnected(&self) -> Self {
        Self { retry_ms: self.retry_ms, ..Self::default() }
    }

    fn end_line(&mut self) -> Option<SseEvent> {
        let line = std::mem::take(&mut self.line);
        let mut line = &*String::from_utf8_lossy(&line);
        if !self.begun {
            self.begun = true;
            line = line.strip_prefix('\u{feff}').unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if self.has_data {
                    self.data.push('\n');
                }
                self.has_data = true;
                self.data.push_str(value);
            }
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "retry" => self.retry_ms = value.parse().ok().or(self.retry_ms),
            // A comment, or a field that is not known.
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<SseEvent> {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        std::mem::take(&mut self.has_data).then(|| SseEvent {
            id: self.id.take().filter(|id| !id.is_empty()),
            name: if name.is_empty() { "message".to_owned() } else { name },
            data,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(Option<String>, String, String)> {
        let events = SseParser::default().feed(text.as_bytes()).unwrap();
        events.into_iter().map(|e| (e.id, e.name, e.data)).collect()
    }

    #[test]
    fn events_comments_and_line_ends_are_read() {
        let event = |id: Option<&str>, name: &str, data: &str| {
            (id.map(str::to_owned), name.to_owned(), data.to_owned())
        };
        let text = "\u{feff}: hello\r\nid: 1\r\nevent: a\r\ndata: x\r\ndata:y\r\n\r\ndata: z\n\nid\ndata\n\nevent: b\n\n";
        assert_eq!(
            read(text),
            [
                event(Some("1"), "a", "x\ny"),
                event(None, "message", "z"),
                event(None, "message", "")
            ]
        );
        assert_eq!(read("data: cut off"), []);
    }

    #[test]
    fn an_endless_line_is_refused() {
        assert_eq!(SseParser::default().feed(&vec![b'x'; MAX_EVENT + 1]), Err(TooLong));
    }

    #[test]
    fn pieces_do_not_matter_and_no_bytes_make_it_panic() {
        let byte = prop_oneof![Just(b'\n'), Just(b'\r'), Just(b':'), Just(b'd'), any::<u8>()];
        let input = (proptest::collection::vec(byte, 0..200), 0_usize..200);
        crate::for_a_while::for_a_while(&input, |(bytes, cut)| {
            let whole = SseParser::default().feed(&bytes).unwrap();
            let mut parser = SseParser::default();
            let cut = cut.min(bytes.len());
            let mut parts = parser.feed(&bytes[..cut]).unwrap();
            parts.extend(parser.feed(&bytes[cut..]).unwrap());
            prop_assert_eq!(whole, parts);
            Ok(())
        });
    }
}
