//! How far an upload is: counters that its parts move, and one teller that reads them. The caller's function runs in the
//! upload's own task, between its steps and on no lock, at most ten times a second.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Bytes of the file given to the network; less than before when some are to be sent again.
    pub sent: u64,
    /// Bytes that the platform said it has.
    pub acknowledged: u64,
    /// Bytes of the file. Of a stream of unknown length, what was read of it so far.
    pub total: u64,
    /// Bytes a second over the last five seconds.
    pub rate: f64,
    /// Time left at that rate, once there is one.
    pub time_left: Option<Duration>,
    /// Time since the call began. Two that are told are 0.1 s apart at least by it, the last one aside; whoever is told over a
    /// queue may hear them closer together.
    pub elapsed: Duration,
}

/// At most ten calls a second, and one at the end.
const EVERY: Duration = Duration::from_millis(100);
/// What the rate is taken over.
const WINDOW: Duration = Duration::from_secs(5);

/// Who is told of an upload's progress.
pub(crate) type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// An upload's counters.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    acknowledged: AtomicU64,
    in_flight: AtomicU64,
    total: AtomicU64,
    /// Every byte of the file that went out, also those that went twice.
    wire: AtomicU64,
    /// Requests of a small file that failed and were sent again.
    failures: AtomicU32,
    /// That of all uploads together, of which this is one, and what the total there has of it.
    all: Option<(Arc<Tally>, AtomicU64)>,
}

impl Tally {
    /// The counters of one upload among several, which count in `all` too, whose total has `measured` bytes of it.
    pub(crate) fn among(all: &Arc<Tally>, measured: u64) -> Self {
        Self { all: Some((Arc::clone(all), AtomicU64::new(measured))), ..Self::default() }
    }

    pub(crate) fn set_total(&self, total: u64) {
        self.total.store(total, Relaxed);
        if let Some((all, measured)) = &self.all {
            // Of a stream nothing was measured, and a file may have grown since.
            let more = total.wrapping_sub(measured.swap(total, Relaxed));
            all.total.fetch_add(more, Relaxed);
        }
    }

    /// A part's offset, as the platform told it, went from `before` to `now`.
    pub(crate) fn moved(&self, before: u64, now: u64) {
        self.acknowledged.fetch_add(now.wrapping_sub(before), Relaxed);
        if let Some((all, _)) = &self.all {
            all.moved(before, now);
        }
    }

    fn sent(&self, bytes: u64) {
        self.in_flight.fetch_add(bytes, Relaxed);
        self.wasted(bytes);
        if let Some((all, _)) = &self.all {
            all.in_flight.fetch_add(bytes, Relaxed);
        }
    }

    /// `bytes` went out that nobody waits for.
    fn wasted(&self, bytes: u64) {
        self.wire.fetch_add(bytes, Relaxed);
        if let Some((all, _)) = &self.all {
            all.wasted(bytes);
        }
    }

    fn ended(&self, bytes: u64) {
        self.in_flight.fetch_sub(bytes, Relaxed);
        if let Some((all, _)) = &self.all {
            all.ended(bytes);
        }
    }

    /// The upload is done: the platform has every byte, also those that an earlier call had sent.
    fn done(&self) {
        let total = self.total.load(Relaxed);
        self.moved(self.acknowledged.load(Relaxed), total);
    }

    /// What the platform had is there no more: it begins anew.
    pub(crate) fn lost(&self) {
        self.moved(self.acknowledged.load(Relaxed), 0);
    }

    /// A request failed, and another one follows.
    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    pub(crate) fn failures(&self) -> u32 {
        self.failures.load(Relaxed)
    }

    /// Every byte that went out.
    pub(crate) fn wire(&self) -> u64 {
        self.wire.load(Relaxed)
    }

    fn now(&self) -> (u64, u64, u64) {
        let acknowledged = self.acknowledged.load(Relaxed);
        let total = self.total.load(Relaxed);
        (acknowledged.saturating_add(self.in_flight.load(Relaxed)).min(total), acknowledged, total)
    }
}

