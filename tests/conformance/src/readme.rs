//! The tables in `README.md`: which scenario is about which rule, and which rules were taken out of the client to see it
//! fail. Written from the scenarios and the mutants, so that they are true.

use std::{fmt::Write as _, path::Path, process::ExitCode};

use anyhow::{Context as _, Result};

use crate::{mutant::Mutant, scenario::Scenario};

/// Writes the tables, or says whether they are current.
pub(crate) fn update(
    path: &Path,
    scenarios: &[Scenario],
    mutants: &[Mutant],
    write: bool,
) -> Result<ExitCode> {
    let text = std::fs::read_to_string(path)?;
    let new = replaced(&text, "scenarios", &of_scenarios(scenarios)?)?;
    let new = replaced(&new, "mutants", &of_mutants(mutants)?)?;
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

/// The page with another table of this name.
fn replaced(page: &str, name: &str, table: &str) -> Result<String> {
    let begin = format!("<!-- {name}: written by `conformance --write-readme` -->\n");
    let end = format!("<!-- end of {name} -->\n");
    let (before, rest) = page
        .split_once(&begin)
        .with_context(|| format!("README.md has no place for the {name}"))?;
    let (_, after) =
        rest.split_once(&end).with_context(|| format!("README.md has no end of the {name}"))?;
    Ok(format!("{before}{begin}{table}\n{end}{after}"))
}

fn of_scenarios(scenarios: &[Scenario]) -> Result<String> {
    let mut table = String::new();
    let mut file = "";
    for scenario in scenarios {
        if scenario.file != file {
            file = &scenario.file;
            write!(table, "\n### {file}\n\n| rule | scenario |\n|---|---|\n")?;
        }
        writeln!(table, "| {} | `{}` |", cell(&scenario.rule), scenario.name)?;
    }
    Ok(table)
}

fn of_mutants(mutants: &[Mutant]) -> Result<String> {
    let mut table = String::new();
    let mut file = "";
    for mutant in mutants {
        if mutant.file != file {
            file = &mutant.file;
            write!(table, "\n### {file}\n\n| rule | without it | fails |\n|---|---|---|\n")?;
        }
        let rule = mutant.rule.split_once(": ").map_or(&*mutant.rule, |(_, rule)| rule);
        let name = mutant.name.replace('_', " ");
        writeln!(table, "| {} | {name} | `{}` |", cell(rule), mutant.guards.join("`, `"))?;
    }
    Ok(table)
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
