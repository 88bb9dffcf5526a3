//! `storycore demo [VIDEO]`: the main job end to end, through the client as any program would do it,
//! and a large upload that is killed and resumed, on a platform that lives as long as the demo. What it needs beside the client (ffmpeg, a webhook
//! receiver, the screen) is in the files below.

mod ffmpeg;
pub(crate) mod large;
mod receiver;
mod screen;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use storycore::Client;
use storycore::jobs::WaitOptions;
use storycore::models::{
    Job, NewJob, NewProject, NewWebhook, ThumbnailSettings, UploadOptions, VideoSettings,
};
use storycore::webhooks::{Event, Webhook};
use storycore_local::{Config, Running};
use tokio::sync::watch;

use crate::signals::{Interrupted, Stop};
use ffmpeg::Ffmpeg;
use receiver::Receiver;
use screen::Screen;

/// The files that are made of a film, in the folder of `--out`.
const RESULT: &str = "result.mp4";
const THUMBNAIL: &str = "thumbnail.jpg";
/// The platform tells of a job's end at once; later than this it is not coming.
const WEBHOOK_DEADLINE: Duration = Duration::from_secs(30);

/// What `storycore demo` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The film to work on [default: a clip of 10 s, made with ffmpeg].
    video: Option<PathBuf>,

    /// Directory for what comes of it, made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "storycore-demo")]
    out: PathBuf,
}

/// What the demo made.
struct Made {
    result: PathBuf,
    thumbnail: PathBuf,
    /// From the start of the jobs to their end, as the platform says.
    jobs: Duration,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let mut stop = Stop::listen().context("cannot listen for signals")?;
    let screen = Screen::new();
    let ffmpeg = Ffmpeg::find();
    let (original, platform, mut receiver) = tokio::select! {
        prepared = prepare(&args, &screen, &ffmpeg) => prepared?,
        () = stop.asked() => return Err(Interrupted.into()),
    };
    // From here on there is something to stop, however the job ends.
    let work = async {
        let client = client(&platform)?;
        let made = main_job(&client, &original, &args.out, &mut receiver, &screen)
            .await
            .with_context(|| original.display().to_string())?;
        let start = screen.elapsed();
        large::show(&client, &platform, &args.out, &screen).await?;
        Ok((made, screen.elapsed() - start))
    };
    let made: Result<_> = tokio::select! {
        made = work => made,
        () = stop.asked() => Err(Interrupted.into()),
    };
    receiver.stop().await;
    platform.shutdown().await;
    let (made, in_large) = made?;
    tokio::select! {
        played = ffmpeg.play(&made.result) => played?,
        () = stop.asked() => return Err(Interrupted.into()),
    }
    screen.say("the result plays: every frame and sample of it was decoded");

    let total = screen.elapsed();
    let in_ffmpeg = ffmpeg.spent() + made.jobs;
    println!();
    println!("original   {}", original.display());
    println!("result     {}", made.result.display());
    println!("thumbnail  {}", made.thumbnail.display());
    println!(
        "time       {:.2} s: {:.2} s of ffmpeg, {:.2} s of the large file, {:.2} s of everything else",
        total.as_secs_f64(),
        in_ffmpeg.as_secs_f64(),
        in_large.as_secs_f64(),
        total.saturating_sub(in_ffmpeg + in_large).as_secs_f64(),
    );
    Ok(())
}

/// A film, a platform and a receiver.
async fn prepare(
    args: &Args,
    screen: &Screen,
    ffmpeg: &Ffmpeg,
) -> Result<(PathBuf, Running, Receiver)> {
    if let Some(video) = &args.video {
        let file = std::fs::metadata(video).with_context(|| video.display().to_string())?;
        if !file.is_file() {
            bail!("{} is no file", video.display());
        }
    }
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot make the directory {}", args.out.display()))?;
    let video = args.video.as_ref().and_then(|video| video.canonicalize().ok());
    for made in [RESULT, THUMBNAIL].map(|name| args.out.join(name)) {
        if video.is_some() && made.canonicalize().ok() == video {
            let made = made.display();
            bail!(
                "{made} is where the demo writes: give the film another name, or choose another --out"
            );
        }
        // What an earlier film left is not to be taken for this one's.
        let _ = std::fs::remove_file(made);
    }
    let original = match &args.video {
        Some(video) => video.clone(),
        None => {
            let clip = args.out.join("original.mp4");
            ffmpeg.make_clip(&clip).await?;
            screen.say("made a clip with ffmpeg: 10 s, H.264 and AAC");
            clip
        }
    };
    let platform = storycore_local::start(Config::in_memory()).await?;
    let receiver = match Receiver::start().await {
        Ok(receiver) => receiver,
        Err(error) => {
            platform.shutdown().await;
            return Err(error);
        }
    };
    screen.say(&format!("the platform runs at {}", platform.url()));
    Ok((original, platform, receiver))
}