/// Bytes of one request; those that were not acknowledged are taken back when it ends.
#[derive(Debug)]
pub(crate) struct InFlight(Bodies);

/// What makes the counts of a request's bodies, one after another.
#[derive(Debug, Clone)]
pub(crate) struct Bodies(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    tally: Arc<Tally>,
    /// The number of the body that is on its way, and how much of it is.
    current: Mutex<(u32, u64)>,
    /// What went out so far, in all of its bodies.
    moved: AtomicU64,
}

/// What one body of a request counts. There is a second one where the first failed, or was refused and is sent again with a renewed
/// credential; the first may be read on for a while, and is on its way to nobody.
#[derive(Debug)]
pub(crate) struct BodyCount {
    counts: Arc<Counts>,
    number: u32,
}

impl BodyCount {
    /// `bytes` more went out.
    pub(crate) fn add(&self, bytes: u64) {
        let counts = &self.counts;
        counts.moved.fetch_add(bytes, Relaxed);
        let mut current = counts.current();
        if current.0 == self.number {
            current.1 += bytes;
            counts.tally.sent(bytes);
        } else {
            counts.tally.wasted(bytes);
        }
    }
}

impl Bodies {
    /// The count of a body that takes the place of the one before.
    pub(crate) fn next(&self) -> BodyCount {
        BodyCount { counts: Arc::clone(&self.0), number: self.0.end() }
    }

    /// What went out so far, also what went twice.
    pub(crate) fn moved(&self) -> u64 {
        self.0.moved.load(Relaxed)
    }
}

impl Counts {
    fn current(&self) -> MutexGuard<'_, (u32, u64)> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is on its way is so no more; the number of what may be next.
    fn end(&self) -> u32 {
        let mut current = self.current();
        self.tally.ended(current.1);
        *current = (current.0 + 1, 0);
        current.0
    }
}

impl InFlight {
    pub(crate) fn new(tally: &Arc<Tally>) -> Self {
        let (tally, current, moved) = (Arc::clone(tally), Mutex::default(), AtomicU64::new(0));
        Self(Bodies(Arc::new(Counts { tally, current, moved })))
    }

    pub(crate) fn bodies(&self) -> Bodies {
        self.0.clone()
    }
}

impl Drop for InFlight {
    /// The request ended: its bytes are acknowledged, or they are not on their way any more. A body may still be there.
    fn drop(&mut self) {
        self.0.0.end();
    }
}

/// The last few seconds, for the rate. By the system's clock, as the sizes of chunks: how fast the network is does not stand still
/// with tokio's, which may be paused in a test.
struct Window(VecDeque<(Instant, u64)>);

impl Window {
    fn rate(&mut self, now: Instant, sent: u64) -> f64 {
        self.0.push_back((now, sent));
        while self.0.len() > 2 && now.duration_since(self.0[0].0) > WINDOW {
            self.0.pop_front();
        }
        let (then, before) = self.0[0];
        let seconds = now.duration_since(then).as_secs_f64();
        if seconds > 0.0 { sent.saturating_sub(before) as f64 / seconds } else { 0.0 }
    }
}

/// Does `work` and tells of it meanwhile; of the end only when it went well.
pub(crate) async fn told<T, E>(
    tally: &Tally,
    on_progress: Option<&OnProgress>,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let mut teller = on_progress.map(|on_progress| Teller::new(Arc::clone(on_progress)));
    let outcome = match &mut teller {
        Some(teller) => teller.during(tally, work).await,
        None => work.await,
    };
    if outcome.is_ok() {
        // Also when nobody listens: it may be one of several that are told of together.
        tally.done();
        if let Some(teller) = &mut teller {
            teller.tell(tally);
        }
    }
    outcome
}

/// Tells of a tally, no more often than it may.
pub(crate) struct Teller {
    on_progress: OnProgress,
    window: Window,
    last: Option<(u64, u64, u64)>,
    began: tokio::time::Instant,
    due: tokio::time::Instant,
}

impl Teller {
    pub(crate) fn new(on_progress: OnProgress) -> Self {
        let window = Window(VecDeque::new());
        let began = tokio::time::Instant::now();
        Self { on_progress, window, last: None, began, due: began + EVERY }
    }

