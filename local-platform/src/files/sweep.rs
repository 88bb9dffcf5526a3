//! What a start does with the files that an earlier run left: nothing half written stays, no file without its row, and a
//! row without its file says so.

use std::{collections::HashSet, io, path::Path};

use sqlx::Row as _;

use super::blocking;
use crate::{app::App, error::ApiError, resources::assets};

/// Puts folders and table in agreement; to be called before anything is served.
pub(crate) async fn sweep(app: &App) -> Result<(), ApiError> {
    let (incoming, work, folder) =
        (app.files.incoming.clone(), app.files.work.clone(), app.files.assets.clone());
    let found = blocking(move || {
        end_orphans(&work);
        let left = names(&incoming)?.len() + names(&work)?.len();
        if left > 0 {
            tracing::info!("{left} unfinished files of an earlier run are removed");
        }
        for folder in [&incoming, &work] {
            std::fs::remove_dir_all(folder)?;
            std::fs::create_dir(folder)?;
        }
        names(&folder)
    })
    .await?;

    let rows = sqlx::query("SELECT id, organization_id, doc ->> 'status' FROM assets")
        .fetch_all(app.store.reader())
        .await?;
    let mut known = HashSet::with_capacity(rows.len());
    for row in rows {
        let (id, organization, status): (String, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if !found.contains(&id) && status == "ready" {
            tracing::error!(asset = id, "an asset's file is gone; the asset is now failed");
            assets::fail(app, &organization, &id).await?;
        }
        known.insert(id);
    }
    for stray in found.difference(&known) {
        tracing::warn!(file = stray, "a file of no asset is removed");
        app.files.remove(stray).await;
    }
    sweep_uploads(app).await
}

/// Cuts off what was not verified, removes files of no upload, and gives up uploads without a file.
async fn sweep_uploads(app: &App) -> Result<(), ApiError> {
    let folder = app.files.uploads.clone();
    let found = blocking(move || names(&folder)).await?;
    let rows = sqlx::query(
        "SELECT id, chunk_start FROM uploads WHERE is_gone = 0 AND asset_id IS NULL AND final_id IS NULL",
    )
    .fetch_all(app.store.reader())
    .await?;
    let mut known = HashSet::with_capacity(rows.len());
    for row in rows {
        let (id, chunk_start): (String, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
        let change = if found.contains(&id) {
            let Some(start) = chunk_start else {
                known.insert(id);
                continue;
            };
            app.files.cut_upload(&id, u64::try_from(start).unwrap_or(0)).await?;
            "UPDATE uploads SET chunk_start = NULL WHERE id = ?1"
        } else {
            tracing::error!(upload = id, "an upload's file is gone; so is the upload");
            "UPDATE uploads SET is_gone = 1 WHERE id = ?1"
        };
        let mut tx = app.store.begin().await?;
        sqlx::query(change).bind(&id).execute(tx.sql()).await?;
        tx.commit().await?;
        known.insert(id);
    }
    for stray in found.difference(&known) {
        app.files.remove_upload(stray).await;
    }
    Ok(())
}

/// Ends the ffmpeg of a platform that was killed: it works in a folder that is about to go, and is known by it.
#[cfg(target_os = "linux")]
fn end_orphans(work: &Path) {
    let (Ok(work), Ok(processes)) = (work.canonicalize(), std::fs::read_dir("/proc")) else {
        return;
    };
    for process in processes.flatten() {
        let number = process.file_name().to_str().and_then(|n| n.parse().ok());
        let Some(pid) = number.and_then(rustix::process::Pid::from_raw) else { continue };
        if std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&work)) {
            tracing::info!("an ffmpeg of an earlier run is ended");
            // Already gone is as good.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// Other systems do not tell a process's folder so simply; there it ends by itself.
#[cfg(not(target_os = "linux"))]
fn end_orphans(_: &Path) {}

fn names(folder: &Path) -> io::Result<HashSet<String>> {
    std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}
