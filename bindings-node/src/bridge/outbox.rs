//! What goes out to one JavaScript environment: answers are written one behind the other into one JSON array,
//! `[id, what, value, id, what, value, …]`, which JavaScript parses at once. An object whose shape JavaScript knows is more than one
//! value: `id, what, place of the shape, value, value, …`. One wake-up of its loop serves all that came
//! until then.

use std::collections::VecDeque;

use bytes::Bytes;
use storycore::{Row, RowShape};

use crate::failure::Failure;

/// A longer text is handed over in parts, so that JavaScript can do something else in between.
/// A page of 100 objects has some 60 KiB; V8 parses several in one text slower than one after another.
const ENOUGH: usize = 48 * 1024;

/// Room that is made for others behind an answer.
const ROOM: usize = 8 * 1024;

/// What a value in the text is, one digit; `lib/bridge.js` has the same numbers.
#[derive(Debug, Clone, Copy)]
enum What {
    /// The call ended with this.
    Result = 0,
    /// The call failed with this.
    Failure = 1,
    /// The call ended with the bytes that stand at this place beside the text.
    Bytes = 2,
    /// The same of a whole answer: `[place, what stands before the body]`.
    Answer = 4,
    /// The call goes on, and tells this of itself.
    Told = 3,
    /// A page whose objects have their keys once, by itself or behind how many are wanted.
    Columns = 5,
    /// What objects have in common that stand behind it in this text or later ones, at this place among all that JavaScript keeps,
    /// and how many values each has: `[place, width, shape]`. No call's.
    Shape = 6,
    /// The call ended with an object of the shape at this place. Its values follow by themselves.
    Row = 7,
}

/// Shapes that JavaScript keeps. Three threads and JavaScript's own read eight types, and know four shapes of each: if there were
/// fewer places, they could be told over and over.
const SHAPES: usize = 128;

/// What a call gives.
#[derive(Debug)]
pub(crate) enum Reply {
    /// JSON as it arrived. It has been read once, so that it is known to be JSON.
    Json(Bytes),
    /// A page whose objects have their keys once, by itself or in an array behind how many of them are wanted.
    Columns(Bytes),
    /// An object without its keys.
    Row(Row),
    /// JSON that was written here.
    Text(String),
    Bytes(Bytes),
    /// JSON about an answer, and its body.
    Answer(String, Bytes),
    Nothing,
}

/// Several answers.
#[derive(Default)]
pub(crate) struct Batch {
    text: String,
    /// Of `text`; known here, it is not looked for on JavaScript's thread.
    is_not_ascii: bool,
    pub(crate) buffers: Vec<Bytes>,
    /// Calls that end with it.
    pub(crate) ended: usize,
}

impl Batch {
    fn add(&mut self, id: u32, what: What, value: &str) {
        self.begin(id, what, value.len());
        self.text.push_str(value);
        self.is_not_ascii |= !value.is_ascii();
    }

    /// All but the value, which has so many bytes.
    fn begin(&mut self, id: u32, what: What, length: usize) {
        // With room for the end: a page would be copied for one byte more. Where a second answer came others do.
        let needed = length + 32;
        if self.text.capacity() - self.text.len() < needed {
            let others = if self.text.is_empty() { 0 } else { ROOM };
            self.text.reserve(needed + others);
        }
        self.text.push(if self.text.is_empty() { '[' } else { ',' });
        self.add_number(id);
        self.text.push(',');
        self.text.push(char::from(b'0' + what as u8));
        self.text.push(',');
        self.ended += usize::from(!matches!(what, What::Told | What::Shape));
    }

    fn add_shape(&mut self, place: usize, shape: &RowShape) {
        // A key has no backslash.
        let json = shape.json.replace('"', "\\\"");
        self.add(0, What::Shape, &format!("[{place},{},\"{json}\"]", shape.width()));
    }

