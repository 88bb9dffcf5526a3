//! Lists that go on by themselves: streams of pages and of items. While one page is read those after it are on their way,
//! one at first and up to four while the reader keeps up. Nothing is spawned: the stream drives what it asked for.

mod columns;
mod items;
#[cfg(test)]
mod tests;

use std::{
    any::Any,
    collections::VecDeque,
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{Stream, StreamExt as _, future::BoxFuture, stream::FuturesOrdered};
use serde::de::DeserializeOwned;

pub use items::Items;

use crate::{
    client::Client,
    decode,
    error::{Error, ErrorKind},
    models::{ListParams, Page, Pagination, RawPage},
    options::RawResponse,
    transport::Request,
};

/// The most that the platform gives in a page.
const LARGEST: u32 = 100;
/// Pages that are asked for at a time, at most: enough to hide the network's latency behind the reading.
const MOST_AHEAD: usize = 4;

/// Asks for one page.
pub(crate) async fn page<T: DeserializeOwned>(
    client: &Client,
    template: &'static str,
    path: Result<String, Error>,
    params: &ListParams,
) -> Result<Page<T>, Error> {
    read(client.options().raw_pages, first(client, template, path, params).await?)
}

async fn first(
    client: &Client,
    template: &'static str,
    path: Result<String, Error>,
    params: &ListParams,
) -> Result<RawResponse, Error> {
    let path = path?;
    check(params)?;
    let most = params.max_items.map(|most| u32::try_from(most).unwrap_or(u32::MAX).min(LARGEST));
    let limit = [params.page_size, most].into_iter().flatten().min();
    ask(client, template, path, params, limit, params.offset.unwrap_or(0)).await
}

/// The platform would refuse it too, and call it by its own name, `limit`.
fn check(params: &ListParams) -> Result<(), Error> {
    match params.page_size {
        Some(size) if !(1..=LARGEST).contains(&size) => {
            let message = format!("page_size must be from 1 to {LARGEST}, not {size}");
            Err(Error::new(ErrorKind::InvalidRequest, message).with_param("page_size"))
        }
        _ => Ok(()),
    }
}

async fn ask(
    client: &Client,
    template: &'static str,
    path: String,
    params: &ListParams,
    limit: Option<u32>,
    offset: u64,
) -> Result<RawResponse, Error> {
    let query = params.query(offset, limit);
    let request = Request::new(http::Method::GET, template, path).query(query);
    client.send(&request).await
}

fn read<T: DeserializeOwned>(raw: bool, answer: RawResponse) -> Result<Page<T>, Error> {
    if raw {
        let (pagination, raw) = read_raw(answer)?;
        return Ok(Page { data: Vec::new(), pagination, raw: Some(raw) });
    }
    decode::whole(&answer.body).map_err(|e| decode::from(e, &answer))
}

fn read_raw(answer: RawResponse) -> Result<(Pagination, RawPage), Error> {
    if let Some(columns) = columns::read(&answer.body) {
        let raw =
            RawPage { json: columns.text.into(), wanted: columns.count, keys_stand_once: true };
        return Ok((columns.pagination, raw));
    }
    let page: Page<Named> = decode::whole(&answer.body).map_err(|e| decode::from(e, &answer))?;
    let wanted = page.data.len();
    Ok((page.pagination, RawPage { json: answer.body, wanted, keys_stand_once: false }))
}

/// All that must be in every object.
#[derive(serde::Deserialize)]
struct Named {
    #[serde(rename = "id")]
    _id: String,
}

/// A page whatever its objects are, so that going on is compiled once for all lists.
struct AnyPage {
    pagination: Pagination,
    page: Box<dyn Whole>,
}

/// What a list does with a page.
trait Whole: Send {
    fn count(&self) -> usize;
    /// Keeps the first ones alone.
    fn cut(&mut self, most: usize);
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<T: Send + 'static> Whole for Page<T> {
    fn count(&self) -> usize {
        self.raw.as_ref().map_or(self.data.len(), |raw| raw.wanted)
    }

    fn cut(&mut self, most: usize) {
        self.data.truncate(most);
        if let Some(raw) = &mut self.raw {
            raw.wanted = raw.wanted.min(most);
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl AnyPage {
    fn of<T: Send + 'static>(page: Page<T>) -> Self {
        Self { pagination: page.pagination, page: Box::new(page) }
    }

    fn typed<T: 'static>(self) -> Page<T> {
        *self.page.into_any().downcast().expect("a list has pages of its own type")
    }
}

/// Asks for so many objects from an offset on.
type Fetch = dyn Fn(u32, u64) -> BoxFuture<'static, Result<AnyPage, Error>> + Send + Sync;

/// Every page of a list, as a [`Stream`]. It ends after an error.
///
/// Only `has_more` ends the list, not an empty page.
#[must_use = "a stream does nothing until it is polled"]
pub struct Pages<T> {
    list: List,
    of: PhantomData<fn() -> T>,
}

/// What goes on.
struct List {
    fetch: Arc<Fetch>,
    page_size: u32,
    /// How many more objects are wanted.
    left: Option<u64>,
    on_the_way: FuturesOrdered<BoxFuture<'static, Asked>>,
    arrived: VecDeque<Asked>,
    /// Where the pages that were asked for and not given out begin.
    asked: VecDeque<u64>,
    /// Where the page behind all those asked for begins.
    next_offset: u64,
    /// Where the last page that was given out began.
    given_offset: Option<u64>,
    ahead: usize,
    begun: bool,
    ended: bool,
}

/// A page that was asked for, and where it was to begin.
struct Asked {
    offset: u64,
    page: Result<AnyPage, Error>,
}

impl<T: DeserializeOwned + Send + 'static> Pages<T> {
    pub(crate) fn new(
        client: &Client,
        template: &'static str,
        path: Result<String, Error>,
        params: ListParams,
    ) -> Self {
        let read = |raw, answer| read(raw, answer).map(AnyPage::of::<T>);
        Self { list: List::new(client, template, path, params, read), of: PhantomData }
    }
}

impl<T: Send + 'static> Pages<T> {
    /// The next page, or nothing at the end.
    ///
    /// # Errors
    /// As every call; the list ends with it.
    pub async fn next_page(&mut self) -> Result<Option<Page<T>>, Error> {
        std::future::poll_fn(|cx| self.poll_page(cx)).await.transpose()
    }

    fn poll_page(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Page<T>, Error>>> {
        self.list.poll_page(cx).map_ok(AnyPage::typed)
    }

    /// Moves on what is on the way.
    fn drive(&mut self, cx: &mut Context<'_>) {
        self.list.drive(cx);
    }
}

impl List {
    fn new(
        client: &Client,
        template: &'static str,
        path: Result<String, Error>,
        params: ListParams,
        read: fn(bool, RawResponse) -> Result<AnyPage, Error>,
    ) -> Self {
        let page_size = params.page_size.unwrap_or(LARGEST).max(1);
        let (left, offset) = (params.max_items, params.offset.unwrap_or(0));
        let path = check(&params).and(path);
        let shared = Arc::new((client.clone(), path, params));
        let fetch = move |limit, offset| -> BoxFuture<'static, Result<AnyPage, Error>> {
            let shared = Arc::clone(&shared);
            Box::pin(async move {
                let (client, path, params) = &*shared;
                let asked = ask(client, template, path.clone()?, params, Some(limit), offset);
                read(client.options().raw_pages, asked.await?)
            })
        };
        Self::fetching(Arc::new(fetch), page_size, left, offset)
    }

    fn fetching(fetch: Arc<Fetch>, page_size: u32, left: Option<u64>, offset: u64) -> Self {
        Self {
            fetch,
            page_size,
            left,
            on_the_way: FuturesOrdered::new(),
            arrived: VecDeque::new(),
            asked: VecDeque::new(),
            next_offset: offset,
            given_offset: None,
            ahead: 1,
            begun: false,
            ended: left == Some(0),
        }
    }

    fn poll_page(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<AnyPage, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if !self.begun {
            self.begun = true;
            self.ask();
        }
        self.drive(cx);
        let Some(asked) = self.arrived.pop_front() else { return Poll::Pending };
        let page = self.take(asked);
        match &page {
            // What was just asked for is sent now, while this page is read.
            Ok(_) => self.drive(cx),
            Err(_) => self.end(),
        }
        Poll::Ready(Some(page))
    }

    /// Moves on what is on the way, and keeps what arrived.
    fn drive(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(asked)) = self.on_the_way.poll_next_unpin(cx) {
            self.arrived.push_back(asked);
        }
    }

    /// Asks for the page behind all those asked for.
    fn ask(&mut self) {
        let coming = self.asked.len() as u64 * u64::from(self.page_size);
        let wanted = self.left.map_or(u64::MAX, |left| left.saturating_sub(coming));
        let limit = u32::try_from(wanted).unwrap_or(u32::MAX).min(self.page_size);
        let offset = self.next_offset;
        self.next_offset = offset.saturating_add(u64::from(limit));
        self.asked.push_back(offset);
        let page = (self.fetch)(limit, offset);
        self.on_the_way.push_back(Box::pin(async move { Asked { offset, page: page.await } }));
    }

    /// Drops what was asked for, which stops its requests.
    fn forget(&mut self) {
        self.on_the_way = FuturesOrdered::new();
        self.arrived.clear();
        self.asked.clear();
    }

    fn end(&mut self) {
        self.ended = true;
        self.forget();
    }

    /// Takes over a page, and asks for what is to come after it.
    fn take(&mut self, asked: Asked) -> Result<AnyPage, Error> {
        self.asked.pop_front();
        let mut page = asked.page?;
        let count = page.page.count() as u64;
        if let Some(left) = &mut self.left {
            page.page.cut(usize::try_from(*left).unwrap_or(usize::MAX));
            *left = left.saturating_sub(count);
        }
        let offset = page.pagination.offset;
        if !page.pagination.has_more || self.left == Some(0) {
            self.end();
            return Ok(page);
        }
        // The last page may be one of a platform that does not say where it begins; any other must have been asked for.
        if offset != asked.offset || self.given_offset.is_some_and(|given| offset <= given) {
            let message = format!(
                "the list repeats itself: offset {} was asked for and {offset} came",
                asked.offset
            );
            return Err(Error::new(ErrorKind::Decode, message).with_param("pagination.offset"));
        }
        self.given_offset = Some(offset);
        // An empty page is passed over by the platform's own page size.
        let step = if count > 0 { count } else { page.pagination.limit.max(1) };
        // A platform that gives less than it was asked for goes on doing so.
        if let Ok(limit @ 1..) = u32::try_from(page.pagination.limit) {
            self.page_size = self.page_size.min(limit);
        }
        self.look_ahead(offset.saturating_add(step), page.pagination.total);
        Ok(page)
    }

    /// Asks for pages from `next` on.
    fn look_ahead(&mut self, next: u64, total: u64) {
        // The page had another length than was counted on: what was asked for lies beside what comes next.
        if self.asked.front() != Some(&next) {
            self.forget();
            self.next_offset = next;
        }
        while self.asked.len() < self.ahead {
            // The next page is there for certain, those behind it as far as the list is known to go.
            let coming = self.asked.len() as u64 * u64::from(self.page_size);
            let enough = self.left.is_some_and(|left| coming >= left);
            if coming > 0 && (enough || self.next_offset >= total) {
                break;
            }
            self.ask();
        }
        self.ahead = MOST_AHEAD.min(self.ahead * 2);
    }
}

impl<T: Send + 'static> Stream for Pages<T> {
    type Item = Result<Page<T>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_page(cx)
    }
}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("ended", &self.list.ended).finish_non_exhaustive()
    }
}
