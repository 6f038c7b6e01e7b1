//! The administrator's connections, which are made when they are needed.

use std::error::Error;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::login::{Login, reason};
use crate::poll_until;

const CONNECTIONS: usize = 4;

/// How long a statement waits for its connection, as it does while the server starts or is frozen.
const PATIENCE: Duration = Duration::from_secs(60);

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// As many statements run at a time as there may be connections; the others wait.
pub(super) struct Pool {
    login: Login,
    /// A permit for each connection that may be in use.
    permits: Semaphore,
    idle: Mutex<Vec<Client>>,
}

impl Pool {
    pub(super) fn new(login: Login, first: Client) -> Self {
        Self { login, permits: Semaphore::new(CONNECTIONS), idle: Mutex::new(vec![first]) }
    }

    /// Runs statements, each in a transaction of its own.
    pub(super) async fn execute(&self, statements: &[String]) -> Result<()> {
        let connected = poll_until(PATIENCE, "a connection for the administrator", || async {
            self.connect().await.transpose()
        });
        let (_permit, client) = connected.await??;
        for statement in statements {
            client.batch_execute(statement).await.map_err(reason)?;
        }
        self.idle().push(client);
        Ok(())
    }

    /// `None` when it may be possible a little later.
    async fn connect(&self) -> Result<Option<(SemaphorePermit<'_>, Client)>> {
        let permit = self.permits.acquire().await?;
        while let Some(client) = self.take_idle() {
            // The server may have been stopped or killed since.
            if client.check_connection().await.is_ok() {
                return Ok(Some((permit, client)));
            }
        }
        match self.login.connect().await {
            Ok(client) => Ok(Some((permit, client))),
            Err(error) if may_pass(&error) => Ok(None),
            Err(error) => Err(reason(error)),
        }
    }

    /// In a function of its own, so that no lock is held while the connection is tried.
    fn take_idle(&self) -> Option<Client> {
        self.idle().pop()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Client>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server that starts or recovers refuses everybody for a moment; one that is full, until somebody leaves.
fn may_pass(error: &tokio_postgres::Error) -> bool {
    let refused = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    let code = error.code();
    refused || code == Some(&SqlState::CANNOT_CONNECT_NOW) || code == Some(&SqlState::TOO_MANY_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;
    use url::Url;

    use super::*;
    use crate::{Postgres, Proxy};

    #[tokio::test]
    async fn a_lost_connection_is_replaced_as_soon_as_the_server_takes_one() {
        let server = Postgres::builder().own(true).start().await.unwrap();
        let database = server.database().await.unwrap();
        let proxy = Proxy::start(database.address().unwrap()).await.unwrap();
        let url = Url::parse(&database.url_through(proxy.address()).unwrap()).unwrap();
        let login = Login::from_url(&url).unwrap();
        let first = login.connect().await.unwrap();
        let pool = Pool::new(login, first);
        let statements = ["SELECT 1".to_owned()];

        pool.execute(&statements).await.unwrap();
        proxy.cut();
        pool.execute(&statements).await.unwrap();
        proxy.refuse(true).await.unwrap();
        proxy.cut();
        let mut waiting = std::pin::pin!(pool.execute(&statements));
        let waited = timeout(Duration::from_millis(100), &mut waiting).await;
        assert!(waited.is_err(), "there is no connection");
        proxy.refuse(false).await.unwrap();
        timeout(PATIENCE, waiting).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_statement_that_fails_says_why_and_others_go_on() {
        let server = Postgres::builder().own(true).start().await.unwrap();
        let statements = ["SELECT 1".to_owned(), "SELECT nothing".to_owned()];
        let administer = |statements: &[String]| server.server.administer("look", statements.to_vec());
        for _ in 0..=CONNECTIONS {
            let error = administer(&statements).await.unwrap_err();
            assert_eq!(error.to_string(), "cannot look: ERROR: column \"nothing\" does not exist");
        }
        administer(&statements[..1]).await.unwrap();
    }
}
