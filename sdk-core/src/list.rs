//! Lists that go on by themselves: streams of pages and of items. While one page is read the next one is on its way.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{FutureExt as _, Stream, future::BoxFuture};
use serde::de::DeserializeOwned;

use crate::{
    client::Client,
    decode,
    error::{Error, ErrorKind},
    models::{ListParams, Page},
    transport::Request,
};

/// Asks for one page.
pub(crate) async fn page<T: DeserializeOwned>(
    client: &Client,
    template: &'static str,
    path: String,
    params: &ListParams,
) -> Result<Page<T>, Error> {
    fetch(
        client.clone(),
        template,
        path,
        params.clone(),
        params.offset.unwrap_or(0),
        params.max_items,
    )
    .await
}

async fn fetch<T: DeserializeOwned>(
    client: Client,
    template: &'static str,
    path: String,
    params: ListParams,
    offset: u64,
    most: Option<u64>,
) -> Result<Page<T>, Error> {
    let request = Request::new(http::Method::GET, template, path).query(params.query(offset, most));
    let answer = client.send(&request).await?;
    decode::whole(&answer.body).map_err(|e| decode::from(e, &answer))
}

type Fetch<T> = BoxFuture<'static, Result<Page<T>, Error>>;

/// Every page of a list, as a [`Stream`]. It ends after an error.
///
/// The next page is asked for as soon as one has been given out, and only `has_more` ends the list.
#[must_use = "a stream does nothing until it is polled"]
pub struct Pages<T> {
    state: State<T>,
    next: Option<Fetch<T>>,
}

/// What the next page is asked with.
struct State<T> {
    client: Client,
    template: &'static str,
    path: String,
    params: ListParams,
    /// How many more objects are wanted.
    left: Option<u64>,
    _page: std::marker::PhantomData<fn() -> T>,
}

impl<T> std::fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").field("path", &self.state.path).finish_non_exhaustive()
    }
}

impl<T: DeserializeOwned + Send + 'static> Pages<T> {
    pub(crate) fn new(
        client: &Client,
        template: &'static str,
        path: Result<String, Error>,
        params: ListParams,
    ) -> Self {
        let left = params.max_items;
        let offset = params.offset.unwrap_or(0);
        let (path, wrong) = match path {
            Ok(path) => (path, None),
            Err(error) => (String::new(), Some(error)),
        };
        let state = State {
            client: client.clone(),
            template,
            path,
            params,
            left,
            _page: std::marker::PhantomData,
        };
        let next = match wrong {
            Some(error) => Some(std::future::ready(Err(error)).boxed()),
            None if left == Some(0) => None,
            None => Some(state.fetch(offset)),
        };
        Self { state, next }
    }

    /// The next page, or nothing at the end.
    ///
    /// # Errors
    /// As every call; the list ends with it.
    pub async fn next_page(&mut self) -> Result<Option<Page<T>>, Error> {
        std::future::poll_fn(|cx| self.poll_page(cx)).await.transpose()
    }

    fn poll_page(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Page<T>, Error>>> {
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        let Poll::Ready(fetched) = next.as_mut().poll(cx) else { return Poll::Pending };
        self.next = None;
        let page = fetched.and_then(|page| {
            self.next = self.state.after(&page)?;
            Ok(page)
        });
        // The first poll sends the request: it is under way while this page is read.
        if let Some(next) = &mut self.next
            && let Poll::Ready(early) = next.as_mut().poll(cx)
        {
            self.next = Some(std::future::ready(early).boxed());
        }
        Poll::Ready(Some(page))
    }
}

impl<T: DeserializeOwned + Send + 'static> State<T> {
    fn fetch(&self, offset: u64) -> Fetch<T> {
        fetch(
            self.client.clone(),
            self.template,
            self.path.clone(),
            self.params.clone(),
            offset,
            self.left,
        )
        .boxed()
    }

    /// The fetch of the page after `page`, if there is one.
    fn after(&mut self, page: &Page<T>) -> Result<Option<Fetch<T>>, Error> {
        let count = page.data.len() as u64;
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(count);
        }
        if !page.pagination.has_more || self.left == Some(0) {
            return Ok(None);
        }
        // An empty page is passed over by the platform's own page size.
        let step = if count > 0 { count } else { page.pagination.limit.max(1) };
        let asked = self.params.offset.unwrap_or(0);
        if page.pagination.offset != asked {
            return Err(Error::new(
                ErrorKind::Decode,
                format!(
                    "the list repeats itself: offset {asked} was asked for and {} came",
                    page.pagination.offset
                ),
            ));
        }
        let offset = asked.saturating_add(step);
        self.params.offset = Some(offset);
        Ok(Some(self.fetch(offset)))
    }
}

impl<T: DeserializeOwned + Send + 'static> Stream for Pages<T> {
    type Item = Result<Page<T>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_page(cx)
    }
}

// No field is pinned: the fetch is boxed.
impl<T> Unpin for Pages<T> {}

/// Every object of a list, as a [`Stream`]. It ends after an error.
#[must_use = "a stream does nothing until it is polled"]
#[derive(Debug)]
pub struct Items<T> {
    pages: Pages<T>,
    ready: VecDeque<T>,
    left: Option<u64>,
}

impl<T: DeserializeOwned + Send + 'static> Items<T> {
    pub(crate) fn new(pages: Pages<T>) -> Self {
        let left = pages.state.left;
        Self { pages, ready: VecDeque::new(), left }
    }

    /// The next object, or nothing at the end.
    ///
    /// # Errors
    /// As every call; the list ends with it.
    pub async fn next_item(&mut self) -> Result<Option<T>, Error> {
        std::future::poll_fn(|cx| self.poll_item(cx)).await.transpose()
    }

    /// Every object that is left.
    ///
    /// # Errors
    /// As every call.
    pub async fn collect(mut self) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        while let Some(item) = self.next_item().await? {
            all.push(item);
        }
        Ok(all)
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Error>>> {
        loop {
            if self.left == Some(0) {
                return Poll::Ready(None);
            }
            if let Some(item) = self.ready.pop_front() {
                if let Some(left) = &mut self.left {
                    *left -= 1;
                }
                return Poll::Ready(Some(Ok(item)));
            }
            match self.pages.poll_page(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(Some(Ok(page))) => self.ready = page.data.into(),
            }
        }
    }
}

impl<T: DeserializeOwned + Send + 'static> Stream for Items<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx)
    }
}

impl<T> Unpin for Items<T> {}
