//! Projects (Hub Chantier: chantiers).

use super::Endpoint;
use crate::{
    client::Client,
    error::Error,
    list::{self, Items, Pages},
    models::{Deleted, ListParams, NewProject, Page, Project, ProjectUpdate},
    platform::Resource,
};

const ALL: &str = "/projects";
const ONE: &str = "/projects/{id}";

/// Projects: what media and jobs belong to.
#[derive(Debug, Clone, Copy)]
pub struct Projects<'a>(Endpoint<'a>);

impl<'a> Projects<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self(Endpoint::new(client, Resource::Projects))
    }

    /// Makes a project.
    ///
    /// ```no_run
    /// # async fn run(client: storycore::Client) -> Result<(), storycore::Error> {
    /// use storycore::models::NewProject;
    /// let project = client.projects().create(NewProject { budget: Some(9_000.0), ..NewProject::new("Film") }).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `invalid_request` naming the field that is wrong, and as every call.
    pub async fn create(&self, project: NewProject) -> Result<Project, Error> {
        self.0.post(ALL, self.0.path(), &project).await
    }

    /// The project with this id.
    ///
    /// # Errors
    /// `not_found` when there is none, and as every call.
    pub async fn get(&self, id: &str) -> Result<Project, Error> {
        self.0.get(ONE, self.0.object(id)).await
    }

    /// Changes the fields that are set or cleared.
    ///
    /// # Errors
    /// `not_found` when there is no such project, `invalid_request` naming a wrong field, and as every call.
    pub async fn update(&self, id: &str, update: ProjectUpdate) -> Result<Project, Error> {
        self.0.put(ONE, self.0.object(id), &update).await
    }

    /// Deletes the project.
    ///
    /// # Errors
    /// `not_found` when there is no such project, and as every call.
    pub async fn delete(&self, id: &str) -> Result<Deleted, Error> {
        self.0.delete(ONE, id).await
    }

    /// One page of projects. Filters: `status`, `rag_status`, `name`.
    ///
    /// # Errors
    /// `invalid_request` naming a wrong parameter, and as every call.
    pub async fn list(&self, params: ListParams) -> Result<Page<Project>, Error> {
        list::page(self.0.client, ALL, self.0.path(), &params).await
    }

    /// Every page, one after another, the next fetched ahead.
    pub fn pages(&self, params: ListParams) -> Pages<Project> {
        Pages::new(self.0.client, ALL, self.0.path(), params)
    }

    /// Every project, over all pages.
    ///
    /// ```no_run
    /// # async fn run(client: storycore::Client) -> Result<(), storycore::Error> {
    /// use storycore::models::ListParams;
    /// let mut projects = client.projects().items(ListParams::new().filter("status", "planned"));
    /// while let Some(project) = projects.next_item().await? {
    ///     println!("{}", project.name);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn items(&self, params: ListParams) -> Items<Project> {
        Items::new(self.pages(params))
    }
}
