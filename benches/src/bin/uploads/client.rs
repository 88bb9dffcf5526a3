//! Our client as a process: it does one kind of upload, as a program of somebody's would, and prints what that took.

use std::{path::Path, time::Instant};

use storycore::{Client, models::UploadOptions, upload::Journal};
use storycore_benches::process;

use crate::{Failure, stage::Took};

/// `KIND URL KEY PATH [MORE]`.
pub(crate) fn run(words: &[&str]) -> Result<(), Failure> {
    let [kind, url, key, path, more @ ..] = words else { return Err("too few words".into()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let seconds = runtime.block_on(async {
        let client = Client::builder().base_url(*url).api_key(*key).build()?;
        let path = Path::new(path);
        let started = Instant::now();
        match *kind {
            "put" => {
                client.request("PUT", "/film.bin").source("video/mp4", path).send().await?;
            }
            "one-request" => one_request(&client, path).await?,
            "tus" => tus(&client, path, more.first().and_then(|n| n.parse().ok())).await?,
            "many" => many(&client, path).await?,
            "one-by-one" => one_by_one(&client, path).await?,
            _ => return Err("no such kind".into()),
        }
        Ok::<_, Failure>(started.elapsed().as_secs_f64())
    })?;
    let me = std::process::id();
    let took = Took {
        seconds,
        cpu_seconds: process::cpu_seconds(me)?,
        peak_mib: process::peak_memory_mib(me)?,
    };
    println!("{}", serde_json::to_string(&took)?);
    Ok(())
}

async fn one_request(client: &Client, file: &Path) -> Result<(), Failure> {
    let upload = client.media().prepare_upload(file, UploadOptions::new("document"));
    upload.multipart_below(u64::MAX).journal(journal(file)).send().await?;
    Ok(())
}

/// Everything as by default, but for the streams where they are told, and the journal's place: nothing of a bench belongs into
/// the user's own.
async fn tus(client: &Client, file: &Path, streams: Option<usize>) -> Result<(), Failure> {
    let upload = client.media().prepare_upload(file, UploadOptions::new("document"));
    let upload = upload.multipart_below(0).journal(journal(file));
    match streams {
        Some(streams) => upload.max_streams(streams).send().await?,
        None => upload.send().await?,
    };
    Ok(())
}

/// Every file of a folder.
async fn many(client: &Client, folder: &Path) -> Result<(), Failure> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        files.push(entry?.path());
    }
    let journal = journal(folder);
    let uploads = client.media().upload_all(files, UploadOptions::new("document"));
    let mut uploads = uploads.each(move |upload| upload.journal(journal.clone()));
    while let Some(file) = uploads.next().await {
        file.result?;
    }
    Ok(())
}

/// The same files without it.
async fn one_by_one(client: &Client, folder: &Path) -> Result<(), Failure> {
    let journal = journal(folder);
    for entry in std::fs::read_dir(folder)? {
        let upload = client.media().prepare_upload(entry?.path(), UploadOptions::new("document"));
        upload.journal(journal.clone()).send().await?;
    }
    Ok(())
}

/// A journal beside what is uploaded.
fn journal(of: &Path) -> Journal {
    Journal::At(of.with_extension("journal"))
}
