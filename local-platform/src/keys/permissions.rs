//! What a credential may do: permissions by HTTP method, narrowed by scopes by resource.

use axum::http::Method;

/// The three permissions; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Permissions {
    /// GET and HEAD.
    Read,
    /// Read, POST, PUT and PATCH.
    Write,
    /// Write and DELETE.
    Admin,
}

impl Permissions {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "read" => Some(Self::Read),
            "write" => Some(Self::Write),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }

    /// What a request with this method needs.
    pub(crate) fn needed(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD | Method::OPTIONS => Self::Read,
            Method::DELETE => Self::Admin,
            _ => Self::Write,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// `projects:read`, `chantiers:*`: a permission on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    resource: String,
    permission: Permissions,
}

impl Scope {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (resource, permission) = text.split_once(':')?;
        let word = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-';
        if resource.is_empty() || resource.len() > 64 || !resource.bytes().all(word) {
            return None;
        }
        let permission = match permission {
            "*" => Permissions::Admin,
            other => Permissions::parse(other)?,
        };
        // Hub Chantier's name for the same resource.
        let resource = if resource == "chantiers" { "projects" } else { resource };
        Some(Self { resource: resource.to_owned(), permission })
    }
}

/// A credential's permission and, where it is narrowed, its scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    /// Nothing at all when absent.
    pub(crate) permission: Option<Permissions>,
    /// Empty: every resource.
    pub(crate) scopes: Vec<Scope>,
}

impl Access {
    /// From a key's `permissions` and `scopes`. With scopes alone, they say which permission holds where.
    pub(crate) fn parse(permissions: &[String], scopes: &[String]) -> Result<Self, String> {
        let mut permission = None;
        for text in permissions {
            let parsed = Permissions::parse(text)
                .ok_or_else(|| format!("{text:?} is no permission: read, write or admin"))?;
            permission = permission.max(Some(parsed));
        }
        let scopes = scopes
            .iter()
            .map(|text| {
                Scope::parse(text).ok_or_else(|| {
                    format!("{text:?} is no scope: RESOURCE:read, RESOURCE:write, RESOURCE:admin or RESOURCE:*")
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        if permission.is_none() && !scopes.is_empty() {
            permission = Some(Permissions::Admin);
        }
        Ok(Self { permission, scopes })
    }

    /// Whether a request with `needed` on `resource` is allowed.
    pub(crate) fn allows(&self, needed: Permissions, resource: &str) -> bool {
        self.permission.is_some_and(|held| held >= needed)
            && (self.scopes.is_empty()
                || self.scopes.iter().any(|s| s.resource == resource && s.permission >= needed))
    }

    /// Whether everything that `other` allows is allowed here too.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let Some(theirs) = other.permission else { return true };
        if self.scopes.is_empty() {
            let most = match other.scopes.iter().map(|s| s.permission).max() {
                Some(scoped) => scoped.min(theirs),
                None => theirs,
            };
            return self.permission.is_some_and(|held| held >= most);
        }
        !other.scopes.is_empty()
            && other.scopes.iter().all(|s| self.allows(s.permission.min(theirs), &s.resource))
    }

    /// What both allow.
    pub(crate) fn narrowed_to(&self, permission: Option<Permissions>) -> Self {
        Self { permission: self.permission.min(permission), scopes: self.scopes.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(permissions: &[&str], scopes: &[&str]) -> Access {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        Access::parse(&own(permissions), &own(scopes)).unwrap()
    }

    #[test]
    fn write_reads_and_posts_but_does_not_delete() {
        let write = access(&["write"], &[]);
        assert!(write.allows(Permissions::Read, "projects"));
        assert!(write.allows(Permissions::needed(&Method::POST), "projects"));
        assert!(!write.allows(Permissions::needed(&Method::DELETE), "projects"));
    }

    #[test]
    fn a_scope_narrows_to_its_resource_and_chantiers_are_projects() {
        let key = access(&[], &["chantiers:*", "jobs:read"]);
        assert!(key.allows(Permissions::Admin, "projects"));
        assert!(key.allows(Permissions::Read, "jobs"));
        assert!(!key.allows(Permissions::Write, "jobs"));
        assert!(!key.allows(Permissions::Read, "webhooks"));
        assert!(!access(&["read"], &["projects:*"]).allows(Permissions::Write, "projects"));
    }

    #[test]
    fn no_key_makes_a_stronger_one() {
        let write = access(&["write"], &[]);
        assert!(write.covers(&access(&["read"], &[])));
        assert!(!write.covers(&access(&["admin"], &[])));
        assert!(!write.covers(&access(&[], &["projects:*"])));
        let scoped = access(&["write"], &["projects:write"]);
        assert!(scoped.covers(&access(&[], &["projects:read"])));
        assert!(!scoped.covers(&access(&["read"], &[])));
    }
}
