//! Every object of a list, one after another, out of its pages.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::Stream;

use super::Pages;
use crate::error::Error;

/// Every object of a list, as a [`Stream`]. It ends after an error.
#[must_use = "a stream does nothing until it is polled"]
pub struct Items<T> {
    pages: Pages<T>,
    ready: std::vec::IntoIter<T>,
}

impl<T: Send + 'static> Items<T> {
    pub(crate) fn new(pages: Pages<T>) -> Self {
        Self { pages, ready: Vec::new().into_iter() }
    }

    /// The pages that are still to come. Objects of the page that was begun are dropped.
    pub fn into_pages(self) -> Pages<T> {
        self.pages
    }

    /// The next object, or nothing at the end.
    ///
    /// # Errors
    /// As every call; the list ends with it.
    pub async fn next_item(&mut self) -> Result<Option<T>, Error> {
        std::future::poll_fn(|cx| self.poll_item(cx)).await.transpose()
    }

    /// Every object that is left. Set `max_items` where there may be many.
    ///
    /// # Errors
    /// As every call.
    pub async fn collect(mut self) -> Result<Vec<T>, Error> {
        let mut all: Vec<T> = self.ready.by_ref().collect();
        while let Some(page) = self.pages.next_page().await? {
            all.extend(page.data);
        }
        Ok(all)
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Error>>> {
        loop {
            if let Some(item) = self.ready.next() {
                // Looks only at what was woken, which is next to nothing.
                self.pages.drive(cx);
                return Poll::Ready(Some(Ok(item)));
            }
            match self.pages.poll_page(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(Some(Ok(page))) => self.ready = page.data.into_iter(),
            }
        }
    }
}

impl<T: Send + 'static> Stream for Items<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx)
    }
}

impl<T> Unpin for Items<T> {}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("pages", &self.pages).finish_non_exhaustive()
    }
}
