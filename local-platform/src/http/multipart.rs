//! `multipart/form-data` (RFC 7578), read piece by piece: bytes of a file are handed on as they came from the socket,
//! neither gathered nor copied, and what is no file's content is bounded. What the parts mean is their handler's business.

use axum::{
    body::{Body, BodyDataStream},
    http::{HeaderMap, StatusCode, header},
};
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::StreamExt as _;
use memchr::memmem::Finder;
use percent_encoding::percent_decode_str;

use super::media_type;
use crate::error::ApiError;

/// The most that the headers of one part may have.
const MAX_HEADERS: usize = 16 * 1024;
/// The most that may stand before the first part, and that is read behind the last.
const MAX_PREAMBLE: usize = 64 * 1024;
/// The longest boundary (RFC 2046).
const MAX_BOUNDARY: usize = 70;

/// The head of one part.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    /// What the sender called the file, without directories.
    pub(crate) file_name: Option<String>,
    pub(crate) content_type: Option<String>,
}

/// A form whose parts come one after another.
pub(crate) struct Multipart {
    body: BodyDataStream,
    /// `CRLF--boundary`: what ends each part.
    delimiter: Finder<'static>,
    /// What has arrived and not been handed on.
    buffer: Bytes,
    at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Preamble,
    /// In a part's content.
    Content,
    /// Right behind a delimiter.
    Delimiter,
    End,
}

impl Multipart {
    /// The form in a request's body; 415 when the body is none.
    pub(crate) fn new(headers: &HeaderMap, body: Body) -> Result<Self, ApiError> {
        if !media_type(headers).is_some_and(|t| t.eq_ignore_ascii_case("multipart/form-data")) {
            return Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "the body must be a form, with Content-Type: multipart/form-data",
            ));
        }
        let boundary = headers
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| parameter(v, "boundary"))
            .filter(|b| (1..=MAX_BOUNDARY).contains(&b.len()))
            .ok_or_else(|| {
                ApiError::parameter(
                    "Content-Type",
                    "must have the form's boundary, of 1 to 70 characters",
                )
            })?;
        let delimiter = format!("\r\n--{boundary}");
        Ok(Self {
            body: body.into_data_stream(),
            delimiter: Finder::new(delimiter.as_bytes()).into_owned(),
            // The first delimiter begins the body; with a line break before it, it looks like the others.
            buffer: Bytes::from_static(b"\r\n"),
            at: At::Preamble,
        })
    }

    /// The next part; what was not read of the one before is passed over.
    pub(crate) async fn next_part(&mut self) -> Result<Option<Part>, ApiError> {
        let mut passed = 0;
        let preamble = self.at == At::Preamble;
        while let Some(piece) = self.chunk().await? {
            passed += piece.len();
            if preamble && passed > MAX_PREAMBLE {
                return Err(malformed("its boundary does not come"));
            }
        }
        if self.at == At::End {
            return Ok(None);
        }
        while self.buffer.len() < 2 {
            self.more().await?;
        }
        if self.buffer.starts_with(b"--") {
            self.at = At::End;
            self.epilogue().await;
            return Ok(None);
        }
        let head = self.head().await?;
        self.at = At::Content;
        part(&head).map(Some)
    }

    /// The next piece of the part's content; nothing at its end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, ApiError> {
        if !matches!(self.at, At::Content | At::Preamble) {
            return Ok(None);
        }
        loop {
            if let Some(end) = self.delimiter.find(&self.buffer) {
                let piece = self.buffer.split_to(end);
                if piece.is_empty() {
                    self.buffer.advance(self.delimiter.needle().len());
                    self.at = At::Delimiter;
                    return Ok(None);
                }
                return Ok(Some(piece));
            }
            let kept = self.possible_delimiter();
            let piece = self.buffer.split_to(self.buffer.len() - kept);
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
            self.more().await?;
        }
    }

    /// How many bytes at the buffer's end may be the beginning of a delimiter.
    fn possible_delimiter(&self) -> usize {
        let needle = self.delimiter.needle();
        let tail = &self.buffer[self.buffer.len().saturating_sub(needle.len() - 1)..];
        // A delimiter has one CR, at its start.
        match memchr::memrchr(b'\r', tail) {
            Some(start) if needle.starts_with(&tail[start..]) => tail.len() - start,
            _ => 0,
        }
    }

    /// The headers behind a delimiter, without the empty line that ends them.
    async fn head(&mut self) -> Result<Bytes, ApiError> {
        loop {
            // Spaces may follow a delimiter (RFC 2046's transport padding).
            let padding = self.buffer.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            let line = &self.buffer[padding..];
            if line.len() >= 2 && !line.starts_with(b"\r\n") {
                return Err(malformed(
                    "a boundary is followed by something else than a line break",
                ));
            }
            if let Some(end) = memchr::memmem::find(line, b"\r\n\r\n") {
                let mut head = self.buffer.split_to(padding + end + 4);
                head.advance((padding + 2).min(head.len()));
                return Ok(head);
            }
            if self.buffer.len() > MAX_HEADERS {
                return Err(malformed("a part's headers are longer than 16 KiB"));
            }
            self.more().await?;
        }
    }

    /// Reads what follows the last boundary, so that the connection can take another request.
    async fn epilogue(&mut self) {
        let mut passed = 0;
        while let Some(Ok(piece)) = self.body.next().await {
            passed += piece.len();
            if passed > MAX_PREAMBLE {
                return;
            }
        }
    }

    async fn more(&mut self) -> Result<(), ApiError> {
        match self.body.next().await {
            Some(Ok(next)) if self.buffer.is_empty() => self.buffer = next,
            Some(Ok(next)) => {
                let mut both = BytesMut::with_capacity(self.buffer.len() + next.len());
                both.extend_from_slice(&self.buffer);
                both.extend_from_slice(&next);
                self.buffer = both.freeze();
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "a form broke off");
                return Err(ApiError::invalid("the body ended before it was complete"));
            }
            None => return Err(malformed("it ends before its last boundary")),
        }
        Ok(())
    }
}

