//! Changes that read nothing before they write: those of many requests go into one transaction. SQLite has one writer, and what
//! a transaction costs there, ways to its thread and back above all, is then shared by as many as wait for it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::{Changes, Query, Store, Tx};

/// The most changes in one query; a power of two.
const MOST: usize = 8;

/// What waits to be committed, and whether somebody commits.
#[derive(Default)]
pub(super) struct Together(Mutex<Line>);

#[derive(Default)]
struct Line {
    waiting: Vec<Waiting>,
    is_led: bool,
}

struct Waiting {
    changes: Changes,
    /// Nothing for whoever commits: it sees the outcome by itself.
    told: Option<oneshot::Sender<Turn>>,
}

/// What one who waits is told.
enum Turn {
    Over(Outcome),
    /// To commit its own changes and those of all who wait by now.
    Lead,
}

/// Whether it was committed; false where a table on which the changes rely is not as it was.
type Outcome = Result<bool, sqlx::Error>;

/// Whoever commits, the first of those who wait; when it ends, well or not, the next one is told to.
struct Leading<'a>(&'a Together);

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        let mut line = self.0.lock();
        while let Some(next) = line.waiting.first_mut() {
            let told = next.told.take();
            if told.is_some_and(|told| told.send(Turn::Lead).is_ok()) {
                return;
            }
            // Its request is gone, and nothing of it was done yet.
            line.waiting.remove(0);
        }
        line.is_led = false;
    }
}

/// One who waits to be told. Where it goes while it is told to commit, the next one is.
struct Waits<'a> {
    together: &'a Together,
    turn: oneshot::Receiver<Turn>,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.turn.close();
        if let Ok(Turn::Lead) = self.turn.try_recv() {
            drop(Leading(self.together));
        }
    }
}

impl Together {
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Commits the changes, together with whatever else waits: all of each one's or nothing of it. False where a table was changed
    /// since [`Changes::only_while`]: then nothing was done. Whoever is dropped while it waits may find them done or not; who is
    /// dropped while it commits takes those along who are in the same transaction, so that requests do this on a task of its own.
    pub(crate) async fn commit_together(&self, changes: Changes) -> Outcome {
        let turn = {
            let mut line = self.together.lock();
            let leads = !line.is_led;
            line.is_led = true;
            let (told, turn) = oneshot::channel();
            line.waiting.push(Waiting { changes, told: (!leads).then_some(told) });
            (!leads).then_some(turn)
        };
        if let Some(turn) = turn {
            let mut waits = Waits { together: &self.together, turn };
            match (&mut waits.turn).await {
                Ok(Turn::Over(outcome)) => return outcome,
                Ok(Turn::Lead) => {}
                Err(_) => return Err(sqlx::Error::WorkerCrashed),
            }
        }
        let _leading = Leading(&self.together);
        let tx = self.begin().await?;
        // Not before: more came while the writer was another's.
        let mut batch = std::mem::take(&mut self.together.lock().waiting);
        let outcomes = match write(self, tx, &mut batch).await {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
            Err(error) if batch.len() == 1 => vec![Err(error)],
            // One of them may be at fault, which must not be the others' loss: each alone.
            Err(_) => {
                let mut outcomes = Vec::with_capacity(batch.len());
                for one in &mut batch {
                    outcomes.push(self.commit_alone(one).await);
                }
                outcomes
            }
        };
        let mut after = Vec::new();
        for (one, outcome) in batch.iter_mut().zip(&outcomes) {
            if matches!(outcome, Ok(true)) {
                after.append(&mut one.changes.after);
            }
        }
        // They are told first: whatever comes of the rest, theirs is committed.
        let own = tell(batch, outcomes);
        for then in after {
            then();
        }
        own.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }

    async fn commit_alone(&self, one: &mut Waiting) -> Outcome {
        let tx = self.begin().await?;
        Ok(write(self, tx, std::slice::from_mut(one)).await? == [true])
    }
}

/// Writes and commits all of a batch, but for those that rely on what is no more.
async fn write(
    store: &Store,
    mut tx: Tx<'_>,
    batch: &mut [Waiting],
) -> Result<Vec<bool>, sqlx::Error> {
    // Nobody else writes from here on, and who wrote before has said what it changed.
    let mut changed = tx.changes.changed;
    let mut holds = |one: &Waiting| {
        let holds = one.changes.holds(store, &changed);
        if holds {
            one.changes.mark(&mut changed);
        }
        holds
    };
    let done: Vec<bool> = batch.iter().map(&mut holds).collect();
    tx.changes.changed = changed;
    for query in queries(batch, &done)? {
        query.execute(tx.sql()).await?;
    }
    tx.commit().await?;
    Ok(done)
}

/// What those who are in the transaction write, as many of them in one query as SQLite has prepared before: a text for any number
/// would each time be prepared anew.
fn queries(batch: &[Waiting], done: &[bool]) -> Result<Vec<Query>, sqlx::Error> {
    let written = batch.iter().zip(done).filter(|(_, done)| **done);
    let written: Vec<&Changes> = written.map(|(one, _)| &one.changes).collect();
    let (mut left, mut queries) = (&*written, Vec::new());
    while !left.is_empty() {
        let (next, rest) = left.split_at((1 << left.len().ilog2()).min(MOST));
        left = rest;
        queries.extend(Changes::query(next)?);
    }
    Ok(queries)
}

