//! What happens to a job, as a stream: reconnecting with `Last-Event-ID`, dropping what was seen before.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{FutureExt as _, Stream, future::BoxFuture};
use http::{HeaderName, HeaderValue, Method, header};

use super::sse::{SseEvent, SseParser};
use crate::{
    client::Client,
    decode,
    error::{Error, ErrorKind},
    models::{Job, JobEvent},
    transport::{Request, Response},
};

/// Reconnections without a single event between them after which the stream gives up.
const MOST_RECONNECTIONS: u32 = 5;
/// The wait before a reconnection, where the stream asked for none.
const RECONNECT_AFTER: Duration = Duration::from_millis(500);
/// The longest silence; the platform sends a comment every 15 s.
const SILENCE: Duration = Duration::from_secs(45);

/// The events of one job, as a [`Stream`] that ends with the job.
#[must_use = "a stream does nothing until it is polled"]
pub struct JobEvents {
    state: Option<Connection>,
    step: Option<Step>,
}

/// The way to the next event, and what is needed to go on from there.
type Step = BoxFuture<'static, (Connection, Option<Result<JobEvent, Error>>)>;

impl std::fmt::Debug for JobEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobEvents").finish_non_exhaustive()
    }
}

/// The connection and what of it was seen.
struct Connection {
    client: Client,
    path: Result<String, Option<Error>>,
    open: Option<Response>,
    parser: SseParser,
    ready: VecDeque<SseEvent>,
    last_id: Option<String>,
    reconnections: u32,
    ended: bool,
    /// How long nothing may come, not even a comment, and whether that is the end or a broken connection.
    silence: Duration,
    silence_ends: bool,
}

impl JobEvents {
    pub(crate) fn new(client: &Client, path: Result<String, Error>) -> Self {
        let connection = Connection {
            client: client.clone(),
            path: path.map_err(Some),
            open: None,
            parser: SseParser::default(),
            ready: VecDeque::new(),
            last_id: None,
            reconnections: 0,
            ended: false,
            silence: SILENCE,
            silence_ends: false,
        };
        Self { state: Some(connection), step: None }
    }

    /// Ends with a `timeout` after this much silence, in place of connecting again.
    pub(crate) fn ending_after(mut self, silence: Duration) -> Self {
        if let Some(connection) = &mut self.state {
            (connection.silence, connection.silence_ends) = (silence, true);
        }
        self
    }

    /// The next event, or nothing when the job has ended.
    ///
    /// # Errors
    /// As every call; and `connection` when the stream breaks again and again.
    pub async fn next_event(&mut self) -> Result<Option<JobEvent>, Error> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await.transpose()
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<JobEvent, Error>>> {
        if self.step.is_none() {
            let Some(mut connection) = self.state.take() else { return Poll::Ready(None) };
            self.step = Some(
                async move {
                    let next = connection.next().await;
                    (connection, next)
                }
                .boxed(),
            );
        }
        let Some(step) = &mut self.step else { return Poll::Ready(None) };
        let Poll::Ready((connection, next)) = step.as_mut().poll(cx) else { return Poll::Pending };
        self.step = None;
        self.state = Some(connection);
        Poll::Ready(next)
    }
}

impl Stream for JobEvents {
    type Item = Result<JobEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx)
    }
}

impl Connection {
    async fn next(&mut self) -> Option<Result<JobEvent, Error>> {
        loop {
            if self.ended {
                return None;
            }
            if let Some(event) = self.ready.pop_front() {
                match self.take(event) {
                    Some(Ok(event)) => return Some(Ok(event)),
                    None => continue,
                    Some(Err(error)) => return self.end(error),
                }
            }
            if self.open.is_none()
                && let Err(error) = self.connect().await
            {
                return self.end(error);
            }
            if let Err(error) = self.read().await {
                self.open = None;
                self.reconnections += 1;
                let fell_silent = self.silence_ends && error.kind() == ErrorKind::Timeout;
                if fell_silent || self.reconnections > MOST_RECONNECTIONS {
                    return self.end(error);
                }
                let wait = self
                    .parser
                    .retry_ms
                    .map_or(RECONNECT_AFTER, |ms| Duration::from_millis(ms.min(60_000)));
                tokio::time::sleep(wait).await;
            }
        }
    }

    fn end(&mut self, error: Error) -> Option<Result<JobEvent, Error>> {
        self.ended = true;
        Some(Err(error))
    }

    async fn connect(&mut self) -> Result<(), Error> {
        let path = match &mut self.path {
            Ok(path) => path.clone(),
            Err(error) => return Err(error.take().unwrap_or_else(|| Error::config("no path"))),
        };
        let mut request = Request::new(Method::GET, "/jobs/{id}/events", path)
            .header(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(id) = self.last_id.as_ref().and_then(|id| HeaderValue::from_str(id).ok()) {
            request = request.header(HeaderName::from_static("last-event-id"), id);
        }
        let response = self.client.transport().open(&request, self.client.options()).await?;
        let kind = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default();
        if !kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream") {
            return Err(Error::new(ErrorKind::Decode, "the answer is no stream of events")
                .with_status(response.status().as_u16()));
        }
        // `retry` outlives a connection; half a line does not.
        self.parser = self.parser.reconnected();
        self.open = Some(response);
        Ok(())
    }

    /// Reads until there is an event; an error when the connection ended without one.
    async fn read(&mut self) -> Result<(), Error> {
        let broken =
            |why: &str| Error::new(ErrorKind::Connection, format!("the stream of events {why}"));
        while self.ready.is_empty() {
            let Some(open) = &mut self.open else { return Err(broken("is not open")) };
            let piece = tokio::time::timeout(self.silence, open.chunk())
                .await
                .map_err(|_| Error::new(ErrorKind::Timeout, "the stream of events fell silent"))?
                .map_err(|e| broken("broke").with_source(e))?;
            let Some(piece) = piece else { return Err(broken("ended before the job did")) };
            let events = self.parser.feed(&piece).map_err(|_| broken("holds what is no event"))?;
            self.ready.extend(events);
        }
        Ok(())
    }

    /// The event to give out; nothing for one that was seen before.
    fn take(&mut self, event: SseEvent) -> Option<Result<JobEvent, Error>> {
        if event.id.is_some() && self.seen(event.id.as_deref()) {
            return None;
        }
        if event.id.is_some() {
            self.last_id.clone_from(&event.id);
        }
        self.reconnections = 0;
        let job: Job = match decode::object(event.data.as_bytes()) {
            Ok(job) => job,
            Err(error) => return Some(Err(error)),
        };
        self.ended =
            matches!(event.name.as_str(), "job.completed" | "job.failed" | "job.cancelled");
        Some(Ok(JobEvent { id: event.id, kind: event.name, job }))
    }

    /// Whether an event with this id was given out: ids that are numbers rise, others are only compared with the last.
    fn seen(&self, id: Option<&str>) -> bool {
        let number = |text: &str| text.parse::<u64>().ok();
        match (id, self.last_id.as_deref()) {
            (Some(id), Some(last)) => match (number(id), number(last)) {
                (Some(id), Some(last)) => id <= last,
                _ => id == last,
            },
            _ => false,
        }
    }
}
