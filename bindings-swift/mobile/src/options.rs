//! What may be said for one call, and what a list is asked with.

use std::{collections::HashMap, time::Duration};

use storycore::models as core;

use crate::failure::Failure;

/// Options of one call; what is not set is as the client has it.
#[derive(uniffi::Record)]
pub struct CallOptions {
    /// The most that the whole call may take, retries and waits included.
    pub timeout: Option<Duration>,
    /// Attempts after the first.
    pub max_retries: Option<u32>,
    /// The `Idempotency-Key` of a POST in place of a random one.
    pub idempotency_key: Option<String>,
    /// Further headers.
    pub headers: HashMap<String, String>,
}

impl CallOptions {
    pub(crate) fn read(self) -> Result<storycore::CallOptions, Failure> {
        let mut options = storycore::CallOptions::new();
        if let Some(time) = self.timeout {
            options = options.timeout(time);
        }
        if let Some(retries) = self.max_retries {
            options = options.max_retries(retries);
        }
        if let Some(key) = self.idempotency_key {
            options = options.idempotency_key(&key)?;
        }
        for (name, value) in self.headers {
            options = options.header(&name, &value)?;
        }
        Ok(options)
    }
}

/// What a list is asked with.
#[derive(uniffi::Record)]
pub struct ListParams {
    /// Objects a page, from 1 to 100.
    pub page_size: Option<u32>,
    /// Objects in all, over every page.
    pub max_items: Option<u64>,
    /// How many to leave out at the beginning.
    pub offset: Option<u64>,
    /// The order: `FIELD.asc` or `FIELD.desc`.
    pub sort: Option<String>,
    /// Only objects whose fields have these values.
    pub filters: HashMap<String, String>,
}

impl ListParams {
    pub(crate) fn read(self) -> core::ListParams {
        let mut params = core::ListParams::new();
        if let Some(size) = self.page_size {
            params = params.page_size(size);
        }
        if let Some(most) = self.max_items {
            params = params.max_items(most);
        }
        if let Some(offset) = self.offset {
            params = params.offset(offset);
        }
        if let Some(sort) = self.sort {
            params = params.sort(sort);
        }
        let mut filters: Vec<_> = self.filters.into_iter().collect();
        // The same request each time, whatever the map's order.
        filters.sort_unstable();
        filters.into_iter().fold(params, |params, (name, value)| params.filter(name, value))
    }
}
