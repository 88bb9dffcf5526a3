//! Clients as scenarios set them up.

use std::{sync::PoisonError, time::Duration};

use serde_json::Value;
use storycore::{CircuitBreaker, Client, Error, JwtCredential, Platform, oauth::OAuthCredential};

use crate::sign_in;

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A circuit breaker; what is not said is as it is by default.
fn breaker(value: &Value) -> CircuitBreaker {
    let mut breaker = CircuitBreaker::default();
    if let Some(failures) = value["failure_threshold"].as_u64() {
        breaker.failure_threshold = u32::try_from(failures).unwrap_or(u32::MAX);
    }
    if let Some(ms) = value["recovery_timeout_ms"].as_u64() {
        breaker.recovery_timeout = Duration::from_millis(ms);
    }
    breaker
}

/// A client with these options.
pub(crate) fn make(options: &Value) -> Result<Client, Error> {
    if options["from_env"] == true {
        return Client::from_env();
    }
    let mut builder = Client::builder();
    for (name, value) in options.as_object().into_iter().flatten() {
        let ms = || Duration::from_millis(value.as_u64().unwrap_or_default());
        let number = || u32::try_from(value.as_u64().unwrap_or_default()).unwrap_or(u32::MAX);
        builder = match name.as_str() {
            "base_url" => builder.base_url(text(value)),
            "api_key" => builder.api_key(text(value)),
            "platform" => builder.platform(Platform::by_name(&text(value))?),
            "timeout_ms" => builder.timeout(ms()),
            "attempt_timeout_ms" => builder.attempt_timeout(ms()),
            "max_retries" => builder.max_retries(number()),
            "max_retry_after_ms" => builder.max_retry_after(ms()),
            "max_in_flight" => builder.pacing(number() as usize),
            "allow_insecure_http" => builder.allow_insecure_http(value == true),
            "app_info" => builder.app_info(text(&value["name"]), text(&value["version"])),
            "headers" => value
                .as_object()
                .into_iter()
                .flatten()
                .fold(builder, |builder, (name, value)| builder.header(name, &text(value))),
            "breaker" => builder.circuit_breaker(breaker(value)),
            "roots" => builder.add_root_certificates(text(value)),
            "certificate" => builder.client_certificate(text(&value["chain"]), text(&value["key"])),
            "proxy" => builder.proxy(text(value)),
            "jwt" => {
                let mut jwt = JwtCredential::new(
                    text(&value["secret"]),
                    text(&value["subject"]),
                    texts(&value["permissions"]),
                );
                jwt.key_id = value["key_id"].as_str().map(str::to_owned);
                jwt.lifetime = Duration::from_secs(value["lifetime_s"].as_u64().unwrap_or(3600));
                builder.jwt(jwt)
            }
            "oauth" => builder.oauth(OAuthCredential::client_credentials(
                text(&value["client_id"]),
                text(&value["client_secret"]),
                texts(&value["scopes"]),
            )),
            "anonymous" => builder.anonymous(),
            // Tokens that a sign-in got, by its code.
            "signed_in" => {
                let tokens = sign_in::TOKENS.lock().unwrap_or_else(PoisonError::into_inner);
                let tokens = tokens.get(&text(&value["code"])).expect("a sign-in got tokens");
                builder.oauth(OAuthCredential::tokens(text(&value["client_id"]), tokens.clone()))
            }
            other => panic!("the driver knows no client option {other}"),
        };
    }
    builder.build()
}
