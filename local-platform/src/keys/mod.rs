//! The keys that open the platform, held in memory so that no request waits for the database to be let in: looking one up,
//! what it may do, its rate limit, its usage, the JWTs it signs. Making and revoking them over HTTP is in `resources`.

pub(crate) mod jwt;
mod key;
pub(crate) mod permissions;
mod rate_limit;
mod ring;
mod usage;

pub(crate) use key::{Hash, Key, KeyDocument, hash};
pub(crate) use permissions::{Access, Permissions};
pub(crate) use rate_limit::{RateState, RateWindow};
pub(crate) use ring::KeyRing;
pub(crate) use usage::Usage;
