//! A base URL: https, or http where that is allowed; nothing behind the host and port.

use url::Url;

use crate::{error::Error, transport::is_loopback};

/// Reads one.
pub(crate) fn read(text: &str, insecure: bool) -> Result<Url, Error> {
    if !text.contains("://") {
        return Err(Error::config(
            "the base URL needs a scheme, such as https://api.example.com or http://127.0.0.1:4010",
        ));
    }
    let url = Url::parse(text).map_err(|e| {
        // The tables that such a name is turned into ASCII by are a fortieth of a library for phones: the lock file leaves them out.
        let hint = if text.is_ascii() { "" } else { "; write the host in ASCII, as `xn--…`" };
        Error::config(format!("the base URL is no URL: {e}{hint}"))
    })?;
    let wrong = |what: &str| Err(Error::config(format!("the base URL must not have {what}")));
    match url.scheme() {
        "https" => {}
        "http" if insecure || is_loopback(&url) => {}
        "http" => {
            return Err(Error::config(
                "the base URL must be https, or allow_insecure_http must be set",
            ));
        }
        _ => return Err(Error::config("the base URL must be https")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("a user or password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("a query or fragment");
    }
    if url.path() != "/" {
        return wrong("a path");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_an_origin() {
        for good in [
            "https://api.storycore.io",
            "https://a.io:8443/",
            "http://127.0.0.1:4010",
            "http://[::1]:1",
            "http://localhost:1",
            "https://xn--bcher-kva.example",
        ] {
            assert!(read(good, false).is_ok(), "{good}");
        }
        for bad in [
            "http://a.io",
            "ftp://a.io",
            "https://a.io/x",
            "https://a.io?x=1",
            "https://a.io#x",
            "https://u:p@a.io",
            "a.io",
            "",
            "file:///etc",
        ] {
            assert!(read(bad, false).is_err(), "{bad}");
        }
        assert!(read("http://a.io", true).is_ok());
        // `localhost:` would be read as a scheme.
        for text in ["a.io", "localhost:4010", "127.0.0.1:4010"] {
            assert!(read(text, false).unwrap_err().message().contains("scheme"), "{text}");
        }
        let foreign = read("https://bücher.example", false).unwrap_err();
        assert!(foreign.message().contains("xn--"), "{foreign}");
    }

    #[test]
    fn no_text_makes_it_panic() {
        crate::for_a_while::for_a_while(&".{0,60}", |text| {
            let _ = crate::transport::below("/projects", &text);
            let _ = read(&text, false);
            let _ = read(&format!("http://{text}"), true);
            Ok(())
        });
    }
}
