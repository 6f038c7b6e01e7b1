//! One test's database, and templates to copy it from.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::server::Server;
use crate::TestingError;
use crate::place::random_hex;

/// A database of one test: empty, or a copy of a [`Template`].
///
/// Dropping it drops the database, connections to it notwithstanding. It keeps its server running.
pub struct PostgresDatabase {
    server: Arc<Server>,
    name: String,
    url: String,
}

impl PostgresDatabase {
    pub(super) async fn create(server: &Arc<Server>, template: &str) -> Result<Self, TestingError> {
        let name = format!("larder_test_{}", random_hex()?);
        let mut url = server.url.clone();
        url.set_path(&name);
        let statement = server.create_statement(&name, template);
        // Before it is there: whoever stops waiting for the statement has dropped the database all the same.
        let database = Self { server: Arc::clone(server), name, url: url.into() };
        database.server.administer("create a database", vec![statement]).await?;
        Ok(database)
    }

    /// How to connect: `postgres://user:password@host:port/name`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The database's name, which no other has.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server's `host:port`, to start a [`Proxy`](crate::Proxy) in front of.
    ///
    /// # Errors
    /// When the server was found through a URL without a host, as for a Unix socket.
    pub fn address(&self) -> Result<String, TestingError> {
        let host = self.server.url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| TestingError::new("the server's URL names no host"))?;
        Ok(format!("{host}:{}", self.server.url.port().unwrap_or(5432)))
    }

    /// The [`url`](Self::url) by way of `address`, which is a [`Proxy`](crate::Proxy)'s.
    ///
    /// # Errors
    /// When the server was found through a URL without a host, as for a Unix socket.
    pub fn url_through(&self, address: SocketAddr) -> Result<String, TestingError> {
        let mut url = self.server.url.clone();
        url.set_path(&self.name);
        url.set_ip_host(address.ip())
            .and_then(|()| url.set_port(Some(address.port())))
            .map_err(|()| TestingError::new("the server's URL names no host"))?;
        Ok(url.into())
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        self.server.drop_database(&self.name);
    }
}

// The URL holds the password.
impl fmt::Debug for PostgresDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresDatabase").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A prepared database that new ones are copied from; nobody can connect to it.
///
/// Dropping it drops the database. The copies stay.
#[derive(Debug)]
pub struct Template {
    database: PostgresDatabase,
}

impl Template {
    /// Closes a database to connections: one that is open would make every copy fail.
    pub(super) async fn freeze(database: PostgresDatabase) -> Result<Self, TestingError> {
        let name = &database.name;
        let statements = vec![
            format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS false"),
            format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
        ];
        database.server.administer("make a template", statements).await?;
        Ok(Self { database })
    }

    pub(super) fn is_on(&self, server: &Arc<Server>) -> bool {
        Arc::ptr_eq(&self.database.server, server)
    }

    pub(super) fn name(&self) -> &str {
        &self.database.name
    }
}
