//! A resource's table: reading, writing and deleting single documents, each within its organization.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{AssertSqlSafe, Row as _};

use super::{CachedDocument, Store, Tx};
use crate::error::ApiError;

/// A resource's table and what lists of it can be sorted and filtered by.
#[derive(Debug)]
pub(crate) struct Table {
    /// Its name in the database.
    pub(crate) name: &'static str,
    /// The prefix of its ids.
    pub(crate) prefix: &'static str,
    /// What one is called in an error.
    pub(crate) what: &'static str,
    /// The fields `sort` takes.
    pub(crate) sortable: &'static [&'static str],
    /// The sort when none is asked for: the field that holds the time of creation.
    pub(crate) newest_by: &'static str,
    /// The query parameters that filter by equality.
    pub(crate) filters: &'static [Filter],
    /// Its place among the generation counters.
    pub(crate) slot: usize,
}

/// A query parameter that filters by equality; its name is the field's.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(super) name: &'static str,
    /// What the field can be; nothing where it is free text.
    pub(super) values: &'static [&'static str],
}

impl Filter {
    /// By a field of free text.
    pub(crate) const fn text(name: &'static str) -> Self {
        Self { name, values: &[] }
    }

    /// By a field that has one of a few values: another one is a mistake, and not a filter that nothing passes.
    pub(crate) const fn one_of(name: &'static str, values: &'static [&'static str]) -> Self {
        Self { name, values }
    }
}

impl Table {
    /// How many tables there can be.
    pub(crate) const COUNT: usize = 8;

    /// A new id for one of these.
    pub(crate) fn new_id(&self) -> String {
        crate::ids::new(self.prefix)
    }

    /// The error for an id that is not there.
    pub(crate) fn not_found(&self, id: &str) -> ApiError {
        ApiError::not_found(self.what, id)
    }
}

impl Store {
    /// The document as it is sent, from memory where nothing changed since.
    pub(crate) async fn document(
        &self,
        table: &Table,
        organization: &str,
        id: &str,
    ) -> Result<Bytes, ApiError> {
        // Read before the row is: a commit in between makes the entry stale, never wrong.
        let generation = self.generation(table);
        if let Some(cached) = self.documents.get(id)
            && cached.generation == generation
            && &*cached.organization == organization
        {
            return Ok(cached.doc);
        }
        let sql = format!("SELECT doc FROM {} WHERE id = ?1 AND organization_id = ?2", table.name);
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(id)
            .bind(organization)
            .fetch_optional(&self.reader)
            .await?;
        let Some(row) = row else { return Err(table.not_found(id)) };
        let doc = Bytes::from(row.try_get::<String, _>(0)?);
        let cached =
            CachedDocument { generation, organization: Arc::from(organization), doc: doc.clone() };
        self.documents.insert(id.to_owned(), cached);
        Ok(doc)
    }

    /// The document, read.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        table: &Table,
        organization: &str,
        id: &str,
    ) -> Result<T, ApiError> {
        parse(&self.document(table, organization, id).await?)
    }
}

impl Tx<'_> {
    /// Adds a document.
    pub(crate) async fn insert(
        &mut self,
        table: &Table,
        organization: &str,
        id: &str,
        doc: &impl Serialize,
    ) -> Result<(), ApiError> {
        let sql =
            format!("INSERT INTO {} (id, organization_id, doc) VALUES (?1, ?2, ?3)", table.name);
        sqlx::query(AssertSqlSafe(sql))
            .bind(id)
            .bind(organization)
            .bind(text(doc)?)
            .execute(self.sql())
            .await?;
        self.touch(table);
        Ok(())
    }

    /// The document as it is inside this transaction.
    pub(crate) async fn read<T: DeserializeOwned>(
        &mut self,
        table: &Table,
        organization: &str,
        id: &str,
    ) -> Result<T, ApiError> {
        let sql = format!("SELECT doc FROM {} WHERE id = ?1 AND organization_id = ?2", table.name);
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(id)
            .bind(organization)
            .fetch_optional(self.sql())
            .await?;
        let Some(row) = row else { return Err(table.not_found(id)) };
        parse(row.try_get::<&str, _>(0)?.as_bytes())
    }

    /// Puts a document in the place of the one with its id.
    pub(crate) async fn replace(
        &mut self,
        table: &Table,
        organization: &str,
        id: &str,
        doc: &impl Serialize,
    ) -> Result<(), ApiError> {
        let sql =
            format!("UPDATE {} SET doc = ?3 WHERE id = ?1 AND organization_id = ?2", table.name);
        let done = sqlx::query(AssertSqlSafe(sql))
            .bind(id)
            .bind(organization)
            .bind(text(doc)?)
            .execute(self.sql())
            .await?;
        if done.rows_affected() == 0 {
            return Err(table.not_found(id));
        }
        self.touch(table);
        Ok(())
    }

    /// Removes a document.
    pub(crate) async fn delete(
        &mut self,
        table: &Table,
        organization: &str,
        id: &str,
    ) -> Result<(), ApiError> {
        let sql = format!("DELETE FROM {} WHERE id = ?1 AND organization_id = ?2", table.name);
        let done =
            sqlx::query(AssertSqlSafe(sql)).bind(id).bind(organization).execute(self.sql()).await?;
        if done.rows_affected() == 0 {
            return Err(table.not_found(id));
        }
        self.touch(table);
        Ok(())
    }
}

fn text(doc: &impl Serialize) -> Result<String, ApiError> {
    serde_json::to_string(doc).map_err(ApiError::internal)
}

/// Reads a stored document; one that cannot be read is the server's fault, not the caller's.
pub(crate) fn parse<T: DeserializeOwned>(doc: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(doc).map_err(ApiError::internal)
}
