//! How an upload ends: the asset that it became, compared with what was sent, or its parts taken back. It sends no byte of
//! the file.

use std::sync::Arc;

use http::Method;

use super::{
    context::Context,
    judge::Asked,
    part::{Kind, Part},
    recover::insist,
    tus::question,
};
use crate::{
    client::Client,
    decode,
    error::{Error, ErrorKind},
    models::{Asset, AssetStatus},
    platform::Resource,
    transport::{Request, below},
};

/// Takes parts back, as many of them as that is quickly done with, and says whether all are gone. With `with_asset` also the asset
/// that an upload became whose last answer was not waited for.
pub(crate) async fn discard(ctx: &Context<'_>, parts: &[Arc<Part>], with_asset: bool) -> bool {
    let all = futures_util::future::join_all(parts.iter().map(async |part| {
        match part.with(|s| s.location.clone()) {
            // One of several becomes nothing by itself.
            Some(at) => {
                let is_gone = take_back(ctx, &at, with_asset && part.kind != Kind::Part).await;
                part.with(|s| s.is_taken_back = is_gone);
                is_gone
            }
            None => true,
        }
    }));
    match tokio::time::timeout_at(ctx.ending.whole(), all).await {
        Ok(gone) => gone.into_iter().all(|is_gone| is_gone),
        Err(_) => {
            tracing::warn!(
                "not every part could be taken back in time; the rest expires on the platform"
            );
            false
        }
    }
}

/// Takes a stream back, which nobody can continue after an error, if that is quickly done: the error is to be told.
pub(crate) async fn abandon(ctx: &Context<'_>, location: Option<String>) {
    if let Some(location) = location {
        let taking = take_back(ctx, &location, true);
        // What is not taken back expires on the platform, unless it is an asset already.
        if tokio::time::timeout_at(ctx.ending.whole(), taking).await != Ok(true) {
            ctx.ending.leave_asset();
        }
    }
}

async fn take_back(ctx: &Context<'_>, location: &str, with_asset: bool) -> bool {
    let mut became = None;
    if with_asset {
        let ask = || ctx.wire.offset(location);
        became = insist(Asked::Offset, ask(), ask).await.unwrap_or_default().asset_id;
    }
    if let Some(id) = &became
        && !remove(ctx.wire.client, id).await
    {
        // The upload stays, too, which leads the next call to its asset.
        return false;
    }
    if !ctx.abilities.termination {
        return became.is_some();
    }
    let delete = || ctx.wire.delete(location);
    match insist(Asked::Offset, delete(), delete).await {
        // The last byte may have come in between.
        Ok(held) => match held.asset_id.filter(|_| with_asset && became.is_none()) {
            Some(id) => remove(ctx.wire.client, &id).await,
            None => true,
        },
        Err(error) => {
            tracing::warn!(%error, "a partial upload could not be taken back; it expires on the platform");
            false
        }
    }
}

/// Removes the asset of an upload that is not wanted any more.
pub(crate) async fn remove(client: &Client, id: &str) -> bool {
    let removed = client.media().delete(id).await;
    if let Err(error) = &removed {
        tracing::warn!(%error, asset = id, "the asset of a cancelled upload could not be removed");
    }
    removed.is_ok()
}

/// The asset that an upload became. A platform that is nothing but tus has none: then it is what is known of it.
pub(crate) async fn asset(
    client: &Client,
    location: &str,
    asset_id: Option<String>,
    size: u64,
    sha256: &[u8; 32],
) -> Result<Asset, Error> {
    let assets = client.platform().path(Resource::Assets).ok();
    let mut id = asset_id;
    if id.is_none() && assets.is_some() {
        let answer = client.transport().send(&question(location)?, client.options()).await?;
        id = answer.headers.get("x-asset-id").and_then(|v| v.to_str().ok()).map(str::to_owned);
    }
    if id.is_none() && assets.is_some() {
        let error = Error::upload(
            "the platform names no asset (X-Asset-Id) for an upload that it has whole",
        );
        return Err(error.with(|facts| facts.is_unnamed = true));
    }
    let (Some(path), Some(id)) = (assets, &id) else {
        let id =
            location.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        let known = serde_json::json!({
            "id": id, "size": size, "sha256": hex::encode(sha256), "status": AssetStatus::Ready.as_str(),
            "url": client.url(location.split('?').next().unwrap_or_default()).as_str(),
        });
        return serde_json::from_value(known)
            .map_err(|e| Error::new(ErrorKind::Decode, "the upload's id is no id").with_source(e));
    };
    let answer = client.send(&Request::new(Method::GET, "/assets/{id}", below(path, id)?)).await?;
    decode::object(&answer.body).map_err(|e| decode::from(e, &answer))
}

/// Every byte is there, but what became of them could not be read, and nothing leads the next call to it: that one would make a
/// second asset, and a stream cannot be read again.
pub(crate) fn complete(error: Error, became: &str) -> Error {
    // What stands behind it may be a secret.
    let became = became.split('?').next().unwrap_or_default();
    let error = error.with(|facts| facts.is_advised = true);
    error.saying(&format!(
        "; the upload is complete, as {became}: ask for that, and do not upload it again"
    ))
}

/// The same where the next call is led to it.
pub(crate) fn asked_again(error: Error) -> Error {
    if error.facts().is_unnamed { error.saying(": upload it again once it does") } else { error }
}

/// Says what to do about an error that is the platform's or the network's and may pass. The others say it themselves.
pub(crate) fn advised(error: Error, what: &str) -> Error {
    let passes = match error.kind() {
        ErrorKind::Connection
        | ErrorKind::Timeout
        | ErrorKind::Server
        | ErrorKind::RateLimited
        | ErrorKind::CircuitOpen
        | ErrorKind::Conflict
        | ErrorKind::NotFound
        | ErrorKind::Decode => true,
        // Locked, and changed on its way.
        _ => matches!(error.status(), Some(417 | 423 | 460)),
    };
    if passes && !error.facts().is_advised { error.explained(what) } else { error }
}

/// The asset is the file. One that is not is removed, so that nobody takes it for the file.
pub(crate) async fn compare(
    client: &Client,
    asset: &Asset,
    sha256: &[u8; 32],
) -> Result<(), Error> {
    if is_of(asset, sha256) {
        return Ok(());
    }
    let removed = client.media().delete(&asset.id).await;
    let kept = if removed.is_ok() { "it was deleted" } else { "delete it" };
    Err(Error::upload(format!(
        "the platform stored other bytes as {} than the file has ({kept}): upload the file again",
        asset.id
    )))
}

/// What a cancelled upload ends with.
pub(crate) fn was_cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "the upload was cancelled")
}

/// Whether an asset has these bytes, as far as the platform says.
pub(crate) fn is_of(asset: &Asset, sha256: &[u8; 32]) -> bool {
    let sent = hex::encode(sha256);
    asset.sha256.as_ref().is_none_or(|stored| stored.eq_ignore_ascii_case(&sent))
}
