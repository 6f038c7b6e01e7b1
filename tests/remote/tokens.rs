//! Tokens: given, missing, wrong, expired, renewed.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use larder::{
    ErrorKind, Larder, Store,
    libsql::{RemoteConfig, RemoteStore, SecretString, TokenSource},
};
use larder_testing::{Sqld, SqldDatabase};

/// A server that asks for a token, and a database on it.
async fn guarded() -> (Sqld, SqldDatabase) {
    let server = Sqld::builder().authenticated().start().await.unwrap();
    let database = server.database().await.unwrap();
    (server, database)
}

async fn refusal(url: &str) -> larder::Error {
    Larder::open(url).await.expect_err("it is refused")
}

#[tokio::test]
async fn a_token_opens_and_what_is_none_is_denied_in_words() {
    let (server, database) = guarded().await;
    let with = |token: &str| format!("{}?authToken={token}", database.url());
    Larder::open(&with(server.token())).await.unwrap().migrate().await.unwrap();
    for token in [server.expired_token(), server.foreign_token(), "nonsense"] {
        let denied = refusal(&with(token)).await;
        assert_eq!(*denied.kind(), ErrorKind::Denied, "{denied:?}");
        assert!(denied.context().contains("refuses the token"), "{denied}");
        assert!(!format!("{denied:?}").contains(token), "the token is shown");
    }
    let denied = refusal(database.url()).await;
    assert_eq!(*denied.kind(), ErrorKind::Denied, "{denied:?}");
    assert!(denied.context().contains("LIBSQL_AUTH_TOKEN"), "{denied}");
}

#[tokio::test]
async fn a_token_comes_from_a_file() {
    let (server, database) = guarded().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    let url = format!("{}?token_file={}", database.url(), file.display());
    assert_eq!(*refusal(&url).await.kind(), ErrorKind::Config, "there is no file");
    std::fs::write(&file, format!("{}\n", server.token())).unwrap();
    Larder::open(&url).await.unwrap();
}

/// Answers a token that has expired first.
struct Issuer {
    asked: AtomicUsize,
    tokens: [String; 2],
}

#[async_trait]
impl TokenSource for Issuer {
    async fn token(&self) -> larder::Result<SecretString> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.tokens[asked.min(1)].clone().into())
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_fetched_again() {
    let (server, database) = guarded().await;
    let tokens = [server.expired_token().to_owned(), server.token().to_owned()];
    let issuer = Arc::new(Issuer { asked: AtomicUsize::new(0), tokens });
    let config = RemoteConfig::parse(database.url()).unwrap().with_token(Arc::clone(&issuer));
    let store = RemoteStore::connect(config).await.unwrap();
    store.health().await.unwrap();
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 2, "it is kept as long as it is good");
}
