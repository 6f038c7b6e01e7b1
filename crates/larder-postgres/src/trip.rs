//! A round trip: what is asked at once, and how the answers are told apart.
//!
//! Statements up to a [`Ask::Sync`] are one transaction, if none is open: what they did is committed with it, or when one of
//! them fails, not at all (PostgreSQL's documentation, "Pipelining" in the chapter on the protocol's message flow).

use std::{io, sync::Arc};

use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use larder_sql::{Bind, Returns};
use postgres_protocol::message::{
    backend::{
        COMMAND_COMPLETE_TAG, COPY_IN_RESPONSE_TAG, DATA_ROW_TAG, EMPTY_QUERY_RESPONSE_TAG,
        ERROR_RESPONSE_TAG, Message as Parsed, NO_DATA_TAG, READY_FOR_QUERY_TAG, ROW_DESCRIPTION_TAG,
    },
    frontend::{self, BindError},
};

use crate::{
    ServerError,
    error::Failure,
    reply::{Prepared, Reply},
    value::{self, BoxError},
    wire::{Message, breach},
};

/// What the status of a session that is in no transaction looks like.
const IDLE: u8 = b'I';

/// Both parameters and results travel in PostgreSQL's binary format.
const BINARY: [i16; 1] = [1];

/// A part of a trip, as it is sent.
#[derive(Debug)]
pub(crate) enum Ask<'a> {
    /// A prepared statement; one that is not prepared yet is, on the way.
    Statement { text: &'a str, binds: &'a [Bind], returns: &'a Returns },
    /// A script of several commands without values.
    Script(&'a str),
    /// What is before it is committed, and what fails before it keeps nothing behind it from being executed.
    Sync,
}

impl<'a> Ask<'a> {
    /// A prepared statement without values or rows.
    pub(crate) fn plain(text: &'a str) -> Self {
        Self::Statement { text, binds: &[], returns: &Returns::Affected }
    }
}

/// Something that was asked and is to be answered.
enum Asked<'a> {
    Statement(&'a Returns, Arc<Prepared>),
    Script,
    Sync,
}

/// A trip under way.
pub(crate) struct Trip<'a> {
    asked: Vec<Asked<'a>>,
    /// What is answered next.
    next: usize,
    replies: Vec<Result<Reply, Failure>>,
    /// The rows of the reply that is coming in.
    rows: Vec<u8>,
    /// Did something fail since the last sync?
    failure: Option<Failure>,
    /// The session's state at the last sync.
    status: u8,
    /// Is anything to be prepared?
    prepares: bool,
    /// Is the first reply nobody's business?
    drops_first_reply: bool,
}

impl<'a> Trip<'a> {
    pub(crate) fn new(length: usize) -> Self {
        Self {
            asked: Vec::with_capacity(length + 1),
            next: 0,
            replies: Vec::with_capacity(length),
            rows: Vec::new(),
            failure: None,
            status: IDLE,
            prepares: false,
            drops_first_reply: false,
        }
    }

    /// Adds a statement to what is sent; its text when it is yet to be prepared.
    ///
    /// # Errors
    /// Of a value or a text that cannot be sent.
    pub(crate) fn ask(
        &mut self,
        out: &mut BytesMut,
        prepared: Arc<Prepared>,
        text: Option<&str>,
        binds: &[Bind],
        returns: &'a Returns,
    ) -> Result<(), BoxError> {
        let name = prepared.name.as_str();
        if let Some(text) = text {
            self.prepares = true;
            frontend::parse(name, text, binds.iter().map(value::bind_type), out)?;
            frontend::describe(b'S', name, out)?;
        }
        let bound = frontend::bind("", name, BINARY, binds, value::encode_bind, BINARY, out);
        bound.map_err(|error| match error {
            BindError::Conversion(error) => error,
            BindError::Serialization(error) => error.into(),
        })?;
        frontend::execute("", 0, out)?;
        self.asked.push(Asked::Statement(returns, prepared));
        Ok(())
    }

    /// Adds a script.
    ///
    /// # Errors
    /// Of a text that cannot be sent.
    pub(crate) fn ask_script(&mut self, out: &mut BytesMut, text: &str) -> Result<(), BoxError> {
        // A script is not skipped to find the sync behind it.
        self.sync(out);
        frontend::query(text, out)?;
        self.asked.push(Asked::Script);
        Ok(())
    }

    /// Adds a sync, where there is something before it.
    pub(crate) fn sync(&mut self, out: &mut BytesMut) {
        if let Some(Asked::Statement(..)) = self.asked.last() {
            frontend::sync(out);
            self.asked.push(Asked::Sync);
        }
    }

    /// Adds a sync to nothing, which asks for no more than a sign of life.
    pub(crate) fn knock(&mut self, out: &mut BytesMut) {
        frontend::sync(out);
        self.asked.push(Asked::Sync);
    }

