//! Which addresses a webhook may have: the rules, as pure functions of an address. Where names lead is in `resolve`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

const MAX_URL: usize = 2048;

/// What the rules leave open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Take loopback addresses, as a development machine needs.
    pub(crate) allow_loopback: bool,
}

/// The URL of a webhook, or what is wrong with it as far as its text tells.
pub(crate) fn parse(text: &str, rules: Rules) -> Result<Url, String> {
    // The parser drops tabs, line breaks and outer spaces, which then are in nobody's log.
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("must not have spaces or control characters".into());
    }
    // What the parser would repair (backslashes, too many slashes or none), others may read in another way.
    let scheme = ["http://", "https://"].into_iter().find(|scheme| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let Some(scheme) = scheme else { return Err("must begin with http:// or https://".into()) };
    if text[scheme.len()..].starts_with('/') || text.contains('\\') {
        return Err("must name a host behind http:// or https://, and have no backslash".into());
    }
    if text.len() > MAX_URL {
        return Err(format!("must have at most {MAX_URL} characters"));
    }
    // It also brings every spelling of an IPv4 address (decimal, octal, hexadecimal, short, a dot at the end) into one, the
    // same for this check as for the connection, and refuses a host that is not ASCII, such as one in full-width digits.
    let url = Url::parse(text).map_err(|error| format!("is no URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not have a user name or a password in it".into());
    }
    if url.port() == Some(0) {
        return Err("must have another port than 0".into());
    }
    if let Some(refusal) = refused_host(&url, rules) {
        return Err(refusal);
    }
    Ok(url)
}

/// Why the URL's host is refused without looking it up, if it is.
pub(crate) fn refused_host(url: &Url, rules: Rules) -> Option<String> {
    let (address, shown) = match url.host() {
        Some(Host::Ipv4(v4)) => (IpAddr::V4(v4), v4.to_string()),
        Some(Host::Ipv6(v6)) => (IpAddr::V6(v6), v6.to_string()),
        Some(Host::Domain(name)) if is_loopback_name(name) => {
            (IpAddr::V4(Ipv4Addr::LOCALHOST), name.to_owned())
        }
        Some(Host::Domain(_)) => return None,
        None => return Some("must name a host".into()),
    };
    refused(address, rules).map(|why| format!("{shown} is {why}"))
}

/// `localhost` and what is under it, which never leave the machine (RFC 6761).
pub(crate) fn is_loopback_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// What the address is, when a webhook must not have it.
pub(crate) fn refused(address: IpAddr, rules: Rules) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => refused_v4(v4, rules),
        IpAddr::V6(v6) => {
            embedded(v6).and_then(|v4| refused_v4(v4, rules)).or_else(|| refused_v6(v6, rules))
        }
    }
}

const LOOPBACK: &str =
    "a loopback address, which is taken only by a server that was started for development";
const METADATA: &str = "a cloud metadata address";

fn refused_v4(v4: Ipv4Addr, rules: Rules) -> Option<&'static str> {
    match v4.octets() {
        [127, ..] => (!rules.allow_loopback).then_some(LOOPBACK),
        // "This network"; 0.0.0.0 reaches the machine itself.
        [0, ..] => Some("an unspecified address"),
        [169, 254, 169, 254] => Some(METADATA),
        [169, 254, ..] => Some("a link-local address"),
        // Alibaba Cloud; Oracle Cloud in a block of protocol assignments; Azure.
        [100, 100, 100, 200] | [168, 63, 129, 16] => Some(METADATA),
        [192, 0, 0, _] => Some("a cloud metadata or protocol address"),
        [224..=239, ..] => Some("a multicast address"),
        [255, 255, 255, 255] => Some("the broadcast address"),
        [240..=255, ..] => Some("a reserved address"),
        _ => None,
    }
}

/// Metadata services with an address of their own: AWS, Google Cloud, Oracle Cloud.
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
];

fn refused_v6(v6: Ipv6Addr, rules: Rules) -> Option<&'static str> {
    if v6.is_loopback() {
        return (!rules.allow_loopback).then_some(LOOPBACK);
    }
    if METADATA_V6.contains(&v6) {
        return Some(METADATA);
    }
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("an unspecified address"),
        [0xfe80..=0xfeff, ..] => Some("a link-local address"),
        [0xff00..=0xffff, ..] => Some("a multicast address"),
        // A NAT64 of one's own network may put the IPv4 address anywhere behind it (RFC 8215).
        [0x64, 0xff9b, 1, ..] => Some("a translated address that leads nobody knows where"),
        _ => None,
    }
}

/// The IPv4 address that an IPv6 address leads to, where it is one of the forms that do.
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let at = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        // ::1 and :: are themselves.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // Compatible (::a.b.c.d), mapped (::ffff:a.b.c.d), translated (::ffff:0:a.b.c.d), NAT64 (64:ff9b::a.b.c.d).
        [0, 0, 0, 0, 0, 0, high, low]
        | [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => at(high, low),
        // 6to4; Teredo, which keeps the address inverted.
        [0x2002, high, low, ..] => at(high, low),
        [0x2001, 0, _, _, _, _, high, low] => at(!high, !low),
        // ISATAP under any prefix.
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => at(high, low),
        _ => None,
    }
}
