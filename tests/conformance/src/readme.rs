//! The table in `README.md` that says which scenario guards which rule, written from the scenarios so that it is true.

use std::{fmt::Write as _, path::Path, process::ExitCode};

use anyhow::{Context as _, Result};

use crate::scenario::Scenario;

const BEGIN: &str = "<!-- scenarios: written by `conformance --write-readme` -->\n";
const END: &str = "<!-- end of scenarios -->\n";

/// Writes the table, or says whether it is current.
pub(crate) fn update(path: &Path, scenarios: &[Scenario], write: bool) -> Result<ExitCode> {
    let text = std::fs::read_to_string(path)?;
    let (before, rest) = text.split_once(BEGIN).context("README.md has no place for the table")?;
    let (_, after) = rest.split_once(END).context("README.md has no end of the table")?;
    let mut table = String::new();
    let mut file = "";
    for scenario in scenarios {
        if scenario.file != file {
            file = &scenario.file;
            write!(table, "\n### {file}\n\n| rule | scenario |\n|---|---|\n")?;
        }
        writeln!(table, "| {} | `{}` |", scenario.rule.replace('|', "\\|"), scenario.name)?;
    }
    let new = format!("{before}{BEGIN}{table}\n{END}{after}");
    if new == text {
        return Ok(ExitCode::SUCCESS);
    }
    if write {
        std::fs::write(path, new)?;
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "tests/conformance/README.md is stale: run `cargo run -p storycore-conformance -- --write-readme`"
    );
    Ok(ExitCode::FAILURE)
}
