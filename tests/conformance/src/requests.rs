//! Checks what arrived at the platform: how many requests, which, how far apart, with which headers.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::{
    matcher::Bindings,
    scenario::{Gap, Requests},
};

/// Checks the journal's entries.
pub(crate) fn check(bindings: &mut Bindings, expected: &Requests, all: Vec<Value>) -> Result<()> {
    let seen: Vec<Value> = all
        .into_iter()
        .filter(|r| {
            let path = r["path"].as_str().unwrap_or_default();
            expected.path.as_ref().is_none_or(|p| path.contains(p.as_str()))
                && expected.method.as_ref().is_none_or(|m| r["method"] == **m)
                && expected
                    .only
                    .as_ref()
                    .is_none_or(|o| bindings.clone().check(o, Some(r), "").is_ok())
        })
        .collect();
    bindings.forget_same();
    if let Some(count) = &expected.count {
        bindings.check(count, Some(&json!(seen.len())), "count")?;
    }
    if let Some(list) = &expected.list {
        ensure!(list.len() == seen.len(), "{} requests, not {}: {seen:#?}", seen.len(), list.len());
        for (number, (expected, seen)) in list.iter().zip(&seen).enumerate() {
            bindings.check(expected, Some(seen), &format!("request {}", number + 1))?;
        }
    }
    if let Some(each) = &expected.each {
        ensure!(!seen.is_empty(), "no request to check");
        for seen in &seen {
            bindings.check(each, Some(seen), "each request")?;
        }
    }
    check_gaps(expected.gaps_ms.as_deref().unwrap_or_default(), &seen)?;
    for (headers, differ) in [(&expected.different, true), (&expected.same, false)] {
        for header in headers {
            let mut values: Vec<_> =
                seen.iter().map(|r| r["headers"][header].to_string()).collect();
            ensure!(values.len() > 1, "{header}: one request alone tells nothing");
            ensure!(!values.contains(&"null".to_owned()), "{header} is missing");
            let all = values.len();
            values.sort();
            values.dedup();
            ensure!(
                values.len() == if differ { all } else { 1 },
                "{header}: {values:?} in {all} requests"
            );
        }
    }
    Ok(())
}

fn at(request: &Value) -> u64 {
    request["at_ms"].as_u64().unwrap_or_default()
}

fn check_gaps(gaps: &[Gap], seen: &[Value]) -> Result<()> {
    if gaps.is_empty() {
        return Ok(());
    }
    ensure!(
        seen.len() == gaps.len() + 1,
        "{} requests have other gaps than {}",
        seen.len(),
        gaps.len()
    );
    for (number, (gap, pair)) in gaps.iter().zip(seen.windows(2)).enumerate() {
        let ms = at(&pair[1]).saturating_sub(at(&pair[0]));
        ensure!(
            (gap.min..=gap.max).contains(&ms),
            "gap {}: {ms} ms, not {} to {}",
            number + 1,
            gap.min,
            gap.max
        );
    }
    Ok(())
}
