//! The table that ends a test run, and the closing line under it.

use std::fmt::Write;
use std::time::Duration;

use crate::counts::Counts;

/// One line of the table.
pub(crate) struct Row {
    pub(crate) part: &'static str,
    pub(crate) counts: Counts,
    pub(crate) took: Duration,
}

/// The table, a row a part with its reasons beside and below it, then `N passed, N failed,
/// N skipped` alone on the last line.
pub(crate) fn render(rows: &[Row]) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "part         passed  failed  skipped    time");
    let mut total = Counts::default();
    for row in rows {
        let Counts { passed, failed, skipped, why, .. } = &row.counts;
        let _ = write!(
            text,
            "{:<11} {passed:>7} {failed:>7} {skipped:>8} {:>6}s",
            row.part,
            row.took.as_secs()
        );
        let mut why = why.iter();
        let _ = match why.next() {
            Some(first) => writeln!(text, "  {first}"),
            None => writeln!(text),
        };
        for reason in why {
            let _ = writeln!(text, "{:46}{reason}", "");
        }
        total += row.counts.clone();
    }
    let _ = writeln!(
        text,
        "\n{} passed, {} failed, {} skipped",
        total.passed, total.failed, total.skipped
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_ends_in_the_plain_sum() {
        let mut core = Counts { passed: 12, ..Counts::default() };
        core += Counts::failed("fmt");
        core += Counts::failed("clippy");
        let rows = [
            Row { part: "core", counts: core, took: Duration::from_millis(41_900) },
            Row {
                part: "python",
                counts: Counts::skipped("bindings-python does not exist yet"),
                took: Duration::ZERO,
            },
        ];
        assert_eq!(
            render(&rows),
            "\
part         passed  failed  skipped    time
core             12       2        0     41s  failed: fmt
                                              failed: clippy
python            0       0        1      0s  skipped: bindings-python does not exist yet

12 passed, 2 failed, 1 skipped
"
        );
    }
}
