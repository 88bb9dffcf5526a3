//! The main job: a film goes in, another one comes out. The README shows this file.
#![allow(clippy::print_stdout, reason = "an example talks")]

use storycore::Client;
use storycore::models::{NewJob, NewProject, UploadOptions, VideoSettings};

#[tokio::main]
async fn main() -> storycore::Result<()> {
    let client = Client::from_env()?; // STORYCORE_API_KEY and STORYCORE_BASE_URL

    let project = client.projects().create(NewProject::new("Summer film")).await?;
    let upload = UploadOptions::new("video").project(&project.id);
    let clip = client.media().upload("clip.mp4", upload).await?;

    let settings = VideoSettings::default().format("mp4").resolution("640x360");
    let job = client.jobs().create(NewJob::video_processing(&clip.id, settings)).await?;
    let done = client.jobs().wait(&job.id).await?;

    let id = done.output_asset().expect("a completed job has a result");
    let result = client.media().download(id, "result.mp4").await?;
    println!("result.mp4 is {}, {} bytes", result.name, result.size.unwrap_or_default());
    Ok(())
}
