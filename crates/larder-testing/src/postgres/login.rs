//! Who logs in where: the administrator, as a URL says it or by a socket.

use std::error::Error;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use larder_tls::{Check, MakeRustlsConnect};
use percent_encoding::percent_decode_str;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config};
use url::Url;

use crate::TestingError;

/// How to connect as the administrator.
pub(super) struct Login {
    config: Config,
    /// Used when the configuration says so.
    tls: MakeRustlsConnect,
}

impl Login {
    /// By the Unix socket in `directory`, where no password is asked for.
    pub(super) fn by_socket(directory: &Path, port: u16) -> Result<Self, TestingError> {
        let mut config = Config::new();
        config.host_path(directory).port(port).user("postgres").dbname("postgres");
        config.ssl_mode(SslMode::Disable);
        Ok(Self { config, tls: connector(Check::Nothing, None)? })
    }

    /// Reads a URL as libpq does: an option outweighs what stands before the `?`. libpq's environment variables and files
    /// are not read.
    pub(super) fn from_url(url: &Url) -> Result<Self, TestingError> {
        let mut parts = Parts::in_front(url)?;
        for (name, value) in url.query_pairs() {
            parts.set_option(&name, &value)?;
        }
        let Parts { mut config, host, port, check, root_cert } = parts;
        let host = host.unwrap_or_else(|| usual_host(port));
        // An address has brackets in URLs alone.
        config.host(host.trim_matches(['[', ']'])).port(port);
        Ok(Self { config, tls: connector(check, root_cert.as_deref())? })
    }

    /// Within a runtime, as a task there speaks with the server.
    pub(super) async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = self.config.connect(self.tls.clone()).await?;
        // Why it ends is told to whoever waits for an answer then.
        tokio::spawn(connection);
        Ok(client)
    }
}

fn connector(check: Check, root_cert: Option<&Path>) -> Result<MakeRustlsConnect, TestingError> {
    larder_tls::connector(check, root_cert)
        .map_err(|unusable| TestingError::caused(unusable.what.clone())(unusable))
}

/// The driver's error without the driver's words, which say only of what kind it is: what the server or the system said.
pub(super) fn reason(error: tokio_postgres::Error) -> Box<dyn Error + Send + Sync> {
    let kind = error.to_string();
    error.into_source().unwrap_or_else(|| kind.into())
}

/// What a URL says.
struct Parts {
    config: Config,
    host: Option<String>,
    port: u16,
    check: Check,
    root_cert: Option<PathBuf>,
}

impl Parts {
    /// What stands before the `?`.
    fn in_front(url: &Url) -> Result<Self, TestingError> {
        let mut config = Config::new();
        if !url.username().is_empty() {
            config.user(decoded("user", url.username())?);
        }
        if let Some(password) = url.password() {
            config.password(decoded("password", password)?);
        }
        let database = url.path().trim_start_matches('/');
        if !database.is_empty() {
            config.dbname(decoded("database", database)?);
        }
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.map(|host| decoded("host", host)).transpose()?;
        let port = url.port().unwrap_or(5432);
        Ok(Self { config, host, port, check: Check::Nothing, root_cert: None })
    }

    fn set_option(&mut self, name: &str, value: &str) -> Result<(), TestingError> {
        match name {
            "dbname" => self.config.dbname(value),
            "user" => self.config.user(value),
            "password" => self.config.password(value),
            "application_name" => self.config.application_name(value),
            "options" => self.config.options(value),
            _ => return self.set_way(name, value),
        };
        Ok(())
    }

    /// Sets where the server is and how the way there is encrypted.
    fn set_way(&mut self, name: &str, value: &str) -> Result<(), TestingError> {
        match name {
            "host" => self.host = Some(value.to_owned()),
            "hostaddr" => {
                let address: IpAddr = value.parse().map_err(|_| bad_value(name, value, "an IP address"))?;
                self.host = Some(address.to_string());
            }
            "port" => self.port = value.parse().map_err(|_| bad_value(name, value, "a port's number"))?,
            "sslmode" | "ssl-mode" => {
                let (mode, check) = encryption(value).ok_or_else(|| {
                    let modes = "one of disable, allow, prefer, require, verify-ca, verify-full";
                    bad_value(name, value, modes)
                })?;
                self.config.ssl_mode(mode);
                self.check = check;
            }
            "sslrootcert" | "ssl-root-cert" | "ssl-ca" => self.root_cert = Some(value.into()),
            "sslcert" | "ssl-cert" | "sslkey" | "ssl-key" => {
                let message = format!("`{name}`: clients' certificates are not supported, use a password");
                return Err(TestingError::new(message));
            }
            // Whoever else reads the URL has options of their own.
            _ => (),
        }
        Ok(())
    }
}

