//! Keeps a client under the platform's rate limit: at most N requests at a time, and none that the rate-limit headers
//! say would be refused. Off unless asked for. `Window` is the rule, `Pacer` waits for it.

use std::{
    sync::Mutex,
    time::{Duration, SystemTime},
};

use http::HeaderMap;
use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit},
    time::Instant,
};

/// Holds calls back.
#[derive(Debug)]
pub(crate) struct Pacer {
    max_in_flight: usize,
    places: Semaphore,
    window: Mutex<Window>,
    /// Rung when something was learnt or a request ended.
    changed: Notify,
}

/// The right to send one request; it is in flight until this is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pacer: &'a Pacer,
    _place: SemaphorePermit<'a>,
}

impl Pacer {
    pub(crate) fn new(max_in_flight: usize) -> Self {
        let places = Semaphore::new(max_in_flight.clamp(1, Semaphore::MAX_PERMITS));
        Self { max_in_flight, places, window: Mutex::default(), changed: Notify::new() }
    }

    /// One for a child of this process: the calls in flight are not in flight there.
    pub(crate) fn anew(&self) -> Self {
        Self::new(self.max_in_flight)
    }

    /// Waits for a turn; the error is how long the limit's period still lasts when that is not before `deadline`.
    pub(crate) async fn turn(&self, deadline: Instant) -> Result<Turn<'_>, Duration> {
        let place = self.places.acquire().await.expect("the semaphore is never closed");
        loop {
            let changed = self.changed.notified();
            let now = Instant::now();
            let next = self.window().next(now);
            match next {
                Next::Go => return Ok(Turn { pacer: self, _place: place }),
                Next::At(time) if time >= deadline => return Err(time - now),
                Next::At(time) => {
                    let _ = tokio::time::timeout_at(time, changed).await;
                }
                Next::AfterAnAnswer => changed.await,
            }
        }
    }

    /// Whether a request would have its turn at once.
    pub(crate) fn is_free(&self) -> bool {
        self.places.available_permits() > 0 && self.window().may_go(Instant::now())
    }

    /// Learns from an answer's headers.
    pub(crate) fn learn(&self, headers: &HeaderMap) {
        let told = Told::read(headers, Instant::now(), SystemTime::now());
        self.window().learn(told);
        self.changed.notify_waiters();
    }

    fn window(&self) -> std::sync::MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.pacer.window().ended();
        self.pacer.changed.notify_waiters();
    }
}

/// What an answer tells of the rate limit.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Told {
    remaining: u64,
    reset: Instant,
}

impl Told {
    fn read(headers: &HeaderMap, now: Instant, clock: SystemTime) -> Option<Self> {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        let remaining = number("x-ratelimit-remaining")?;
        let reset = SystemTime::UNIX_EPOCH
            .checked_add(Duration::from_secs(number("x-ratelimit-reset")?))?;
        // Measured on the server's clock where it says what that shows; whole seconds, so never too early.
        let date = headers.get("date").and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
        let left = reset.duration_since(date.unwrap_or(clock)).unwrap_or_default();
        Some(Self { remaining, reset: now.checked_add(left)? })
    }
}

#[derive(Debug, PartialEq)]
enum Next {
    Go,
    At(Instant),
    /// Nothing is known until the request that is out comes back.
    AfterAnAnswer,
}

/// What is known of the limit's present period.
#[derive(Debug, Default, PartialEq)]
enum Known {
    #[default]
    Nothing,
    /// One request is out to find out; the others wait for it, because it might have been the last.
    Asking,
    /// The platform does not say.
    Unlimited,
    Limited(Told),
}

#[derive(Debug, Default)]
struct Window {
    known: Known,
    in_flight: u64,
}

/// Resets that differ by this much belong to one period: they are sent in whole seconds.
const SAME: Duration = Duration::from_secs(1);

impl Window {
    /// Whether a request may go now.
    fn may_go(&self, now: Instant) -> bool {
        match &self.known {
            Known::Nothing | Known::Unlimited => true,
            Known::Asking => self.in_flight == 0,
            Known::Limited(told) => now >= told.reset || told.remaining > self.in_flight,
        }
    }

    /// The same; if so it is counted.
    fn next(&mut self, now: Instant) -> Next {
        match &self.known {
            // A new period has begun, of which as much is known as of the first one.
            Known::Limited(told) if now >= told.reset => self.known = Known::Asking,
            Known::Limited(told) if told.remaining == 0 => return Next::At(told.reset),
            // Some of those in flight may be counted in what remains already: the next one to end tells.
            Known::Limited(told) if told.remaining <= self.in_flight => {
                return Next::AfterAnAnswer;
            }
            Known::Asking if self.in_flight > 0 => return Next::AfterAnAnswer,
            Known::Nothing => self.known = Known::Asking,
            Known::Limited(_) | Known::Unlimited | Known::Asking => {}
        }
        self.in_flight += 1;
        Next::Go
    }

