//! Which server, and how: parsed from a URL.

use std::{fmt, path::PathBuf, time::Duration};

use larder_core::Result;
use url::Url;

use super::token::Token;
use crate::{
    config::{HOUR, config},
    options::{Options, duration, whole_number},
};

/// How a [`RemoteStore`](crate::RemoteStore) reaches its server.
///
/// Written as a URL, `libsql://name-org.turso.io?timeout=10s`; [`RemoteConfig::parse`] says how.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RemoteConfig {
    /// Where the server is.
    pub endpoint: Endpoint,
    /// Where the token comes from that the server asks for.
    pub token: Token,
    /// The certificates (PEM) of the authorities that may have signed the server's; Mozilla's list, when not said.
    pub root_cert: Option<PathBuf>,
    /// By when a call has to have ended, from 1 ms to 1 h. One that was not sent by then answers `Busy`; one that was
    /// answers `Timeout`.
    pub timeout: Duration,
    /// How long a connection may take to be made, from 1 ms to 1 h.
    pub connect_timeout: Duration,
    /// For how long a call is tried again that cannot have been executed, or would do nothing when it had been, up to 1 h;
    /// never longer than its `timeout`.
    pub retry: Duration,
    /// How many calls may wait for each lane, 1 to 1,000,000. The next one waits outside of the queue, up to its `timeout`.
    pub queue: usize,
}

/// A server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// Is the connection encrypted?
    pub tls: bool,
    /// The name or address. On a server with namespaces, the first label is the namespace. Names under `localhost` are this
    /// machine, as RFC 6761 has it.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What stands before the paths of the protocol; empty, or begins with a slash and does not end with one.
    pub path: String,
}

pub(crate) const OPTIONS: &[&str] = &[
    "authToken",
    "connect_timeout",
    "queue",
    "retry",
    "sslrootcert",
    "timeout",
    "tls",
    "token_env",
    "token_file",
];

const MILLISECOND: Duration = Duration::from_millis(1);

impl RemoteConfig {
    /// The defaults, for this server: a token from the environment, 30 s for a call, 5 s for a connection, 2 s of trying
    /// again, 10,000 calls in each queue.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            token: Token::default(),
            root_cert: None,
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            retry: Duration::from_secs(2),
            queue: 10_000,
        }
    }

    /// Parses a URL: `libsql://host`, `https://host` (encrypted) or `http://host:8080` (not), each with a port if it is not
    /// the usual one.
    ///
    /// The token is taken from the variable `LIBSQL_AUTH_TOKEN` or else `TURSO_AUTH_TOKEN` of the environment when it is set.
    /// Options follow a `?`, separated by `&`:
    /// - `token_env=NAME`, `token_file=/path`: from this variable, or this file. `authToken=…` is the token itself, as other
    ///   clients have it; better keep it out of the URL. For a token that has to be fetched see [`RemoteConfig::with_token`].
    /// - `tls=0`: `libsql://` without encryption, for a server on this machine.
    /// - `sslrootcert=/path`: the authorities' certificates.
    /// - `timeout`, `connect_timeout`, `retry` (`5s`, `250ms`, `2m`) and `queue` (a number), as the fields say.
    ///
    /// # Errors
    /// `Config`, naming what is wrong and what is allowed.
    pub fn parse(url: &str) -> Result<Self> {
        let (place, options) = url.split_once('?').unwrap_or((url, ""));
        let mut options = Options::parse(options, OPTIONS)?;
        Self::from_options(place, &mut options)
    }

    /// The configuration of this place, from options of which others may be left.
    pub(crate) fn from_options(place: &str, options: &mut Options) -> Result<Self> {
        let tls = options.take("tls", |text| match text {
            "0" | "off" => Ok(false),
            "1" | "on" => Ok(true),
            _ => Err("must be 1 or 0".to_owned()),
        })?;
        let default = Self::new(Endpoint::parse(place, tls)?);
        Ok(Self {
            token: Token::from_options(options)?,
            root_cert: options.take("sslrootcert", |text| Ok(PathBuf::from(text)))?,
            timeout: options
                .take("timeout", |text| duration(text, MILLISECOND, HOUR))?
                .unwrap_or(default.timeout),
            connect_timeout: options
                .take("connect_timeout", |text| duration(text, MILLISECOND, HOUR))?
                .unwrap_or(default.connect_timeout),
            retry: options
                .take("retry", |text| duration(text, Duration::ZERO, HOUR))?
                .unwrap_or(default.retry),
            queue: options.take("queue", |text| whole_number(text, 1, 1_000_000))?.unwrap_or(default.queue),
            endpoint: default.endpoint,
        })
    }

    /// The same with a token from elsewhere, such as a [`TokenSource`](crate::TokenSource) that fetches it.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<Token>) -> Self {
        self.token = token.into();
        self
    }
}

