//! The person who is asked whether a program may sign in: opens the page, allows it, and is sent back with a code.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value};

/// Allows what the page at `url` asks for, and gives what the program is called back with: `code` and `state`.
pub(crate) async fn allow(http: &reqwest::Client, url: &str) -> Result<Value> {
    let page = http.get(url).send().await?;
    let status = page.status();
    let cookie = page.headers().get("set-cookie").and_then(|cookie| cookie.to_str().ok());
    let cookie = cookie.and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
    let html = page.text().await?;
    ensure!(status.is_success(), "the page: {status} {html}");
    let hidden = regex::Regex::new(r#"type="hidden" name="([^"]*)" value="([^"]*)""#)?;
    let plain = |text: &str| text.replace("&quot;", "\"").replace("&amp;", "&");
    let mut form: Vec<(String, String)> =
        hidden.captures_iter(&html).map(|field| (plain(&field[1]), plain(&field[2]))).collect();
    form.push(("decision".to_owned(), "allow".to_owned()));
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let path = url.split('?').next().unwrap_or(url);
    let decided = http
        .post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", cookie.context("the page sets no cookie")?)
        .body(body)
        .send()
        .await?;
    let status = decided.status();
    let back = decided.headers().get("location").and_then(|to| to.to_str().ok());
    let back = url::Url::parse(back.with_context(|| format!("nobody is called back: {status}"))?)?;
    let told: Map<String, Value> =
        back.query_pairs().map(|(name, value)| (name.into_owned(), value.into())).collect();
    Ok(Value::Object(told))
}
