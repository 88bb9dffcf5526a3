//! Pages of a list, and what a list is asked with.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Where a page stands in the whole list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Pagination {
    /// How many there are in all pages.
    #[serde(deserialize_with = "super::or_default")]
    pub total: u64,
    /// The most that a page holds.
    #[serde(deserialize_with = "super::or_default")]
    pub limit: u64,
    /// How many stand before this page.
    #[serde(deserialize_with = "super::or_default")]
    pub offset: u64,
    /// Whether another page follows.
    #[serde(deserialize_with = "super::or_default")]
    pub has_more: bool,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// Its objects.
    pub data: Vec<T>,
    /// Where it stands.
    #[serde(default, deserialize_with = "super::or_default")]
    pub pagination: Pagination,
    /// The page as it arrived, in place of `data`, where that was asked for.
    #[doc(hidden)]
    #[serde(skip)]
    pub raw: Option<RawPage>,
}

/// A page whose objects were left as they are.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawPage {
    /// The whole answer, which is known to be JSON but for its being UTF-8.
    pub json: Bytes,
    /// Whether `data` is as `storycore-page-columns` writes it, its objects' keys once and their values column by column, and not
    /// as it arrived: its objects are alike.
    pub keys_stand_once: bool,
    /// How many of its objects are wanted, from the first.
    pub wanted: usize,
}

/// What a list is asked with.
///
/// ```
/// use storycore::models::ListParams;
/// let params = ListParams::new().sort("name.asc").filter("status", "planned").page_size(100).max_items(250);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListParams {
    pub(crate) page_size: Option<u32>,
    pub(crate) max_items: Option<u64>,
    pub(crate) offset: Option<u64>,
    pub(crate) sort: Option<String>,
    pub(crate) filters: Vec<(String, String)>,
}

impl ListParams {
    /// Everything, newest first.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Objects a page, from 1 to 100. One page has 50 by default, the platform's number; lists that go on by themselves
    /// ask for 100, its most.
    #[must_use]
    pub fn page_size(mut self, size: u32) -> Self {
        self.page_size = Some(size);
        self
    }

    /// Objects in all, over every page. Default: no bound.
    #[must_use]
    pub fn max_items(mut self, items: u64) -> Self {
        self.max_items = Some(items);
        self
    }

    /// How many to leave out at the beginning. Default 0.
    #[must_use]
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// The order: `FIELD.asc` or `FIELD.desc`. Default `created_at.desc`.
    #[must_use]
    pub fn sort(mut self, sort: impl Into<String>) -> Self {
        self.sort = Some(sort.into());
        self
    }

    /// Only objects whose field has this value.
    #[must_use]
    pub fn filter(mut self, field: impl Into<String>, value: impl ToString) -> Self {
        self.filters.push((field.into(), value.to_string()));
        self
    }

    /// The query of the page at `offset`.
    pub(crate) fn query(
        &self,
        offset: u64,
        limit: Option<u32>,
    ) -> Vec<(Cow<'static, str>, String)> {
        let mut query = Vec::with_capacity(3 + self.filters.len());
        if let Some(limit) = limit {
            query.push((Cow::Borrowed("limit"), limit.to_string()));
        }
        if offset > 0 {
            query.push((Cow::Borrowed("offset"), offset.to_string()));
        }
        if let Some(sort) = &self.sort {
            query.push((Cow::Borrowed("sort"), sort.clone()));
        }
        query.extend(
            self.filters.iter().map(|(name, value)| (Cow::Owned(name.clone()), value.clone())),
        );
        query
    }
}
