//! Licences and sources of all dependencies, held against `deny.toml` without any network: the
//! same file that `cargo deny check licenses bans sources` reads. Advisories need the advisory
//! database and so are not checked here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use spdx::{Expression, Licensee, ParseMode};

use crate::counts::Counts;

/// What `deny.toml` allows.
#[derive(Debug)]
struct Policy {
    allowed: Vec<Licensee>,
    /// Licences allowed for one crate only.
    exceptions: BTreeMap<String, Vec<Licensee>>,
    registries: Vec<String>,
}

/// Checks every package of `metadata` against `deny.toml`: one check when all are well, a failure for
/// each dependency that is not.
pub(crate) fn check(root: &Path, metadata: &Value) -> Counts {
    let policy = std::fs::read_to_string(root.join("deny.toml"))
        .context("deny.toml")
        .and_then(|text| Policy::parse(&text));
    match policy {
        Ok(policy) => {
            let (counts, duplicates) = policy.judge(metadata);
            println!("{} dependencies have an allowed licence and source", counts.passed);
            if !duplicates.is_empty() {
                println!("in more than one version: {}", duplicates.join(", "));
            }
            Counts { passed: u64::from(counts.failed == 0), ..counts }
        }
        Err(error) => Counts::failed(format!("licences: {error:#}")),
    }
}

impl Policy {
    fn parse(text: &str) -> Result<Self> {
        let file: toml::Table = text.parse()?;
        let table = |name: &str| {
            file.get(name).and_then(toml::Value::as_table).with_context(|| format!("no [{name}]"))
        };
        let licenses = table("licenses")?;
        for key in licenses.keys() {
            if !["allow", "exceptions", "confidence-threshold", "private", "version"]
                .contains(&key.as_str())
            {
                bail!("xtask does not know `{key}` of [licenses]; teach xtask/src/licences.rs");
            }
        }
        let mut exceptions = BTreeMap::new();
        for exception in
            licenses.get("exceptions").and_then(toml::Value::as_array).into_iter().flatten()
        {
            let name = exception.get("crate").and_then(toml::Value::as_str);
            let name = name.context("an exception without `crate`")?;
            exceptions.insert(name.to_owned(), licensees(exception.get("allow"))?);
        }
        Ok(Policy {
            allowed: licensees(licenses.get("allow"))?,
            exceptions,
            registries: strings(table("sources")?.get("allow-registry"))?,
        })
    }

    fn judge(&self, metadata: &Value) -> (Counts, Vec<String>) {
        let mut counts = Counts::default();
        let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for package in metadata["packages"].as_array().into_iter().flatten() {
            let name = package["name"].as_str().unwrap_or("?");
            let version = package["version"].as_str().unwrap_or("?");
            // What has no source is part of this repository.
            let Some(source) = package["source"].as_str() else { continue };
            versions.entry(name).or_default().insert(version);
            let verdict = self
                .source(source)
                .and_then(|()| self.licence(name, package["license"].as_str().unwrap_or("")));
            counts += match verdict {
                Ok(()) => Counts::passed(),
                Err(error) => Counts::failed(format!("{name} {version}: {error:#}")),
            };
        }
        let duplicates = versions
            .into_iter()
            .filter(|(_, versions)| versions.len() > 1)
            .map(|(name, all)| format!("{name} {}", all.into_iter().collect::<Vec<_>>().join(" ")))
            .collect();
        (counts, duplicates)
    }

    fn source(&self, source: &str) -> Result<()> {
        let allowed = source
            .strip_prefix("registry+")
            .or_else(|| source.strip_prefix("sparse+"))
            .is_some_and(|url| self.registries.iter().any(|registry| registry == url));
        if !allowed {
            bail!("comes from {source}, which [sources] does not allow");
        }
        Ok(())
    }

    fn licence(&self, name: &str, expression: &str) -> Result<()> {
        if expression.is_empty() {
            bail!("names no licence");
        }
        let parsed = Expression::parse_mode(expression, ParseMode::LAX)
            .with_context(|| format!("licence `{expression}`"))?;
        let own = self.exceptions.get(name).map_or(&[][..], Vec::as_slice);
        if !parsed.evaluate(|wanted| self.allowed.iter().chain(own).any(|l| l.satisfies(wanted))) {
            bail!("licence `{expression}` is not in the allow list of deny.toml");
        }
        Ok(())
    }
}

fn strings(value: Option<&toml::Value>) -> Result<Vec<String>> {
    let list = value.and_then(toml::Value::as_array).context("a list is missing")?;
    list.iter().map(|item| Ok(item.as_str().context("not a text")?.to_owned())).collect()
}

fn licensees(value: Option<&toml::Value>) -> Result<Vec<Licensee>> {
    strings(value)?
        .iter()
        .map(|text| Licensee::parse(text).with_context(|| format!("`{text}` in the allow list")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

    fn judge(packages: Value) -> (Counts, Vec<String>) {
        let policy = Policy::parse(
            r#"
            [licenses]
            allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
            exceptions = [{ crate = "roots", allow = ["CDLA-Permissive-2.0"] }]
            [sources]
            allow-registry = ["https://github.com/rust-lang/crates.io-index"]
            "#,
        );
        policy.unwrap().judge(&json!({ "packages": packages }))
    }

    fn package(name: &str, version: &str, license: &str, source: &str) -> Value {
        json!({ "name": name, "version": version, "license": license, "source": source })
    }

    #[test]
    fn one_allowed_choice_is_enough_and_every_and_is_needed() {
        let (counts, _) = judge(json!([
            package("a", "1.0.0", "MIT/Apache-2.0", REGISTRY),
            package("b", "1.0.0", "GPL-3.0 OR MIT", REGISTRY),
            package("c", "1.0.0", "MIT AND GPL-3.0", REGISTRY),
            package("d", "1.0.0", "Apache-2.0 WITH LLVM-exception", REGISTRY),
        ]));
        assert_eq!((counts.passed, counts.failed), (3, 1));
        assert!(counts.why[0].contains("c 1.0.0"), "{:?}", counts.why);
    }

    #[test]
    fn an_exception_holds_for_its_crate_only() {
        let (counts, _) = judge(json!([
            package("roots", "1.0.0", "CDLA-Permissive-2.0", REGISTRY),
            package("other", "1.0.0", "CDLA-Permissive-2.0", REGISTRY),
            package("nothing", "1.0.0", "", REGISTRY),
        ]));
        assert_eq!((counts.passed, counts.failed), (1, 2));
    }

    #[test]
    fn code_from_a_git_repository_is_refused_and_our_own_is_not_judged() {
        let (counts, _) = judge(json!([
            package("a", "1.0.0", "MIT", "git+https://example.com/a#abc"),
            { "name": "ours", "version": "0.1.0", "source": null },
        ]));
        assert_eq!((counts.passed, counts.failed), (0, 1));
    }

    #[test]
    fn duplicates_are_told_with_their_versions() {
        let (_, duplicates) = judge(json!([
            package("a", "1.0.0", "MIT", REGISTRY),
            package("a", "2.0.0", "MIT", REGISTRY),
            package("b", "1.0.0", "MIT", REGISTRY),
        ]));
        assert_eq!(duplicates, ["a 1.0.0 2.0.0"]);
    }

    #[test]
    fn a_rule_that_only_cargo_deny_knows_is_not_passed_over() {
        let error = Policy::parse("[licenses]\nallow = []\nclarify = []\n[sources]\n");
        assert!(error.unwrap_err().to_string().contains("clarify"));
    }
}
