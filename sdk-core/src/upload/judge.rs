//! What to do about an answer that is no success: the retry table of uploads, as one function. It never says "from the
//! beginning" unless the platform itself said that the upload is gone.

use crate::error::{Error, ErrorKind};

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A new upload, or the joining of its parts.
    Create,
    /// How far the platform is.
    Offset,
    /// To take a chunk.
    Chunk,
    /// To take a chunk whose checksum came after it, which somebody on the way may not have passed on.
    Trailed,
}

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Wait, ask how far the platform is, go on from there. A new upload is asked for again, under its key.
    Continue {
        /// The platform has too much to do.
        congested: bool,
    },
    /// Ask how far the platform is, at once: it sees another offset than was sent.
    AskOffset,
    /// Someone else's request holds the upload: wait, then the same address.
    Locked,
    /// Send that chunk again; it arrived changed.
    Resend,
    /// Send it in smaller chunks.
    Smaller,
    /// The platform does not have the upload any more: a new one.
    Gone,
    /// Nothing that is sent again would help.
    Permanent,
}

/// The verdict on `error`, which `asked` was answered with.
pub(crate) fn judge(asked: Asked, error: &Error) -> Next {
    let facts = error.facts();
    if facts.should_retry == Some(false) {
        return Next::Permanent;
    }
    let Some(status) = facts.status else {
        return match error.kind() {
            ErrorKind::Timeout => Next::Continue { congested: true },
            // A certificate that does not hold has no `sent`.
            ErrorKind::Connection | ErrorKind::Decode if facts.sent.is_some() => {
                Next::Continue { congested: false }
            }
            ErrorKind::CircuitOpen | ErrorKind::RateLimited => Next::Continue { congested: true },
            _ => Next::Permanent,
        };
    };
    match (status, asked) {
        (408 | 429 | 503, _) => Next::Continue { congested: true },
        (500..=599, _) => Next::Continue { congested: false },
        (423, _) => Next::Locked,
        (409, Asked::Chunk) => Next::AskOffset,
        (409, Asked::Create) if facts.code.as_deref() == Some("idempotency_in_progress") => {
            Next::Locked
        }
        (409, Asked::Offset) => Next::Continue { congested: false },
        (460 | 417, Asked::Chunk) | (_, Asked::Trailed) => Next::Resend,
        (413, Asked::Chunk) => Next::Smaller,
        (403 | 404 | 410, Asked::Offset) => Next::Gone,
        (403 | 404 | 410, Asked::Chunk) => Next::AskOffset,
        _ if facts.should_retry == Some(true) => Next::Continue { congested: false },
        _ => Next::Permanent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Sent;

    fn on(asked: Asked, status: u16) -> Next {
        judge(asked, &Error::new(ErrorKind::of_status(status), "").with_status(status))
    }

    #[test]
    fn what_passes_goes_on_from_the_platforms_offset_whatever_was_asked() {
        for asked in [Asked::Create, Asked::Offset, Asked::Chunk] {
            for status in [408, 429, 500, 502, 503, 504, 507, 599] {
                assert!(matches!(on(asked, status), Next::Continue { .. }), "{asked:?} {status}");
            }
            let lost = Error::new(ErrorKind::Connection, "").with(|e| e.sent = Some(Sent::Maybe));
            assert_eq!(judge(asked, &lost), Next::Continue { congested: false });
            let silent = Error::new(ErrorKind::Timeout, "");
            assert_eq!(judge(asked, &silent), Next::Continue { congested: true });
            assert_eq!(on(asked, 423), Next::Locked);
            assert_eq!(on(asked, 412), Next::Permanent);
            assert_eq!(on(asked, 401), Next::Permanent);
        }
    }

    #[test]
    fn only_a_head_that_finds_nothing_begins_a_new_upload() {
        for status in 400..600 {
            assert_ne!(on(Asked::Chunk, status), Next::Gone);
            assert_ne!(on(Asked::Create, status), Next::Gone);
            assert_eq!(on(Asked::Offset, status) == Next::Gone, [403, 404, 410].contains(&status));
        }
    }

    #[test]
    fn a_chunks_own_answers() {
        assert_eq!(on(Asked::Chunk, 409), Next::AskOffset);
        assert_eq!(on(Asked::Chunk, 404), Next::AskOffset);
        assert_eq!([on(Asked::Chunk, 460), on(Asked::Chunk, 417)], [Next::Resend; 2]);
        assert_eq!(on(Asked::Chunk, 413), Next::Smaller);
        assert_eq!(on(Asked::Create, 413), Next::Permanent);
        let told = Error::new(ErrorKind::Server, "").with_status(500);
        let told = told.with(|e| e.should_retry = Some(false));
        assert_eq!(judge(Asked::Chunk, &told), Next::Permanent);
    }
}
