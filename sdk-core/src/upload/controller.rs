//! How many requests run side by side: one more while that brings more, half when the platform has too much. It sees
//! measurements only; clocks and sockets are the engine's.

/// One more while goodput rises by this.
const WORTH: f64 = 1.05;
/// What an upload begins with.
const FIRST: usize = 4;

/// What happened since the last look, two seconds or so.
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
    /// The goodput before the last stream was added.
    before: Option<f64>,
}

impl Controller {
    pub(crate) fn new(most: usize) -> Self {
        let most = most.max(1);
        Self { streams: FIRST.min(most), most, before: None }
    }

    pub(crate) fn streams(&self) -> usize {
        self.streams
    }

    /// The number of streams from here on.
    pub(crate) fn observe(&mut self, measured: Measured) -> usize {
        if measured.congested {
            self.streams = (self.streams / 2).max(1);
            self.before = None;
        } else if measured.full
            && self.before.is_none_or(|before| measured.goodput >= before * WORTH)
        {
            self.before = Some(measured.goodput);
            self.streams = (self.streams + 1).min(self.most);
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
        assert_eq!(settled(20e6, 20e6, 100), 5);
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