    /// Does `work` and tells of it meanwhile.
    pub(crate) async fn during<T>(&mut self, tally: &Tally, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            match tokio::time::timeout_at(self.due, work.as_mut()).await {
                Ok(outcome) => return outcome,
                Err(_) => {
                    // Before the source was looked at there is nothing to divide by.
                    if tally.total.load(Relaxed) > 0 {
                        self.tell(tally);
                    }
                    self.due = tokio::time::Instant::now() + EVERY;
                }
            }
        }
    }

    /// Tells for the last time, whether or not a byte moved since.
    pub(crate) fn end(&mut self, tally: &Tally) {
        self.last = None;
        self.tell(tally);
    }

    /// Tells, if anything is new.
    pub(crate) fn tell(&mut self, tally: &Tally) {
        let now = tally.now();
        let (sent, acknowledged, total) = now;
        let rate = self.window.rate(Instant::now(), sent);
        if self.last.replace(now) == Some(now) {
            return;
        }
        let left = (total - sent.min(total)) as f64;
        let time_left =
            (rate > 0.0).then(|| Duration::try_from_secs_f64(left / rate).ok()).flatten();
        let elapsed = self.began.elapsed();
        (self.on_progress)(Progress { sent, acknowledged, total, rate, time_left, elapsed });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn progress_is_told_ten_times_a_second_and_at_the_end() {
        let (tally, seen) = (Arc::new(Tally::default()), Arc::new(Mutex::new(Vec::new())));
        tally.set_total(1000);
        let told_to = Arc::clone(&seen);
        let on_progress: OnProgress = Arc::new(move |p| told_to.lock().unwrap().push(p));
        let work = async {
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_millis(10)).await;
                let request = InFlight::new(&tally);
                request.bodies().next().add(10);
                drop(request);
                tally.moved(0, 10);
            }
            Ok::<_, ()>(())
        };
        told(&tally, Some(&on_progress), work).await.unwrap();
        let seen = seen.lock().unwrap();
        assert!((9..=11).contains(&seen.len()), "{}", seen.len());
        let last = seen.last().unwrap();
        assert_eq!((last.sent, last.acknowledged, last.total), (1000, 1000, 1000));
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_that_an_earlier_call_had_sent_ends_whole_and_never_has_a_total_of_zero() {
        let (tally, seen) = (Arc::new(Tally::default()), Arc::new(Mutex::new(Vec::new())));
        let told_to = Arc::clone(&seen);
        let on_progress: OnProgress = Arc::new(move |p| told_to.lock().unwrap().push(p));
        let work = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            tally.set_total(1000);
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, ()>(())
        };
        told(&tally, Some(&on_progress), work).await.unwrap();
        let seen = seen.lock().unwrap();
        assert!(seen.iter().all(|p| p.total == 1000), "{seen:?}");
        let last = seen.last().unwrap();
        assert_eq!((last.sent, last.acknowledged), (1000, 1000));
    }

    #[test]
    fn a_body_that_is_sent_again_is_on_its_way_once() {
        let all = Arc::new(Tally::default());
        let tally = Arc::new(Tally::among(&all, 0));
        tally.set_total(100);
        let request = InFlight::new(&tally);
        let refused = request.bodies().next();
        refused.add(30);
        let again = request.bodies().next();
        again.add(20);
        refused.add(10);
        assert_eq!((tally.now().0, tally.wire(), request.bodies().moved()), (20, 60, 60));
        assert_eq!((all.now().0, all.wire()), (20, 60));
        drop(request);
        again.add(40);
        assert_eq!((tally.now().0, all.now().0), (0, 0));
    }

    #[test]
    fn what_a_broken_request_sent_is_taken_back() {
        let tally = Arc::new(Tally::default());
        tally.set_total(100);
        tally.moved(0, 20);
        let request = InFlight::new(&tally);
        request.bodies().next().add(30);
        assert_eq!(tally.now(), (50, 20, 100));
        drop(request);
        tally.moved(20, 10);
        assert_eq!((tally.now(), tally.wire()), ((10, 10, 100), 30));
    }
}
