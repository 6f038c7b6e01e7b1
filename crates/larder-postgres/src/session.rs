//! One connection, and statements on it.
//!
//! The socket belongs to the session, and a call reads and writes it in its own task.

use std::{collections::HashMap, io, sync::Arc, time::Duration};

use larder_core::{Error, Row, SqlOutcome, WrongType};
use larder_sql::{Bind, Rendered, Returns, Statements};
use tokio::time::Instant;

use crate::{
    error::Failure,
    login::Stream,
    reply::{Contents, Prepared, Reply},
    trip::{Ask, Trip},
    value::BoxError,
    wire::{Message, Wire},
};

/// Prepared statements that are kept for each connection. larder's own are some dozens; SQL that is put together anew for
/// each call would grow without end.
const STATEMENTS: usize = 500;

/// How many bytes of several statements are worth sending before the last of them is written.
const SENT_AHEAD: usize = 16 * 1024;

#[derive(Debug)]
pub(crate) struct Session {
    wire: Wire,
    statements: Arc<Statements>,
    prepared: HashMap<Arc<str>, Arc<Prepared>>,
    /// How many were prepared, for their names.
    names: u64,
    /// What is to be sent with the next statement, ahead of it.
    ahead: Option<&'static str>,
    /// Is a transaction open, or failed?
    is_in_transaction: bool,
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

/// Something to send.
#[derive(Debug)]
pub(crate) enum Command {
    /// A prepared statement.
    Statement(Rendered),
    /// A command without values or rows, prepared too.
    Plain(&'static str),
    /// What is before it is committed, unless in a transaction, and what fails before it keeps nothing behind it from being
    /// executed.
    Sync,
}

impl<'a> From<&'a Command> for Ask<'a> {
    fn from(command: &'a Command) -> Self {
        match command {
            Command::Statement(statement) => statement.into(),
            Command::Plain(text) => Ask::plain(text),
            Command::Sync => Ask::Sync,
        }
    }
}

impl<'a> From<&'a Rendered> for Ask<'a> {
    fn from(statement: &'a Rendered) -> Self {
        Self::Statement { text: &statement.text, binds: &statement.binds, returns: &statement.returns }
    }
}

/// The reply to the next command of a trip, which has one for each.
pub(crate) fn next_reply(
    replies: &mut impl Iterator<Item = Result<Reply, Failure>>,
) -> Result<Reply, Failure> {
    replies.next().unwrap_or_else(|| Ok(Reply::default()))
}

