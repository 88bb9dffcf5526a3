//! Changes that read nothing before they write: those of many requests go into one transaction. SQLite has one writer, and what
//! a transaction costs there, ways to its thread and back above all, is then shared by as many as wait for it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::{Changes, Store};

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

/// Whoever commits; when it ends, well or not, the next one is told to.
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

impl Together {
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Commits the changes, together with whatever else waits: all of each one's or nothing of it. False where a table was changed
    /// since [`Changes::only_while`]: then nothing was done.
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
            match turn.await {
                Ok(Turn::Over(outcome)) => return outcome,
                Ok(Turn::Lead) => {}
                Err(_) => return Err(sqlx::Error::WorkerCrashed),
            }
        }
        let leading = Leading(&self.together);
        let batch = std::mem::take(&mut self.together.lock().waiting);
        let own = self.commit_all(batch).await;
        drop(leading);
        own.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }

    /// Commits a batch and tells everyone how it went; the one whom nobody tells gets it back.
    async fn commit_all(&self, mut batch: Vec<Waiting>) -> Option<Outcome> {
        let outcomes = match self.try_all(&mut batch).await {
            Ok(outcomes) => outcomes,
            // One of them may be at fault, which must not be the others' loss: each alone.
            Err(_) if batch.len() > 1 => {
                let mut outcomes = Vec::with_capacity(batch.len());
                for one in &mut batch {
                    let alone = self.try_all(std::slice::from_mut(one)).await;
                    outcomes.push(alone.map(|outcome| outcome == [true]));
                }
                return tell(batch, outcomes);
            }
            Err(error) => return tell(batch, vec![Err(error)]),
        };
        tell(batch, outcomes.into_iter().map(Ok).collect())
    }

    /// All of a batch in one transaction; those that rely on what is no more are left out.
    async fn try_all(&self, batch: &mut [Waiting]) -> Result<Vec<bool>, sqlx::Error> {
        let mut tx = self.begin().await?;
        let mut done = Vec::with_capacity(batch.len());
        for one in batch.iter_mut() {
            // Nobody else writes from here on, and who wrote before has said what it changed.
            let holds = one.changes.holds(self);
            if holds {
                let (query, changed) = (one.changes.query()?, one.changes.changed);
                if let Some(query) = query {
                    query.execute(tx.sql()).await?;
                }
                for (all, one) in tx.changes.changed.iter_mut().zip(changed) {
                    *all |= one;
                }
            }
            done.push(holds);
        }
        tx.commit().await?;
        for (one, _) in batch.iter_mut().zip(&done).filter(|(_, done)| **done) {
            for then in one.changes.after.drain(..) {
                then();
            }
        }
        Ok(done)
    }
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
