//! The platform and `spec/openapi.yaml` know the same operations. That their answers fit is for the fuzzer in
//! `tests/schemathesis`.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use common::{Answer, Platform, answer};
use reqwest::Method;
use serde_json::{Value, json};

/// Paths of the contract and the methods that each takes.
type Operations = BTreeMap<String, BTreeSet<String>>;

fn spec(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec").join(file);
    serde_norway::from_str(&std::fs::read_to_string(path).expect("the file is there"))
        .expect("it is YAML")
}

fn operations(spec: &Value) -> Operations {
    let methods = ["get", "put", "post", "delete", "patch", "head", "options"];
    let paths = spec["paths"].as_object().expect("it has paths");
    paths
        .iter()
        .map(|(path, item)| {
            let taken = methods.iter().filter(|method| item.get(**method).is_some());
            (path.clone(), taken.map(|method| method.to_uppercase()).collect())
        })
        .collect()
}

/// The paths that the platform's source has routes for.
fn routes(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("the source is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            routes(&path, found);
            continue;
        }
        let source = std::fs::read_to_string(&path).expect("it is text");
        // The first text behind each call, which may stand on the next line.
        for call in source.split(".route(").skip(1) {
            if let Some(text) = call.trim_start().strip_prefix('"') {
                found.extend(text.split('"').next().map(str::to_owned));
            }
        }
    }
}

/// A path with something in each of its places.
fn filled(path: &str) -> String {
    path.split('/')
        .map(|part| if part.starts_with('{') { "none" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

async fn ask(p: &Platform, method: &str, path: &str) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).expect("it is a method");
    answer(p.request(method, &filled(path))).await
}

#[tokio::test]
async fn every_operation_of_the_contract_is_served_and_no_other() {
    let p = Platform::start().await;
    for file in ["openapi.yaml", "local.yaml"] {
        for (path, methods) in operations(&spec(file)) {
            // Asked first: emptying the platform is one of the operations.
            let refused = ask(&p, "PROPFIND", &path).await.expect(405);
            let mut allowed: BTreeSet<_> =
                refused.header("allow").split(',').map(|m| m.trim().to_owned()).collect();
            if !methods.contains("HEAD") {
                allowed.remove("HEAD");
            }
            assert_eq!(allowed, methods, "{path}");
            for method in methods {
                let answer = ask(&p, &method, &path).await;
                let unknown = answer.text.contains("there is no /");
                assert!(!unknown && answer.status != 405, "{method} {path}: {}", answer.text);
            }
        }
    }
    p.running.shutdown().await;
}

#[test]
fn every_path_that_the_platform_serves_is_in_the_contract() {
    let mut served = BTreeSet::new();
    routes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut served);
    assert!(served.len() > 20, "routes are found: {served:?}");
    let known = |file| operations(&spec(file)).into_keys().collect::<BTreeSet<_>>();
    let (local, public): (BTreeSet<_>, BTreeSet<_>) =
        served.into_iter().partition(|path| path.starts_with("/_local/"));
    assert_eq!(public, known("openapi.yaml"));
    assert_eq!(local, known("local.yaml"));
}

#[tokio::test]
async fn each_dialect_speaks_as_the_contract_says() {
    let p = Platform::start().await;
    for (name, dialect) in spec("openapi.yaml")["x-dialects"].as_object().expect("it has dialects")
    {
        let paths = dialect["paths"].as_array().expect("a list");
        // The platform's name for what a dialect's path leads to, the longest first.
        let theirs = |ours: &str| {
            paths.iter().find_map(|pair| {
                let rest = ours.strip_prefix(pair["ours"].as_str()?)?;
                Some(format!("{}{rest}", pair["theirs"].as_str()?))
            })
        };
        let projects = theirs("/api/projects").unwrap_or_else(|| "/api/projects".to_owned());
        let made = p.post(&projects, json!({"name": "Film"})).await.expect(201);
        let object = if dialect["wrapped"] == true { &made.body["data"] } else { &made.body };
        assert_eq!(object["name"], "Film", "{name}");
        p.get(&projects).await.expect(200);

        // Where a dialect has no path of its own for keys, its keys are known by what they are for.
        let keys = theirs("/api/auth/api-keys");
        let scopes = if name == "hub_chantier" { json!(["chantiers:*"]) } else { json!([]) };
        let at = keys.unwrap_or_else(|| "/api/auth/api-keys".to_owned());
        let made = p.post(&at, json!({"name": "Key", "scopes": scopes})).await.expect(201);
        let key = made.body.get("data").unwrap_or(&made.body);
        let prefix = dialect["key_prefix"].as_str().expect("a text");
        assert!(key["secret"].as_str().is_some_and(|s| s.starts_with(prefix)), "{name}");
    }
    p.running.shutdown().await;
}
