//! How many requests run side by side: twice as many while that brings about twice as much, then one more while that brings
//! more, half when the platform has too much. It sees measurements only; clocks and sockets are the engine's.

use std::time::Duration;

/// One more while goodput rises by this.
const WORTH: f64 = 1.05;
/// Twice as many again while doubling brought this: half of what it could. By one every two seconds, a file of 1 GiB on a
/// line of 20 MB/s a connection would be there before there are eight streams.
const WORTH_DOUBLING: f64 = 1.5;
/// What an upload begins with.
const FIRST: usize = 4;

/// What happened since the last look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    /// Bytes a second.
    pub(crate) goodput: f64,
    /// A 429, a 503 or a timeout was among the answers.
    pub(crate) congested: bool,
    /// As many ran as were allowed: fewer say nothing of what more would bring.
    pub(crate) full: bool,
}

/// How many streams an upload has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Controller {
    streams: usize,
    most: usize,
    /// The streams, and their goodput, before the last ones were added.
    before: Option<(usize, f64)>,
    doubling: bool,
}

impl Controller {
    pub(crate) fn new(most: usize) -> Self {
        let most = most.max(1);
        Self { streams: FIRST.min(most), most, before: None, doubling: true }
    }

    pub(crate) fn streams(&self) -> usize {
        self.streams
    }

    /// How long goodput is measured for.
    pub(crate) fn look(&self) -> Duration {
        Duration::from_secs(if self.doubling { 1 } else { 2 })
    }

    /// The number of streams from here on.
    pub(crate) fn observe(&mut self, measured: Measured) -> usize {
        if measured.congested {
            self.streams = (self.streams / 2).max(1);
            (self.before, self.doubling) = (None, false);
        } else if measured.full {
            let (streams, goodput) = self.before.unwrap_or((self.streams, 0.0));
            let brought = measured.goodput / goodput;
            let now = Some((self.streams, measured.goodput));
            if self.doubling && brought < WORTH_DOUBLING {
                // Back to as many as what was brought would have taken, at what each had before.
                self.doubling = false;
                let needed = (streams as f64 * brought).ceil() as usize;
                self.streams = needed.clamp(streams, self.streams);
                self.before = now;
            } else if brought >= WORTH {
                let more = if self.doubling { self.streams } else { 1 };
                self.streams = (self.streams + more).min(self.most);
                self.before = now;
            }
        }
        self.streams
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(goodput: f64) -> Measured {
        Measured { goodput, congested: false, full: true }
    }

    /// The streams after `looks` at a network that gives each stream `each`, and `line` in all.
    fn settled(each: f64, line: f64, looks: usize) -> usize {
        let mut controller = Controller::new(16);
        for _ in 0..looks {
            let goodput = (controller.streams() as f64 * each).min(line);
            controller.observe(good(goodput));
        }
        controller.streams()
    }

    #[test]
    fn streams_are_added_while_they_bring_more_and_no_further() {
        assert_eq!(settled(20e6, 1e12, 100), 16);
        // Seven fill the line; the eighth is the one that shows it.
        assert_eq!(settled(20e6, 140e6, 100), 8);
        assert_eq!(settled(20e6, 200e6, 100), 10);
        // One alone would do; those that an upload begins with stay.
        assert_eq!(settled(20e6, 20e6, 100), 4);
    }

    #[test]
    fn a_line_that_takes_all_has_all_after_two_looks() {
        assert_eq!([settled(20e6, 1e12, 1), settled(20e6, 1e12, 2)], [8, 16]);
    }

    #[test]
    fn a_throttled_upload_halves_and_never_stops() {
        let mut controller = Controller::new(16);
        let bad = Measured { congested: true, ..good(1e6) };
        assert_eq!(
            [controller.observe(bad), controller.observe(bad), controller.observe(bad)],
            [2, 1, 1]
        );
        assert_eq!(controller.observe(good(5e5)), 2);
    }

    #[test]
    fn the_callers_bound_holds_and_an_idle_place_is_no_reason_for_more() {
        assert_eq!(Controller::new(2).streams(), 2);
        assert_eq!(Controller::new(0).streams(), 1);
        let mut controller = Controller::new(16);
        for step in 1..9 {
            controller.observe(Measured { full: false, ..good(f64::from(step) * 1e6) });
        }
        assert_eq!(controller.streams(), 4);
    }
}
