//! Encryption, against a server with a certificate of an authority that the tests make.

use std::{path::Path, time::Duration};

use larder_core::{ColumnType, ErrorKind, Sql, Store, Value};
use larder_postgres::{PostgresConfig, PostgresStore, SslMode};
use larder_testing::{Postgres, poll_until};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// An authority, and a certificate of its own for `localhost`, as PEM.
struct Authority {
    certificate: String,
    of_server: String,
    key_of_server: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut own = CertificateParams::new(Vec::new()).unwrap();
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = own.self_signed(&key).unwrap().pem();
        let server_key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let server = server.signed_by(&server_key, &Issuer::new(own, key)).unwrap();
        Self { certificate, of_server: server.pem(), key_of_server: server_key.serialize_pem() }
    }
}

/// Writes a file into the server's directory, for the server alone to read.
fn write_file(name: &str, text: &str) -> Sql {
    let hex = text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let encoded = format!("replace(encode(decode('{hex}', 'hex'), 'base64'), E'\\n', '')");
    Sql::portable(format!("COPY (SELECT {encoded}) TO PROGRAM 'umask 077; base64 -d > {name}'"))
}

async fn encrypt(store: &PostgresStore, authority: &Authority) {
    store.sql(write_file("server.crt", &authority.of_server)).await.unwrap();
    store.sql(write_file("server.key", &authority.key_of_server)).await.unwrap();
    store.sql(Sql::portable("ALTER SYSTEM SET ssl = on")).await.unwrap();
    store.sql(Sql::portable("SELECT pg_reload_conf()")).await.unwrap();
}

async fn is_encrypted(store: &PostgresStore) -> bool {
    let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let rows = store.sql(Sql::portable(query).returning([ColumnType::Bool])).await.unwrap().rows;
    rows[0].values() == [Value::Bool(true)]
}

#[tokio::test]
async fn each_mode_checks_what_it_says() {
    let server = Postgres::builder().own(true).start().await.unwrap();
    let database = server.database().await.unwrap();
    let config = |host: &str, ssl_mode, root: Option<&Path>| {
        let mut config = PostgresConfig::parse(database.url()).unwrap();
        (config.host, config.ssl_mode) = (host.to_owned(), ssl_mode);
        config.ssl_root_cert = root.map(Path::to_owned);
        config
    };
    let plain = PostgresStore::connect(config("localhost", SslMode::Prefer, None)).await.unwrap();
    assert!(!is_encrypted(&plain).await);
    let authority = Authority::new();
    encrypt(&plain, &authority).await;
    poll_until(Duration::from_secs(20), "the server encrypts", || async {
        PostgresStore::connect(config("localhost", SslMode::Require, None)).await.ok()
    })
    .await
    .unwrap();

    let directory = tempfile::tempdir().unwrap();
    let (own, other) = (directory.path().join("own.pem"), directory.path().join("other.pem"));
    std::fs::write(&own, &authority.certificate).unwrap();
    std::fs::write(&other, Authority::new().certificate).unwrap();
    for (host, mode, root, encrypted) in [
        ("localhost", SslMode::Disable, None, false),
        ("localhost", SslMode::Allow, None, false),
        ("localhost", SslMode::Prefer, None, true),
        ("localhost", SslMode::Require, None, true),
        ("127.0.0.1", SslMode::VerifyCa, Some(&*own), true),
        ("localhost", SslMode::VerifyFull, Some(&*own), true),
    ] {
        let store = PostgresStore::connect(config(host, mode, root)).await.unwrap();
        assert_eq!(is_encrypted(&store).await, encrypted, "{mode:?}");
    }
    for (host, mode, root) in [
        ("127.0.0.1", SslMode::VerifyFull, Some(&*own)),
        ("localhost", SslMode::VerifyFull, Some(&*other)),
        ("localhost", SslMode::VerifyCa, Some(&*other)),
        // Authorities that everybody knows have not signed it.
        ("localhost", SslMode::VerifyCa, None),
        ("localhost", SslMode::VerifyFull, Some(Path::new("/nowhere/root.pem"))),
    ] {
        let error = PostgresStore::connect(config(host, mode, root)).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Config, "{host} {mode:?} {root:?}: {error}");
    }
}
