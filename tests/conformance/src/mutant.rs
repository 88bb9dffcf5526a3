//! What a mutant says, as `mutants/*.yaml` has it: one rule taken out of the client, and the scenarios that must notice.
//! How mutants are built and run is in `bin/mutants.rs`.

use std::{collections::HashMap, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// The client without one rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mutant {
    /// What the client does then, in words joined by underscores.
    pub(crate) name: String,
    /// The rule that is missing, by its section of the behaviour.
    pub(crate) rule: String,
    /// What is changed, most often one thing.
    pub(crate) edits: Vec<Edit>,
    /// The scenarios that fail, each of them.
    pub(crate) guards: Vec<String>,
    /// The file it is from.
    #[serde(skip)]
    pub(crate) file: String,
}

/// One text in place of another.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edit {
    /// Below `sdk-core/src`.
    pub(crate) file: String,
    /// Stands there exactly once.
    pub(crate) old: String,
    pub(crate) new: String,
}

impl Edit {
    /// The file's text with the change made.
    pub(crate) fn apply(&self, text: &str) -> Result<String> {
        let found = text.matches(&self.old).count();
        ensure!(found == 1, "{}: {:?} stands there {found} times", self.file, self.old);
        ensure!(self.old != self.new, "{}: {:?} is not changed", self.file, self.old);
        Ok(text.replacen(&self.old, &self.new, 1))
    }
}

/// Every mutant of a folder.
pub(crate) fn load(folder: &Path) -> Result<Vec<Mutant>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("{} cannot be read", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    let mut all: Vec<Mutant> = Vec::new();
    for path in files {
        let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path)?;
        let mutants: Vec<Mutant> = serde_norway::from_str(&text).with_context(|| file.clone())?;
        for mutant in mutants {
            let before = all.iter().any(|known| known.name == mutant.name);
            ensure!(!before, "{} stands twice", mutant.name);
            ensure!(!mutant.edits.is_empty(), "{} changes nothing", mutant.name);
            all.push(Mutant { file: file.clone(), ..mutant });
        }
    }
    Ok(all)
}

/// What is wrong with mutants, each a line: a text that is not there once, or a guard that is none of `scenarios`.
pub(crate) fn problems(mutants: &[Mutant], sources: &Path, scenarios: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    for mutant in mutants {
        // Of several edits each finds what the one before left.
        let mut texts = HashMap::new();
        for edit in &mutant.edits {
            let text = texts.entry(&edit.file).or_insert_with(|| {
                std::fs::read_to_string(sources.join(&edit.file)).unwrap_or_default()
            });
            match edit.apply(text) {
                Ok(changed) => *text = changed,
                Err(error) => wrong.push(format!("{}: {error}", mutant.name)),
            }
        }
        let missing = mutant.guards.iter().filter(|guard| !scenarios.contains(guard));
        wrong.extend(missing.map(|guard| format!("{}: there is no {guard}", mutant.name)));
        if mutant.guards.is_empty() {
            wrong.push(format!("{}: nothing guards it", mutant.name));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the long run needs, so that it does not fail for a line that was moved.
    #[test]
    fn every_mutant_changes_one_place_and_has_guards_that_exist() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let scenarios = crate::scenario::load(&folder.join("scenarios")).unwrap();
        let scenarios: Vec<_> = scenarios.into_iter().map(|scenario| scenario.name).collect();
        let mutants = load(&folder.join("mutants")).unwrap();
        let wrong = problems(&mutants, &folder.join("../../sdk-core/src"), &scenarios);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
