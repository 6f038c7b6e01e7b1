//! One connection, and statements on it.
//!
//! The connection's socket belongs to a task of its own, which reads as long as it lives: a connection that the server has
//! ended is known to be dead before it is used. Statements are sent without waiting for the answers to those before.

use std::{borrow::Cow, collections::HashMap, future::poll_fn, pin::pin, sync::Arc, task::Poll};

use futures_util::{StreamExt as _, future::maybe_done};
use larder_core::{ColumnType, Error, Row, SqlOutcome};
use larder_sql::{Rendered, Returns, Statements};
use tokio::{task::JoinHandle, time::Instant};
use tokio_postgres::{Client, RowStream};

use crate::{
    error::Failure,
    value::{self, BoxError, Param},
};

/// Prepared statements that are kept for each connection. larder's own are some dozens; SQL that is put together anew for
/// each call would grow without end.
const STATEMENTS: usize = 500;

#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    socket: Socket,
    statements: Arc<Statements>,
    prepared: HashMap<Arc<str>, tokio_postgres::Statement>,
    /// What is to be sent with the next statement, ahead of it.
    ahead: Option<&'static str>,
    /// When it was last known to be alive.
    seen_alive: Instant,
    /// How often the pool had lost a connection by then.
    pub(crate) losses_then: u64,
    /// Has it been given back to the pool since it was made? Then it may have died unnoticed.
    pub(crate) reused: bool,
    /// It is in a state that nobody knows, or holds what the next caller must not see: never to be used again.
    pub(crate) spoilt: bool,
    /// Is it set to carry the writes of many in one statement?
    pub(crate) for_batches: bool,
}

/// The task that owns the socket. It ends with the session, whatever the server is at.
#[derive(Debug)]
struct Socket(JoinHandle<()>);

impl Drop for Socket {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Something to send.
#[derive(Debug)]
pub(crate) enum Command {
    /// A prepared statement.
    Statement(Rendered),
    /// A command without values, or a script of several, unprepared.
    Script(Cow<'static, str>),
}

impl Command {
    pub(crate) fn script(text: &'static str) -> Self {
        Self::Script(Cow::Borrowed(text))
    }
}

/// The answer to a command.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    /// The rows that it returned.
    pub(crate) rows: Vec<Row>,
    /// How many rows it changed, or returned.
    pub(crate) affected: u64,
    /// Why a row of it could not be read, and is missing. What the command did is done all the same.
    pub(crate) unreadable: Option<Error>,
}

impl Reply {
    /// The reply, or the error of a row that could not be read.
    pub(crate) fn complete(self) -> Result<Self, Failure> {
        match self.unreadable {
            Some(error) => Err(Failure::Refused(error)),
            None => Ok(self),
        }
    }
}

/// The reply to the next command of a trip, which has one for each.
pub(crate) fn next_reply(
    replies: &mut impl Iterator<Item = Result<Reply, Failure>>,
) -> Result<Reply, Failure> {
    replies.next().unwrap_or_else(|| Ok(Reply::default()))
}

impl Session {
    pub(crate) fn new(
        client: Client,
        socket: JoinHandle<()>,
        statements: Arc<Statements>,
        losses_then: u64,
    ) -> Self {
        Self {
            client,
            statements,
            socket: Socket(socket),
            prepared: HashMap::new(),
            ahead: None,
            seen_alive: Instant::now(),
            losses_then,
            reused: false,
            spoilt: false,
            for_batches: false,
        }
    }

    /// What renders statements, for all sessions.
    pub(crate) fn statements(&self) -> &Arc<Statements> {
        &self.statements
    }

    /// Is the connection known to have ended?
    pub(crate) fn is_dead(&self) -> bool {
        self.client.is_closed()
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
        self.client.check_connection().await.is_ok()
    }

    /// Says goodbye to the server. Whether it hears is its own business.
    pub(crate) async fn close(self) {
        let Self { client, mut socket, .. } = self;
        drop(client);
        let _ = (&mut socket.0).await;
    }

