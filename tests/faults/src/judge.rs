//! What is true in the end, seen from the platform's side and not the client's: one asset with the file's bytes, and
//! nothing left over, on the disk or in the journal.

use std::{io, net::SocketAddr, path::Path};

use anyhow::{Result, ensure};
use sha2::{Digest as _, Sha256};
use storycore::models::Asset;

use crate::{http::ask, run::Source};

/// The platform has exactly one asset, the one that the client tells of, and its file is the source.
pub(crate) async fn one_asset(
    platform: SocketAddr,
    key: &str,
    told: &Asset,
    source: &Source,
    data: &Path,
) -> Result<()> {
    let answer = ask(platform, "GET", "/api/assets", key).await?;
    let page: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let total = &page["pagination"]["total"];
    ensure!(total == 1, "there are {total} assets");
    let asset = &page["data"][0];
    ensure!(asset["id"] == told.id.as_str(), "the client tells of {} and not {asset}", told.id);
    ensure!(
        asset["size"] == source.size,
        "the asset has {} of {} bytes",
        asset["size"],
        source.size
    );
    ensure!(
        asset["sha256"] == source.sha256.as_str(),
        "the asset has another sha256 than the file"
    );
    let files = names(&data.join("files/assets"))?;
    ensure!(files == [told.id.as_str()], "on the disk there are {files:?}");
    let bytes = std::fs::read(data.join("files/assets").join(&told.id))?;
    ensure!(hex::encode(Sha256::digest(bytes)) == source.sha256, "the disk has other bytes");
    Ok(())
}

/// Neither orphans on the platform nor lines in the journal. A part that was made when the client was killed, and of which
/// it had not yet written down the address, is not known to one that begins anew: it is empty, and expires.
pub(crate) fn nothing_is_left(data: &Path, journal: &Path, begun_anew: bool) -> Result<()> {
    let uploads = data.join("files/uploads");
    let mut orphans = names(&uploads)?;
    if begun_anew {
        orphans.retain(|id| std::fs::metadata(uploads.join(id)).is_ok_and(|file| file.len() > 0));
    }
    ensure!(orphans.is_empty(), "the platform still has {orphans:?}");
    if !journal.exists() {
        return Ok(());
    }
    let db = rusqlite::Connection::open(journal)?;
    let uploads: i64 = db.query_row("SELECT count(*) FROM upload", [], |row| row.get(0))?;
    ensure!(uploads == 0, "the journal still has {uploads} uploads");
    let locks = names(&journal.with_file_name("journal.sqlite3.locks"))?;
    ensure!(locks == ["opening"], "the journal still has the locks {locks:?}");
    Ok(())
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names: Vec<_> = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()?;
    names.sort();
    Ok(names)
}
