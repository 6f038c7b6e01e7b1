//! One test's database on a libSQL server.

use std::net::SocketAddr;
use std::sync::Arc;

use super::server::Server;
use crate::TestingError;
use crate::place::random_hex;

/// A database of one test: a namespace of a server, empty at first.
///
/// Dropping it removes it from the server, in the background. It keeps its server running.
pub struct SqldDatabase {
    server: Arc<Server>,
    namespace: String,
    url: String,
}

impl SqldDatabase {
    pub(super) async fn create(server: &Arc<Server>) -> Result<Self, TestingError> {
        let namespace = format!("larder-test-{}", random_hex()?);
        let url = url_at(&namespace, server.ports.http_address());
        // Before it is there: whoever stops waiting for it has dropped it all the same.
        let database = Self { server: Arc::clone(server), namespace, url };
        database.server.create_namespace(&database.namespace).await?;
        Ok(database)
    }

    /// Where it is: `http://NAMESPACE.localhost:PORT`. sqld takes the host's first label for the name of the database.
    /// Whatever ends with `localhost` is this machine (RFC 6761), which not every resolver knows: see
    /// [`Sqld::host_and_port`](crate::Sqld::host_and_port).
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name, which no other has.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The [`url`](Self::url) by way of `address`, which is a [`Proxy`](crate::Proxy)'s on 127.0.0.1.
    #[must_use]
    pub fn url_by(&self, address: SocketAddr) -> String {
        url_at(&self.namespace, address)
    }
}

fn url_at(namespace: &str, address: SocketAddr) -> String {
    format!("http://{namespace}.localhost:{}", address.port())
}

impl Drop for SqldDatabase {
    fn drop(&mut self) {
        self.server.drop_namespace(&self.namespace);
    }
}

impl std::fmt::Debug for SqldDatabase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqldDatabase").field("url", &self.url).finish_non_exhaustive()
    }
}
