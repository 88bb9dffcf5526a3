//! Where names lead: looking them up in bounded time and refusing what `address` forbids. The client that sends asks
//! here at each connection, so that a name that leads elsewhere since its webhook was made does not help.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    sync::Arc,
    time::Duration,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;
use url::{Host, Url};

use super::address::{self, Rules};

/// How long one look-up may take.
const LOOKUP: Duration = Duration::from_secs(5);
/// How long the making of a webhook waits for one: a name that cannot be looked up then is checked when it is sent to.
const AT_CREATION: Duration = Duration::from_secs(2);
/// Look-ups at a time; each holds a thread until the system's resolver gives up, which may be long after `LOOKUP`.
const LOOKUPS: usize = 64;

/// Why a name gave no address to connect to.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Unreachable {
    /// It leads to an address that a webhook must not have.
    #[error("{0}")]
    Refused(String),
    /// It leads nowhere, for now.
    #[error("{0} does not resolve to an address")]
    Unresolved(String),
    /// Nobody answered.
    #[error("looking up {0} took too long")]
    Slow(String),
}

/// The system's resolver, or a test's.
type Lookup = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// Looks names up by the rules.
#[derive(Clone)]
pub(crate) struct Resolver {
    rules: Rules,
    lookup: Arc<Lookup>,
    permits: Arc<Semaphore>,
}

impl Resolver {
    pub(crate) fn new(rules: Rules) -> Self {
        Self::with(rules, |name| Ok((name, 0).to_socket_addrs()?.map(|a| a.ip()).collect()))
    }

    fn with(
        rules: Rules,
        lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self { rules, lookup: Arc::new(lookup), permits: Arc::new(Semaphore::new(LOOKUPS)) }
    }

    /// The URL of a webhook about to be made or changed, or why it is refused. A name that leads nowhere is taken: the
    /// receiver may not be up yet.
    pub(crate) async fn admit(&self, text: &str) -> Result<(), String> {
        let url = address::parse(text, self.rules)?;
        let Some(Host::Domain(name)) = url.host() else { return Ok(()) };
        match tokio::time::timeout(AT_CREATION, self.addresses(name)).await {
            Ok(Err(Unreachable::Refused(why))) => Err(why),
            Ok(Ok(_) | Err(_)) | Err(_) => Ok(()),
        }
    }

    /// Why an attempt must not even connect, where the host is an address and no name is looked up.
    pub(crate) fn refused(&self, url: &Url) -> Option<String> {
        address::refused_host(url, self.rules)
    }

    /// The addresses of a name, all of them allowed.
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Unreachable> {
        let found = match known(name) {
            Some(known) => known,
            None => self.look_up(name).await?,
        };
        // One forbidden address among others is how a name is made to pass a check and lead elsewhere.
        for address in &found {
            if let Some(why) = address::refused(*address, self.rules) {
                return Err(Unreachable::Refused(format!("{name} leads to {address}, {why}")));
            }
        }
        if found.is_empty() { Err(Unreachable::Unresolved(name.to_owned())) } else { Ok(found) }
    }

    async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, Unreachable> {
        let found = tokio::time::timeout(LOOKUP, async {
            let permit = Arc::clone(&self.permits).acquire_owned().await;
            let (lookup, asked) = (Arc::clone(&self.lookup), name.to_owned());
            let looking = tokio::task::spawn_blocking(move || {
                // Held until the thread is free again, whether anybody still waits for it or not.
                let _permit = permit;
                lookup(&asked)
            });
            looking.await
        });
        match found.await {
            Ok(Ok(Ok(addresses))) => Ok(addresses),
            Ok(Ok(Err(_)) | Err(_)) => Err(Unreachable::Unresolved(name.to_owned())),
            Err(_) => Err(Unreachable::Slow(name.to_owned())),
        }
    }
}

/// What needs no look-up: names that never leave the machine, and those that lead nowhere by definition (RFC 6761).
fn known(name: &str) -> Option<Vec<IpAddr>> {
    if address::is_loopback_name(name) {
        return Some(vec![
            IpAddr::from(std::net::Ipv4Addr::LOCALHOST),
            IpAddr::from(std::net::Ipv6Addr::LOCALHOST),
        ]);
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    (name == "invalid" || name.ends_with(".invalid")).then(Vec::new)
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = resolver.addresses(name.as_str()).await?;
            // Port 0 stands for the URL's.
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const STRICT: Rules = Rules { allow_loopback: false };

    fn answering(answers: &'static [&'static str]) -> Resolver {
        let asked = AtomicUsize::new(0);
        Resolver::with(STRICT, move |_| {
            let at = asked.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
            Ok(answers[at].split(' ').map(|a| a.parse().unwrap()).collect())
        })
    }

    #[tokio::test]
    async fn a_name_that_leads_elsewhere_after_its_webhook_was_made_is_refused_when_connecting() {
        let resolver = answering(&["203.0.113.7", "169.254.169.254"]);
        resolver.admit("http://rebound.example/hook").await.unwrap();
        let name = "rebound.example".parse().unwrap();
        let Err(error) = resolver.resolve(name).await else { panic!("it was resolved") };
        assert!(matches!(error.downcast_ref(), Some(Unreachable::Refused(_))), "{error}");
    }

    #[tokio::test]
    async fn one_forbidden_address_among_others_is_enough() {
        for answer in ["203.0.113.7 169.254.1.1", "203.0.113.7 ::1", "::ffff:127.0.0.1", "0.0.0.0"]
        {
            let resolver = answering(vec![answer].leak());
            assert!(resolver.admit("https://mixed.example/").await.is_err(), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_nowhere_is_taken_and_fails_only_when_sent_to() {
        let resolver = Resolver::with(STRICT, |_| Err(io::Error::other("no such name")));
        resolver.admit("https://not-up-yet.example/").await.unwrap();
        let name = "not-up-yet.example".parse().unwrap();
        assert!(resolver.resolve(name).await.is_err());
    }
}
