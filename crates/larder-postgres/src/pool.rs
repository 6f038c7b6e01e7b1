//! The connections, each lent to one task at a time.
//!
//! A session comes back only when whoever had it says that it is good; one that is merely dropped is gone.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use larder_core::{Error, ErrorKind, Result};
use larder_sql::{Dialect, Statements};
use larder_tls::MakeRustlsConnect;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};
use tokio_postgres::config::SslMode as Encryption;

use crate::{
    PostgresConfig, ServerError, SslMode,
    login::{LoginError, log_in},
    session::Session,
    tls,
    transaction::OpenTransactions,
};

/// A session that was silent for longer is asked for a sign of life before it gets a write, which could not be repeated
/// if it failed half-way: what lies between may have forgotten the connection without a word. An end that the server or the
/// network announces is known without asking.
const TRUSTED_FOR: Duration = Duration::from_secs(60);

/// How long a statement that carries the writes of many waits for a lock.
pub(crate) const BATCH_LOCK_TIMEOUT: Duration = Duration::from_millis(50);

/// What a session for batches is set to. A statement that carries many callers' writes waits only shortly for a row that
/// somebody else holds, and so before the server looks for deadlocks, after a second; then each write goes on its own. And it
/// comes to its rows in the order of the batch, which is that of their keys, whatever the planner thinks of their number.
fn batch_settings() -> String {
    format!(
        "SET lock_timeout = {}; SET enable_seqscan = off; SET enable_bitmapscan = off; \
         SET enable_hashjoin = off; SET enable_mergejoin = off",
        BATCH_LOCK_TIMEOUT.as_millis()
    )
}

/// What it is set to again for other calls.
const OWN_SETTINGS: &str = "SET lock_timeout = 0; RESET enable_seqscan; RESET enable_bitmapscan; \
    RESET enable_hashjoin; RESET enable_mergejoin";

pub(crate) struct Pool {
    config: PostgresConfig,
    driver: tokio_postgres::Config,
    statements: Arc<Statements>,
    tls: Option<MakeRustlsConnect>,
    /// The one used last comes first, so that few are kept busy and the server's caches are warm.
    idle: Mutex<Vec<Session>>,
    /// One for each session that may exist.
    permits: Arc<Semaphore>,
    /// How many connections were lost. When one is, those that are idle may be dead too.
    losses: AtomicU64,
    is_closed: AtomicBool,
    /// Ended when the store is closed.
    pub(crate) transactions: OpenTransactions,
}

