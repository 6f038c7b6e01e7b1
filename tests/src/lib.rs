//! What the tests of this package share: the backends that larder is proved on.

mod libsql;
mod postgres;
mod sqld;

use std::{sync::Arc, time::Duration};

use larder::{Larder, Store};
use larder_conformance::{Backend, Failure, MemoryBackend};

pub use libsql::{LibsqlFile, LibsqlMemory};
pub use postgres::PostgresBackend;
pub use sqld::{LibsqlRemote, LibsqlReplica};

/// All backends, the reference first.
pub fn backends() -> Vec<Arc<dyn Backend>> {
    vec![
        Arc::new(MemoryBackend),
        Arc::new(LibsqlMemory),
        Arc::new(LibsqlFile),
        Arc::new(LibsqlRemote),
        Arc::new(LibsqlReplica),
        Arc::new(PostgresBackend::new("postgres", "reads")),
        Arc::new(PostgresBackend::new("postgres_lanes_off", "off")),
        Arc::new(PostgresBackend::new("postgres_lanes_on", "on")),
    ]
}

/// Opens what a URL names, as an application does.
async fn open(url: &str) -> Result<Arc<dyn Store>, Failure> {
    Ok(Arc::clone(Larder::open(url).await?.store()))
}

fn milliseconds(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}