    /// An answer came, which may tell of the limit.
    fn learn(&mut self, told: Option<Told>) {
        match (&mut self.known, told) {
            (Known::Nothing | Known::Asking, None) => self.known = Known::Unlimited,
            (_, None) => {}
            (Known::Limited(known), Some(told)) if told.reset <= known.reset + SAME => {
                // Answers overtake each other: of one period the smallest number is the newest, and one of an earlier
                // period says nothing any more.
                if told.reset + SAME >= known.reset {
                    known.remaining = known.remaining.min(told.remaining);
                }
            }
            (_, Some(told)) => self.known = Known::Limited(told),
        }
    }

    /// A request is over, answered or not.
    fn ended(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(remaining: u64, reset: Instant) -> Option<Told> {
        Some(Told { remaining, reset })
    }

    #[test]
    fn whether_a_request_may_go_is_known_without_counting_one() {
        let now = Instant::now();
        let reset = now + Duration::from_secs(60);
        for (what, limit) in
            [("unknown", None), ("none", Some(None)), ("two", Some(told(2, reset)))]
        {
            let mut window = Window::default();
            if let Some(limit) = limit {
                assert_eq!(window.next(now), Next::Go);
                window.learn(limit);
                window.ended();
            }
            for number in 0..4 {
                let may_go = window.may_go(now);
                assert_eq!(window.next(now) == Next::Go, may_go, "{what}, {number}");
            }
            assert!(window.may_go(reset) || limit.is_none(), "{what}");
        }
    }

    #[tokio::test]
    async fn a_pacer_is_free_where_a_turn_comes_at_once() {
        let pacer = Pacer::new(1);
        let far = Instant::now() + Duration::from_secs(3600);
        assert!(pacer.is_free());
        let turn = pacer.turn(far).await.unwrap();
        assert!(!pacer.is_free(), "one at a time");
        drop(turn);
        assert!(pacer.is_free());
        pacer.window().learn(told(0, far));
        assert!(!pacer.is_free(), "the limit is used up");
    }

    #[test]
    fn the_first_request_goes_alone_and_the_rest_never_exceed_what_is_left() {
        let now = Instant::now();
        let reset = now + Duration::from_secs(60);
        let mut window = Window::default();
        assert_eq!(window.next(now), Next::Go);
        assert_eq!(window.next(now), Next::AfterAnAnswer);
        window.learn(told(2, reset));
        window.ended();
        assert_eq!([window.next(now), window.next(now)], [Next::Go, Next::Go]);
        // Whether those two are counted in what remains is not known before they end.
        assert_eq!(window.next(now), Next::AfterAnAnswer);
        window.learn(told(0, reset));
        window.learn(told(1, reset));
        window.ended();
        window.ended();
        assert_eq!(
            window.next(now),
            Next::At(reset),
            "the later of the two answers was read first"
        );

        assert_eq!(window.next(reset), Next::Go);
        assert_eq!(window.next(reset), Next::AfterAnAnswer, "a new period is found out anew");
    }

    #[test]
    fn an_answer_of_the_period_before_says_nothing() {
        let now = Instant::now();
        let mut window = Window::default();
        window.learn(told(9, now + Duration::from_secs(60)));
        window.learn(told(0, now));
        assert_eq!(window.next(now), Next::Go);
    }

    #[test]
    fn a_platform_without_limits_is_not_held_back() {
        let now = Instant::now();
        let mut window = Window::default();
        assert_eq!(window.next(now), Next::Go);
        window.learn(None);
        assert!((0..99).all(|_| window.next(now) == Next::Go));
    }

    #[test]
    fn a_request_that_was_lost_does_not_block_the_others() {
        let now = Instant::now();
        let mut window = Window::default();
        assert_eq!(window.next(now), Next::Go);
        window.ended();
        assert_eq!(window.next(now), Next::Go);
    }

    #[test]
    fn the_reset_is_measured_on_the_servers_clock() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-ratelimit-remaining", "3"),
            ("x-ratelimit-reset", "784111780"),
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let now = Instant::now();
        let read = Told::read(&headers, now, SystemTime::now()).unwrap();
        assert_eq!(read, Told { remaining: 3, reset: now + Duration::from_secs(3) });
        headers.insert("x-ratelimit-reset", "18446744073709551615".parse().unwrap());
        Told::read(&headers, now, SystemTime::now());
    }

    #[tokio::test]
    async fn a_wait_beyond_the_deadline_is_refused_at_once() {
        let pacer = Pacer::new(8);
        let now = Instant::now();
        pacer.window().learn(told(0, now + Duration::from_secs(3600)));
        assert!(pacer.turn(now + Duration::from_secs(180)).await.is_err());
    }
}
