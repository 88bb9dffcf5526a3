//! Media: uploading, describing, downloading.

use std::path::Path;

use bytes::Bytes;
use http::Method;

use super::Endpoint;
use crate::{
    client::Client,
    download::{self, ContentStream, Download},
    error::Error,
    list::{self, Items, Pages},
    models::{Asset, Deleted, Job, ListParams, NewJob, Page, UploadOptions, VideoSettings},
    platform::Resource,
    transport::Request,
    upload::{Progress, Upload, UploadAll, UploadSource},
};

const ALL: &str = "/assets";
const ONE: &str = "/assets/{id}";

/// Media: films, sounds, pictures and papers.
#[derive(Debug, Clone, Copy)]
pub struct Assets<'a>(Endpoint<'a>);

impl<'a> Assets<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self(Endpoint::new(client, Resource::Assets))
    }

    /// Uploads a file, whatever its size, with flat memory: small ones in one request, larger ones in parallel parts that
    /// survive broken connections, and a crash: the same call then goes on from where it was.
    ///
    /// ```no_run
    /// # async fn run(client: storycore::Client) -> Result<(), storycore::Error> {
    /// use storycore::models::UploadOptions;
    /// let asset = client.media().upload("film.mp4", UploadOptions::new("video")).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Upload::send`].
    pub async fn upload(
        &self,
        source: impl Into<UploadSource>,
        options: UploadOptions,
    ) -> Result<Asset, Error> {
        Ok(self.prepare_upload(source, options).send().await?.asset)
    }

    /// Uploads as [`upload`](Self::upload) does, and tells of the progress at most ten times a second.
    ///
    /// # Errors
    /// As [`Upload::send`].
    pub async fn upload_with_progress(
        &self,
        source: impl Into<UploadSource>,
        options: UploadOptions,
        on_progress: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Result<Asset, Error> {
        Ok(self.prepare_upload(source, options).on_progress(on_progress).send().await?.asset)
    }

    /// Uploads many files, 16 at a time, and gives the result of each as it ends: one that fails stops no other.
    ///
    /// ```no_run
    /// # async fn run(client: storycore::Client) -> Result<(), storycore::Error> {
    /// use storycore::models::UploadOptions;
    /// let mut uploads = client
    ///     .media()
    ///     .upload_all(["one.mp4", "two.mp4"], UploadOptions::new("video"))
    ///     .on_progress(|p| println!("{} of {} files", p.files_done, p.files));
    /// while let Some(file) = uploads.next().await {
    ///     match file.result {
    ///         Ok(uploaded) => println!("file {} is {}", file.index, uploaded.asset.id),
    ///         Err(error) => println!("file {}: {error}", file.index),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn upload_all<S: Into<UploadSource>>(
        &self,
        sources: impl IntoIterator<Item = S>,
        options: UploadOptions,
    ) -> UploadAll {
        let sources = sources.into_iter().map(Into::into).collect();
        UploadAll::new(self.0.client.clone(), sources, options)
    }

    /// An upload to be set up: its chunks, streams, journal, progress, pausing and cancelling.
    pub fn prepare_upload(
        &self,
        source: impl Into<UploadSource>,
        options: UploadOptions,
    ) -> Upload {
        Upload::new(self.0.client.clone(), source.into(), options)
    }

    /// Makes a job that makes the film anew.
    ///
    /// # Errors
    /// As [`Jobs::create`](super::Jobs::create).
    pub async fn process(
        &self,
        asset_id: &str,
        output_settings: VideoSettings,
    ) -> Result<Job, Error> {
        self.0.client.jobs().create(NewJob::video_processing(asset_id, output_settings)).await
    }

    /// The asset with this id.
    ///
    /// # Errors
    /// `not_found` when there is none, and as every call.
    pub async fn get(&self, id: &str) -> Result<Asset, Error> {
        self.0.get(ONE, self.0.object(id)).await
    }

    /// Deletes the asset and its bytes.
    ///
    /// # Errors
    /// `not_found` when there is no such asset, and as every call.
    pub async fn delete(&self, id: &str) -> Result<Deleted, Error> {
        self.0.delete(ONE, id).await
    }

    /// One page of assets. Filters: `status`, `type`, `project_id`.
    ///
    /// # Errors
    /// `invalid_request` naming a wrong parameter, and as every call.
    pub async fn list(&self, params: ListParams) -> Result<Page<Asset>, Error> {
        list::page(self.0.client, ALL, self.0.path(), &params).await
    }

    /// Every page, one after another, the next fetched ahead.
    pub fn pages(&self, params: ListParams) -> Pages<Asset> {
        Pages::new(self.0.client, ALL, self.0.path(), params)
    }

    /// Every asset, over all pages.
    pub fn items(&self, params: ListParams) -> Items<Asset> {
        Items::new(self.pages(params))
    }

    /// The asset's bytes, 64 MiB at most; [`download`](Self::download) takes more.
    ///
    /// # Errors
    /// `not_found` when there is no such asset, and as every call.
    pub async fn content(&self, id: &str) -> Result<Bytes, Error> {
        let mut request = Request::new(Method::GET, "/assets/{id}/content", self.content_path(id)?);
        request.follows_redirects = true;
        download::whole(self.0.client, &request).await
    }

    /// The asset's bytes piece by piece, for whoever passes them on: nothing is kept in memory or on disk.
    ///
    /// # Errors
    /// `not_found` when there is no such asset, and as every call.
    pub async fn content_stream(&self, id: &str) -> Result<ContentStream, Error> {
        ContentStream::open(self.0.client.clone(), self.content_path(id)?).await
    }

    /// Downloads the asset into a file, which is there whole or not at all: a connection that breaks is taken up where it
    /// was, large ones come in parallel ranges, the bytes are checked against the asset's SHA-256, and after a crash the
    /// same call goes on from what is there.
    ///
    /// # Errors
    /// `config` when the target is a directory, a device or a pipe, or its directory is not there, before anything is asked;
    /// `upload` when the file cannot be written or what arrived is not the asset, and as every call.
    pub async fn download(&self, id: &str, to: impl AsRef<Path>) -> Result<Asset, Error> {
        self.prepare_download(id, to).send().await
    }

    /// A download to be set up: how many ranges it takes side by side.
    pub fn prepare_download(&self, id: &str, to: impl AsRef<Path>) -> Download {
        Download::new(self.0.client.clone(), id, to.as_ref())
    }

    pub(crate) fn content_path(&self, id: &str) -> Result<String, Error> {
        self.0.part(id, "content")
    }
}
