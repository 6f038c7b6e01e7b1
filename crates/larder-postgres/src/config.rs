//! Where the database is and how it is spoken to.

use std::{fmt, path::PathBuf, time::Duration};

use larder_core::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

/// The server cancels a statement this much after the store's deadline has passed, for the case that nobody listens to
/// the answer any more.
const CANCEL_AFTER: Duration = Duration::from_millis(200);

const OPTIONS: &str = "pool_size, lanes, connect_timeout, acquire_timeout, timeout, sslmode, sslrootcert, application_name, host";

/// How to reach a PostgreSQL database, and the limits of the store. `Debug` shows no password. libpq's environment variables
/// and files are not read.
#[derive(Debug, Clone)]
pub struct PostgresConfig {
    /// The host's name or address, or the directory of the server's socket when it begins with `/`. `localhost`.
    pub host: String,
    /// The port. 5432.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The user.
    pub user: String,
    /// The password.
    pub password: Option<SecretString>,
    /// The most connections, at least 1. 8: a server works best with a few per core, and a dozen processes with this many
    /// stay below its usual limit of 100.
    pub pool_size: u32,
    /// Which calls of concurrent callers travel together. [`LaneUse::On`].
    pub lanes: LaneUse,
    /// How long making a connection may take. 5 s.
    pub connect_timeout: Duration,
    /// How long a call waits for a free connection before it is `Busy`. 10 s.
    pub acquire_timeout: Duration,
    /// The deadline of a call, and of each call in a transaction. 30 s.
    pub timeout: Duration,
    /// Whether the connection is encrypted. [`SslMode::Prefer`].
    pub ssl_mode: SslMode,
    /// A file with the certificates that the server's may be signed by.
    pub ssl_root_cert: Option<PathBuf>,
    /// What the server's lists call the connections. `larder`.
    pub application_name: String,
}

/// Whether a connection is encrypted, and what is checked; as libpq's `sslmode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SslMode {
    /// Never.
    Disable,
    /// Only if the server insists.
    Allow,
    /// If the server can.
    #[default]
    Prefer,
    /// Always; the server's certificate is not checked.
    Require,
    /// Always, with a certificate from a known authority.
    VerifyCa,
    /// Always, with a certificate from a known authority for this host.
    VerifyFull,
}

/// Which calls of concurrent callers travel together, sharing statements, commits and round trips.
///
/// Each answers as if it had been sent alone, and a caller who is alone waits for nobody. A write that would have to wait for a
/// lock of somebody else's is taken out of its batch after 50 ms and waits on a connection of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LaneUse {
    /// None: each call has a connection of its own.
    Off,
    /// Look-ups by key, short pages, and units that only read.
    Reads,
    /// These, and inserts, updates and deletes by key, upserts, claims, and units of them.
    #[default]
    On,
}