/// The driver's configuration says less about TLS and more about the user than a log should hold.
impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("config", &self.config)
            .field("closed", &self.is_closed)
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// # Errors
    /// `Config` when the file of certificates cannot be read.
    pub(crate) fn new(config: PostgresConfig) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            driver: config.driver_config(),
            statements: Arc::new(Statements::new(Dialect::Postgres)),
            tls: tls::connector(&config)?,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(config.pool_size.max(1) as usize)),
            losses: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            transactions: OpenTransactions::default(),
            config,
        }))
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

    /// Lets no new call in, ends open transactions, waits for the calls that are under way (at most their deadline), and
    /// closes all sessions.
    pub(crate) async fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.transactions.end_all().await;
        let all = self.config.pool_size.max(1);
        // Without an answer by then those calls have ended by their deadline, and their sessions with them.
        let _ = timeout(self.config.timeout, self.permits.acquire_many(all)).await;
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for session in idle {
            self.dismiss(session).await;
        }
    }

    /// An idle session that is not known to be dead: one with these settings if there is one, else another.
    fn take_idle(&self, for_batches: bool) -> Option<Session> {
        loop {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let position = idle.iter().rposition(|session| session.for_batches == for_batches);
            let position = position.or(idle.len().checked_sub(1))?;
            let mut session = idle.remove(position);
            drop(idle);
            if !session.is_dead() {
                return Some(session);
            }
        }
    }

    /// For the next one; nobody used it.
    fn put_back(&self, session: Session) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }

    async fn dial(&self, losses: u64) -> Result<Session, LoginError> {
        let config = &self.config;
        let stream = match log_in(config, &self.driver, self.tls.as_ref()).await {
            Err(LoginError::Refused(error))
                if config.ssl_mode == SslMode::Allow && error.as_db_error().is_some() =>
            {
                let mut driver = self.driver.clone();
                log_in(config, driver.ssl_mode(Encryption::Require), self.tls.as_ref()).await?
            }
            stream => stream?,
        };
        Ok(Session::new(stream, Arc::clone(&self.statements), losses))
    }

    fn no_answer(&self) -> Error {
        Error::new(ErrorKind::Unavailable, format!("{} does not answer", self.config.address()))
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

    pub(crate) fn shared_pool(&self) -> Arc<Pool> {
        Arc::clone(&self.pool)
    }

    /// A session for the call of one caller: an idle one, which may have died unnoticed, else a new one.
    ///
    /// # Errors
    /// As [`Slot::connect`].
    pub(crate) async fn session(&self, deadline: Instant) -> Result<Session> {
        self.session_for(false, deadline).await
    }

    /// As [`Slot::session`], alive as far as anybody can know.
    ///
    /// # Errors
    /// As [`Slot::connect`].
    pub(crate) async fn living_session(&self, deadline: Instant) -> Result<Session> {
        self.living_session_for(false, deadline).await
    }

    /// As [`Slot::living_session`], for statements that carry the writes of many.
    ///
    /// # Errors
    /// As [`Slot::connect`].
    pub(crate) async fn batch_session(&self, deadline: Instant) -> Result<Session> {
        self.living_session_for(true, deadline).await
    }

    async fn session_for(&self, for_batches: bool, deadline: Instant) -> Result<Session> {
        match self.pool.take_idle(for_batches) {
            Some(session) if session.for_batches == for_batches => Ok(session),
            // Boxed, because it is large and rare: every call that may come to it would be as large.
            idle => Box::pin(self.made_ready(idle, for_batches, deadline)).await,
        }
    }

    /// A session with these settings, of an idle one that has others, or a new one.
    async fn made_ready(
        &self,
        mut idle: Option<Session>,
        for_batches: bool,
        deadline: Instant,
    ) -> Result<Session> {
        while let Some(mut session) = idle {
            session.reused = true;
            match self.with_settings(session, for_batches, deadline).await {
                Ok(session) => return Ok(session),
                // It had died while it was idle.
                Err(_) if Instant::now() < deadline => idle = self.pool.take_idle(for_batches),
                Err(error) => return Err(error),
            }
        }
        let session = self.connect(deadline).await?;
        self.with_settings(session, for_batches, deadline).await
    }

    async fn with_settings(
        &self,
        mut session: Session,
        for_batches: bool,
        deadline: Instant,
    ) -> Result<Session> {
        if session.for_batches == for_batches {
            return Ok(session);
        }
        let settings = if for_batches { batch_settings() } else { OWN_SETTINGS.to_owned() };
        let limit = deadline.min(Instant::now() + self.pool.config.connect_timeout);
        match timeout_at(limit, session.script(&settings)).await {
            Ok(Ok(())) => {
                session.for_batches = for_batches;
                Ok(session)
            }
            Ok(Err(failure)) => Err(failure.into_error()),
            Err(_) => Err(self.pool.no_answer()),
        }
    }

    /// A session for statements that carry the writes of many in place of this one.
    ///
    /// # Errors
    /// As [`Slot::connect`].
    pub(crate) async fn for_batches(&self, session: Session, deadline: Instant) -> Result<Session> {
        if session.for_batches {
            return Ok(session);
        }
        self.pool.put_back(session);
        self.batch_session(deadline).await
    }

    async fn living_session_for(&self, for_batches: bool, deadline: Instant) -> Result<Session> {
        loop {
            let mut session = self.session_for(for_batches, deadline).await?;
            let trusted = session.silent_for() < TRUSTED_FOR
                && session.losses_then == self.pool.losses.load(Ordering::Acquire);
            if trusted {
                return Ok(session);
            }
            let limit = deadline.min(Instant::now() + self.pool.config.connect_timeout);
            if matches!(timeout_at(limit, Box::pin(session.ping())).await, Ok(true)) {
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
        let pool = &self.pool;
        let losses = pool.losses.load(Ordering::Acquire);
        let limit = deadline.min(Instant::now() + pool.config.connect_timeout);
        // Boxed, because it is large and rare: every call that may have to connect would be as large.
        match timeout_at(limit, Box::pin(pool.dial(losses))).await {
            Ok(Ok(session)) => {
                tracing::debug!(server = pool.config.address(), "connected");
                Ok(session)
            }
            Ok(Err(error)) => Err(connect_error(&pool.config, error)),
            Err(_) => Err(pool.no_answer()),
        }
    }

    /// Gives the session back, for others to use; one that is spoilt, or in a transaction, is closed.
    pub(crate) async fn give_back(self, mut session: Session) {
        if session.is_unclean() {
            return self.pool.dismiss(session).await;
        }
        session.given_back();
        session.losses_then = self.pool.losses.load(Ordering::Acquire);
        self.pool.put_back(session);
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the store is closed")
}

fn connect_error(config: &PostgresConfig, error: LoginError) -> Error {
    let (address, user, database) = (config.address(), &config.user, &config.database);
    let error = match error {
        LoginError::Network(cause) => {
            let context = format!("PostgreSQL at {address}: {cause}");
            return Error::new(ErrorKind::Unavailable, context).with_source(cause);
        }
        LoginError::Refused(error) => error,
    };
    let Some(server) = ServerError::of(&error) else {
        // What is not the network's fault is the configuration's: TLS, or a way to authenticate.
        let is_network = error.is_closed() || has_io_cause(&error);
        let kind = if is_network { ErrorKind::Unavailable } else { ErrorKind::Config };
        let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        let context = format!("PostgreSQL at {address}: {cause}");
        return Error::new(kind, context).with_source(error);
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

/// Is there an error of the network below? What TLS itself refuses comes as one too.
fn has_io_cause(error: &tokio_postgres::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    cause.is_some_and(|cause| !cause.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()))
}