    /// Executes a statement.
    pub(crate) async fn query(&mut self, statement: &Rendered) -> Result<Reply, Failure> {
        self.prepare(std::iter::once(statement)).await?;
        let Some(ahead) = self.ahead.take() else { return self.send(statement).await?.complete() };
        let (begun, reply) = both(self.send_script(ahead), self.send(statement)).await;
        begun?;
        reply?.complete()
    }

    /// Executes a statement that answers rows.
    pub(crate) async fn rows(&mut self, statement: &Rendered) -> Result<Vec<Row>, Failure> {
        Ok(self.query(statement).await?.rows)
    }

    /// Executes a statement that answers how many rows it changed.
    pub(crate) async fn affected(&mut self, statement: &Rendered) -> Result<u64, Failure> {
        Ok(self.query(statement).await?.affected)
    }

    /// Sends all commands at once, in their order, and then waits for the answers: one round trip. Each is executed whatever
    /// became of those before it, unless a failed transaction keeps it from being.
    ///
    /// # Errors
    /// Of the whole: when a statement could not be prepared; then none was executed.
    pub(crate) async fn trip(
        &mut self,
        commands: &[Command],
    ) -> Result<Vec<Result<Reply, Failure>>, Failure> {
        let statements = commands.iter().filter_map(|command| match command {
            Command::Statement(statement) => Some(statement),
            Command::Script(_) => None,
        });
        self.prepare(statements).await?;
        match commands {
            [command] => Ok(vec![self.send_command(command).await]),
            _ => Ok(in_order(commands.iter().map(|command| self.send_command(command))).await),
        }
    }

    async fn send_command(&self, command: &Command) -> Result<Reply, Failure> {
        match command {
            Command::Statement(statement) => self.send(statement).await,
            Command::Script(text) => self.send_script(text).await.map(|()| Reply::default()),
        }
    }

