//! URLs, good and bad.

use std::time::Duration;

use larder_core::ErrorKind;
use larder_postgres::{PostgresConfig, SslMode};

#[test]
fn a_plain_url() {
    let config = PostgresConfig::parse("postgresql://me@db.example/app").unwrap();
    assert_eq!((&*config.host, config.port), ("db.example", 5432));
    assert_eq!((&*config.user, &*config.database), ("me", "app"));
    assert!(config.password.is_none());
    assert_eq!((config.pool_size, config.ssl_mode), (8, SslMode::Prefer));
    assert_eq!(config.timeout, Duration::from_secs(30));
    assert_eq!(config.application_name, "larder");
}

#[test]
fn every_option() {
    let url = "postgres://m%40e:p%3Aw%2F@[::1]:6000/a%20b?pool_size=3&connect_timeout=250ms&acquire_timeout=2m&timeout=1h\
        &sslmode=verify-full&sslrootcert=/etc/ca.pem&application_name=my%20app";
    let config = PostgresConfig::parse(url).unwrap();
    assert_eq!((&*config.host, config.port), ("::1", 6000));
    assert_eq!((&*config.user, &*config.database), ("m@e", "a b"));
    assert_eq!(secrecy::ExposeSecret::expose_secret(&config.password.clone().unwrap()), "p:w/");
    assert_eq!(config.pool_size, 3);
    assert_eq!(config.connect_timeout, Duration::from_millis(250));
    assert_eq!(config.acquire_timeout, Duration::from_secs(120));
    assert_eq!(config.timeout, Duration::from_secs(3600));
    assert_eq!(config.ssl_mode, SslMode::VerifyFull);
    assert_eq!(config.ssl_root_cert.as_deref(), Some(std::path::Path::new("/etc/ca.pem")));
    assert_eq!(config.application_name, "my app");
    let shown = format!("{config:?}");
    assert!(!shown.contains("p:w/") && !shown.contains("p%3A"), "{shown}");
    let socket = PostgresConfig::parse("postgres://me@localhost/app?host=/run/postgresql").unwrap();
    assert_eq!(socket.host, "/run/postgresql");
}

#[test]
fn what_is_wrong_is_named() {
    let cases = [
        ("mysql://me:sesame@h/d", "mysql"),
        ("postgres://me:sesame@h", "database"),
        ("postgres://me:sesame@h/a/b", "database"),
        ("postgres://h/d", "user"),
        ("postgres://me:sesame@h:99999/d", "malformed"),
        (
            "postgres://me:sesame@h/d?poolsize=3",
            "`poolsize`; the options are pool_size, lanes, connect_timeout",
        ),
        ("postgres://me:sesame@h/d?pool_size=0", "`pool_size` must be a number from 1"),
        ("postgres://me:sesame@h/d?pool_size=many", "`pool_size`"),
        ("postgres://me:sesame@h/d?timeout=5", "`timeout` must be a duration"),
        ("postgres://me:sesame@h/d?timeout=0s", "`timeout`"),
        ("postgres://me:sesame@h/d?timeout=99999999999999999999s", "`timeout`"),
        ("postgres://me:sesame@h/d?sslmode=yes", "verify-full"),
        ("postgres://me:sesame@h/d?host=elsewhere", "`host`"),
        ("postgres://me:sesame@h/d?application_name=", "`application_name`"),
        ("postgres://me:sesame@h/d?timeout=1s&timeout=2s", "twice"),
        ("postgres://me:sesame@h/%00", "NUL"),
    ];
    for (url, named) in cases {
        let error = PostgresConfig::parse(url).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Config, "{url}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(named), "{url}: {shown}");
        assert!(!shown.contains("sesame"), "{shown}");
    }
}
