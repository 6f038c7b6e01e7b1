//! A call: one job, carried out on a session of the pool.

use std::sync::Arc;

use larder_core::{Detached, Error, ErrorKind, Outcome, Result, Row, Sql, SqlOutcome, Unit, Value, Verb};
use larder_sql::{Bind, Returns, Statement};
use tokio::time::{Instant, timeout_at};

use crate::{
    error::Failure,
    lanes::Unread,
    pool::{Pool, Slot},
    session::Session,
    unit, verb,
};

/// Something to be done by itself.
#[derive(Debug)]
pub(crate) enum Job {
    Verb(Verb),
    Unit(Unit),
    Sql(Sql),
    Version,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Answer {
    Outcome(Outcome),
    Outcomes(Vec<Outcome>),
    Sql(SqlOutcome),
    Version(String),
    /// What a read was answered, to be read by whoever asked.
    Unread(Box<Unread>),
}

impl Answer {
    /// The answer to a verb.
    pub(crate) fn into_outcome(self) -> Result<Outcome> {
        match self {
            Self::Outcome(outcome) => Ok(outcome),
            _ => Err(mixed_up()),
        }
    }

    /// The answer to a unit.
    pub(crate) fn into_outcomes(self) -> Result<Vec<Outcome>> {
        match self {
            Self::Outcomes(outcomes) => Ok(outcomes),
            _ => Err(mixed_up()),
        }
    }

    /// The answer to SQL.
    pub(crate) fn into_sql(self) -> Result<SqlOutcome> {
        match self {
            Self::Sql(outcome) => Ok(outcome),
            _ => Err(mixed_up()),
        }
    }

    /// The server's version.
    pub(crate) fn into_version(self) -> Result<String> {
        match self {
            Self::Version(version) => Ok(version),
            _ => Err(mixed_up()),
        }
    }
}

fn mixed_up() -> Error {
    Error::corrupt("PostgresStore", "answer")
}

impl Job {
    /// May it be done twice, because it changes nothing?
    fn is_read(&self) -> bool {
        match self {
            Self::Verb(verb) => verb.is_read(),
            Self::Unit(unit) => unit.steps.iter().all(|step| step.verb.is_read()),
            Self::Sql(_) => false,
            Self::Version => true,
        }
    }

    /// Is it a write in one statement, of which nobody knows what became of it when the connection is lost? In a transaction
    /// of several, a dead connection shows at BEGIN.
    fn is_single_write(&self) -> bool {
        match self {
            Self::Verb(verb) => !verb.is_read(),
            Self::Unit(unit) => unit.steps.len() == 1 && !self.is_read(),
            Self::Sql(_) => true,
            Self::Version => false,
        }
    }

    async fn carry_out(&self, session: &mut Session) -> Result<Answer, Failure> {
        Ok(match self {
            Self::Verb(verb) => Answer::Outcome(verb::execute(session, verb).await?),
            Self::Unit(unit) => Answer::Outcomes(unit::run(session, unit).await?),
            Self::Sql(sql) => Answer::Sql(in_place(session, sql).await?),
            Self::Version => Answer::Version(version(session).await?),
        })
    }
}

/// Executes a job by the store's deadline. The caller may go away: what was begun is ended all the same.
pub(crate) async fn call(pool: &Arc<Pool>, job: Job) -> Result<Answer> {
    call_by(pool, job, Instant::now() + pool.config().timeout).await
}

/// As [`call`], by this deadline.
pub(crate) async fn call_by(pool: &Arc<Pool>, job: Job, deadline: Instant) -> Result<Answer> {
    let slot = pool.slot(deadline).await?;
    // Who goes away before the connection is there has asked for nothing.
    let session = match job.is_single_write() {
        true => slot.living_session(deadline).await?,
        false => slot.session(deadline).await?,
    };
    Detached::new(on_a_session(slot, session, job, deadline)).await
}

/// As [`call_by`], on this session.
pub(crate) async fn on_a_session(
    slot: Slot,
    mut session: Session,
    job: Job,
    deadline: Instant,
) -> Result<Answer> {
    loop {
        let Ok(result) = timeout_at(deadline, job.carry_out(&mut session)).await else {
            // Dropped in the middle of a call, the session is closed; the server cancels by its own deadline.
            return Err(Error::new(ErrorKind::Timeout, ""));
        };
        let lost = match result {
            Err(Failure::Lost(lost)) => lost,
            Err(failure) => {
                slot.give_back(session).await;
                return Err(failure.into_error());
            }
            Ok(answer) => {
                slot.give_back(session).await;
                return Ok(answer);
            }
        };
        slot.pool().lost_one();
        let may_repeat = lost.nothing_applied || job.is_read();
        if !(session.reused && may_repeat) {
            return Err(if job.is_read() { lost.into_unavailable() } else { lost.into_write_error() });
        }
        // It had died while it was idle. A new one fails for itself or not at all.
        session = slot.connect(deadline).await?;
    }
}

/// A caller's SQL on a session, in whatever transaction it is.
pub(crate) async fn in_place(session: &mut Session, sql: &Sql) -> Result<SqlOutcome, Failure> {
    let done = if is_script(sql) {
        // It may leave settings, temporary tables or an open transaction behind.
        session.spoilt = true;
        session.script(&sql.postgres).await.map(|()| SqlOutcome::default())
    } else {
        session.sql(&statement(sql).into()).await
    };
    done.map_err(|failure| failure.explained(None))
}

fn is_script(sql: &Sql) -> bool {
    sql.binds.is_empty() && sql.returns.is_empty()
}

fn statement(sql: &Sql) -> Statement {
    let binds = sql.binds.iter().map(|(kind, value)| Bind::One { kind: *kind, value: value.clone() });
    let returns = match sql.returns.as_slice() {
        [] => Returns::Affected,
        kinds => Returns::Types(kinds.to_vec()),
    };
    Statement { text: sql.postgres.clone().into_owned(), binds: binds.collect(), returns }
}

async fn version(session: &mut Session) -> Result<String, Failure> {
    let sql = Sql::portable("SHOW server_version").returning([larder_core::ColumnType::Text]);
    let rows = in_place(session, &sql).await?.rows;
    Ok(match rows.first().and_then(|row: &Row| row.get(0)) {
        // What follows says who built it.
        Some(Value::Text(version)) => version.split(' ').next().unwrap_or_default().to_owned(),
        _ => String::new(),
    })
}