impl Session {
    pub(crate) fn new(stream: Stream, statements: Arc<Statements>, losses_then: u64) -> Self {
        Self {
            wire: Wire::new(stream),
            statements,
            prepared: HashMap::new(),
            names: 0,
            ahead: None,
            is_in_transaction: false,
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
    pub(crate) fn is_dead(&mut self) -> bool {
        self.wire.has_ended()
    }

    /// Is there anything that the next caller must not see?
    pub(crate) fn is_unclean(&self) -> bool {
        self.spoilt || self.is_in_transaction
    }

    /// Is a transaction open, or failed?
    pub(crate) fn is_in_transaction(&self) -> bool {
        self.is_in_transaction
    }

    /// How long nothing was heard of it.
    pub(crate) fn silent_for(&self) -> Duration {
        self.seen_alive.elapsed()
    }

    pub(crate) fn given_back(&mut self) {
        self.reused = true;
        self.seen_alive = Instant::now();
    }

    /// Is it alive? Costs a round trip.
    pub(crate) async fn ping(&mut self) -> bool {
        let mut trip = Trip::new(0);
        trip.knock(&mut self.wire.out);
        self.wire.exchange(|message| trip.take(message)).await.is_ok() && trip.replies().is_ok()
    }

    /// Says goodbye to the server. Whether it hears is its own business.
    pub(crate) async fn close(self) {
        self.wire.close().await;
    }

    /// Executes a statement.
    pub(crate) async fn query(&mut self, statement: &Rendered) -> Result<Contents, Failure> {
        self.last_of(statement.into()).await?.complete()
    }

    /// Executes a statement that answers rows.
    pub(crate) async fn rows(&mut self, statement: &Rendered) -> Result<Vec<Row>, Failure> {
        Ok(self.query(statement).await?.rows)
    }

    /// Executes a statement that answers how many rows it changed.
    pub(crate) async fn affected(&mut self, statement: &Rendered) -> Result<u64, Failure> {
        Ok(self.query(statement).await?.affected)
    }

    /// Sends all commands at once, in their order, and then waits for the answers: one round trip. There is a reply for each
    /// but [`Command::Sync`], which the last command needs not.
    ///
    /// # Errors
    /// `Refused` of the whole when something cannot be sent, `Lost`; the replies have other errors.
    pub(crate) async fn trip(
        &mut self,
        commands: &[Command],
    ) -> Result<Vec<Result<Reply, Failure>>, Failure> {
        let trip = self.pack_all(commands.iter().map(Ask::from))?;
        self.make(trip).await
    }

    /// As [`Session::trip`] of reads, which hands over each reply as it comes in.
    ///
    /// # Errors
    /// `Refused` of the whole when something cannot be sent, `Lost`; there are no more replies then.
    pub(crate) async fn read(
        &mut self,
        commands: &[Command],
        mut each: impl FnMut(Result<Reply, Failure>),
    ) -> Result<(), Failure> {
        let trip = self.pack_all(commands.iter().map(Ask::from))?;
        let rest = self.make_each(trip, |trip| trip.replies_so_far().for_each(&mut each)).await?;
        rest.into_iter().for_each(each);
        if self.is_in_transaction {
            // What failed did so before its COMMIT.
            self.script("ROLLBACK").await?;
        }
        Ok(())
    }

    /// Executes statements, all or nothing, and adds up how many rows they changed. One is on its way while the next is
    /// rendered and written down.
    pub(crate) async fn pour(&mut self, statements: impl Iterator<Item = Rendered>) -> Result<u64, Failure> {
        let ahead = self.ahead.take().map(Ask::plain);
        let mut trip = self.pack_all(ahead.into_iter())?;
        for Rendered { text, binds, .. } in statements {
            if let Err(error) = self.pack_statement(&mut trip, &text, &binds, &Returns::Affected) {
                // What was sent ahead waits for a sync that does not come.
                self.spoilt = true;
                return Err(self.unpacked(&error));
            }
            if self.wire.out.len() > SENT_AHEAD {
                self.wire.send_ahead().await;
            }
        }
        trip.sync(&mut self.wire.out);
        let mut affected = 0;
        for reply in self.make(trip).await? {
            affected += reply?.read().affected;
        }
        Ok(affected)
    }

    /// Executes a statement of a caller's.
    pub(crate) async fn sql(&mut self, statement: &Rendered) -> Result<SqlOutcome, Failure> {
        let Contents { rows, affected, .. } = self.query(statement).await?;
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
        self.last_of(Ask::Script(text)).await.map(drop)
    }

    /// Asks this, behind what is to be sent ahead of it.
    async fn last_of(&mut self, ask: Ask<'_>) -> Result<Reply, Failure> {
        let ahead = self.ahead.take().map(Ask::plain);
        let trip = self.pack_all(ahead.into_iter().chain([ask]))?;
        let mut last = Reply::default();
        for reply in self.make(trip).await? {
            // The first failure is why the others failed.
            last = reply?;
        }
        Ok(last)
    }

    /// Writes down what is asked.
    ///
    /// # Errors
    /// `Refused` when something of it cannot be sent; nothing is, then.
    fn pack_all<'a>(&mut self, asks: impl Iterator<Item = Ask<'a>>) -> Result<Trip<'a>, Failure> {
        let mut trip = Trip::new(asks.size_hint().0);
        let is_full = self.prepared.len() >= STATEMENTS;
        if is_full {
            self.prepared.clear();
        }
        let first = is_full.then_some(Ask::Script("DEALLOCATE ALL"));
        for ask in first.into_iter().chain(asks) {
            if let Err(error) = self.pack(&mut trip, ask) {
                // What was forgotten just now is still there.
                self.spoilt |= is_full;
                return Err(self.unpacked(&error));
            }
        }
        trip.sync(&mut self.wire.out);
        if is_full {
            trip.drop_first_reply();
        }
        Ok(trip)
    }

