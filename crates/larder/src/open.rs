//! From a URL to a store: the one place that knows which drivers there are.

use std::sync::Arc;

use larder_core::{Error, ErrorKind, Result, Store};

/// Opens the store that a URL names.
pub(crate) async fn open_store(url: &str) -> Result<Arc<dyn Store>> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => open_postgres(url).await,
        // The empty scheme is that of `:memory:`.
        Some("file" | "memory" | "") => open_libsql(url).await,
        Some("libsql" | "http" | "https") => open_remote(url).await,
        Some(scheme) => Err(wrong_url(format!("unknown scheme `{scheme}:`"))),
        None => Err(wrong_url("no scheme".to_owned())),
    }
}

/// The URL itself may hold a password: it is never shown.
fn wrong_url(what: String) -> Error {
    let known = "a database URL begins with postgres:// or file: or memory: or libsql://";
    Error::new(ErrorKind::Config, format!("{what}; {known}"))
}

#[cfg(feature = "postgres")]
async fn open_postgres(url: &str) -> Result<Arc<dyn Store>> {
    use larder_postgres::{PostgresConfig, PostgresStore};
    Ok(Arc::new(PostgresStore::connect(PostgresConfig::parse(url)?).await?))
}

#[cfg(not(feature = "postgres"))]
async fn open_postgres(_: &str) -> Result<Arc<dyn Store>> {
    Err(without_feature("postgres"))
}

#[cfg(feature = "libsql")]
async fn open_libsql(url: &str) -> Result<Arc<dyn Store>> {
    use larder_libsql::{LibsqlConfig, LibsqlStore};
    Ok(Arc::new(LibsqlStore::open(LibsqlConfig::parse(url)?).await?))
}

#[cfg(feature = "libsql")]
async fn open_remote(url: &str) -> Result<Arc<dyn Store>> {
    if asks_for_replica(url) {
        return open_replica(url).await;
    }
    use larder_libsql::{RemoteConfig, RemoteStore};
    Ok(Arc::new(RemoteStore::connect(RemoteConfig::parse(url)?).await?))
}

#[cfg(feature = "libsql")]
fn asks_for_replica(url: &str) -> bool {
    let options = url.split_once('?').map_or("", |(_, options)| options);
    options.split('&').any(|option| option.split('=').next() == Some("replica"))
}

#[cfg(feature = "replica")]
async fn open_replica(url: &str) -> Result<Arc<dyn Store>> {
    use larder_libsql::{ReplicaConfig, ReplicaStore};
    Ok(Arc::new(ReplicaStore::open(ReplicaConfig::parse(url)?).await?))
}

#[cfg(all(feature = "libsql", not(feature = "replica")))]
async fn open_replica(_: &str) -> Result<Arc<dyn Store>> {
    Err(without_feature("replica"))
}

#[cfg(not(feature = "libsql"))]
async fn open_libsql(_: &str) -> Result<Arc<dyn Store>> {
    Err(without_feature("libsql"))
}

#[cfg(not(feature = "libsql"))]
async fn open_remote(_: &str) -> Result<Arc<dyn Store>> {
    Err(without_feature("libsql"))
}

#[cfg(not(all(feature = "postgres", feature = "replica")))]
fn without_feature(feature: &str) -> Error {
    Error::new(ErrorKind::Config, format!("this program was built without larder's feature `{feature}`"))
}