fn malformed(why: &str) -> ApiError {
    ApiError::invalid(format!("the form cannot be read: {why}"))
}

fn part(head: &[u8]) -> Result<Part, ApiError> {
    let head = std::str::from_utf8(head).map_err(|_| malformed("a part's headers are no UTF-8"))?;
    let value = |name: &str| {
        head.split("\r\n").find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let disposition = value("content-disposition")
        .filter(|v| v.split(';').next().is_some_and(|k| k.trim().eq_ignore_ascii_case("form-data")))
        .ok_or_else(|| malformed("a part has no Content-Disposition: form-data"))?;
    let name = parameter(disposition, "name").ok_or_else(|| malformed("a part has no name"))?;
    // RFC 7578 forbids `filename*` and several clients send it, for names beyond ASCII.
    let file_name = parameter(disposition, "filename*")
        .and_then(|v| {
            let encoded =
                v.split_at_checked(7).filter(|(set, _)| set.eq_ignore_ascii_case("utf-8''"))?.1;
            percent_decode_str(encoded).decode_utf8().ok().map(|name| name.into_owned())
        })
        .or_else(|| parameter(disposition, "filename"))
        .map(|name| base_name(&name).to_owned());
    Ok(Part { name, file_name, content_type: value("content-type").map(str::to_owned) })
}

/// A name without the directories that some browsers send with it. Elsewhere than in a path of Windows's a backslash is part of it.
fn base_name(name: &str) -> &str {
    let name = name.rsplit('/').next().unwrap_or(name);
    let is_windows = name.starts_with(r"\\") || name.get(1..3) == Some(r":\");
    if is_windows { name.rsplit('\\').next().unwrap_or(name) } else { name }
}

/// A parameter behind the first `;` of a header's value.
fn parameter(value: &str, wanted: &str) -> Option<String> {
    let mut rest = value.split_once(';')?.1;
    loop {
        let (key, after) = rest.split_once('=')?;
        let (value, next) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => quoted_string(quoted)?,
            None => {
                let (token, next) = after.split_once(';').unwrap_or((after, ""));
                (token.trim().to_owned(), next)
            }
        };
        if key.trim().trim_start_matches(';').trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = next;
    }
}

/// The text up to the closing quote and what follows it. HTML's forms encode a quote and the ends of a line, and leave a backslash
/// as it is; others write one before a quote and before itself. Where that does not end as a parameter does, it is of a form.
fn quoted_string(text: &str) -> Option<(String, &str)> {
    let ends = |rest: &str| matches!(rest.trim_start().as_bytes().first(), None | Some(b';'));
    let of_a_form = || text.split_once('"').map(|(value, rest)| (value.to_owned(), rest));
    let (value, rest) = unescaped(text).filter(|(_, rest)| ends(rest)).or_else(of_a_form)?;
    Some((value.replace("%0A", "\n").replace("%0D", "\r").replace("%22", "\""), rest))
}

/// The same where a backslash escapes a quote or itself, and nothing else. Who leaves one as it is leaves two as they are:
/// `\\server\share`.
fn unescaped(text: &str) -> Option<(String, &str)> {
    let (mut value, mut kept, mut is_lone) = (String::new(), String::new(), false);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let c = match c {
            '"' => return Some((if is_lone { kept } else { value }, &text[at + 1..])),
            '\\' => match chars.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                Some((_, escaped)) => {
                    kept.extend((escaped == '\\').then_some('\\'));
                    escaped
                }
                None => {
                    is_lone = true;
                    '\\'
                }
            },
            c => c,
        };
        value.push(c);
        kept.push(c);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts = Vec<(String, Option<String>, Vec<u8>)>;

    async fn read(boundary: &str, body: &[u8], piece: usize) -> Result<Parts, ApiError> {
        let mut headers = HeaderMap::new();
        let kind = format!("multipart/form-data; charset=utf-8; boundary={boundary}");
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        let pieces: Vec<_> = body
            .chunks(piece)
            .map(|c| Ok::<_, std::io::Error>(Bytes::copy_from_slice(c)))
            .collect();
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        let mut form = Multipart::new(&headers, body)?;
        let mut parts = Vec::new();
        while let Some(part) = form.next_part().await? {
            let mut content = Vec::new();
            while let Some(piece) = form.chunk().await? {
                content.extend_from_slice(&piece);
            }
            parts.push((part.name, part.file_name, content));
        }
        Ok(parts)
    }

    #[tokio::test]
    async fn a_form_reads_the_same_in_pieces_of_any_size() {
        let tricky = b"\r\n--Xy\r\r\n--XyZ\r\n\r\n--X\r";
        let mut body = b"a preamble\r\n--XyZw\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\nvideo\r\n--XyZw  \r\n".to_vec();
        body.extend(b"content-type: video/mp4\r\ncontent-disposition: form-data; filename=\"C:\\dir\\a \\\"b\\\" %22c%22.mp4\"; name=file\r\n\r\n");
        body.extend(tricky);
        body.extend(b"\r\n--XyZw\r\nContent-Disposition: form-data; name=\"e\"\r\n\r\n\r\n--XyZw--\r\nan epilogue");
        for piece in 1..body.len() {
            let parts = read("XyZw", &body, piece).await.unwrap();
            assert_eq!(parts.len(), 3, "{piece}");
            assert_eq!(parts[0], ("type".into(), None, b"video".to_vec()));
            let name = Some("a \"b\" \"c\".mp4".to_owned());
            assert_eq!(parts[1], ("file".into(), name, tricky.to_vec()), "{piece}");
            assert_eq!(parts[2], ("e".into(), None, Vec::new()));
        }
    }

    #[tokio::test]
    async fn names_beyond_ascii_come_through() {
        for disposition in
            ["filename=\"été.mp4\"", "filename=x; filename*=UTF-8''%C3%A9t%C3%A9.mp4"]
        {
            let body = format!(
                "--b\r\nContent-Disposition: form-data; name=\"file\"; {disposition}\r\n\r\n.\r\n--b--"
            );
            let parts = read("\"b\"", body.as_bytes(), 7).await.unwrap();
            assert_eq!(parts[0].1.as_deref(), Some("été.mp4"));
        }
    }

    #[tokio::test]
    async fn names_are_read_as_browsers_and_curl_write_them() {
        for (disposition, name, file_name) in [
            // WHATWG HTML, multipart/form-data: these three are encoded, and a backslash is itself.
            (r#"name="a%0D%0Ab%22"; filename="c%0Ad%22%25.mp4""#, "a\r\nb\"", "c\nd\"%25.mp4"),
            (r#"name="a\"; filename="b.mp4""#, "a\\", "b.mp4"),
            (r#"name="a"; filename="b\""#, "a", "b\\"),
            (r#"filename="b\" ; name="a\""#, "a\\", "b\\"),
            (r#"name="a"; filename="b\c.mp4""#, "a", "b\\c.mp4"),
            // Escaped.
            (r#"name="a\\"; filename="b\\""#, "a\\", "b\\"),
            (r#"name="a\""; filename="b\"; c.mp4""#, "a\"", "b\"; c.mp4"),
            // A path of Windows's.
            (r#"name="a"; filename="C:\dir\b.mp4""#, "a", "b.mp4"),
            (r#"name="a"; filename="\\server\share\b.mp4""#, "a", "b.mp4"),
            (r#"name="a"; filename="\\\\server\\share\\b.mp4""#, "a", "b.mp4"),
            (r#"name="a"; filename*=utf-8''%5C%5Cserver%5Cshare%5Cb.mp4"#, "a", "b.mp4"),
            (r#"name="a"; filename="\b\c.mp4""#, "a", "\\b\\c.mp4"),
        ] {
            let body =
                format!("--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n.\r\n--b--");
            let parts = read("b", body.as_bytes(), 7).await.unwrap();
            let seen = (parts[0].0.as_str(), parts[0].1.as_deref());
            assert_eq!(seen, (name, Some(file_name)), "{disposition}");
        }
    }

    #[tokio::test]
    async fn what_is_no_form_is_refused() {
        for (boundary, body) in [
            ("b", &b"--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nhalf"[..]),
            ("b", b"--b\r\nContent-Disposition: form-data; na"),
            ("b", b""),
            ("b", b"no boundary"),
            ("b", b"--b\r\nContent-Type: text/plain\r\n\r\n.\r\n--b--"),
            ("b", b"--b\r\nContent-Disposition: form-data\r\n\r\n.\r\n--b--"),
            ("b", b"--bogus\r\nContent-Disposition: form-data; name=a\r\n\r\n.\r\n--b--"),
            ("b", b"--b\r\nContent-Disposition: form-data; name=\"\xff\"\r\n\r\n.\r\n--b--"),
            ("", b"--\r\n"),
        ] {
            let error = read(boundary, body, 5).await.unwrap_err();
            assert_eq!(error.status, StatusCode::BAD_REQUEST, "{body:?}");
        }
        let endless = [b"--b\r\nContent-Disposition: ".to_vec(), vec![b'x'; 100_000]].concat();
        assert!(read("b", &endless, 999).await.unwrap_err().message.contains("16 KiB"));
        assert!(
            read("b", &vec![b'x'; 100_000], 999).await.unwrap_err().message.contains("boundary")
        );
    }
}