    /// Sends what was written down, and waits for the answers.
    async fn make(&mut self, trip: Trip<'_>) -> Result<Vec<Result<Reply, Failure>>, Failure> {
        self.make_each(trip, |_| {}).await
    }

    /// As [`Session::make`], and is called back whenever answers may have come in. Answers what was not taken.
    async fn make_each<'a>(
        &mut self,
        mut trip: Trip<'a>,
        mut each: impl FnMut(&mut Trip<'a>),
    ) -> Result<Vec<Result<Reply, Failure>>, Failure> {
        if trip.is_empty() {
            return Ok(Vec::new());
        }
        let take = |message: Message<'_>| {
            let is_last = trip.take(message);
            each(&mut trip);
            is_last
        };
        let exchanged = self.wire.exchange(take).await;
        self.is_in_transaction = trip.is_in_transaction();
        if trip.prepares() {
            self.forget_unprepared();
        }
        let replies = trip.replies()?;
        match exchanged {
            Ok(()) => Ok(replies),
            Err(broken) if broken.cause.kind() == io::ErrorKind::Unsupported => {
                // It waits for what will never come.
                self.spoilt = true;
                Err(Failure::Refused(Error::unsupported("COPY FROM STDIN")))
            }
            Err(broken) => Err(broken.into()),
        }
    }

    fn pack<'a>(&mut self, trip: &mut Trip<'a>, ask: Ask<'a>) -> Result<(), BoxError> {
        match ask {
            Ask::Statement { text, binds, returns } => self.pack_statement(trip, text, binds, returns),
            Ask::Script(text) => trip.ask_script(&mut self.wire.out, text),
            Ask::Sync => {
                trip.sync(&mut self.wire.out);
                Ok(())
            }
        }
    }

    fn pack_statement<'a>(
        &mut self,
        trip: &mut Trip<'a>,
        text: &str,
        binds: &[Bind],
        returns: &'a Returns,
    ) -> Result<(), BoxError> {
        let out = &mut self.wire.out;
        // After some executions the server plans what has a name for any value, what has none for the one at hand.
        let is_planned_anew = binds.iter().any(|bind| matches!(bind, Bind::Pattern { .. }));
        if let Some(prepared) = self.prepared.get(text) {
            let text = is_planned_anew.then_some(text);
            return trip.ask(out, Arc::clone(prepared), text, binds, returns);
        }
        self.names += 1;
        let name = if is_planned_anew { String::new() } else { format!("larder{}", self.names) };
        let prepared = Prepared::new(name);
        self.prepared.insert(text.into(), Arc::clone(&prepared));
        trip.ask(out, prepared, Some(text), binds, returns)
    }

    /// Throws away what was written down, when something of it cannot be sent.
    fn unpacked(&mut self, error: &BoxError) -> Failure {
        self.wire.out.clear();
        self.forget_unprepared();
        Failure::Refused(unsendable(error))
    }

    fn forget_unprepared(&mut self) {
        self.prepared.retain(|_, prepared| prepared.is_ready());
    }
}

fn unsendable(error: &BoxError) -> Error {
    let wrong_type = error.downcast_ref::<WrongType>().map(ToString::to_string);
    let field = if wrong_type.is_some() { "bind" } else { "statement" };
    Error::invalid("Sql", field, wrong_type.unwrap_or_else(|| error.to_string()))
}

fn changes_rows(text: &str) -> bool {
    let verb = text.split_ascii_whitespace().next().unwrap_or_default();
    ["INSERT", "UPDATE", "DELETE", "MERGE"].iter().any(|change| verb.eq_ignore_ascii_case(change))
}
