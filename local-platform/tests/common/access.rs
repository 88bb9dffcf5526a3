//! Requests under one credential or another.

use reqwest::Method;
use serde_json::Value;

use super::{Answer, Platform, answer};

/// A request with another credential than the platform's first key.
pub async fn with(
    p: &Platform,
    credential: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Answer {
    let mut request =
        p.http.request(method, format!("{}{path}", p.running.url())).bearer_auth(credential);
    if let Some(body) = body {
        request = request.json(&body);
    }
    answer(request).await
}

pub async fn get(p: &Platform, credential: &str) -> Answer {
    with(p, credential, Method::GET, "/api/projects", None).await
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
