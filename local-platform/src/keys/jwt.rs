//! JWTs signed with the text of a key that was made with `allow_jwt`: HS256 alone, never more than the key may.

use std::{collections::HashSet, sync::Arc};

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use super::{Access, Key, KeyRing, Permissions};
use crate::error::ApiError;

/// How far the signer's clock may be ahead, in seconds.
const LEEWAY: i64 = 60;
/// The longest life of a JWT, in seconds: what holds longer is a key.
const MOST_LIFE: i64 = 24 * 3600;

#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    iat: i64,
    exp: i64,
    permissions: Vec<String>,
}

/// Whether a credential has the form of a JWT. No key has a dot in it.
pub(crate) fn is_jwt(token: &str) -> bool {
    token.split('.').count() == 3
}

/// The key that signed a JWT, and what the JWT may do.
pub(crate) fn verify(
    ring: &KeyRing,
    token: &str,
    now: Timestamp,
) -> Result<(Arc<Key>, Access), ApiError> {
    let refuse = |why: &str| ApiError::unauthorized(format!("the JWT {why}"));
    let header = decode_header(token).map_err(|_| refuse("cannot be read"))?;
    if header.alg != Algorithm::HS256 {
        return Err(refuse("must be signed with HS256"));
    }
    let candidates = match &header.kid {
        Some(id) => ring.by_id(id).into_iter().collect(),
        None => ring.all(),
    };
    let mut known = None;
    for key in candidates {
        let Some(signing) = &key.signing else { continue };
        if let Some(claims) = claims(token, signing.expose())
            && claims.sub == *key.user_id
        {
            // A live key is better than a dead one that has the same text.
            let live = key.refusal(now).is_none();
            known = Some((key, claims));
            if live {
                break;
            }
        }
    }
    let Some((key, claims)) = known else {
        return Err(refuse("was not signed by a key of its user that may sign JWTs"));
    };
    if let Some(why) = key.refusal(now) {
        return Err(ApiError::unauthorized(why));
    }
    let now = now.as_second();
    if claims.exp <= now {
        return Err(refuse("has expired"));
    }
    if claims.iat > now + LEEWAY {
        return Err(refuse("is from the future"));
    }
    if claims.exp.saturating_sub(claims.iat) > MOST_LIFE {
        return Err(refuse("holds for more than 24 hours"));
    }
    let mut most: Option<Permissions> = None;
    for text in &claims.permissions {
        let permission = Permissions::parse(text)
            .ok_or_else(|| refuse("has a permission that is none: read, write or admin"))?;
        most = most.max(Some(permission));
    }
    let access = key.access.narrowed_to(most);
    Ok((key, access))
}

/// The claims, if `secret` signed them. Times are judged by the platform's own clock, which can be moved.
fn claims(token: &str, secret: &[u8]) -> Option<Claims> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims = HashSet::from(["sub".to_owned(), "exp".to_owned()]);
    decode::<Claims>(token, &DecodingKey::from_secret(secret), &validation)
        .ok()
        .map(|data| data.claims)
}
