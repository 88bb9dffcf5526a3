//! Which failures are tried again. What is asked of an error are facts that it carries; whether there is time, budget and a
//! number of attempts left is the loop's to know.

use crate::error::{Error, ErrorKind, Sent};

/// Whether trying again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It will not, or may do harm.
    Final,
    /// It may. `throttled`: the platform has too much to do (429, 503).
    Retry {
        /// Waits and costs are those of throttling.
        throttled: bool,
    },
}

/// Judges a failed attempt. `repeatable`: sending the request twice has the effect of sending it once.
///
/// Statuses: 408, 429, 500, 502, 503, 504 (AWS, OpenAI); 409 only as `idempotency_in_progress`; `x-should-retry` wins
/// (stripe-node). Transport: what was never sent always; what may have been sent only when repeatable (object_store).
pub(crate) fn judge(error: &Error, repeatable: bool) -> Verdict {
    let facts = error.facts();
    if let Some(status) = facts.status {
        let throttled = matches!(status, 429 | 503);
        let again = match facts.should_retry {
            Some(again) => again,
            None if status == 409 => facts.code.as_deref() == Some("idempotency_in_progress"),
            None => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
        };
        // Refused before anything was done: safe for every method.
        let refused = throttled || status == 409;
        return if again && (repeatable || refused) {
            Verdict::Retry { throttled }
        } else {
            Verdict::Final
        };
    }
    let again = match (error.kind(), facts.sent) {
        // Such as a certificate that is not trusted, which would be refused again.
        _ if facts.should_retry == Some(false) => false,
        (ErrorKind::Connection | ErrorKind::Timeout, Some(Sent::No)) => true,
        (ErrorKind::Connection | ErrorKind::Timeout, Some(Sent::Maybe)) => repeatable,
        _ => false,
    };
    if again { Verdict::Retry { throttled: false } } else { Verdict::Final }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> Error {
        Error::new(ErrorKind::of_status(status), "").with(|e| e.status = Some(status))
    }

    #[test]
    fn the_statuses_that_pass_are_tried_again() {
        let again: Vec<u16> =
            (400..600).filter(|s| judge(&status(*s), true) != Verdict::Final).collect();
        assert_eq!(again, [408, 429, 500, 502, 503, 504]);
        assert_eq!(judge(&status(429), true), Verdict::Retry { throttled: true });
    }

    #[test]
    fn the_platforms_own_word_wins() {
        let told = |code: u16, again| status(code).with(|e| e.should_retry = Some(again));
        assert_eq!(judge(&told(503, false), true), Verdict::Final);
        assert_ne!(judge(&told(409, true), true), Verdict::Final);
        let running = status(409).with(|e| e.code = Some("idempotency_in_progress".into()));
        assert_ne!(judge(&running, true), Verdict::Final);
    }

    #[test]
    fn what_may_have_been_sent_is_only_repeated_when_that_is_harmless() {
        let lost = |sent| Error::new(ErrorKind::Connection, "").with(|e| e.sent = Some(sent));
        assert_ne!(judge(&lost(Sent::No), false), Verdict::Final);
        assert_eq!(judge(&lost(Sent::Maybe), false), Verdict::Final);
        assert_ne!(judge(&lost(Sent::Maybe), true), Verdict::Final);
        assert_eq!(judge(&Error::new(ErrorKind::Decode, ""), true), Verdict::Final);
    }
}