fn encryption(mode: &str) -> Option<(SslMode, Check)> {
    Some(match mode.to_ascii_lowercase().as_str() {
        // A server that insists on encryption is not asked a second time: its refusal says so.
        "disable" | "allow" => (SslMode::Disable, Check::Nothing),
        "prefer" => (SslMode::Prefer, Check::Nothing),
        "require" => (SslMode::Require, Check::Nothing),
        "verify-ca" => (SslMode::Require, Check::Authority),
        "verify-full" => (SslMode::Require, Check::AuthorityAndHost),
        _ => return None,
    })
}

/// The first of the usual directories that holds a server's socket.
fn usual_host(port: u16) -> String {
    let socket = format!(".s.PGSQL.{port}");
    // Debian's; Homebrew's; PostgreSQL's own.
    let mut directories = ["/var/run/postgresql", "/private/tmp", "/tmp"].into_iter();
    let found = directories.find(|directory| Path::new(directory).join(&socket).exists());
    found.unwrap_or("localhost").to_owned()
}

fn decoded(what: &str, text: &str) -> Result<String, TestingError> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(TestingError::caused(format!("the {what} is not UTF-8")))?;
    Ok(decoded.into_owned())
}

fn bad_value(name: &str, value: &str, wanted: &str) -> TestingError {
    TestingError::new(format!("the option `{name}` must be {wanted}, not `{value}`"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tokio_postgres::config::Host;
    use tokio_postgres::error::DbError;

    use super::*;
    use crate::{Postgres, poll_until};

    fn config(url: &str) -> Config {
        Login::from_url(&Url::parse(url).unwrap()).unwrap().config
    }

    fn error(url: &str) -> String {
        Login::from_url(&Url::parse(url).unwrap()).err().unwrap().to_string()
    }

    fn tcp(host: &str) -> Host {
        Host::Tcp(host.to_owned())
    }

    #[test]
    fn parts_may_be_encoded() {
        let config = config("postgres://m%40e:p%2F%C3%A4@db.example:5433/my%20db?sslmode=require");
        assert_eq!(config.get_user(), Some("m@e"));
        assert_eq!(config.get_password(), Some("p/ä".as_bytes()));
        assert_eq!(config.get_dbname(), Some("my db"));
        assert_eq!(config.get_hosts(), [tcp("db.example")]);
        assert_eq!(config.get_ports(), [5433]);
        assert_eq!(config.get_ssl_mode(), SslMode::Require);
    }

    #[test]
    fn what_is_missing_has_a_default() {
        let config = config("postgresql://db.example");
        assert_eq!((config.get_user(), config.get_password(), config.get_dbname()), (None, None, None));
        assert_eq!(config.get_ports(), [5432]);
        assert_eq!(config.get_ssl_mode(), SslMode::Prefer);
    }

    #[test]
    fn a_host_is_a_name_an_address_or_a_sockets_directory() {
        let directory = Host::Unix("/run/pg".into());
        for (url, host) in [
            ("postgres://me@localhost/db", tcp("localhost")),
            ("postgres://me@[::1]/db", tcp("::1")),
            ("postgres://me@%2Frun%2Fpg/db", directory.clone()),
            ("postgres:///db?host=/run/pg", directory.clone()),
            ("postgres://me@localhost/db?host=%2Frun%2Fpg", directory),
            ("postgres://me@localhost/db?host=db.example", tcp("db.example")),
            ("postgres://me@localhost/db?hostaddr=::1", tcp("::1")),
            // No server has its socket there.
            ("postgres:///db?port=1", tcp("localhost")),
        ] {
            assert_eq!(config(url).get_hosts(), [host], "{url}");
        }
    }

    #[test]
    fn options_come_before_what_is_in_front() {
        let config = config("postgres://me:a@localhost:1/db?user=you&password=b&port=2&dbname=other");
        assert_eq!((config.get_user(), config.get_dbname()), (Some("you"), Some("other")));
        assert_eq!((config.get_password(), config.get_ports()), (Some(b"b".as_slice()), [2].as_slice()));
    }

    #[test]
    fn options_of_others_are_left_to_them() {
        assert_eq!(config("postgres://me@localhost/db?pool_size=4"), config("postgres://me@localhost/db"));
    }

    #[test]
    fn an_error_says_which_option_and_what_it_may_be() {
        let error_of = |option: &str| error(&format!("postgres://me:secret@localhost/db?{option}"));
        assert_eq!(
            error_of("sslmode=on"),
            "the option `sslmode` must be one of disable, allow, prefer, require, verify-ca, verify-full, not `on`"
        );
        assert_eq!(error_of("port=x"), "the option `port` must be a port's number, not `x`");
        assert!(error_of("sslcert=me.pem").starts_with("`sslcert`: "));
        assert!(error_of("sslmode=verify-ca&sslrootcert=/absent").starts_with("sslrootcert /absent: "));
        assert!(error("postgres://me:%ff@localhost/db").starts_with("the password is not UTF-8"));
    }

    #[tokio::test]
    async fn why_a_login_failed_is_said_in_the_servers_words() {
        let server = Postgres::builder().own(true).start().await.unwrap();
        let why = async |url: &Url| reason(Login::from_url(url).unwrap().connect().await.unwrap_err());
        let mut url = server.server.url.clone();
        url.set_password(Some("wrong")).unwrap();
        let refusal = why(&url).await;
        assert_eq!(refusal.to_string(), "FATAL: password authentication failed for user \"postgres\"");
        assert!(refusal.is::<DbError>(), "the server's answer is kept");
        url.set_password(None).unwrap();
        assert_eq!(why(&url).await.to_string(), "password missing");
    }

    /// Writes a file into the server's directory, for the server alone to read.
    fn write_file(name: &str, text: &str) -> String {
        format!(
            "COPY (SELECT unnest(string_to_array('{text}', E'\\n'))) TO PROGRAM 'umask 077; cat > {name}'"
        )
    }

    /// Whether the connection is encrypted, or why there is none.
    async fn is_encrypted(url: &Url, host: &str, options: &str) -> Result<bool, String> {
        let mut url = url.clone();
        url.set_host(Some(host)).unwrap();
        url.set_query(Some(options));
        let client = Login::from_url(&url).unwrap().connect().await;
        let client = client.map_err(|error| reason(error).to_string())?;
        let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        Ok(client.query_one(query, &[]).await.unwrap().get(0))
    }

    #[tokio::test]
    async fn each_mode_encrypts_and_checks_what_it_says() {
        let server = Postgres::builder().own(true).start().await.unwrap();
        let url = &server.server.url;
        assert_eq!(is_encrypted(url, "localhost", "sslmode=prefer").await, Ok(false));
        let without = is_encrypted(url, "localhost", "sslmode=require").await;
        assert_eq!(without, Err("server does not support TLS".to_owned()));

        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let orders = [
            write_file("server.crt", &cert.pem()),
            write_file("server.key", &signing_key.serialize_pem()),
            "ALTER SYSTEM SET ssl = on".to_owned(),
            "SELECT pg_reload_conf()".to_owned(),
        ];
        server.server.administer("encrypt", orders.into()).await.unwrap();
        poll_until(Duration::from_secs(20), "the server encrypts", || async {
            is_encrypted(url, "localhost", "sslmode=require").await.ok()
        })
        .await
        .unwrap();

        let root = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(root.path(), cert.pem()).unwrap();
        let with_root = |mode: &str| format!("sslmode={mode}&sslrootcert={}", root.path().display());
        for (host, options, encrypted) in [
            ("localhost", "sslmode=disable", false),
            ("localhost", "sslmode=allow", false),
            ("localhost", "sslmode=prefer", true),
            ("127.0.0.1", "sslmode=require", true),
            ("127.0.0.1", &with_root("verify-ca"), true),
            ("localhost", &with_root("verify-full"), true),
        ] {
            assert_eq!(is_encrypted(url, host, options).await, Ok(encrypted), "{host} {options}");
        }
        for (host, options, why) in [
            ("127.0.0.1", &*with_root("verify-full"), "not valid for name"),
            // Authorities that everybody knows have not signed it.
            ("localhost", "sslmode=verify-ca", "UnknownIssuer"),
            ("localhost", "sslmode=verify-full", "UnknownIssuer"),
        ] {
            let error = is_encrypted(url, host, options).await.unwrap_err();
            assert!(error.contains(why), "{host} {options}: {error}");
        }
    }
}
