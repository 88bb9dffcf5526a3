//! The blocking client against a real platform, from threads without a runtime, as a script uses it.

#![cfg(feature = "blocking")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    path::Path,
    process::Command,
    sync::mpsc,
    thread::{self, JoinHandle},
};

use storycore::{
    ErrorKind, Patch,
    blocking::Client,
    models::{
        ListParams, NewApiKey, NewJob, NewProject, NewWebhook, ProjectUpdate, UploadOptions,
        VideoSettings,
    },
};
use tokio::sync::oneshot;

/// A platform on a thread of its own, which ends with this value.
struct Platform {
    url: String,
    key: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Platform {
    fn start() -> Self {
        let (say, said) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let config = storycore_local::Config::in_memory();
                let platform = storycore_local::start(config).await.unwrap();
                say.send((platform.url().to_owned(), platform.api_key().to_owned())).unwrap();
                let _ = stopped.await;
                platform.shutdown().await;
            });
        });
        let (url, key) = said.recv().unwrap();
        Self { url, key, stop: Some(stop), thread: Some(thread) }
    }

    fn client(&self) -> Client {
        let builder = Client::builder().api_key(self.key.as_str()).base_url(self.url.as_str());
        builder.build_blocking().unwrap()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || ended.is_none_or(|ended| ended.is_ok()));
    }
}

fn film(folder: &Path) -> std::path::PathBuf {
    let film = folder.join("film.mp4");
    let program = std::env::var_os("STORYCORE_FFMPEG").unwrap_or_else(|| "ffmpeg".into());
    let made = Command::new(program)
        .args("-v error -nostdin -f lavfi -i testsrc2=duration=1:size=64x64:rate=25 -c:v libx264 -pix_fmt yuv420p".split(' '))
        .arg(&film)
        .status();
    assert!(made.expect("these tests need ffmpeg").success());
    film
}

#[test]
fn a_project_is_made_changed_listed_and_deleted() {
    let platform = Platform::start();
    let client = platform.client();
    let project = client.projects().create(NewProject::new("Film")).unwrap();
    let update = ProjectUpdate { name: Patch::Set("Other".to_owned()), ..ProjectUpdate::default() };
    assert_eq!(client.projects().update(&project.id, update).unwrap().name, "Other");
    assert_eq!(client.projects().get(&project.id).unwrap().name, "Other");
    assert_eq!(client.projects().list(ListParams::new()).unwrap().data.len(), 1);
    assert!(client.projects().delete(&project.id).unwrap().deleted);
    let error = client.projects().get(&project.id).unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::NotFound, Some(404)));
}

#[test]
fn lists_are_iterators_over_every_page() {
    let platform = Platform::start();
    let client = platform.client();
    let made: Vec<String> = (0..25)
        .map(|n| client.projects().create(NewProject::new(format!("Film {n}"))).unwrap().id)
        .collect();
    let params = ListParams::new().page_size(10);
    let mut ids: Vec<String> =
        client.projects().items(params.clone()).map(|p| p.unwrap().id).collect();
    let pages: Vec<usize> =
        client.projects().pages(params).map(|p| p.unwrap().data.len()).collect();
    assert_eq!(pages, [10, 10, 5]);
    let mut expected = made;
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected);
}

#[test]
fn a_film_is_uploaded_made_anew_and_downloaded() {
    let platform = Platform::start();
    let client = platform.client();
    let folder = tempfile::tempdir().unwrap();
    let film = film(folder.path());
    let asset = client.media().upload(&film, UploadOptions::new("video")).unwrap();
    assert_eq!(client.assets().content(&asset.id).unwrap(), std::fs::read(&film).unwrap());
    let job = client.jobs().create(NewJob::video_processing(&asset.id, VideoSettings::default()));
    let job = job.unwrap();
    let last = client.jobs().events(&job.id).map(Result::unwrap).last().unwrap();
    assert_eq!(last.kind, "job.completed");
    let done = client.jobs().wait(&job.id).unwrap();
    let result = folder.path().join("result.mp4");
    client.media().download(done.output_asset().unwrap(), &result).unwrap();
    assert!(std::fs::metadata(&result).unwrap().len() > 0);
}

#[test]
fn webhooks_keys_events_and_untyped_requests_are_there_too() {
    let platform = Platform::start();
    let client = platform.client();
    let hook = client.webhooks().create(NewWebhook::new("https://example.com/hook", ["job.*"]));
    let hook = hook.unwrap();
    assert_eq!(client.webhooks().get(&hook.webhook.id).unwrap().id, hook.webhook.id);
    assert_eq!(client.webhooks().delivery_items(&hook.webhook.id, ListParams::new()).count(), 0);
    let key = client.api_keys().create(NewApiKey::new("script", ["read"])).unwrap();
    assert!(client.api_keys().revoke(&key.key.id).unwrap().deleted);
    client.projects().create(NewProject::new("Film")).unwrap();
    let event = client.events().items(ListParams::new()).next().unwrap().unwrap();
    assert_eq!(client.events().get(&event.id).unwrap().id, event.id);
    let answer = client.request("GET", "/api/projects").query("limit", 1).send().unwrap();
    assert_eq!(answer.json::<serde_json::Value>().unwrap()["pagination"]["total"], 1);
}

#[test]
fn one_client_serves_many_threads() {
    let platform = Platform::start();
    let client = platform.client();
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let client = client.clone();
            thread::spawn(move || {
                for i in 0..5 {
                    client.projects().create(NewProject::new(format!("{n} {i}"))).unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(client.projects().items(ListParams::new()).count(), 40);
}

#[test]
fn inside_an_async_runtime_it_says_so_and_does_not_panic() {
    let platform = Platform::start();
    let client = platform.client();
    // Its own runtime exists by now, and ends inside the other one.
    client.projects().list(ListParams::new()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async move {
        let error = client.projects().list(ListParams::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("async runtime"), "{error}");
        let mut items = client.projects().items(ListParams::new());
        assert!(items.next().unwrap().is_err());
        assert!(items.next().is_none(), "the error ends it");
    });
}
