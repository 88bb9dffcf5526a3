//! Content that is read as it comes.

use std::sync::atomic::Ordering::SeqCst;

use axum::{http::StatusCode, response::IntoResponse as _};
use serde_json::json;
use storycore::{ErrorKind, download::ContentStream};

use crate::{
    asset, broken,
    common::{MIB, World, bytes},
    ranges, server,
};

/// What a stream gives, to its end or its error.
async fn read(stream: &mut ContentStream) -> (Vec<u8>, Option<storycore::Error>) {
    let mut all = Vec::new();
    loop {
        match stream.next_piece().await {
            Ok(Some(piece)) => all.extend_from_slice(&piece),
            Ok(None) => return (all, None),
            Err(error) => return (all, Some(error)),
        }
    }
}

#[tokio::test]
async fn content_comes_piece_by_piece_and_a_cut_is_taken_up() {
    let world = World::new().await;
    let content = bytes(10 * MIB, 9);
    let id = asset(&world, &content).await;
    let path = "/api/assets/*/content";
    world
        .fault(json!({"method": "GET", "path": path, "times": 2, "action": {"truncate": true}}))
        .await;
    let mut stream = world.client.media().content_stream(&id).await.unwrap();
    assert_eq!(stream.size(), Some(10 * MIB as u64));
    let (read, error) = read(&mut stream).await;
    assert!(error.is_none() && read == content, "{error:?}");
    let asked = ranges(&world).await;
    assert_eq!(asked[0], (None, 200));
    assert!(asked.len() == 3 && asked[1..].iter().all(|(_, status)| *status == 206), "{asked:?}");
    let missing = world.client.media().content_stream("ast_none").await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    world.end().await;
}

#[tokio::test]
async fn a_stream_of_content_that_becomes_another_one_ends_in_an_error() {
    let (old, new) = (bytes(MIB, 1), bytes(MIB, 2));
    let given = old.clone();
    let (client, count) = server(None, MIB, move |number, _| match number {
        0 => ([("etag", "\"old\"")], broken(&given[..MIB / 2])).into_response(),
        _ => ([("etag", "\"new\"")], new.clone()).into_response(),
    })
    .await;
    let mut stream = client.media().content_stream("ast_1").await.unwrap();
    let (read, error) = read(&mut stream).await;
    assert!(old.starts_with(&read), "nothing of the other content is given out");
    assert_eq!(error.unwrap().kind(), ErrorKind::Upload);
    assert!(stream.next_piece().await.unwrap().is_none(), "it is over");
    assert_eq!(count.load(SeqCst), 2);
}

/// A range in chunks has every byte, and is cut before it says that this was all.
#[tokio::test]
async fn a_stream_of_content_whose_connection_breaks_after_the_last_byte_is_whole() {
    let content = bytes(MIB, 3);
    let given = content.clone();
    let (client, count) = server(None, MIB, move |number, headers| {
        if number == 0 {
            let headers = [("etag", "\"1\"".to_owned()), ("content-length", MIB.to_string())];
            return (headers, broken(&given[..MIB / 2])).into_response();
        }
        let range = headers["range"].to_str().unwrap().strip_prefix("bytes=").unwrap();
        let start: usize = range.split_once('-').unwrap().0.parse().unwrap();
        let told = format!("bytes {start}-{}/{MIB}", MIB - 1);
        let headers = [("etag", "\"1\"".to_owned()), ("content-range", told)];
        (StatusCode::PARTIAL_CONTENT, headers, broken(&given[start..])).into_response()
    })
    .await;
    let mut stream = client.media().content_stream("ast_1").await.unwrap();
    let (read, error) = read(&mut stream).await;
    assert!(error.is_none() && read == content, "{error:?}");
    assert_eq!(count.load(SeqCst), 2, "nothing is left to ask for");
}