impl PostgresConfig {
    /// The database of this user on this host, everything else as the fields' documentation says.
    pub fn new(host: impl Into<String>, database: impl Into<String>, user: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: 5432,
            database: database.into(),
            user: user.into(),
            password: None,
            pool_size: 8,
            lanes: LaneUse::default(),
            connect_timeout: Duration::from_secs(5),
            acquire_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            ssl_mode: SslMode::default(),
            ssl_root_cert: None,
            application_name: "larder".to_owned(),
        }
    }

    /// Reads `postgres://user:password@host:port/database?option=value&…` (or `postgresql://`). Parts may be
    /// percent-encoded. Options are the fields of this type: `pool_size`, `lanes` (`off`, `reads`, `on`), `connect_timeout`, `acquire_timeout`, `timeout`
    /// (`250ms`, `5s`, `2m`), `sslmode` (`disable`, `allow`, `prefer`, `require`, `verify-ca`, `verify-full`),
    /// `sslrootcert`, `application_name`, and `host` (a socket's directory) instead of the host in front.
    ///
    /// # Errors
    /// `Config` naming what is wrong: another scheme, no user, no database, an unknown option, a bad value. The URL itself is
    /// not repeated, because it may hold a password.
    pub fn parse(url: &str) -> Result<Self> {
        let url =
            Url::parse(url).map_err(|error| wrong(format!("the PostgreSQL URL is malformed: {error}")))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(wrong(format!("`{}://` is no PostgreSQL URL: use `postgres://`", url.scheme())));
        }
        let database = decoded("database", url.path().trim_start_matches('/'))?;
        if database.is_empty() || database.contains('/') {
            return Err(wrong("the PostgreSQL URL names no database: end it with `/database`"));
        }
        let user = decoded("user", url.username())?;
        if user.is_empty() {
            return Err(wrong("the PostgreSQL URL names no user: write `postgres://user@host/database`"));
        }
        let mut config = Self::new(host(&url)?, database, user);
        config.port = url.port().unwrap_or(config.port);
        config.password = url.password().map(|text| decoded("password", text)).transpose()?.map(Into::into);
        config.set_options(&url)?;
        Ok(config)
    }

    fn set_options(&mut self, url: &Url) -> Result<()> {
        let mut seen = Vec::new();
        for (name, value) in url.query_pairs() {
            if seen.contains(&name) {
                return Err(wrong(format!("the option `{name}` is given twice")));
            }
            self.set_option(&name, &value)?;
            seen.push(name);
        }
        Ok(())
    }

    fn set_option(&mut self, name: &str, value: &str) -> Result<()> {
        if value.is_empty() {
            return Err(bad_value(name, value, "a value"));
        }
        match name {
            "pool_size" => {
                let size = value.parse().ok().filter(|size| (1..=10_000).contains(size));
                self.pool_size = size.ok_or_else(|| bad_value(name, value, "a number from 1 to 10000"))?;
            }
            "lanes" => {
                self.lanes = match value {
                    "off" => LaneUse::Off,
                    "reads" => LaneUse::Reads,
                    "on" => LaneUse::On,
                    _ => return Err(bad_value(name, value, "one of off, reads, on")),
                }
            }
            "connect_timeout" => self.connect_timeout = duration(name, value)?,
            "acquire_timeout" => self.acquire_timeout = duration(name, value)?,
            "timeout" => self.timeout = duration(name, value)?,
            "sslmode" => {
                let modes = "one of disable, allow, prefer, require, verify-ca, verify-full";
                self.ssl_mode = SslMode::from_text(value).ok_or_else(|| bad_value(name, value, modes))?;
            }
            "sslrootcert" => self.ssl_root_cert = Some(value.into()),
            "application_name" => value.clone_into(&mut self.application_name),
            "host" if value.starts_with('/') => value.clone_into(&mut self.host),
            "host" => return Err(bad_value(name, value, "the directory of a socket, beginning with `/`")),
            _ => return Err(wrong(format!("unknown option `{name}`; the options are {OPTIONS}"))),
        }
        Ok(())
    }

    /// The server, as errors name it.
    pub(crate) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// What the driver is told.
    pub(crate) fn driver_config(&self) -> tokio_postgres::Config {
        let cancel_after = (self.timeout + CANCEL_AFTER).as_millis().min(i32::MAX as u128);
        let mut config = tokio_postgres::Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .dbname(&self.database)
            .user(&self.user)
            .application_name(&self.application_name)
            .ssl_mode(self.ssl_mode.into())
            .options(format!(
                "-c statement_timeout={cancel_after} -c default_transaction_isolation=read\\ committed"
            ));
        if let Some(password) = &self.password {
            config.password(password.expose_secret());
        }
        config
    }
}

impl SslMode {
    fn from_text(text: &str) -> Option<Self> {
        Some(match text {
            "disable" => Self::Disable,
            "allow" => Self::Allow,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return None,
        })
    }
}

impl From<SslMode> for tokio_postgres::config::SslMode {
    fn from(mode: SslMode) -> Self {
        match mode {
            // `Allow` tries without first; the pool insists when the server does.
            SslMode::Disable | SslMode::Allow => Self::Disable,
            SslMode::Prefer => Self::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Self::Require,
        }
    }
}

fn host(url: &Url) -> Result<String> {
    match url.host() {
        // An address with brackets is only good in URLs.
        Some(Host::Ipv6(address)) => Ok(address.to_string()),
        Some(host) => decoded("host", &host.to_string()),
        None => Ok("localhost".to_owned()),
    }
}

fn decoded(what: &str, text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| wrong(format!("the {what} in the PostgreSQL URL is not UTF-8")))?;
    if decoded.contains('\0') {
        return Err(wrong(format!("the {what} in the PostgreSQL URL holds NUL")));
    }
    Ok(decoded.into_owned())
}

/// `250ms`, `5s`, `2m`, `1h`; at least a millisecond, at most a day.
fn duration(name: &str, value: &str) -> Result<Duration> {
    let limits = Duration::from_millis(1)..=Duration::from_secs(86_400);
    let duration = humantime::parse_duration(value).ok().filter(|duration| limits.contains(duration));
    duration.ok_or_else(|| bad_value(name, value, "a duration such as 250ms, 5s or 2m, at most a day"))
}

fn bad_value(name: &str, value: impl fmt::Display, wanted: &str) -> Error {
    wrong(format!("the option `{name}` must be {wanted}, not `{value}`"))
}

fn wrong(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, what.into())
}
