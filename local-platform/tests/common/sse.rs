//! A listener to Server-Sent Events that keeps every line as it came.

use futures_util::{Stream, StreamExt as _};
use reqwest::Method;
use serde_json::Value;

use super::media::{Api, DEADLINE};

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub id: i64,
    pub name: String,
    pub data: Value,
}

/// What came: an event, or a comment.
#[derive(Debug)]
pub enum Item {
    Event(Event),
    Comment,
}

pub struct Events {
    body: std::pin::Pin<Box<dyn Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    text: String,
}

impl Events {
    pub async fn of(api: &Api, job: &str, last: Option<i64>) -> Self {
        let mut request = api.request(Method::GET, &format!("/api/jobs/{job}/events"));
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: Box::pin(response.bytes_stream()), text: String::new() }
    }

    /// The next item; nothing when the stream has ended or broken.
    pub async fn item(&mut self) -> Option<Item> {
        let next = async {
            loop {
                if let Some((block, rest)) = self.text.split_once("\n\n") {
                    let item = parse(block);
                    self.text = rest.to_owned();
                    return Some(item);
                }
                let piece = self.body.next().await?.ok()?;
                self.text.push_str(std::str::from_utf8(&piece).unwrap());
            }
        };
        tokio::time::timeout(DEADLINE, next).await.expect("nothing comes")
    }

    /// The next event.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.item().await? {
                Item::Event(event) => return Some(event),
                Item::Comment => {}
            }
        }
    }

    /// All events to the stream's end.
    pub async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

fn parse(block: &str) -> Item {
    let field = |name: &str| {
        block
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim_start))
    };
    match field("data") {
        None => {
            assert!(block.lines().all(|line| line.starts_with(':')), "{block:?}");
            Item::Comment
        }
        Some(data) => Item::Event(Event {
            id: field("id").unwrap().parse().unwrap(),
            name: field("event").unwrap().to_owned(),
            data: serde_json::from_str(data).unwrap(),
        }),
    }
}
