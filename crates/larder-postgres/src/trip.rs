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

    /// Adds a statement to what is sent; its text when it is yet to be prepared, or is each time.
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
            frontend::parse(name, text, binds.iter().map(value::bind_type), out)?;
            if !prepared.is_ready() {
                self.prepares = true;
                frontend::describe(b'S', name, out)?;
            }
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
            (DATA_ROW_TAG, Some(Asked::Statement(returns, _))) if !matches!(returns, Returns::Affected) => {
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
    pub(crate) fn replies_so_far(&mut self) -> impl Iterator<Item = Result<Reply, Failure>> {
        self.drop_unasked();
        self.replies.drain(..)
    }

    /// The answers, one for each statement and script.
    ///
    /// # Errors
    /// `Lost` when the server ended the session, or this session is of no more use.
    pub(crate) fn replies(mut self) -> Result<Vec<Result<Reply, Failure>>, Failure> {
        if let Some(Failure::Lost(lost)) = self.failure {
            return Err(Failure::Lost(lost));
        }
        self.drop_unasked();
        Ok(self.replies)
    }

    fn drop_unasked(&mut self) {
        if self.drops_first_reply && !self.replies.is_empty() {
            self.drops_first_reply = false;
            self.replies.drain(..1);
        }
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

#[cfg(test)]
mod tests {
    use larder_core::{ColumnType, Value};

    use super::*;

    static NUMBERS: std::sync::LazyLock<Returns> =
        std::sync::LazyLock::new(|| Returns::Types(vec![ColumnType::Int]));

    /// A trip of these: a number is a statement that is prepared already, `+` one that is not, `s` a script, `;` a sync.
    fn trip(asks: &str) -> Trip<'static> {
        let (mut trip, mut out) = (Trip::new(0), BytesMut::new());
        for ask in asks.chars() {
            let prepared = Prepared::new(ask.to_string());
            match ask {
                ';' => trip.sync(&mut out),
                's' => trip.ask_script(&mut out, "script").expect("a script"),
                '+' => trip.ask(&mut out, prepared, Some("text"), &[], &NUMBERS).expect("a statement"),
                _ => {
                    prepared.described(vec![20]);
                    trip.ask(&mut out, prepared, None, &[], &NUMBERS).expect("a statement");
                }
            }
        }
        trip.sync(&mut out);
        trip
    }

    /// A description of one column, a `bigint` called `n`: of no table, eight bytes long, binary.
    const COLUMN: &[u8] = b"\0\x01n\0\0\0\0\0\0\0\0\0\0\x14\0\x08\xff\xff\xff\xff\0\x01";
    /// A row with the number 7.
    const NUMBER: &[u8] = b"\0\x01\0\0\0\x08\0\0\0\0\0\0\0\x07";

    /// Feeds messages by their tags; true when the last was the last of the trip.
    fn take(trip: &mut Trip<'_>, tags: &str) -> io::Result<bool> {
        let mut is_last = false;
        for tag in tags.bytes() {
            let body = match tag {
                b'T' => COLUMN.to_vec(),
                b'D' => NUMBER.to_vec(),
                b'C' => b"SELECT 1\0".to_vec(),
                b'E' => b"SERROR\0VERROR\0C22012\0Mdivision by zero\0\0".to_vec(),
                b'F' => b"SFATAL\0VFATAL\0C57P01\0Mterminating\0\0".to_vec(),
                b'Z' => b"I".to_vec(),
                b'!' => b"E".to_vec(),
                _ => Vec::new(),
            };
            let tag = match tag {
                b'F' => b'E',
                b'!' => b'Z',
                tag => tag,
            };
            let length = u32::try_from(body.len() + 4).expect("a short message");
            let whole = [&[tag], length.to_be_bytes().as_slice(), &body].concat();
            assert!(!is_last, "there is more after the last");
            is_last = trip.take(Message { tag, body: &body, whole: &whole })?;
        }
        Ok(is_last)
    }

    /// How each ended: a row, nothing, an error of the server, or not executed.
    fn ends(trip: Trip<'_>) -> String {
        let end = |reply: Result<Reply, Failure>| match reply.map(Reply::read) {
            Ok(contents) if contents.rows.is_empty() => '.',
            Ok(contents) if contents.rows[0].get(0) == Some(&Value::Int(7)) => 'r',
            Err(Failure::Server(_)) => 'e',
            Err(Failure::Skipped) => '-',
            _ => '?',
        };
        trip.replies().expect("the session goes on").into_iter().map(end).collect()
    }

    fn told(asks: &str, tags: &str) -> String {
        let mut trip = trip(asks);
        assert!(take(&mut trip, tags).expect("messages that make sense"), "{asks}: {tags} is all");
        ends(trip)
    }

    #[test]
    fn each_gets_its_own_answer() {
        assert_eq!(told("1", "2DCZ"), "r");
        assert_eq!(told("12", "2DC2CZ"), "r.");
        assert_eq!(told("+1", "1tT2DC2CZ"), "r.");
        assert_eq!(told("+", "1tn2CZ"), ".");
        assert_eq!(told("1;2", "2CZ2DCZ"), ".r");
        assert_eq!(told("s", "CCCZ"), ".");
        assert_eq!(told("1s2", "2DCZTDCZ2DCZ"), "r.r");
        assert_eq!(told("1", "N2SDACZ"), "r", "news among the answers");
    }

    #[test]
    fn what_follows_an_error_is_skipped_up_to_the_sync() {
        assert_eq!(told("123", "2DC2EZ"), "re-");
        assert_eq!(told("12;3", "EZ2DCZ"), "e-r");
        assert_eq!(told("+1", "EZ"), "e-");
        assert_eq!(told("s1", "CEZ2DCZ"), "er");
        assert_eq!(told("1", "2DDEZ"), "e", "the rows before the error are forgotten");
    }

    #[test]
    fn an_error_of_the_commit_is_that_of_the_last() {
        assert_eq!(told("12", "2DC2DCEZ"), "re");
    }

    #[test]
    fn the_end_of_the_session_is_the_end_of_the_trip() {
        let mut trip = trip("12");
        assert!(take(&mut trip, "2DCF").expect("a reason"));
        let Err(Failure::Lost(lost)) = trip.replies() else { panic!("the session is lost") };
        assert!(lost.nothing_applied);
    }

    #[test]
    fn it_knows_whether_a_transaction_is_open() {
        let mut trip = trip("1");
        assert!(take(&mut trip, "2E!").expect("messages"));
        assert!(trip.is_in_transaction());
    }

    #[test]
    fn what_makes_no_sense_breaks_the_trip() {
        assert!(take(&mut trip("12"), "2CZ").is_err(), "ready without an answer");
        let unsupported = take(&mut trip("1"), "2G").expect_err("it wants a file");
        assert_eq!(unsupported.kind(), io::ErrorKind::Unsupported);
    }

    #[test]
    fn replies_can_be_had_as_they_come() {
        let mut trip = trip("12");
        take(&mut trip, "2DC").expect("an answer");
        assert_eq!(trip.replies_so_far().count(), 1);
        take(&mut trip, "2CZ").expect("the other");
        assert_eq!(ends(trip), ".");
    }
}
