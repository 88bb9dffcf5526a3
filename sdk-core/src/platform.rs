//! The dialects of the contract, as data. Nothing else in this crate asks which platform it speaks to.

use std::borrow::Cow;

use crate::error::Error;

/// A resource that a platform may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// Projects; Hub Chantier's `chantiers`.
    Projects,
    /// Media.
    Assets,
    /// Resumable uploads of media: tus 1.0.0.
    Uploads,
    /// Jobs.
    Jobs,
    /// Webhooks.
    Webhooks,
    /// API keys.
    ApiKeys,
    /// What happened.
    Events,
    /// Risks.
    Risks,
    /// Decisions.
    Decisions,
    /// Reports.
    Reports,
    /// Portfolio metrics.
    Metrics,
    /// People and machines.
    Resources,
    /// Sprints.
    Sprints,
    /// Agents' integrations.
    Integrations,
    /// Agents' tasks.
    Tasks,
    /// The integration registry.
    Registry,
    /// OAuth's authorization page.
    OAuthAuthorize,
    /// OAuth's token endpoint.
    OAuthToken,
}

impl Resource {
    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Projects => "projects",
            Self::Assets => "assets",
            Self::Uploads => "resumable uploads",
            Self::Jobs => "jobs",
            Self::Webhooks => "webhooks",
            Self::ApiKeys => "API keys",
            Self::Events => "events",
            Self::Risks => "risks",
            Self::Decisions => "decisions",
            Self::Reports => "reports",
            Self::Metrics => "metrics",
            Self::Resources => "resources",
            Self::Sprints => "sprints",
            Self::Integrations => "integrations",
            Self::Tasks => "tasks",
            Self::Registry => "the integration registry",
            Self::OAuthAuthorize | Self::OAuthToken => "OAuth",
        }
    }
}

/// How a platform signs its webhooks, beside the Standard Webhooks way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureScheme {
    /// The header, in lower case, such as `x-storycore-signature`.
    pub header: Cow<'static, str>,
    /// What stands before the hexadecimal digits: nothing, or `sha256=`.
    pub prefix: Cow<'static, str>,
}

/// A platform: where it is, what it has, how it signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    name: Cow<'static, str>,
    base_url: Option<Cow<'static, str>>,
    paths: Vec<(Resource, Cow<'static, str>)>,
    signature: Option<SignatureScheme>,
}

impl Platform {
    /// A platform of one's own; it has nothing until it is given with the methods below.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), base_url: None, paths: Vec::new(), signature: None }
    }

    /// Where it is when a client does not say otherwise.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<Cow<'static, str>>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Gives it a resource at a path below the base URL, such as `/api/projects`.
    #[must_use]
    pub fn resource(mut self, resource: Resource, path: impl Into<Cow<'static, str>>) -> Self {
        self.paths.retain(|(known, _)| *known != resource);
        self.paths.push((resource, path.into()));
        self
    }

    /// How it signs its webhooks.
    #[must_use]
    pub fn signature(
        mut self,
        header: impl Into<Cow<'static, str>>,
        prefix: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.signature = Some(SignatureScheme { header: header.into(), prefix: prefix.into() });
        self
    }

    /// StoryCore, the default.
    pub fn storycore() -> Self {
        Self::new("storycore")
            .base_url("https://api.storycore.io")
            .resource(Resource::Projects, "/api/projects")
            .resource(Resource::Assets, "/api/assets")
            .resource(Resource::Uploads, "/api/assets/uploads")
            .resource(Resource::Jobs, "/api/jobs")
            .resource(Resource::Webhooks, "/api/webhooks")
            .resource(Resource::ApiKeys, "/api/auth/api-keys")
            .resource(Resource::Events, "/api/events")
            .resource(Resource::OAuthAuthorize, "/auth/oauth/authorize")
            .resource(Resource::OAuthToken, "/auth/oauth/token")
            .signature("x-storycore-signature", "")
    }

    /// Powalyze.
    pub fn powalyze() -> Self {
        Self::new("powalyze")
            .base_url("https://api.powalyze.com")
            .resource(Resource::Projects, "/v1/projects")
            .resource(Resource::Risks, "/v1/risks")
            .resource(Resource::Decisions, "/v1/decisions")
            .resource(Resource::Reports, "/v1/reports")
            .resource(Resource::Webhooks, "/v1/webhooks")
            .resource(Resource::Metrics, "/v1/metrics")
            .resource(Resource::Resources, "/v1/resources")
            .resource(Resource::Sprints, "/v1/sprints")
            .resource(Resource::ApiKeys, "/v1/api-keys")
            .signature("x-powalyze-signature", "sha256=")
    }

    /// Hub Chantier.
    pub fn hub_chantier() -> Self {
        Self::new("hub_chantier")
            .base_url("https://api.hub-chantier.fr")
            .resource(Resource::Projects, "/api/v1/chantiers")
            .resource(Resource::ApiKeys, "/api/auth/api-keys")
            .signature("x-hubchantier-signature", "sha256=")
    }

    /// The agents' integration hub.
    pub fn agents() -> Self {
        Self::new("agents")
            .base_url("http://localhost:8000")
            .resource(Resource::Integrations, "/api/integrations")
            .resource(Resource::Tasks, "/api/tasks")
    }

    /// The integration registry, which has no address of its own.
    pub fn registry() -> Self {
        Self::new("registry").resource(Resource::Registry, "/integrations")
    }

    /// The preset with this name: `storycore`, `powalyze`, `hub_chantier`, `agents` or `registry`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when there is none.
    pub fn by_name(name: &str) -> Result<Self, Error> {
        match name {
            "storycore" => Ok(Self::storycore()),
            "powalyze" => Ok(Self::powalyze()),
            "hub_chantier" => Ok(Self::hub_chantier()),
            "agents" => Ok(Self::agents()),
            "registry" => Ok(Self::registry()),
            other => Err(Error::config(format!(
                "{other:?} is no platform: storycore, powalyze, hub_chantier, agents or registry"
            ))),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is unless a client says otherwise.
    pub fn default_base_url(&self) -> Option<&str> {
        self.base_url.as_deref()
    }

    /// How it signs its webhooks.
    pub fn signature_scheme(&self) -> Option<&SignatureScheme> {
        self.signature.as_ref()
    }

    /// The path of a resource.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported), naming both, when the platform does not have it.
    pub fn path(&self, resource: Resource) -> Result<&str, Error> {
        let path = self.paths.iter().find(|(known, _)| *known == resource).map(|(_, path)| &**path);
        path.ok_or_else(|| Error::unsupported(&self.name, resource.name()))
    }
}

impl Default for Platform {
    fn default() -> Self {
        Self::storycore()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_resource_that_a_platform_lacks_is_refused_by_both_names() {
        let error = Platform::hub_chantier().path(Resource::Jobs).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("hub_chantier") && error.message().contains("jobs"));
        assert_eq!(Platform::hub_chantier().path(Resource::Projects).unwrap(), "/api/v1/chantiers");
    }

    #[test]
    fn a_platform_of_ones_own_is_data() {
        let own = Platform::new("mine")
            .resource(Resource::Projects, "/films")
            .resource(Resource::Projects, "/movies");
        assert_eq!(own.path(Resource::Projects).unwrap(), "/movies");
    }
}
