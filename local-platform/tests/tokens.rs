//! JWTs and OAuth: what they open, and for how long.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use common::{
    Answer, Platform,
    access::{get, text, with},
    answer,
};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use storycore_local::Config;

fn jwt(header: &Value, claims: &Value, secret: &str) -> String {
    use hmac::{KeyInit as _, Mac as _};
    let part = |v: &Value| URL_SAFE_NO_PAD.encode(v.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mut mac = hmac::Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn a_jwt_opens_what_its_key_may_and_nothing_more() {
    let p = Platform::start().await;
    let made = p
        .post(
            "/api/auth/api-keys",
            json!({"name": "Signer", "permissions": ["write"], "allow_jwt": true}),
        )
        .await
        .expect(201)
        .body;
    let (secret, id, user) = (text(&made["secret"]), text(&made["id"]), text(&made["user_id"]));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = |permissions: &[&str], exp: u64| json!({"sub": user, "iat": now, "exp": exp, "permissions": permissions});
    let head = json!({"alg": "HS256", "typ": "JWT", "kid": id});
    let good = jwt(&head, &claims(&["admin"], now + 600), &secret);
    get(&p, &good).await.expect(200);
    let made_project =
        with(&p, &good, Method::POST, "/api/projects", Some(json!({"name": "Film"})))
            .await
            .expect(201);
    let path = format!("/api/projects/{}", text(&made_project.body["id"]));
    with(&p, &good, Method::DELETE, &path, None).await.expect(403);
    get(&p, &jwt(&json!({"alg": "HS256"}), &claims(&["read"], now + 600), &secret))
        .await
        .expect(200);
    let reader = jwt(&head, &claims(&["read"], now + 600), &secret);
    with(&p, &reader, Method::POST, "/api/projects", Some(json!({"name": "Film"})))
        .await
        .expect(403);
    let mut stranger = claims(&["read"], now + 600);
    stranger["sub"] = json!("usr_other");
    for bad in [
        jwt(&head, &claims(&["read"], now - 1), &secret),
        jwt(&head, &claims(&["read"], now + 48 * 3600), &secret),
        jwt(&head, &claims(&["read"], now + 600), "another secret of somebody"),
        jwt(&json!({"alg": "none", "kid": id}), &claims(&["read"], now + 600), &secret),
        jwt(&json!({"alg": "HS512", "kid": id}), &claims(&["read"], now + 600), &secret),
        jwt(&head, &stranger, &secret),
        jwt(&head, &json!({"sub": user, "exp": now + 600}), &secret),
        "a.b.c".to_owned(),
    ] {
        get(&p, &bad).await.expect(401);
    }
    let plain = p.post("/api/auth/api-keys", json!({"name": "Plain"})).await.expect(201).body;
    let header = json!({"alg": "HS256", "kid": plain["id"]});
    get(&p, &jwt(&header, &claims(&["read"], now + 600), plain["secret"].as_str().unwrap()))
        .await
        .expect(401);
    p.delete(&format!("/api/auth/api-keys/{id}")).await.expect(200);
    get(&p, &good).await.expect(401);
    p.running.shutdown().await;
}

async fn form(p: &Platform, path: &str, fields: &[(&str, &str)]) -> Answer {
    let body: String = fields
        .iter()
        .map(|(k, v)| {
            format!(
                "{k}={}",
                percent_encoding::utf8_percent_encode(v, percent_encoding::NON_ALPHANUMERIC)
            )
        })
        .collect::<Vec<_>>()
        .join("&");
    let request = p.http.post(format!("{}{path}", p.running.url()));
    answer(request.header("content-type", "application/x-www-form-urlencoded").body(body)).await
}

/// Signs in as a browser would, and gives the code.
async fn sign_in(p: &Platform, challenge: &str) -> String {
    let query = format!(
        "response_type=code&client_id=storycore-cli&redirect_uri=http%3A%2F%2F127.0.0.1%3A8123%2Fcallback&scope=read+write&state=s1&code_challenge={challenge}&code_challenge_method=S256"
    );
    let page = answer(p.http.get(format!("{}/auth/oauth/authorize?{query}", p.running.url())))
        .await
        .expect(200);
    let cookie = page.header("set-cookie").split(';').next().unwrap().to_owned();
    let csrf = cookie.split_once('=').unwrap().1.to_owned();
    let decide = |cookie: String| {
        let body = format!("{query}&csrf={csrf}&decision=allow");
        let request = p.http.post(format!("{}/auth/oauth/authorize", p.running.url()));
        answer(
            request
                .header("cookie", cookie)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body),
        )
    };
    decide("storycore_consent=forged".into()).await.expect(403);
    let back = decide(cookie).await.expect(303);
    let location = back.header("location").to_owned();
    assert!(
        location.starts_with("http://127.0.0.1:8123/callback?code=")
            && location.contains("state=s1"),
        "{location}"
    );
    let code = location.split("code=").nth(1).unwrap().split('&').next().unwrap();
    percent_encoding::percent_decode_str(code).decode_utf8().unwrap().into_owned()
}

#[tokio::test]
async fn a_user_signs_in_with_pkce_and_refresh_tokens_change_at_each_use() {
    let p = Platform::start().await;
    let verifier = "a-verifier-of-forty-three-characters-or-more-0";
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    let code = sign_in(&p, &challenge).await;
    let exchange = |code: String, verifier: &'static str| {
        let p = &p;
        async move {
            form(
                p,
                "/auth/oauth/token",
                &[
                    ("grant_type", "authorization_code"),
                    ("code", &code),
                    ("client_id", "storycore-cli"),
                    ("redirect_uri", "http://127.0.0.1:8123/callback"),
                    ("code_verifier", verifier),
                ],
            )
            .await
        }
    };
    assert_eq!(exchange(code.clone(), "wrong").await.expect(400).body["error"], "invalid_grant");
    let tokens = exchange(code.clone(), verifier).await.expect(200);
    assert_eq!(tokens.header("cache-control"), "no-store");
    let (access, refresh) =
        (text(&tokens.body["access_token"]), text(&tokens.body["refresh_token"]));
    get(&p, &access).await.expect(200);
    with(&p, &access, Method::DELETE, "/api/projects/prj_x", None).await.expect(403);
    let again = |token: String| {
        let p = &p;
        async move {
            form(
                p,
                "/auth/oauth/token",
                &[
                    ("grant_type", "refresh_token"),
                    ("refresh_token", &token),
                    ("client_id", "storycore-cli"),
                ],
            )
            .await
        }
    };
    let second = again(refresh.clone()).await.expect(200).body;
    get(&p, second["access_token"].as_str().unwrap()).await.expect(200);
    // The first refresh token again: somebody has a copy, so everything of this sign-in ends.
    again(refresh).await.expect(400);
    get(&p, second["access_token"].as_str().unwrap()).await.expect(401);
    get(&p, &access).await.expect(401);
    let code = sign_in(&p, &challenge).await;
    let tokens = exchange(code.clone(), verifier).await.expect(200).body;
    exchange(code, verifier).await.expect(400);
    get(&p, tokens["access_token"].as_str().unwrap()).await.expect(401);
    let late = sign_in(&p, &challenge).await;
    p.post("/_local/clock", json!({"advance_seconds": 61})).await.expect(200);
    exchange(late, verifier).await.expect(400);
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_service_gets_tokens_by_its_secret_and_they_end() {
    let folder = tempfile::tempdir().unwrap();
    let p = Platform::with(Config::in_directory(folder.path())).await;
    let client = p
        .post(
            "/_local/oauth/clients",
            json!({"name": "Service", "confidential": true, "scopes": ["read"]}),
        )
        .await
        .expect(201)
        .body;
    let (id, secret) = (text(&client["client_id"]), text(&client["client_secret"]));
    let ask =
        [("grant_type", "client_credentials"), ("client_id", &id), ("client_secret", &secret)];
    let token = text(&form(&p, "/auth/oauth/token", &ask).await.expect(200).body["access_token"]);
    get(&p, &token).await.expect(200);
    let wrong =
        [("grant_type", "client_credentials"), ("client_id", &*id), ("client_secret", "no")];
    assert_eq!(
        form(&p, "/auth/oauth/token", &wrong).await.expect(401).body["error"],
        "invalid_client"
    );
    let greedy = [
        ("grant_type", "client_credentials"),
        ("client_id", &*id),
        ("client_secret", &*secret),
        ("scope", "admin"),
    ];
    assert_eq!(
        form(&p, "/auth/oauth/token", &greedy).await.expect(400).body["error"],
        "invalid_scope"
    );
    let journal = p.get("/_local/requests").await.expect(200).text;
    assert!(!journal.contains(&secret) && !journal.contains(&token));
    p.running.shutdown().await;
    let p = Platform::with(Config::in_directory(folder.path())).await;
    get(&p, &token).await.expect(200);
    let revoke = [("token", &*token), ("client_id", &*id), ("client_secret", &*secret)];
    form(&p, "/auth/oauth/revoke", &revoke).await.expect(200);
    get(&p, &token).await.expect(401);
    let token = text(&form(&p, "/auth/oauth/token", &ask).await.expect(200).body["access_token"]);
    p.post("/_local/clock", json!({"advance_seconds": 3_600})).await.expect(200);
    get(&p, &token).await.expect(401);
    p.running.shutdown().await;
}

#[tokio::test]
async fn nothing_is_sent_to_an_address_that_the_client_did_not_register() {
    let p = Platform::start().await;
    let base = "/auth/oauth/authorize?response_type=code&client_id=storycore-cli&state=s";
    for bad in [
        "",
        "&redirect_uri=https%3A%2F%2Fevil.io%2Fcallback",
        "&redirect_uri=http%3A%2F%2F127.0.0.1%2Fother",
    ] {
        let refused =
            answer(p.http.get(format!("{}{base}{bad}", p.running.url()))).await.expect(400);
        assert!(refused.header("location").is_empty());
    }
    let plain = format!(
        "{base}&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback&code_challenge=abc&code_challenge_method=plain"
    );
    let back = answer(p.http.get(format!("{}{plain}", p.running.url()))).await.expect(303);
    assert!(back.header("location").contains("error=invalid%5Frequest"));
    p.running.shutdown().await;
}
