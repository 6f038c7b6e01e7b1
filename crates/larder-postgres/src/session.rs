//! One connection, and statements on it.

use larder_core::{Error, Row, SqlOutcome, Table};
use larder_sql::{Returns, Statement};
use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgRow};
use tokio::time::Instant;

use crate::{error::Failure, value};

#[derive(Debug)]
pub(crate) struct Session {
    connection: PgConnection,
    /// When it was last known to be alive.
    seen_alive: Instant,
    /// How often the pool had lost a connection by then.
    pub(crate) losses_then: u64,
    /// Has it been given back to the pool since it was made? Then it may have died unnoticed.
    pub(crate) reused: bool,
    /// It is in a state that nobody knows, or holds what the next caller must not see: never to be used again.
    pub(crate) spoilt: bool,
}

impl Session {
    pub(crate) fn new(connection: PgConnection, losses_then: u64) -> Self {
        Self { connection, seen_alive: Instant::now(), losses_then, reused: false, spoilt: false }
    }

    /// How long nothing was heard of it.
    pub(crate) fn silent_for(&self) -> std::time::Duration {
        self.seen_alive.elapsed()
    }

    pub(crate) fn given_back(&mut self) {
        self.reused = true;
        self.seen_alive = Instant::now();
    }

    /// Is it alive? Costs a round trip.
    pub(crate) async fn ping(&mut self) -> bool {
        self.connection.ping().await.is_ok()
    }

    /// Says goodbye to the server. Whether it hears is its own business.
    pub(crate) async fn close(self) {
        let _ = self.connection.close().await;
    }

    /// Executes a statement that answers rows.
    pub(crate) async fn rows(&mut self, statement: Statement) -> Result<Vec<Row>, Failure> {
        let Statement { text, binds, returns } = statement;
        let arguments = value::arguments(binds).map_err(sqlx::Error::Encode)?;
        let query = sqlx::query_with(AssertSqlSafe(text), arguments);
        let rows = query.fetch_all(&mut self.connection).await?;
        decode(&rows, &returns).map_err(Failure::Refused)
    }

    /// Executes a statement that answers how many rows it changed.
    pub(crate) async fn affected(&mut self, statement: Statement) -> Result<u64, Failure> {
        let arguments = value::arguments(statement.binds).map_err(sqlx::Error::Encode)?;
        let query = sqlx::query_with(AssertSqlSafe(statement.text), arguments);
        Ok(query.execute(&mut self.connection).await?.rows_affected())
    }

    /// Executes a statement of a caller's.
    pub(crate) async fn sql(&mut self, statement: Statement) -> Result<SqlOutcome, Failure> {
        if statement.returns == Returns::Affected {
            let affected = self.affected(statement).await?;
            return Ok(SqlOutcome { rows: Vec::new(), affected });
        }
        // What returns rows and changes any, returns those that it changes.
        let changes = changes_rows(&statement.text);
        let rows = self.rows(statement).await?;
        let affected = if changes { rows.len() as u64 } else { 0 };
        Ok(SqlOutcome { rows, affected })
    }

    /// Opens a transaction with these commands.
    pub(crate) async fn begin(&mut self, commands: &'static str) -> Result<(), Failure> {
        // Nothing has been asked for yet, so nothing can have been applied.
        self.script(commands).await.map_err(Failure::before_commit)
    }

    /// Ends a transaction: commits what went well, else rolls back.
    pub(crate) async fn end<T>(&mut self, result: Result<T, Failure>) -> Result<T, Failure> {
        match result {
            Ok(value) => self.script("COMMIT").await.map(|()| value),
            Err(Failure::Lost(lost)) => Err(Failure::Lost(lost).before_commit()),
            Err(failure) => {
                // The first failure is the one to report; the session is of no use when it cannot be rolled back.
                self.spoilt |= self.script("ROLLBACK").await.is_err();
                Err(failure)
            }
        }
    }

    /// Executes a command without values, or a script of several, unprepared.
    pub(crate) async fn script(
        &mut self,
        text: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Result<(), Failure> {
        sqlx::raw_sql(AssertSqlSafe(text.into())).execute(&mut self.connection).await?;
        Ok(())
    }
}

fn changes_rows(text: &str) -> bool {
    let verb = text.split_ascii_whitespace().next().unwrap_or_default();
    ["INSERT", "UPDATE", "DELETE", "MERGE"].iter().any(|change| verb.eq_ignore_ascii_case(change))
}

fn decode(rows: &[PgRow], returns: &Returns) -> Result<Vec<Row>, Error> {
    match returns {
        Returns::Affected => Ok(Vec::new()),
        Returns::Visible(table) => decode_visible(rows, table),
        Returns::Types(kinds) => {
            let unreadable = |(position, cause)| {
                let column = format!("column {} of the result", position + 1);
                Error::corrupt("Sql", column).with_context(format!("{cause}"))
            };
            rows.iter().map(|row| value::row(row, kinds.iter().copied()).map_err(unreadable)).collect()
        }
    }
}

fn decode_visible(rows: &[PgRow], table: &'static Table) -> Result<Vec<Row>, Error> {
    let kinds = table.visible().iter().map(|column| column.kind);
    let unreadable = |(position, cause): (usize, sqlx::error::BoxDynError)| {
        Error::corrupt(table.entity, table.columns[position].name).with_context(cause.to_string())
    };
    rows.iter().map(|row| value::row(row, kinds.clone()).map_err(unreadable)).collect()
}
