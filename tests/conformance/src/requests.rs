//! Checks what arrived at the platform: how many requests, which, how far apart, with which headers.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::{
    matcher::Bindings,
    scenario::{Gap, Requests, Waits},
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
    for waits in &expected.waits_ms {
        check_waits(bindings, waits, &seen)?;
    }
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

/// Checks the shortest and the longest wait before the nth next request, over all that share a header.
fn check_waits(bindings: &mut Bindings, waits: &Waits, seen: &[Value]) -> Result<()> {
    let mut times: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for request in seen {
        let name = request["headers"][&waits.by].to_string();
        times.entry(name).or_default().push(at(request));
    }
    let waited: Vec<u64> = times
        .values()
        .filter_map(|at| Some(at.get(waits.nth)?.saturating_sub(*at.get(waits.nth - 1)?)))
        .collect();
    let what = format!("wait {} by {}", waits.nth, waits.by);
    bindings.check(&waits.count, Some(&json!(waited.len())), &format!("{what}: count"))?;
    for (expected, seen, which) in [
        (&waits.shortest, waited.iter().min(), "shortest"),
        (&waits.longest, waited.iter().max(), "longest"),
    ] {
        if let Some(expected) = expected {
            bindings.check(
                expected,
                seen.map(|ms| json!(ms)).as_ref(),
                &format!("{what}: {which}"),
            )?;
        }
    }
    Ok(())
}
