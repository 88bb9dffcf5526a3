//! `POST /api/assets/upload`: a form with a file, streamed to disk. The asset is there when the answer is, with what was
//! found in the file; until then nothing of it is left behind by whatever goes wrong.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    routing::post,
};
use serde::Serialize;

use super::{
    assets::{self, Asset, Kind, Status, TABLE},
    projects,
};
use crate::{
    app::App,
    clock,
    error::{ApiError, FieldError},
    files::{self, Received},
    http::{Ctx, Multipart, Part, Reply, idempotency},
    validate::Checks,
};

/// The largest file in one request.
const MAX_FILE: u64 = 100 * 1024 * 1024;
/// What a form may have besides its file.
const MAX_REST: u64 = 1024 * 1024;
/// The most bytes of a text part; every field's own limit is below it.
const MAX_TEXT: usize = 32 * 1024;
pub(super) const MAX_NAME: usize = 255;
pub(super) const MAX_DESCRIPTION: usize = 5_000;
const MAX_CONTENT_TYPE: usize = 255;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route("/api/assets/upload", post(upload))
}

/// The form's fields.
#[derive(Debug, Default)]
struct Form {
    file: Option<(Received, FileHead)>,
    kind: Option<Kind>,
    name: Option<String>,
    description: Option<String>,
    project_id: Option<String>,
}

/// What the form says of its file.
#[derive(Debug)]
struct FileHead {
    name: Option<String>,
    content_type: Option<String>,
}

/// A form that has what it needs.
#[derive(Debug)]
struct Upload {
    file: Received,
    file_name: String,
    content_type: String,
    kind: Kind,
    name: String,
    description: Option<String>,
    project_id: Option<String>,
}

async fn upload(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    request: Request,
) -> Result<Reply, ApiError> {
    let (parts, body) = request.into_parts();
    if content_length(&parts.headers).is_some_and(|length| length > MAX_FILE + MAX_REST) {
        return Err(too_large());
    }
    let form = Multipart::new(&parts.headers, body)?;
    let mut upload = read(&app, form).await?.check()?;
    if let Some(idempotency) = &ctx.idempotency {
        let fingerprint = upload.fingerprint(parts.uri.path())?;
        if let Some(reply) = idempotency.replay(fingerprint).await? {
            return Ok(reply);
        }
    }
    let metadata = match upload.kind {
        Kind::Document => serde_json::Map::new(),
        _ => {
            upload.file = upload.file.written().await?;
            app.media.describe(upload.file.path()).await
        }
    };
    // On a task of its own: a client that hangs up now must not leave a row without its file.
    let made = tokio::spawn(async move {
        let asset = Asset {
            id: TABLE.new_id(),
            name: upload.name,
            kind: upload.kind,
            description: upload.description,
            status: Status::Ready,
            size: upload.file.size,
            content_type: upload.content_type,
            sha256: upload.file.sha256.clone(),
            project_id: upload.project_id,
            metadata,
            created_at: clock::text(app.clock.now()),
        };
        app.files.place(upload.file, &asset.id).await?;
        let kept = keep(&app, &ctx, &asset, &upload.file_name).await;
        if kept.is_err() {
            app.files.remove(&asset.id).await;
        }
        kept
    });
    made.await.map_err(ApiError::internal)?
}

async fn keep(app: &App, ctx: &Ctx, asset: &Asset, file_name: &str) -> Result<Reply, ApiError> {
    // Many small files at a time: what reads nothing is committed together.
    if asset.project_id.is_none()
        && let Some(mut changes) =
            assets::inserted(app, &ctx.organization_id, asset, file_name).await?
    {
        let reply = ctx.kept(&mut changes, StatusCode::CREATED, &asset.sent(app))?;
        if app.store.commit_together(changes).await? {
            return Ok(reply);
        }
        // Somebody made a webhook meanwhile, which may want to be told.
    }
    let mut tx = app.store.begin().await?;
    if let Some(project) = &asset.project_id
        && !projects::exists(&mut tx, &ctx.organization_id, project).await?
    {
        return Err(ApiError::field("project_id", format!("no project has the id {project:?}")));
    }
    assets::insert(app, &mut tx, &ctx.organization_id, asset, file_name).await?;
    ctx.finish(tx, StatusCode::CREATED, &asset.sent(app)).await
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large() -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "payload_too_large",
        "a file may have at most 100 MiB here; send a larger one in pieces through the resumable uploads (tus 1.0.0) at /api/assets/uploads",
    )
}

