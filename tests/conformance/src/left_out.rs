//! `left_out.yaml`: which scenarios a language may leave out. Any other that its driver says it does not have is a failure, so
//! that a driver cannot pass by refusing.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result, ensure};

use crate::scenario::Scenario;

/// Why each scenario is left out, by its name; `file/` stands for every scenario of a file.
#[derive(Debug, Default)]
pub(crate) struct LeftOut(BTreeMap<String, String>);

impl LeftOut {
    /// What `language` may leave out: nothing, where it is not named.
    ///
    /// # Errors
    /// An entry, of any language, that is no scenario's.
    pub(crate) fn of(language: Option<&str>, file: &Path, scenarios: &[Scenario]) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        Self::read(&text, language, scenarios).with_context(|| file.display().to_string())
    }

    fn read(text: &str, language: Option<&str>, scenarios: &[Scenario]) -> Result<Self> {
        let mut all: BTreeMap<String, BTreeMap<String, String>> = serde_norway::from_str(text)?;
        for entry in all.values().flat_map(BTreeMap::keys) {
            let known = match entry.strip_suffix('/') {
                Some(file) => scenarios.iter().any(|scenario| scenario.file == file),
                None => scenarios.iter().any(|scenario| scenario.name == *entry),
            };
            ensure!(known, "{entry} is no scenario");
        }
        let Some(language) = language else { return Ok(Self::default()) };
        Ok(Self(all.remove(language).unwrap_or_default()))
    }

    pub(crate) fn allows(&self, scenario: &Scenario) -> bool {
        self.0.contains_key(&scenario.name) || self.0.contains_key(&format!("{}/", scenario.file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_leaves_out_what_is_listed_for_it_and_nothing_else() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let scenarios = crate::scenario::load(&folder.join("scenarios")).unwrap();
        let find = |name: &str| scenarios.iter().find(|s| s.name == name).unwrap();
        let (fork, runtimes) = (
            find("a_forked_process_goes_its_own_way"),
            find("one_runtime_after_another_can_be_used"),
        );
        let webhook = scenarios.iter().find(|s| s.file == "webhooks").unwrap();
        let of =
            |language| LeftOut::of(language, &folder.join("left_out.yaml"), &scenarios).unwrap();
        let kotlin = of(Some("kotlin"));
        assert!(kotlin.allows(fork) && kotlin.allows(webhook) && !kotlin.allows(runtimes));
        assert!(!of(None).allows(fork) && !of(Some("python")).allows(fork));
        let wrong = LeftOut::read("node: {a_scenario_of_old: why}", None, &scenarios).unwrap_err();
        assert!(wrong.to_string().contains("a_scenario_of_old"), "{wrong}");
    }
}