fn client(platform: &Running) -> Result<Client> {
    Ok(Client::builder()
        .base_url(platform.url())
        .api_key(platform.api_key())
        .app_info("storycore-demo", env!("CARGO_PKG_VERSION"))
        .build()?)
}

/// The main job: a project, an upload, a job, its webhook, its result, a thumbnail.
async fn main_job(
    client: &Client,
    original: &Path,
    out: &Path,
    receiver: &mut Receiver,
    screen: &Screen,
) -> Result<Made> {
    let webhook = NewWebhook::new(receiver.url(), ["job.completed", "job.failed"]);
    let webhook = client.webhooks().create(webhook).await?;
    receiver.verify_with(Webhook::new(webhook.secret.expose())?.require_standard());
    screen.say(&format!("webhook    {} for job.completed, job.failed", receiver.url()));

    let project = client.projects().create(NewProject::new("StoryCore demo")).await?;
    screen.say(&format!("project    {} \"{}\"", project.id, project.name));

    let (sent, seen) = watch::channel(0);
    let options = UploadOptions::new("video").project(&project.id);
    let media = client.media();
    let upload = media.upload_with_progress(original, options, move |progress| {
        sent.send_replace(progress.sent * 100 / progress.total.max(1));
    });
    let asset = shown(screen, "upload", seen, upload).await?;
    screen.say(&format!(
        "upload     {} is {}, {} bytes, sha256 {}…",
        original.display(),
        asset.id,
        asset.size.unwrap_or(0),
        asset.sha256.as_deref().and_then(|sum| sum.get(..12)).unwrap_or("unknown")
    ));

    let settings = VideoSettings::default().quality("medium").format("mp4");
    let job = NewJob::video_processing(&asset.id, settings).project(&project.id);
    let done = run_job(client, job, screen).await?;
    let event = told_of(&done, receiver).await?;
    screen.say(&format!(
        "webhook    {} {} arrived, its signature is good",
        event.kind(),
        event.id()
    ));

    let result = out.join(RESULT);
    let id = done.output_asset().context("the job completed without a result")?;
    media.download(id, &result).await?;
    screen.say(&format!("download   {} is {}", id, result.display()));

    let settings =
        ThumbnailSettings { format: Some("jpg".to_owned()), ..ThumbnailSettings::default() };
    let job = NewJob::thumbnail(id, settings).project(&project.id);
    let pictured = run_job(client, job, screen).await?;
    let thumbnail = out.join(THUMBNAIL);
    let id = pictured.output_asset().context("the job completed without a picture")?;
    media.download(id, &thumbnail).await?;
    screen.say(&format!("download   {} is {}", id, thumbnail.display()));

    Ok(Made { result, thumbnail, jobs: ran(&done) + ran(&pictured) })
}

/// Makes a job and waits for its end, showing how far it is.
async fn run_job(client: &Client, job: NewJob, screen: &Screen) -> Result<Job> {
    let job = client.jobs().create(job).await?;
    let (sent, seen) = watch::channel(0);
    let options = WaitOptions::new().on_progress(move |job: &Job| {
        sent.send_replace(job.progress.unwrap_or(0.0) as u64);
    });
    let done = shown(screen, &job.kind, seen, client.jobs().wait_with(&job.id, options)).await?;
    screen.say(&format!("job        {} {} {}", done.id, done.kind, done.status));
    Ok(done)
}

/// Runs `work` while the screen follows its progress.
async fn shown<T>(
    screen: &Screen,
    what: &str,
    mut seen: watch::Receiver<u64>,
    work: impl Future<Output = Result<T, storycore::Error>>,
) -> Result<T> {
    let mut progress = screen.progress(what);
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            Ok(()) = seen.changed() => progress.at(*seen.borrow_and_update()),
            done = &mut work => {
                // The last step is often told together with the end.
                if done.is_ok() && seen.has_changed().unwrap_or(true) {
                    progress.at(*seen.borrow_and_update());
                }
                return Ok(done?);
            }
        }
    }
}

/// The webhook that tells of this job.
async fn told_of(job: &Job, receiver: &mut Receiver) -> Result<Event> {
    let told = async {
        loop {
            let event = receiver.next().await?;
            if event.payload()?.data["id"] == *job.id {
                return Ok(event);
            }
        }
    };
    let event = tokio::time::timeout(WEBHOOK_DEADLINE, told).await;
    event.with_context(|| format!("no webhook told of {} within {WEBHOOK_DEADLINE:?}", job.id))?
}

/// How long the job ran on the platform, which is ffmpeg's time.
fn ran(job: &Job) -> Duration {
    match (job.started_at, job.completed_at) {
        (Some(start), Some(end)) => end.duration_since(start).unsigned_abs(),
        _ => Duration::ZERO,
    }
}
