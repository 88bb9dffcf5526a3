//! How the demo shows what it does: bars that move in a terminal, and elsewhere plain lines, each
//! with the time since the start, that read well in a log.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Plain lines tell of progress each time that so many hundredths are done.
const PLAIN_STEP: u64 = 25;

/// Where the demo speaks.
pub(crate) struct Screen {
    start: Instant,
    terminal: bool,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), terminal: std::io::stdout().is_terminal() }
    }

    /// Time since the demo began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Says that something is done.
    pub(crate) fn say(&self, what: &str) {
        println!("{:7.2} s  {what}", self.elapsed().as_secs_f64());
    }

    /// Begins something whose progress is known in hundredths.
    pub(crate) fn progress(&self, what: &str) -> Progress {
        let bar = self.terminal.then(|| {
            let bar = ProgressBar::with_draw_target(Some(100), ProgressDrawTarget::stdout());
            let style = ProgressStyle::with_template("           {msg:24} {bar:32} {pos:>3} %");
            bar.set_style(style.expect("the template is a constant that the tests draw"));
            bar.set_message(what.to_owned());
            bar
        });
        Progress { what: what.to_owned(), start: self.start, bar, told: 0 }
    }
}

/// Something under way. Dropping it takes its bar off the screen.
pub(crate) struct Progress {
    what: String,
    start: Instant,
    bar: Option<ProgressBar>,
    told: u64,
}

impl Progress {
    /// Shows that `percent` hundredths are done; what is less than before is not shown.
    pub(crate) fn at(&mut self, percent: u64) {
        let percent = percent.min(100);
        match &self.bar {
            Some(bar) if percent > bar.position() => bar.set_position(percent),
            Some(_) => {}
            None => {
                let step = percent / PLAIN_STEP * PLAIN_STEP;
                if step > self.told {
                    self.told = step;
                    let seconds = self.start.elapsed().as_secs_f64();
                    println!("{seconds:7.2} s  {}: {step} %", self.what);
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_can_be_drawn() {
        let screen = Screen { start: Instant::now(), terminal: true };
        let mut progress = screen.progress("upload");
        progress.at(40);
        progress.at(20);
        progress.at(1000);
        assert_eq!(progress.bar.as_ref().map(ProgressBar::position), Some(100));
    }
}
