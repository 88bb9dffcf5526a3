//! The calls that scenarios make, by the names they have in every language.

use std::{
    sync::LazyLock,
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use futures_util::stream;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use storycore::{
    CallOptions, Client, Error, Items, Pages, Patch, Platform,
    jobs::WaitOptions,
    models::{ListParams, NewApiKey, NewJob, NewProject, NewWebhook, ProjectUpdate},
    webhooks::{EventData, MemoryStore, ReplayGuard, Taken, Webhook, sign},
};

use crate::{process, sign_in, uploads, watching};

/// Makes one call and gives its result as JSON.
pub(crate) async fn call(client: Option<Client>, operation: &Value) -> Result<Value, Error> {
    let (method, args) = (operation["method"].as_str().unwrap_or_default(), &operation["args"]);
    match method {
        "webhooks.verify" => return verify(args),
        "webhooks.guard" => return guard(args).await,
        "assets.steer" => return Ok(uploads::steer(args)),
        "watch.spans" => return Ok(watching::spans()),
        "watch.metrics" => return Ok(watching::metrics()),
        "watch.text" => return Ok(watching::text()),
        "watch.client" => return Ok(json!(format!("{client:?}"))),
        "process.fork" => return process::fork(client, args.clone()).await,
        "process.runtimes" => return process::runtimes(client, args.clone()).await,
        _ => {}
    }
    plain(client, operation).await
}

/// Makes one call of the client's.
pub(crate) async fn plain(client: Option<Client>, operation: &Value) -> Result<Value, Error> {
    let (method, args) = (operation["method"].as_str().unwrap_or_default(), &operation["args"]);
    let client =
        client.expect("a scenario makes its client first").with(options(&operation["options"])?);
    let id = args["id"].as_str().unwrap_or_default();
    match method {
        "projects.create" => told(client.projects().create(new_project(args)).await),
        "projects.get" => told(client.projects().get(id).await),
        "projects.update" => told(client.projects().update(id, project_update(args)).await),
        "projects.delete" => told(client.projects().delete(id).await),
        "projects.list" => told(client.projects().list(list(args)).await),
        "projects.items" => items(client.projects().items(list(args)), args).await,
        "projects.pages" => pages(client.projects().pages(list(args))).await,
        "assets.content" => told(
            client.assets().content(id).await.map(|b| String::from_utf8_lossy(&b).into_owned()),
        ),
        "assets.download" => {
            let folder = tempfile::tempdir().expect("there is a temporary folder");
            let file = folder.path().join("download");
            client.assets().download(id, &file).await?;
            Ok(json!(std::fs::read_to_string(file).expect("the download is a text")))
        }
        "assets.get" => told(client.assets().get(id).await),
        "assets.upload" => uploads::upload(&client, args).await,
        "jobs.get" => told(client.jobs().get(id).await),
        "webhooks.get" => told(client.webhooks().get(id).await),
        "api_keys.get" => told(client.api_keys().get(id).await),
        "events.get" => told(client.events().get(id).await),
        "oauth.begin" => sign_in::begin(&client, args),
        "oauth.exchange" => sign_in::exchange(&client, args).await,
        "webhooks.create" => {
            let url = args["url"].as_str().unwrap_or_default();
            let events = args["events"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let made = client.webhooks().create(NewWebhook::new(url, events)).await?;
            Ok(json!({"id": made.webhook.id, "secret": made.secret.expose()}))
        }
        "api_keys.create" => {
            let name = args["name"].as_str().unwrap_or_default();
            let made = client.api_keys().create(NewApiKey::new(name, ["read"])).await?;
            Ok(json!({"id": made.key.id, "secret": made.secret.expose()}))
        }
        "jobs.list" => told(client.jobs().list(list(args)).await),
        "jobs.create" => {
            let parameters = args["parameters"].as_object().cloned().unwrap_or_default();
            told(
                client
                    .jobs()
                    .create(NewJob::new(args["type"].as_str().unwrap_or_default(), parameters))
                    .await,
            )
        }
        "jobs.wait" => {
            let mut options = WaitOptions::new();
            if let Some(ms) = args["timeout_ms"].as_u64() {
                options = options.timeout(Duration::from_millis(ms));
            }
            told(client.jobs().wait_with(id, options).await)
        }
        "jobs.events" => {
            let mut events = client.jobs().events(id);
            let mut all = Vec::new();
            while let Some(event) = events.next_event().await? {
                all.push(json!({"id": event.id, "type": event.kind, "progress": event.job.progress, "status": event.job.status}));
            }
            Ok(Value::Array(all))
        }
        "request" => {
            let mut request = client.request(
                args["method"].as_str().unwrap_or_default(),
                args["path"].as_str().unwrap_or_default(),
            );
            // A body that comes in pieces and cannot be had again.
            if let Some(piece) = args["stream"].as_str() {
                let piece = Ok(Bytes::copy_from_slice(piece.as_bytes()));
                request = request.stream("application/json", None, stream::iter([piece]));
            }
            let answer = request.send().await?;
            let body: Value = if answer.body.is_empty() { Value::Null } else { answer.json()? };
            Ok(json!({"status": answer.status, "request_id": answer.request_id, "body": body}))
        }
        other => panic!("the driver knows no method {other}"),
    }
}

fn told<T: Serialize>(outcome: Result<T, Error>) -> Result<Value, Error> {
    outcome.map(|value| json!(value))
}

fn options(given: &Value) -> Result<CallOptions, Error> {
    let mut options = CallOptions::new();
    for (name, value) in given.as_object().into_iter().flatten() {
        options = match name.as_str() {
            "timeout_ms" => {
                options.timeout(Duration::from_millis(value.as_u64().unwrap_or_default()))
            }
            "max_retries" => options
                .max_retries(u32::try_from(value.as_u64().unwrap_or_default()).unwrap_or(u32::MAX)),
            "idempotency_key" => options.idempotency_key(value.as_str().unwrap_or_default())?,
            "headers" => value
                .as_object()
                .into_iter()
                .flatten()
                .try_fold(options, |options, (name, value)| {
                    options.header(name, value.as_str().unwrap_or_default())
                })?,
            other => panic!("the driver knows no call option {other}"),
        };
    }
    Ok(options)
}

fn list(args: &Value) -> ListParams {
    let mut params = ListParams::new();
    for (name, value) in args.as_object().into_iter().flatten() {
        let number = value.as_u64().unwrap_or_default();
        params = match name.as_str() {
            "limit" | "page_size" => params.page_size(u32::try_from(number).unwrap_or(u32::MAX)),
            "max_items" => params.max_items(number),
            "offset" => params.offset(number),
            "sort" => params.sort(value.as_str().unwrap_or_default()),
            // Of this driver's own.
            "pause_ms" => params,
            filter => params.filter(filter, value.as_str().unwrap_or_default()),
        };
    }
    params
}

async fn items<T>(mut items: Items<T>, args: &Value) -> Result<Value, Error>
where
    T: DeserializeOwned + Serialize + Send + 'static,
{
    let pause = args["pause_ms"].as_u64();
    let mut all = Vec::new();
    while let Some(item) = items.next_item().await? {
        all.push(json!(item));
        if let Some(ms) = pause {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
    }
    Ok(Value::Array(all))
}

async fn pages<T>(mut pages: Pages<T>) -> Result<Value, Error>
where
    T: DeserializeOwned + Serialize + Send + 'static,
{
    let mut all = Vec::new();
    while let Some(page) = pages.next_page().await? {
        all.push(json!(page));
    }
    Ok(Value::Array(all))
}

fn new_project(args: &Value) -> NewProject {
    let text = |name: &str| args[name].as_str().map(str::to_owned);
    NewProject {
        name: text("name").unwrap_or_default(),
        description: text("description"),
        budget: args["budget"].as_f64(),
        settings: args["settings"].as_object().cloned(),
        ..NewProject::default()
    }
}

fn project_update(args: &Value) -> ProjectUpdate {
    fn patch(args: &Value, name: &str) -> Patch<String> {
        match args.get(name) {
            None => Patch::Keep,
            Some(Value::Null) => Patch::Clear,
            Some(value) => Patch::set(value.as_str().unwrap_or_default()),
        }
    }
    ProjectUpdate {
        name: patch(args, "name"),
        description: patch(args, "description"),
        ..ProjectUpdate::default()
    }
}

/// Takes an id, or says that its work is done or failed.
async fn guard(args: &Value) -> Result<Value, Error> {
    static GUARD: LazyLock<ReplayGuard<MemoryStore>> =
        LazyLock::new(|| ReplayGuard::new(MemoryStore::default()));
    let id = args["id"].as_str().unwrap_or_default();
    Ok(match args["say"].as_str().unwrap_or("take") {
        "take" => match GUARD.take(id).await? {
            Taken::First => json!("first"),
            Taken::Processing => json!("processing"),
            Taken::Done => json!("done"),
        },
        "done" => json!(GUARD.done(id).await?),
        "release" => json!(GUARD.release(id).await?),
        other => panic!("the driver knows no word {other} for a replay guard"),
    })
}

fn verify(args: &Value) -> Result<Value, Error> {
    let secrets: Vec<&str> =
        args["secrets"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let now = UNIX_EPOCH + Duration::from_secs(args["now"].as_u64().unwrap_or_default());
    let body = args["body"].as_str().unwrap_or_default().as_bytes();
    let mut webhook = Webhook::with_secrets(secrets.iter().copied())?.clock(move || now);
    if let Some(name) = args["platform"].as_str() {
        webhook = webhook.platform(&Platform::by_name(name)?);
    }
    let empty = Map::new();
    let mut headers: Vec<(String, String)> = args["headers"]
        .as_object()
        .unwrap_or(&empty)
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    let secret = secrets.first().copied().unwrap_or_default();
    let signed = match args["sign"].as_str() {
        None => None,
        Some("standard") => Some(sign::standard(secret, "evt_1", now, body)?),
        Some("public") => {
            let seed = args["private_key"].as_str().unwrap_or_default().as_bytes();
            let seed = seed.try_into().expect("a private key of 32 characters");
            Some(sign::standard_public(seed, "evt_1", now, body)?)
        }
        Some(platform) => Some(sign::own(&Platform::by_name(platform)?, secret, body)?),
    };
    if let Some(signed) = signed {
        headers = signed
            .iter()
            .map(|(n, v)| (n.to_string(), v.to_str().unwrap_or_default().to_owned()))
            .collect();
    }
    let event = webhook.verify(body, &headers)?;
    let payload = event.payload()?;
    let unknown = match event.typed() {
        EventData::Unknown { kind, raw } => {
            json!({"type": kind, "raw": String::from_utf8_lossy(&raw)})
        }
        _ => Value::Null,
    };
    Ok(
        json!({"id": event.id(), "type": event.kind(), "organization_id": payload.organization_id, "data": payload.data, "unknown": unknown}),
    )
}
