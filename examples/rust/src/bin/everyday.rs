//! What one meets every day: retries, lists, updates, waiting, webhooks. The README shows this file.
#![allow(clippy::print_stdout, reason = "an example talks")]

use std::time::Duration;

use axum::{Router, routing::post};
use storycore::jobs::WaitOptions;
use storycore::models::{ListParams, NewProject, NewWebhook, ProjectUpdate};
use storycore::models::{UploadOptions, VideoSettings};
use storycore::webhooks::{Event, Webhook, layer::VerifyLayer};
use storycore::{CallOptions, Client, ErrorKind, Patch};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::from_env()?;

    // Retries: two by default, later each time, never sooner than the platform asks for, and a POST
    // has the same idempotency key each time. For some calls one wants more:
    let patient = client.with(CallOptions::new().max_retries(5).timeout(Duration::from_secs(60)));
    for name in ["Spring", "Summer", "Autumn"] {
        patient.projects().create(NewProject::new(name)).await?;
    }

    // Errors: one type; its kind says what to do.
    match client.projects().get("prj_gone").await {
        Ok(project) => println!("{}", project.name),
        Err(error) if error.kind() == ErrorKind::NotFound => println!("no such project"),
        Err(error) => return Err(error.into()),
    }

    // Lists: every item over all pages; the next page is fetched while this one is read.
    let planned = ListParams::new().filter("status", "planned").sort("name.asc").page_size(2);
    let mut projects = client.projects().items(planned);
    while let Some(project) = projects.next_item().await? {
        // Updates: what is not named stays, `Patch::Clear` clears.
        let update = ProjectUpdate { progress: Patch::Set(50.0), ..Default::default() };
        let project = client.projects().update(&project.id, update).await?;
        println!("{} is at {:?} %", project.name, project.progress);
    }

    // Waiting: by the platform's events, and by asking again where there are none.
    let clip = client.media().upload("clip.mp4", UploadOptions::new("video")).await?;
    let job = client.media().process(&clip.id, VideoSettings::default().format("gif")).await?;
    let options = WaitOptions::new().timeout(Duration::from_secs(600));
    match client.jobs().wait_with(&job.id, options).await {
        Ok(job) => println!("{} is {}", job.kind, job.status),
        Err(error) if error.kind() == ErrorKind::WaitTimeout => println!("{} goes on", job.id),
        Err(error) => return Err(error.into()),
    }

    // Webhooks: a layer verifies, so that only what the platform signed reaches the handler.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/hook", listener.local_addr()?);
    let created = client.webhooks().create(NewWebhook::new(url, ["job.*"])).await?;
    let verified = VerifyLayer::new(Webhook::new(created.secret.expose())?);
    let app = Router::new().route("/hook", post(told)).layer(verified);
    tokio::spawn(async move { axum::serve(listener, app).await });

    let delivery = client.webhooks().test(&created.webhook.id).await?;
    println!("the receiver answered with {:?}", delivery.status_code);
    Ok(())
}

async fn told(event: Event) {
    println!("{} is genuine", event.id());
}
