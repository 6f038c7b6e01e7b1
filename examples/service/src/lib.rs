//! An HTTP service over jobs and messages, and the worker that runs the jobs, on whichever database the URL names.

mod agent;
mod api;
mod auth;
mod error;
mod extract;
mod jobs;
mod messages;
mod run;
pub mod shutdown;
mod worker;

use std::{sync::Arc, time::Duration};

use larder::Larder;
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::sync::CancellationToken;

pub use agent::Agent;
pub use auth::SCOPES;
pub use run::{Failure, Ran, Runner};

use worker::Worker;

/// What the handlers share.
#[derive(Debug, Clone)]
struct App {
    larder: Larder,
    /// Tells the worker that a job may be due.
    wake: Arc<Notify>,
}

/// How long things take.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How often the worker looks for due jobs; one made due through this process's API is seen at once.
    pub poll: Duration,
    /// How long a run may take before it counts as failed; at most a day less a minute.
    pub run_limit: Duration,
    /// When the first failed run of a job is repeated; each further failure doubles it.
    pub first_retry: Duration,
    /// How long requests and runs in hand may take once the service is told to stop.
    pub drain: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(1),
            run_limit: Duration::from_secs(60),
            first_retry: Duration::from_secs(5),
            drain: Duration::from_secs(20),
        }
    }
}

/// Serves the API on `listener` and runs due jobs until `stop`, then ends what is in hand and closes the database. It must
/// have been migrated.
///
/// What is not ended by [`Settings::drain`] is given up: the leases of such jobs end by themselves, and another worker
/// runs them.
///
/// # Errors
/// As [`Larder::close`].
pub async fn serve(
    larder: Larder,
    listener: TcpListener,
    runner: impl Runner,
    settings: Settings,
    stop: CancellationToken,
) -> larder::Result<()> {
    let app = App { larder: larder.clone(), wake: Arc::new(Notify::new()) };
    let worker = Worker { app: app.clone(), runner: Arc::new(runner), settings };
    let router = api::router(app);
    let server = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let both = async { tokio::join!(server, worker.work(&stop)) };
    tokio::select! {
        _ = both => tracing::info!("what was in hand has ended"),
        () = shutdown::deadline(&stop, settings.drain) => tracing::warn!("what was in hand takes too long: given up"),
    }
    larder.close().await
}
