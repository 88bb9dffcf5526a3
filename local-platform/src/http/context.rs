//! Who asks, in which dialect, under which id: what the pipeline found out and handlers go by.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{StatusCode, request},
};
use serde::Serialize;

use super::{Reply, dialect::Dialect, idempotency::Idempotency};
use crate::{
    error::ApiError,
    keys::{Access, Key},
    store::{Changes, Tx},
};

/// The context of one authenticated request.
#[derive(Debug, Clone)]
pub(crate) struct Ctx(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) organization_id: Arc<str>,
    pub(crate) user_id: Arc<str>,
    /// What the credential may do; less than its key for a JWT or an OAuth token.
    pub(crate) access: Access,
    /// The key that the request counts against.
    pub(crate) key: Option<Arc<Key>>,
    pub(crate) dialect: &'static Dialect,
    pub(crate) idempotency: Option<Arc<Idempotency>>,
}

impl Ctx {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Keeps the answer for a request sent again, commits, and answers.
    pub(crate) async fn finish(
        &self,
        mut tx: Tx<'_>,
        status: StatusCode,
        object: &impl Serialize,
    ) -> Result<Reply, ApiError> {
        let reply = self.kept(tx.at_the_end(), status, object)?;
        tx.commit().await?;
        Ok(reply)
    }

    /// The answer, which is kept for a request sent again when the changes that it tells of are committed.
    pub(crate) fn kept(
        &self,
        changes: &mut Changes,
        status: StatusCode,
        object: &impl Serialize,
    ) -> Result<Reply, ApiError> {
        let reply = Reply::object(status, object)?;
        if let Some(idempotency) = &self.idempotency {
            idempotency.keep(changes, &reply)?;
        }
        Ok(reply)
    }
}

impl std::ops::Deref for Ctx {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Ctx {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut request::Parts, _: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| ApiError::unauthorized("send Authorization: Bearer with an API key"))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Ctx {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut request::Parts,
        _: &S,
    ) -> Result<Option<Self>, ApiError> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
