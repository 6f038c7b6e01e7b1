//! The connections, each lent to one task at a time.
//!
//! sqlx's own pool is not used: it asks the server for a sign of life whenever a connection comes back, which costs every
//! call a round trip, and it takes back a connection whatever its user left undone. Here a session comes back only when
//! whoever had it says that it is good; one that is merely dropped is gone.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use larder_core::{Error, ErrorKind, Result};
use sqlx::{ConnectOptions, postgres::PgConnectOptions};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, timeout, timeout_at},
};

use crate::{PostgresConfig, ServerError, session::Session};

/// A session that was silent for longer is asked for a sign of life before it gets a write, which could not be repeated
/// if it failed half-way. In a busy store none is silent for so long.
const TRUSTED_FOR: Duration = Duration::from_millis(10);

pub(crate) struct Pool {
    config: PostgresConfig,
    options: PgConnectOptions,
    /// The one used last comes first, so that few are kept busy and the server's caches are warm.
    idle: Mutex<Vec<Session>>,
    /// One for each session that may exist.
    permits: Arc<Semaphore>,
    /// How many connections were lost. When one is, those that are idle may be dead too.
    losses: AtomicU64,
    is_closed: AtomicBool,
    /// Tells the open transactions that the store is being closed.
    closing: watch::Sender<bool>,
}

/// `PgConnectOptions` would show the password.
impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("config", &self.config)
            .field("closed", &self.is_closed)
            .finish_non_exhaustive()
    }
}

impl Pool {
    pub(crate) fn new(config: PostgresConfig) -> Arc<Self> {
        Arc::new(Self {
            options: config.connect_options(),
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(config.pool_size.max(1) as usize)),
            losses: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            closing: watch::Sender::new(false),
            config,
        })
    }

    pub(crate) fn config(&self) -> &PostgresConfig {
        &self.config
    }

    /// Waits for the right to a session; those who wait get it in their order.
    ///
    /// # Errors
    /// `Busy` when none came free in time, `Closed`.
    pub(crate) async fn slot(self: &Arc<Self>, deadline: Instant) -> Result<Slot> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        let limit = deadline.min(Instant::now() + self.config.acquire_timeout);
        match timeout_at(limit, Arc::clone(&self.permits).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Slot { pool: Arc::clone(self), permit }),
            Ok(Err(_)) => Err(closed()),
            Err(_) => Err(self.all_in_use()),
        }
    }

    fn all_in_use(&self) -> Error {
        let context = match self.config.pool_size {
            1 => "the one connection is in use (see pool_size)".to_owned(),
            size => format!("all {size} connections are in use (see pool_size)"),
        };
        Error::new(ErrorKind::Busy, context)
    }

    /// To be called when a connection was lost.
    pub(crate) fn lost_one(&self) {
        tracing::warn!(server = self.config.address(), "a connection was lost");
        self.losses.fetch_add(1, Ordering::AcqRel);
    }

    /// Changes to `true` when the store is being closed.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Lets no new call in, ends open transactions, waits for the calls that are under way (at most their deadline), and
    /// closes all sessions.
    pub(crate) async fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.closing.send_replace(true);
        let all = self.config.pool_size.max(1);
        // Without an answer by then those calls have ended by their deadline, and their sessions with them.
        let _ = timeout(self.config.timeout, self.permits.acquire_many(all)).await;
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for session in idle {
            self.dismiss(session).await;
        }
    }

    /// Closes a session in an orderly way, if the server takes part.
    async fn dismiss(&self, session: Session) {
        let _ = timeout(self.config.connect_timeout, session.close()).await;
    }
}

/// The right to one session. Dropping it lets the next caller have one.
#[derive(Debug)]
pub(crate) struct Slot {
    pool: Arc<Pool>,
    #[expect(dead_code, reason = "held for its drop")]
    permit: OwnedSemaphorePermit,
}

impl Slot {
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// A session: an idle one, which may have died unnoticed, else a new one.
    ///
    /// # Errors
    /// As [`Slot::connect`].
    pub(crate) async fn session(&self, deadline: Instant) -> Result<Session> {
        let idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(session) => Ok(session),
            None => self.connect(deadline).await,
        }
    }

    /// A session that is alive, as far as anybody can know.
    ///
    /// # Errors
    /// As [`Slot::connect`].
    pub(crate) async fn living_session(&self, deadline: Instant) -> Result<Session> {
        loop {
            let mut session = self.session(deadline).await?;
            let trusted = session.silent_for() < TRUSTED_FOR
                && session.losses_then == self.pool.losses.load(Ordering::Acquire);
            if trusted {
                return Ok(session);
            }
            let limit = deadline.min(Instant::now() + self.pool.config.connect_timeout);
            if matches!(timeout_at(limit, session.ping()).await, Ok(true)) {
                return Ok(session);
            }
        }
    }

    /// A new session.
    ///
    /// # Errors
    /// `Denied`, `Config` (no such database, TLS not to be had), `Busy` (too many connections), `Unavailable` naming the
    /// server.
    pub(crate) async fn connect(&self, deadline: Instant) -> Result<Session> {
        let config = &self.pool.config;
        let losses = self.pool.losses.load(Ordering::Acquire);
        let limit = deadline.min(Instant::now() + config.connect_timeout);
        match timeout_at(limit, self.pool.options.connect()).await {
            Ok(Ok(connection)) => {
                tracing::debug!(server = config.address(), "connected");
                Ok(Session::new(connection, losses))
            }
            Ok(Err(error)) => Err(connect_error(config, error)),
            Err(_) => {
                let context = format!("{} does not answer", config.address());
                Err(Error::new(ErrorKind::Unavailable, context))
            }
        }
    }

    /// Gives the session back, for others to use; one that is spoilt is closed.
    pub(crate) async fn give_back(self, mut session: Session) {
        if session.spoilt {
            return self.pool.dismiss(session).await;
        }
        session.given_back();
        session.losses_then = self.pool.losses.load(Ordering::Acquire);
        self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the store is closed")
}

fn connect_error(config: &PostgresConfig, error: sqlx::Error) -> Error {
    let (address, user, database) = (config.address(), &config.user, &config.database);
    if let sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) = error {
        let context = format!("no connection to {address} as sslmode and sslrootcert ask for it: {error}");
        return Error::new(ErrorKind::Config, context).with_source(error);
    }
    let Some(server) = ServerError::of(&error) else {
        let context = format!("PostgreSQL at {address}: {error}");
        return Error::new(ErrorKind::Unavailable, context).with_source(error);
    };
    let context = match server.code.as_str() {
        "3D000" => {
            let context = format!("{address} has no database `{database}`");
            return Error::new(ErrorKind::Config, context).with_source(server);
        }
        code if code.starts_with("28") => format!("{address} refuses the user `{user}`"),
        _ => format!("{address}: {}", server.message),
    };
    server.explained(None).with_context(context)
}