    /// Is nothing asked?
    pub(crate) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// What was asked first was not asked by the caller.
    pub(crate) fn drop_first_reply(&mut self) {
        self.drops_first_reply = true;
    }

    /// Takes a message in; true when it was the last.
    ///
    /// # Errors
    /// When the message makes no sense here.
    pub(crate) fn take(&mut self, message: Message<'_>) -> io::Result<bool> {
        match (message.tag, self.asked.get(self.next)) {
            (DATA_ROW_TAG, Some(Asked::Statement(returns, _))) if **returns != Returns::Affected => {
                self.rows.extend_from_slice(message.body);
            }
            (ROW_DESCRIPTION_TAG, Some(Asked::Statement(_, prepared))) => {
                prepared.described(column_types(message)?);
            }
            (NO_DATA_TAG, Some(Asked::Statement(_, prepared))) => {
                prepared.described(Vec::new());
            }
            (COMMAND_COMPLETE_TAG | EMPTY_QUERY_RESPONSE_TAG, Some(Asked::Statement(returns, prepared))) => {
                let rows = std::mem::take(&mut self.rows);
                let affected = affected(message.body);
                self.replies.push(Ok(Reply::new(rows, affected, (*returns).clone(), Arc::clone(prepared))));
                self.next += 1;
            }
            (COPY_IN_RESPONSE_TAG, _) => return Err(io::ErrorKind::Unsupported.into()),
            (ERROR_RESPONSE_TAG, Some(_)) => self.fail(ServerError::read(message.whole)?.into()),
            (READY_FOR_QUERY_TAG, Some(_)) => return self.ready(message.body),
            // That something is prepared and bound shows in what follows; the rest is news that nobody asked for.
            _ => {}
        }
        Ok(matches!(self.failure, Some(Failure::Lost(_))))
    }

    fn fail(&mut self, failure: Failure) {
        self.rows.clear();
        self.failure.get_or_insert(failure);
    }

    /// The server has come to a sync.
    fn ready(&mut self, status: &[u8]) -> io::Result<bool> {
        self.status = *status.first().ok_or_else(|| breach("a state without a name"))?;
        let mut failure = self.failure.take();
        loop {
            match self.asked.get(self.next) {
                Some(Asked::Statement(..)) => match failure.take() {
                    Some(refused) => {
                        self.replies.push(Err(refused));
                        failure = Some(Failure::Skipped);
                    }
                    None => return Err(breach("it is ready too early")),
                },
                Some(Asked::Script) => {
                    self.replies.push(failure.map_or_else(|| Ok(Reply::default()), Err));
                    break;
                }
                _ => {
                    // What was executed could not be committed.
                    if let (Some(failure), Some(last)) = (failure, self.replies.last_mut())
                        && last.is_ok()
                    {
                        *last = Err(failure);
                    }
                    break;
                }
            }
            self.next += 1;
        }
        self.next += 1;
        Ok(self.next == self.asked.len())
    }

    /// Was anything to be prepared?
    pub(crate) fn prepares(&self) -> bool {
        self.prepares
    }

    /// Is a transaction open, or failed?
    pub(crate) fn is_in_transaction(&self) -> bool {
        self.status != IDLE
    }

    /// The answers that have come in since this was asked last. For reads: whether what was executed is committed is known
    /// only when all is answered.
    pub(crate) fn replies_so_far(&mut self) -> Vec<Result<Reply, Failure>> {
        let mut replies = std::mem::take(&mut self.replies);
        if self.drops_first_reply && !replies.is_empty() {
            self.drops_first_reply = false;
            replies.drain(..1);
        }
        replies
    }

    /// The answers, one for each statement and script.
    ///
    /// # Errors
    /// `Lost` when the server ended the session, or this session is of no more use.
    pub(crate) fn replies(mut self) -> Result<Vec<Result<Reply, Failure>>, Failure> {
        if let Some(Failure::Lost(lost)) = self.failure {
            return Err(Failure::Lost(lost));
        }
        Ok(self.replies_so_far())
    }
}

fn column_types(message: Message<'_>) -> io::Result<Vec<u32>> {
    match Parsed::parse(&mut BytesMut::from(message.whole))? {
        Some(Parsed::RowDescription(columns)) => {
            columns.fields().map(|column| Ok(column.type_oid())).collect()
        }
        _ => Err(breach("no columns")),
    }
}

/// The number at the end of a command's tag, as in `INSERT 0 1`.
fn affected(tag: &[u8]) -> u64 {
    let tag = tag.strip_suffix(&[0]).unwrap_or(tag);
    let number = tag.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    std::str::from_utf8(number).ok().and_then(|number| number.parse().ok()).unwrap_or(0)
}
