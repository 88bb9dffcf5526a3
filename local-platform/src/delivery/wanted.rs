//! Which events an organization's webhooks want, known without asking the database for each event. What it says holds until a
//! webhook changes, which whoever goes by it has to make sure of.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    error::ApiError,
    events,
    resources::webhooks::TABLE,
    store::{Changes, Store},
};

/// The patterns of each organization's active webhooks, and the generation of the webhooks that they are of.
#[derive(Debug, Default)]
pub(crate) struct Wanted(Mutex<HashMap<String, Known>>);

#[derive(Debug, Clone)]
struct Known {
    generation: u64,
    patterns: Arc<[String]>,
}

impl Wanted {
    /// Whether any webhook of the organization wants this event. The changes become such as hold only while that is so.
    pub(crate) async fn by_any(
        &self,
        store: &Store,
        changes: &mut Changes,
        organization: &str,
        event: &str,
    ) -> Result<bool, ApiError> {
        let generation = store.generation(&TABLE);
        changes.only_while(&TABLE, generation);
        let known = self.lock().get(organization).cloned();
        let patterns = match known.filter(|known| known.generation == generation) {
            Some(known) => known.patterns,
            None => {
                let patterns = read(store, organization).await?;
                let known = Known { generation, patterns: Arc::clone(&patterns) };
                self.lock().insert(organization.to_owned(), known);
                patterns
            }
        };
        Ok(patterns.iter().any(|pattern| events::matches(pattern, event)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(store: &Store, organization: &str) -> Result<Arc<[String]>, ApiError> {
    let all: Vec<String> = sqlx::query_scalar(
        "SELECT doc ->> 'events' FROM webhooks WHERE organization_id = ?1 AND doc ->> 'is_active'",
    )
    .bind(organization)
    .fetch_all(store.reader())
    .await?;
    let mut patterns = Vec::new();
    for text in all {
        patterns.extend(serde_json::from_str::<Vec<String>>(&text).map_err(ApiError::internal)?);
    }
    Ok(patterns.into())
}