impl Endpoint {
    fn parse(place: &str, tls: Option<bool>) -> Result<Self> {
        let (scheme, rest) = place.split_once("://").unwrap_or((place, ""));
        let by_scheme = match scheme {
            "libsql" => true,
            "https" => true,
            "http" => false,
            _ => return Err(config("a server's URL begins with libsql://, https:// or http://")),
        };
        if scheme != "libsql" && tls.is_some_and(|tls| tls != by_scheme) {
            return Err(config("option tls contradicts the scheme: it is for libsql:// URLs"));
        }
        let tls = tls.unwrap_or(by_scheme);
        // In these words, because of another scheme the parser does not know the rules.
        let url = Url::parse(&format!("{}://{rest}", if tls { "https" } else { "http" }))
            .map_err(|error| config("this is no URL: libsql://host").with_source(error))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(config("a libSQL server knows no user names: give it a token"));
        }
        if url.fragment().is_some() {
            return Err(config("the URL has a fragment: write # as %23"));
        }
        let Some(host) = url.host_str() else { return Err(config("the URL names no host: libsql://host")) };
        Ok(Self {
            tls,
            host: host.to_owned(),
            port: url.port_or_known_default().unwrap_or(if tls { 443 } else { 80 }),
            path: url.path().trim_end_matches('/').to_owned(),
        })
    }

    /// `host:port`, without the port when it is the usual one: as a `Host` header has it.
    pub(crate) fn authority(&self) -> String {
        let usual = if self.tls { 443 } else { 80 };
        if self.port == usual { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

/// As `http://host:port/path`, which holds no secret.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use larder_core::ErrorKind;

    use super::*;

    fn endpoint(url: &str) -> Endpoint {
        RemoteConfig::parse(url).expect(url).endpoint
    }

    #[test]
    fn urls() {
        let turso = endpoint("libsql://app-me.turso.io");
        assert_eq!((turso.tls, turso.port, turso.authority().as_str()), (true, 443, "app-me.turso.io"));
        assert_eq!(endpoint("libsql://127.0.0.1:8080?tls=0").to_string(), "http://127.0.0.1:8080");
        assert_eq!(endpoint("http://a.localhost:8080/").to_string(), "http://a.localhost:8080");
        assert_eq!(endpoint("https://h/db/one/?queue=7").to_string(), "https://h/db/one");
        assert_eq!(endpoint("http://[::1]:80").to_string(), "http://[::1]");
    }

    #[test]
    fn wrong_urls_say_what_is_wrong() {
        for (url, said) in [
            ("ftp://host", "libsql://"),
            ("libsql://", "no URL"),
            ("libsql://me:secret@host", "token"),
            ("libsql://host#fragment", "fragment"),
            ("http://host?tls=1", "contradicts"),
            ("libsql://host?tls=maybe", "1 or 0"),
            ("libsql://host?readers=3", "unknown option readers"),
            ("libsql://host?timeout=0s", "must be a duration"),
            ("libsql://host?token_env=A&token_file=b", "only one"),
        ] {
            let error = RemoteConfig::parse(url).expect_err(url);
            assert_eq!(*error.kind(), ErrorKind::Config);
            assert!(error.context().contains(said), "{url}: {error}");
        }
    }

    #[test]
    fn a_token_is_never_shown() {
        let config = RemoteConfig::parse("libsql://host?authToken=s3cret").expect("config");
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
