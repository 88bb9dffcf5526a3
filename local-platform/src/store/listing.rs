//! Lists: the query parameters that every list takes, and the page that answers them.

use bytes::{BufMut as _, Bytes, BytesMut};
use sqlx::{AssertSqlSafe, Row as _};

use super::{Filter, Store, Table};
use crate::error::ApiError;

/// A page when `limit` is not given, and the most it may be.
const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 100;

/// The validated query of a list.
#[derive(Debug, Clone)]
pub(crate) struct ListQuery {
    pub(crate) limit: u32,
    pub(crate) offset: u32,
    sort: Option<(&'static str, bool)>,
    filters: Vec<(&'static str, String)>,
    conditions: Vec<(&'static str, String)>,
}

impl ListQuery {
    /// Reads `limit`, `offset`, `sort` and the table's filters; names the first that is wrong.
    pub(crate) fn parse(table: &Table, query: Option<&str>) -> Result<Self, ApiError> {
        let mut parsed = Self {
            limit: DEFAULT_LIMIT,
            offset: 0,
            sort: None,
            filters: Vec::new(),
            conditions: Vec::new(),
        };
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query.unwrap_or_default())
            .map_err(|error| ApiError::invalid(format!("the query cannot be read: {error}")))?;
        let mut seen = std::collections::HashSet::new();
        for (name, value) in pairs {
            if !seen.insert(name.clone()) {
                return Err(ApiError::parameter(&name, "was given twice"));
            }
            match name.as_str() {
                "limit" => parsed.limit = number(&name, &value, 1, MAX_LIMIT)?,
                "offset" => parsed.offset = number(&name, &value, 0, i32::MAX as u32)?,
                "sort" => parsed.sort = Some(sort(table, &value)?),
                _ => {
                    if let Some(filter) = table.filters.iter().find(|f| f.name == name) {
                        check(filter, &value)?;
                        parsed.filters.push((filter.name, value));
                    }
                }
            }
        }
        Ok(parsed)
    }

    /// Narrows the list by a condition that the caller did not ask for, such as the owner.
    pub(crate) fn only(mut self, field: &'static str, value: &str) -> Self {
        self.filters.push((field, value.to_owned()));
        self
    }

    /// Narrows the list by a comparison of the server's own, such as `webhook_id =`, with `value` on its right.
    pub(crate) fn such_that(mut self, comparison: &'static str, value: String) -> Self {
        self.conditions.push((comparison, value));
        self
    }

    /// What is compared with, in the order of the conditions in the statement.
    fn values(&self) -> impl Iterator<Item = &String> {
        self.filters.iter().chain(&self.conditions).map(|(_, value)| value)
    }
}

/// A query parameter that is a whole number.
pub(crate) fn number(name: &str, value: &str, least: u32, most: u32) -> Result<u32, ApiError> {
    // `u32::from_str` takes a leading plus sign, which is no digit.
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    match value.parse() {
        Ok(number) if digits && (least..=most).contains(&number) => Ok(number),
        _ => {
            Err(ApiError::parameter(name, format!("must be a whole number from {least} to {most}")))
        }
    }
}

fn check(filter: &Filter, value: &str) -> Result<(), ApiError> {
    if filter.values.is_empty() {
        if value.is_empty() || value.chars().any(char::is_control) {
            return Err(ApiError::parameter(filter.name, "must be some plain text"));
        }
    } else if !filter.values.contains(&value) {
        let rule = format!("must be one of {}", filter.values.join(", "));
        return Err(ApiError::parameter(filter.name, rule));
    }
    Ok(())
}

fn sort(table: &Table, value: &str) -> Result<(&'static str, bool), ApiError> {
    let wrong = || {
        let fields = table.sortable.join(", ");
        ApiError::parameter(
            "sort",
            format!("must be FIELD.asc or FIELD.desc, FIELD one of {fields}"),
        )
    };
    let (field, direction) = value.rsplit_once('.').ok_or_else(wrong)?;
    let field = table.sortable.iter().find(|f| **f == field).ok_or_else(wrong)?;
    match direction {
        "asc" => Ok((field, false)),
        "desc" => Ok((field, true)),
        _ => Err(wrong()),
    }
}

/// One page of documents and where it stands in the whole.
pub(crate) struct Page {
    pub(crate) docs: Vec<String>,
    pub(crate) total: i64,
    pub(crate) limit: u32,
    pub(crate) offset: u32,
}

impl Page {
    /// The page as it is sent.
    pub(crate) fn into_json(self) -> Bytes {
        let size = self.docs.iter().map(|doc| doc.len() + 1).sum::<usize>();
        let mut body = BytesMut::with_capacity(size + 96);
        body.put_slice(b"{\"data\":[");
        for (index, doc) in self.docs.iter().enumerate() {
            if index > 0 {
                body.put_u8(b',');
            }
            body.put_slice(doc.as_bytes());
        }
        let has_more =
            i64::from(self.offset) + (self.docs.len() as i64) < self.total && !self.docs.is_empty();
        let end = format!(
            "],\"pagination\":{{\"total\":{},\"limit\":{},\"offset\":{},\"has_more\":{has_more}}}}}",
            self.total, self.limit, self.offset
        );
        body.put_slice(end.as_bytes());
        body.freeze()
    }
}

impl Store {
    /// A page of an organization's documents.
    pub(crate) async fn page(
        &self,
        table: &Table,
        organization: &str,
        query: &ListQuery,
    ) -> Result<Page, ApiError> {
        let mut wheres = String::from("organization_id = ?1");
        for (index, (field, _)) in query.filters.iter().enumerate() {
            // Text as it is; numbers and booleans in their JSON form, as a query string writes them.
            wheres.push_str(&format!(
                " AND CASE json_type(doc, '$.{field}') WHEN 'text' THEN doc ->> '{field}' ELSE doc -> '{field}' END = ?{}",
                index + 2
            ));
        }
        for (index, (comparison, _)) in query.conditions.iter().enumerate() {
            wheres.push_str(&format!(" AND {comparison} ?{}", query.filters.len() + index + 2));
        }
        let (field, descending) = query.sort.unwrap_or((table.newest_by, true));
        let direction = if descending { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT doc FROM {} WHERE {wheres} ORDER BY doc ->> '{field}' {direction}, seq {direction} LIMIT {} OFFSET {}",
            table.name, query.limit, query.offset
        );
        let total = self.total(table, organization, &wheres, query).await?;
        let mut select = sqlx::query(AssertSqlSafe(sql)).bind(organization);
        for value in query.values() {
            select = select.bind(value);
        }
        let rows = select.fetch_all(&self.reader).await?;
        let docs = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        Ok(Page { docs, total, limit: query.limit, offset: query.offset })
    }

    /// How many documents the conditions leave, counted anew only after a change: counting reads every one.
    async fn total(
        &self,
        table: &Table,
        organization: &str,
        wheres: &str,
        query: &ListQuery,
    ) -> Result<i64, ApiError> {
        let generation = self.generation(table);
        let mut key = format!("{}\0{organization}\0{wheres}", table.name);
        for value in query.values() {
            key.push('\0');
            key.push_str(value);
        }
        if let Some((counted_at, total)) = self.totals.get(&key)
            && counted_at == generation
        {
            return Ok(total);
        }
        let sql = format!("SELECT count(*) FROM {} WHERE {wheres}", table.name);
        let mut count = sqlx::query_scalar(AssertSqlSafe(sql)).bind(organization);
        for value in query.values() {
            count = count.bind(value);
        }
        let total: i64 = count.fetch_one(&self.reader).await?;
        self.totals.insert(key, (generation, total));
        Ok(total)
    }
}
