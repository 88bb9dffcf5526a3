//! How an error is made: the kind and the words are given, facts are added where they are known.

use std::{borrow::Cow, error::Error as StdError, sync::Arc, time::Duration};

use super::{Error, ErrorKind, Facts, MAX_ERROR_BODY};
use crate::transport::redact::Redactor;

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Facts {
            kind,
            message: message.into(),
            status: None,
            code: None,
            param: None,
            details: None,
            request_id: None,
            idempotency_key: None,
            retry_after: None,
            attempts: 0,
            elapsed: Duration::ZERO,
            retryable: matches!(
                kind,
                ErrorKind::RateLimited
                    | ErrorKind::Server
                    | ErrorKind::Connection
                    | ErrorKind::Timeout
                    | ErrorKind::CircuitOpen
            ),
            body: None,
            source: None,
            sent: None,
            should_retry: None,
            job: None,
            is_advised: false,
            is_unnamed: false,
        }))
    }

    /// The facts themselves, for the parts that add or judge several.
    pub(crate) fn with(mut self, set: impl FnOnce(&mut Facts)) -> Self {
        set(&mut self.0);
        self
    }

    /// Blanks the secrets in what the platform said.
    pub(crate) fn blanked(mut self, redactor: &Redactor) -> Self {
        let facts = &mut *self.0;
        if let Cow::Owned(message) = redactor.blank(&facts.message) {
            facts.message = Cow::Owned(message);
        }
        for text in [&mut facts.code, &mut facts.param, &mut facts.body].into_iter().flatten() {
            redactor.blank_in_place(text);
        }
        if let Some(details) = &mut facts.details {
            redactor.blank_value(details);
        }
        self
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.0
    }

    /// The same, with more at its message's end.
    pub(crate) fn saying(mut self, more: &str) -> Self {
        self.0.message.to_mut().push_str(more);
        self
    }

    pub(crate) fn config(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    pub(crate) fn unsupported(platform: &str, what: &str) -> Self {
        let message = format!("the platform {platform} does not have {what}");
        Self::new(ErrorKind::Unsupported, message)
    }

    pub(crate) fn upload(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Upload, message)
    }

    pub(crate) fn webhook_signature(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::WebhookSignature, message)
    }

    /// Says further what to do about it.
    pub(crate) fn explained(mut self, what: &str) -> Self {
        self.0.message = format!("{}{what}", self.0.message).into();
        self
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_param(mut self, param: impl Into<String>) -> Self {
        self.0.param = Some(param.into());
        self
    }

    /// `body` must have had its secrets blanked; it is cut to [`MAX_ERROR_BODY`].
    pub(crate) fn with_body(mut self, mut body: String) -> Self {
        let mut end = body.len().min(MAX_ERROR_BODY);
        while !body.is_char_boundary(end) {
            end -= 1;
        }
        body.truncate(end);
        self.0.body = Some(body);
        self
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }
}
