//! A source as the body of a request that is not the SDK's own, such as a PUT to an address that was signed for it. The
//! bytes go as they are; nothing checks them.

use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;

use super::{
    UploadSource,
    multipart::{SourceFailed, bounds},
    source::Way,
};
use crate::{
    error::Error,
    transport::{Body, Bounds, Made, SendBody},
};

/// The body, and the time that its size needs.
pub(crate) async fn body(
    source: UploadSource,
    content_type: String,
) -> Result<(Body, Bounds), Error> {
    if let UploadSource::Stream(stream) = &source {
        let body = SendBody::stream(stream.take()?);
        let made = Made { content_type, length: None, body };
        return Ok((Body::Once(Mutex::new(Some(made))), Bounds::default()));
    }
    let size = source.size()?;
    let make = move || {
        let pieces = source.pieces(0..size, Way::Whole);
        let pieces = pieces.map(|piece| {
            piece.map_err(|error| std::io::Error::other(SourceFailed(error.to_string())))
        });
        Ok(Made {
            content_type: content_type.clone(),
            length: Some(size),
            body: SendBody::stream(pieces),
        })
    };
    Ok((Body::Rebuilt(Arc::new(make)), bounds(size)))
}