/// Reads the parts, in whatever order they come.
async fn read(app: &App, mut multipart: Multipart) -> Result<Form, ApiError> {
    let mut form = Form::default();
    while let Some(part) = multipart.next_part().await? {
        let twice = match part.name.as_str() {
            "file" => form.file.is_some(),
            "type" => form.kind.is_some(),
            "name" => form.name.is_some(),
            "description" => form.description.is_some(),
            "project_id" => form.project_id.is_some(),
            unknown => {
                return Err(ApiError::field(
                    unknown,
                    "is not known here: the form has file, type, name, description and project_id",
                ));
            }
        };
        if twice {
            return Err(ApiError::field(part.name, "was given twice"));
        }
        if part.name == "file" {
            form.file = Some(file(app, &mut multipart, part).await?);
            continue;
        }
        let text = text(&mut multipart, &part.name).await?;
        match part.name.as_str() {
            "type" => {
                let kind = Kind::parse(&text).ok_or_else(|| {
                    ApiError::field("type", "must be video, audio, image or document")
                })?;
                form.kind = Some(kind);
            }
            "name" => form.name = Some(text),
            "description" => form.description = Some(text),
            _ => form.project_id = Some(text),
        }
    }
    Ok(form)
}

async fn file(
    app: &App,
    multipart: &mut Multipart,
    part: Part,
) -> Result<(Received, FileHead), ApiError> {
    let mut incoming = app.files.receive();
    while let Some(piece) = multipart.chunk().await? {
        if incoming.size() + piece.len() as u64 > MAX_FILE {
            return Err(too_large());
        }
        incoming.write(piece).await?;
    }
    let head = FileHead { name: part.file_name, content_type: part.content_type };
    Ok((incoming.finish().await?, head))
}

async fn text(multipart: &mut Multipart, name: &str) -> Result<String, ApiError> {
    let mut bytes = Vec::new();
    while let Some(piece) = multipart.chunk().await? {
        if bytes.len() + piece.len() > MAX_TEXT {
            return Err(ApiError::field(name, "is too long"));
        }
        bytes.extend_from_slice(&piece);
    }
    String::from_utf8(bytes).map_err(|_| ApiError::field(name, "must be UTF-8"))
}

impl Form {
    fn check(self) -> Result<Upload, ApiError> {
        let mut missing = Vec::new();
        for (field, absent) in [("file", self.file.is_none()), ("type", self.kind.is_none())] {
            if absent {
                missing.push(FieldError::new(field, "is missing"));
            }
        }
        let (Some((file, head)), Some(kind)) = (self.file, self.kind) else {
            return Err(ApiError::unprocessable(missing));
        };
        let mut checks = Checks::default();
        // A form's fields are texts: one that is left empty is one that is not given.
        let [name, description, project_id] = [self.name, self.description, self.project_id]
            .map(|f| f.filter(|text| !text.is_empty()));
        if let Some(name) = &name {
            checks.text(name, "name", 1, MAX_NAME);
        }
        if let Some(description) = &description {
            checks.text(description, "description", 0, MAX_DESCRIPTION);
        }
        let content_type = head.content_type.filter(|t| t != "application/octet-stream");
        if let Some(content_type) = &content_type {
            checks.that(
                is_media_type(content_type),
                "file",
                "its Content-Type must be a media type such as video/mp4",
            );
        }
        checks.finish()?;
        let file_name = head.name.map(|name| plain(&name)).filter(|name| !name.is_empty());
        let content_type = content_type.unwrap_or_else(|| {
            let named = file_name.as_deref().or(name.as_deref()).unwrap_or_default();
            files::content_type_of(named).to_owned()
        });
        let name = name.or_else(|| file_name.clone()).unwrap_or_else(|| "untitled".to_owned());
        let file_name = file_name.unwrap_or_else(|| match files::extension(&content_type) {
            Some(extension) if !name.contains('.') => format!("{name}.{extension}"),
            _ => name.clone(),
        });
        Ok(Upload { file, file_name, content_type, kind, name, description, project_id })
    }
}

/// What the sender called the file, in characters that can be a name.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect::<String>().trim().to_owned()
}

/// `type/subtype`, perhaps with parameters, in visible ASCII.
pub(super) fn is_media_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or(text).trim();
    let token = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    text.len() <= MAX_CONTENT_TYPE
        && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
        && essence.split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub))
}

impl Upload {
    /// What tells this request from another with its Idempotency-Key: the boundary does not.
    fn fingerprint(&self, path: &str) -> Result<[u8; 32], ApiError> {
        #[derive(Serialize)]
        struct Fields<'a> {
            kind: Kind,
            name: &'a str,
            description: Option<&'a str>,
            project_id: Option<&'a str>,
            file_name: &'a str,
            content_type: &'a str,
            sha256: &'a str,
        }
        let fields = Fields {
            kind: self.kind,
            name: &self.name,
            description: self.description.as_deref(),
            project_id: self.project_id.as_deref(),
            file_name: &self.file_name,
            content_type: &self.content_type,
            sha256: &self.file.sha256,
        };
        let fields = serde_json::to_vec(&fields).map_err(ApiError::internal)?;
        Ok(idempotency::fingerprint("POST", path, &fields))
    }
}