fn tell(batch: Vec<Waiting>, outcomes: Vec<Outcome>) -> Option<Outcome> {
    let mut own = None;
    for (one, outcome) in batch.into_iter().zip(outcomes) {
        match one.told {
            // A request that is gone need not know.
            Some(told) => drop(told.send(Turn::Over(outcome))),
            None => own = Some(outcome),
        }
    }
    own
}

#[cfg(test)]
pub(super) mod tests {
    use std::panic::AssertUnwindSafe;

    use futures_util::{
        FutureExt as _,
        future::{join, join_all},
    };

    use super::*;
    use crate::{config::Data, resources::assets::TABLE, store::Value};

    pub(in crate::store) fn asset(id: &str) -> Changes {
        let mut changes = Changes::default();
        changes.add(
            "INSERT INTO assets (id, organization_id, file_name, doc) VALUES (?, 'org', ?, '{}')",
            [Value::Text(id), Value::Text(id)],
        );
        changes.touch(&TABLE);
        changes
    }

    pub(in crate::store) async fn store() -> Store {
        let store = Store::open(&Data::InMemory).await.expect("a store");
        let mut tx = store.begin().await.expect("the writer");
        let sql = "INSERT INTO organizations (id, name, created_at) VALUES ('org', '', '')";
        sqlx::query(sql).execute(tx.sql()).await.expect("an organization");
        tx.commit().await.expect("an organization");
        store
    }

    pub(in crate::store) async fn count(store: &Store) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM assets").fetch_one(store.reader());
        count.await.expect("a count")
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_that_cannot_be_written_is_nobody_elses_loss() {
        let store = store().await;
        // The same id twice: of each pair one fails.
        let ids: Vec<String> = (0..50).map(|n| format!("ast_{}", n % 25)).collect();
        let outcomes = join_all(ids.iter().map(|id| store.commit_together(asset(id)))).await;
        assert_eq!(outcomes.iter().filter(|o| matches!(o, Ok(true))).count(), 25);
        assert_eq!(outcomes.iter().filter(|o| o.is_err()).count(), 25);
        assert_eq!(count(&store).await, 25);
        store.close().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_relies_on_a_table_that_changed_is_not_written() {
        let store = store().await;
        let mut old = asset("ast_old");
        old.only_while(&TABLE, store.generation(&TABLE));
        assert!(store.commit_together(asset("ast_new")).await.expect("it is written"));
        assert!(!store.commit_together(old).await.expect("it is refused"));
        assert_eq!(count(&store).await, 1);
        store.close().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_relies_on_a_table_that_changes_in_the_same_transaction_is_not_written() {
        let store = store().await;
        let held = store.begin().await.expect("the writer");
        let mut relying = asset("ast_relying");
        relying.only_while(&TABLE, store.generation(&TABLE));
        let mut first = Box::pin(store.commit_together(asset("ast_first")));
        let mut second = Box::pin(store.commit_together(relying));
        assert!(futures_util::poll!(&mut first).is_pending());
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(held);
        let (first, second) = join(first, second).await;
        assert!(first.expect("it is written"));
        assert!(!second.expect("it is refused"));
        assert_eq!(count(&store).await, 1);
        store.close().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_follows_from_one_and_breaks_is_nobody_elses_loss() {
        let store = store().await;
        let held = store.begin().await.expect("the writer");
        let mut first = asset("ast_first");
        first.after_commit(|| panic!("what follows breaks"));
        let first = AssertUnwindSafe(store.commit_together(first)).catch_unwind();
        let mut first = Box::pin(first);
        let mut second = Box::pin(store.commit_together(asset("ast_second")));
        assert!(futures_util::poll!(&mut first).is_pending());
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(held);
        let (first, second) = join(first, second).await;
        assert!(first.is_err(), "it broke");
        assert!(second.expect("it is told that it is committed"));
        assert_eq!(count(&store).await, 2);
        store.close().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_who_goes_while_it_waits_holds_up_nobody() {
        let store = store().await;
        let held = store.begin().await.expect("the writer");
        let names: Vec<String> = (0..4).map(|n| format!("ast_{n}")).collect();
        {
            // The first would commit, the second waits for it; both go.
            let mut gone: Vec<_> =
                names[..2].iter().map(|id| Box::pin(store.commit_together(asset(id)))).collect();
            for one in &mut gone {
                assert!(futures_util::poll!(one).is_pending());
            }
        }
        drop(held);
        let others = join_all(names[2..].iter().map(|id| store.commit_together(asset(id))));
        let outcomes = tokio::time::timeout(std::time::Duration::from_secs(30), others).await;
        assert!(outcomes.expect("nobody waits for ever").iter().all(|o| matches!(o, Ok(true))));
        store.close().await;
    }
}
