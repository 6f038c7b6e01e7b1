//! A server that runs, and its administration.

use std::sync::Arc;

use hyper::Method;
use tokio::sync::Mutex;

use super::http::Api;
use super::supervised::{Ports, SqldService};
use super::tokens::Tokens;
use crate::TestingError;
use crate::background::Background;
use crate::supervisor::Supervisor;

/// Shared by the handle of the server, those of its databases and its replicas: the last one ends it.
pub(super) struct Server {
    pub(super) runtime: Background,
    pub(super) supervisor: Mutex<Supervisor<SqldService>>,
    pub(super) ports: Ports,
    pub(super) origin: String,
    pub(super) tokens: Arc<Tokens>,
    pub(super) is_authenticated: bool,
    pub(super) admin: Api,
    /// Of a replica. After the supervisor: the replica ends first.
    pub(super) replica_of: Option<Arc<Server>>,
}

impl Server {
    /// Makes a namespace; on a replica, its primary does.
    pub(super) async fn create_namespace(&self, name: &str) -> Result<(), TestingError> {
        let admin = self.primary().admin.clone();
        let path = format!("/v1/namespaces/{name}/create");
        let created = self.runtime.run(async move { admin.call(Method::POST, &path).await }).await?;
        created.map_err(TestingError::caused("cannot create a database"))
    }

    /// Removes a namespace, from a destructor: there is nobody to tell when it fails, and with the server it goes.
    pub(super) fn drop_namespace(&self, name: &str) {
        let admin = self.primary().admin.clone();
        let path = format!("/v1/namespaces/{name}");
        self.runtime.spawn(async move {
            let _ = admin.call(Method::DELETE, &path).await;
        });
    }

    /// Itself, when it is no replica.
    pub(super) fn primary(&self) -> &Self {
        self.replica_of.as_ref().map_or(self, |server| server.primary())
    }
}