    fn add_row(&mut self, id: u32, shape: usize, row: &Row) {
        self.begin(id, What::Row, row.values.len());
        self.add_number(shape as u32);
        self.text.push(',');
        self.text.push_str(&row.values);
        self.is_not_ascii |= !row.is_ascii;
    }

    /// Without the ado of `write!`, which is as much as all else that is done for an answer here.
    fn add_number(&mut self, number: u32) {
        let mut digits = [0; 10];
        let (mut first, mut left) = (digits.len(), number);
        loop {
            first -= 1;
            digits[first] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        self.text.extend(digits[first..].iter().copied().map(char::from));
    }

    fn add_bytes(&mut self, id: u32, what: What, value: &[u8]) {
        match std::str::from_utf8(value) {
            Ok(text) => self.add(id, what, text),
            // The client read it as JSON, and passed over texts in it that nobody asked for.
            Err(_) => {
                let told = r#"{"kind":"decode","message":"the answer is no UTF-8"}"#;
                self.add(id, What::Failure, told);
            }
        }
    }

    /// The whole array, and whether it is ASCII.
    pub(crate) fn text(&mut self) -> (String, bool) {
        self.text.push_str(if self.text.is_empty() { "[]" } else { "]" });
        (std::mem::take(&mut self.text), !self.is_not_ascii)
    }
}

/// The answers that wait to be fetched.
#[derive(Default)]
pub(crate) struct Outbox {
    batches: VecDeque<Batch>,
    /// The numbers of the shapes that JavaScript was told, at their places. Texts are read in the order in which they were written.
    shapes: Vec<u32>,
    /// Where the next one stands, in place of the oldest.
    next_shape: usize,
    /// Whether the environment was told to fetch.
    pub(crate) is_told: bool,
}

impl Outbox {
    fn batch(&mut self) -> &mut Batch {
        if self.batches.back().is_none_or(|batch| batch.text.len() >= ENOUGH) {
            self.batches.push_back(Batch::default());
        }
        self.batches.back_mut().expect("one was put there")
    }

    /// How a call ended.
    pub(crate) fn end(&mut self, id: u32, outcome: Result<Reply, Failure>) {
        let shape = match &outcome {
            Ok(Reply::Row(row)) => self.place(&row.shape),
            _ => 0,
        };
        let batch = self.batch();
        match outcome {
            Ok(Reply::Row(row)) => batch.add_row(id, shape, &row),
            Ok(Reply::Json(json)) => batch.add_bytes(id, What::Result, &json),
            Ok(Reply::Columns(json)) => batch.add_bytes(id, What::Columns, &json),
            Ok(Reply::Text(json)) => batch.add(id, What::Result, &json),
            Ok(Reply::Nothing) => batch.add(id, What::Result, "null"),
            Ok(Reply::Bytes(bytes)) => {
                let place = batch.buffers.len().to_string();
                batch.buffers.push(bytes);
                batch.add(id, What::Bytes, &place);
            }
            Ok(Reply::Answer(head, bytes)) => {
                let value = format!("[{},{head}]", batch.buffers.len());
                batch.buffers.push(bytes);
                batch.add(id, What::Answer, &value);
            }
            Err(failure) => batch.add(id, What::Failure, &failure.to_json()),
        }
    }

    /// Where JavaScript has this shape, which it is told of the first time.
    fn place(&mut self, shape: &RowShape) -> usize {
        if let Some(place) = self.shapes.iter().position(|known| *known == shape.number) {
            return place;
        }
        let place = self.next_shape;
        self.next_shape = (place + 1) % SHAPES;
        match self.shapes.get_mut(place) {
            Some(oldest) => *oldest = shape.number,
            None => self.shapes.push(shape.number),
        }
        self.batch().add_shape(place, shape);
        place
    }

    /// What a call tells of itself while it goes on.
    pub(crate) fn tell(&mut self, id: u32, json: &str) {
        self.batch().add(id, What::Told, json);
    }

    pub(crate) fn take(&mut self) -> Option<Batch> {
        self.batches.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }
}