    /// Executes a statement of a caller's.
    pub(crate) async fn sql(&mut self, statement: &Rendered) -> Result<SqlOutcome, Failure> {
        let Reply { rows, affected, .. } = self.query(statement).await?;
        // What returns rows and changes any, returns those that it changes.
        let changes = statement.returns == Returns::Affected || changes_rows(&statement.text);
        Ok(SqlOutcome { rows, affected: if changes { affected } else { 0 } })
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

    /// Opens a transaction with the next statement, in the same round trip.
    pub(crate) fn begin_with_the_next(&mut self, command: &'static str) {
        self.ahead = Some(command);
    }

    /// Is there a transaction that nothing was asked of yet?
    pub(crate) fn has_yet_to_begin(&self) -> bool {
        self.ahead.is_some()
    }

    /// Ends a transaction by this command, which there is nothing to say to when nothing was asked of it.
    pub(crate) async fn end_by(&mut self, command: &str) -> Result<(), Failure> {
        match self.ahead.take() {
            Some(_) => Ok(()),
            None => self.script(command).await,
        }
    }

    /// Executes a command without values, or a script of several, unprepared.
    pub(crate) async fn script(&mut self, text: &str) -> Result<(), Failure> {
        let Some(ahead) = self.ahead.take() else { return self.send_script(text).await };
        let (begun, done) = both(self.send_script(ahead), self.send_script(text)).await;
        begun?;
        done
    }

    /// Prepares those that are not yet, in one round trip.
    async fn prepare<'a>(&mut self, statements: impl Iterator<Item = &'a Rendered>) -> Result<(), Failure> {
        let mut new: Vec<&Rendered> = Vec::new();
        for statement in statements {
            let is_known = self.prepared.contains_key(&statement.text)
                || new.iter().any(|other| other.text == statement.text);
            if !is_known {
                new.push(statement);
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        if self.prepared.len() + new.len() > STATEMENTS {
            self.prepared.clear();
        }
        let client = &self.client;
        let prepared = in_order(new.iter().map(|statement| {
            let types: Vec<_> = statement.binds.iter().map(value::bind_type).collect();
            async move { client.prepare_typed(&statement.text, &types).await }
        }));
        for (statement, prepared) in new.iter().zip(prepared.await) {
            // Preparing changes nothing.
            let prepared = prepared.map_err(|error| Failure::from(error).before_commit())?;
            self.prepared.insert(statement.text.clone(), prepared);
        }
        Ok(())
    }

    /// Sends a statement that is prepared, when it is polled first, and waits for the answer.
    async fn send(&self, statement: &Rendered) -> Result<Reply, Failure> {
        let Some(prepared) = self.prepared.get(&statement.text) else {
            // It was prepared together with more others than are kept.
            return Err(Failure::Refused(Error::unsupported("too many different statements at once")));
        };
        let answer = self.client.query_raw(prepared, statement.binds.iter().map(Param)).await?;
        read(answer, prepared.columns(), &statement.returns).await
    }

    async fn send_script(&self, text: &str) -> Result<(), Failure> {
        Ok(self.client.batch_execute(text).await?)
    }
}

/// Begins all, in their order, and then waits for each. What is sent when it is begun is sent in this order.
async fn in_order<F: Future>(calls: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut calls: Vec<_> = calls.map(|call| Box::pin(maybe_done(call))).collect();
    poll_fn(|context| {
        for call in &mut calls {
            // Those that are pending are waited for below.
            let _ = call.as_mut().poll(context);
        }
        Poll::Ready(())
    })
    .await;
    let mut outputs = Vec::with_capacity(calls.len());
    for mut call in calls {
        call.as_mut().await;
        outputs.extend(call.as_mut().take_output());
    }
    outputs
}

/// Begins the first and then the second, and waits for both.
async fn both<A, B>(first: impl Future<Output = A>, second: impl Future<Output = B>) -> (A, B) {
    // `join` polls them in this order.
    futures_util::future::join(first, second).await
}

async fn read(
    answer: RowStream,
    columns: &[tokio_postgres::Column],
    returns: &Returns,
) -> Result<Reply, Failure> {
    let forms = match returns {
        Returns::Affected => Ok(Vec::new()),
        Returns::Visible(table) => value::forms(columns, table.visible().iter().map(|column| column.kind)),
        Returns::Numbered(table) => {
            let mut kinds: Vec<_> = table.visible().iter().map(|column| column.kind).collect();
            kinds.push(ColumnType::Int);
            value::forms(columns, kinds.into_iter())
        }
        Returns::Types(kinds) => value::forms(columns, kinds.iter().copied()),
    };
    let forms = forms.map_err(|(position, cause)| unreadable(returns, position, &cause));
    let mut answer = pin!(answer);
    let (mut rows, mut unread) = (Vec::new(), None);
    // To the end, whatever it holds: the statement has succeeded when there is nothing more.
    while let Some(row) = answer.next().await {
        let row = row?;
        if let Ok(forms) = &forms
            && !forms.is_empty()
        {
            match value::row(&row, forms) {
                Ok(row) => rows.push(row),
                Err((position, cause)) => unread = Some(unreadable(returns, position, &cause)),
            }
        }
    }
    let affected = answer.rows_affected().unwrap_or(0);
    Ok(Reply { rows, affected, unreadable: forms.err().or(unread) })
}

fn unreadable(returns: &Returns, position: usize, cause: &BoxError) -> Error {
    let error = match returns {
        Returns::Visible(table) | Returns::Numbered(table) => {
            let name = table.columns.get(position).map_or("", |column| column.name);
            Error::corrupt(table.entity, name)
        }
        _ => Error::corrupt("Sql", format!("column {} of the result", position + 1)),
    };
    error.with_context(cause.to_string())
}

fn changes_rows(text: &str) -> bool {
    let verb = text.split_ascii_whitespace().next().unwrap_or_default();
    ["INSERT", "UPDATE", "DELETE", "MERGE"].iter().any(|change| verb.eq_ignore_ascii_case(change))
}
