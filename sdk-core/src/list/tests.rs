//! Pages over a platform of functions: what is asked for, in which order, and how far ahead.

use std::sync::Mutex;

use super::*;
use crate::models::Pagination;

/// What was asked for: how many, and from where.
type Log = Arc<Mutex<Vec<(u32, u64)>>>;

/// A list whose pages such a function gives.
fn fetching(
    fetch: impl Fn(u32, u64) -> BoxFuture<'static, Result<Page<u64>, Error>> + Send + Sync + 'static,
    page_size: u32,
    left: Option<u64>,
) -> Pages<u64> {
    let fetch = move |limit, offset| -> BoxFuture<'static, Result<AnyPage, Error>> {
        let page = fetch(limit, offset);
        Box::pin(async move { page.await.map(AnyPage::of) })
    };
    Pages { list: List::fetching(Arc::new(fetch), page_size, left, 0), of: PhantomData }
}

fn page(data: Vec<u64>, offset: u64, limit: u64, total: u64, has_more: bool) -> Page<u64> {
    Page { data, pagination: Pagination { total, limit, offset, has_more }, raw: None }
}

/// The list of the numbers below `total`, in pages of at most `largest`.
fn numbers(total: u64, page_size: u32, largest: u32, left: Option<u64>) -> (Pages<u64>, Log) {
    let log = Log::default();
    let seen = Arc::clone(&log);
    let fetch = move |limit: u32, offset: u64| -> BoxFuture<'static, Result<Page<u64>, Error>> {
        seen.lock().unwrap().push((limit, offset));
        Box::pin(async move {
            tokio::task::yield_now().await;
            let limit = u64::from(limit.min(largest));
            let end = total.min(offset + limit);
            Ok(page((offset..end).collect(), offset, limit, total, end < total))
        })
    };
    (fetching(fetch, page_size, left), log)
}

#[tokio::test]
async fn every_object_comes_once_and_no_page_is_asked_for_in_vain() {
    for total in [0, 1, 9, 10, 11, 95] {
        let (pages, log) = numbers(total, 10, 10, None);
        let all = Items::new(pages).collect().await.unwrap();
        assert_eq!(all, (0..total).collect::<Vec<_>>());
        assert_eq!(log.lock().unwrap().len() as u64, total.div_ceil(10).max(1), "{total}");
    }
}

#[tokio::test]
async fn the_next_pages_are_on_their_way_before_this_one_is_read() {
    let (mut pages, log) = numbers(100, 10, 10, None);
    pages.next_page().await.unwrap();
    assert_eq!(*log.lock().unwrap(), [(10, 0), (10, 10)]);
    pages.next_page().await.unwrap();
    pages.next_page().await.unwrap();
    assert_eq!(log.lock().unwrap().len(), 7, "four ahead of the three that were read");
}

#[tokio::test]
async fn max_items_ends_the_list_and_asks_for_no_more() {
    for (left, expected) in [
        (25, vec![(10, 0), (10, 10), (5, 20)]),
        (10, vec![(10, 0)]),
        (3, vec![(3, 0)]),
        (0, vec![]),
    ] {
        let (pages, log) = numbers(100, 10, 10, Some(left));
        assert_eq!(Items::new(pages).collect().await.unwrap().len() as u64, left);
        assert_eq!(*log.lock().unwrap(), expected);
    }
}

#[tokio::test]
async fn a_platform_that_gives_shorter_pages_loses_nothing() {
    for left in [None, Some(17)] {
        let (pages, _) = numbers(20, 10, 3, left);
        let all = Items::new(pages).collect().await.unwrap();
        assert_eq!(all, (0..left.unwrap_or(20)).collect::<Vec<_>>());
    }
}

/// A list whose pages are given beforehand.
fn given(pages: Vec<Page<u64>>) -> Pages<u64> {
    let pages = Mutex::new(pages.into_iter());
    let fetch = move |_, _| -> BoxFuture<'static, Result<Page<u64>, Error>> {
        let page = pages.lock().unwrap().next().expect("asked for one page too many");
        Box::pin(std::future::ready(Ok(page)))
    };
    fetching(fetch, 2, None)
}

#[tokio::test]
async fn it_stops_on_has_more_and_not_on_an_empty_page() {
    let mut pages = given(vec![
        page(vec![1, 2], 0, 2, 0, true),
        page(vec![], 2, 2, 0, true),
        page(vec![3], 4, 2, 0, false),
    ]);
    let mut lengths = Vec::new();
    while let Some(page) = pages.next_page().await.unwrap() {
        lengths.push(page.data.len());
    }
    assert_eq!(lengths, [2, 0, 1]);
}

#[tokio::test]
async fn a_repeated_offset_is_an_error_and_the_end() {
    let same = || page(vec![1, 2], 0, 2, 9, true);
    let mut pages = given(vec![same(), same()]);
    pages.next_page().await.unwrap();
    assert_eq!(pages.next_page().await.unwrap_err().kind(), ErrorKind::Decode);
    assert!(pages.next_page().await.unwrap().is_none());
}
