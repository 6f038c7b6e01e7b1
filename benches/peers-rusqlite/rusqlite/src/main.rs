//! rusqlite, each caller on a thread of its own. The variant says how they share connections: `mutex`, one connection that
//! a caller locks, or `pool`, r2d2's pool of connections for reading and one behind a lock for writing, as SQLite has one
//! writer at a time.

mod rows;
mod sql;

use std::{
    ops::Deref,
    process::ExitCode,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::Utc;
use contender::{
    Authenticated, Claimed, Contender, Failure, Key, LEASE, Listed, Opening, PAGE, Seen, WORKER, Workload,
    serve,
    text::{message, pattern},
    token::is_right,
};
use r2d2::{Pool, PooledConnection};
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, OptionalExtension, Params, TransactionBehavior, params};
use uuid::Uuid;

use rows::{ApiKey, Job, Message, User};

fn main() -> ExitCode {
    serve::<Bench>()
}

struct Bench {
    /// The only connection, or the one that writes.
    writer: Mutex<Connection>,
    readers: Option<Pool<SqliteConnectionManager>>,
}

fn set_up(connection: &Connection, synchronous: &str) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = wal; PRAGMA synchronous = {synchronous}; PRAGMA busy_timeout = 30000; \
         PRAGMA foreign_keys = on; PRAGMA cache_size = -16384;"
    ))
}

/// A connection to read with.
enum Reader<'a> {
    Only(MutexGuard<'a, Connection>),
    Pooled(PooledConnection<SqliteConnectionManager>),
}

impl Deref for Reader<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match self {
            Self::Only(connection) => connection,
            Self::Pooled(connection) => connection,
        }
    }
}

impl Bench {
    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> Result<Reader<'_>, Failure> {
        Ok(match &self.readers {
            Some(pool) => Reader::Pooled(pool.get()?),
            None => Reader::Only(self.writer()),
        })
    }
}

fn jobs(connection: &Connection, sql: &str, parameters: impl Params) -> rusqlite::Result<Vec<Job>> {
    connection.prepare_cached(sql)?.query_map(parameters, Job::read)?.collect()
}

fn job(connection: &Connection, sql: &str, parameters: impl Params) -> rusqlite::Result<Job> {
    connection.prepare_cached(sql)?.query_row(parameters, Job::read)
}

fn api_key(connection: &Connection, key: &str) -> rusqlite::Result<ApiKey> {
    connection.prepare_cached(sql::API_KEY)?.query_row([key], ApiKey::read)
}

fn execute(connection: &Connection, sql: &str, parameters: impl Params) -> rusqlite::Result<usize> {
    connection.prepare_cached(sql)?.execute(parameters)
}

fn now() -> i64 {
    Utc::now().timestamp_micros()
}

fn insert(connection: &Connection, user: Uuid, definition: &str) -> rusqlite::Result<usize> {
    let parameters = params![Uuid::now_v7(), user, definition, now(), definition.to_lowercase()];
    execute(connection, sql::INSERT, parameters)
}

fn update(connection: &Connection, key: Key, definition: &str) -> rusqlite::Result<Job> {
    let parameters = params![key.job, key.user, definition, definition.to_lowercase(), now()];
    job(connection, sql::UPDATE, parameters)
}

fn page(connection: &Connection, user: Uuid) -> rusqlite::Result<(Vec<Job>, bool)> {
    Ok(cut(jobs(connection, sql::PAGE, [user])?))
}

fn cut(mut jobs: Vec<Job>) -> (Vec<Job>, bool) {
    let has_next = jobs.len() > PAGE;
    jobs.truncate(PAGE);
    (jobs, has_next)
}

impl Contender for Bench {
    const BLOCKING: bool = true;

    async fn open(opening: Opening) -> Result<Self, Failure> {
        let writer = Connection::open(&opening.url)?;
        set_up(&writer, &opening.synchronous)?;
        let readers = if opening.variant == "pool" {
            let manager = SqliteConnectionManager::file(&opening.url)
                .with_init(move |connection| set_up(connection, &opening.synchronous));
            // A connection is not tested at each checkout: a file does not go away.
            let pool = Pool::builder().max_size(opening.connections).test_on_check_out(false);
            Some(pool.build(manager)?)
        } else {
            None
        };
        Ok(Self { writer: Mutex::new(writer), readers })
    }

    async fn engine(&self) -> Result<Option<String>, Failure> {
        Ok(Some(format!("SQLite {}", rusqlite::version())))
    }

    fn unsupported(&self, workload: Workload) -> Option<&'static str> {
        workload.only_larder()
    }

    async fn get(&self, key: Key) -> Result<Seen, Failure> {
        let found = job(&*self.reader()?, sql::GET, [key.job, key.user]).optional()?;
        found.map(Job::seen).ok_or_else(|| "the job is not there".into())
    }

    async fn authenticate(&self, token: &str) -> Result<Option<Authenticated>, Failure> {
        let Some((key, secret)) = token.split_once('.') else { return Ok(None) };
        let Some(found) = api_key(&*self.reader()?, key).optional()? else { return Ok(None) };
        let good = is_right(secret, &found.secret_salt, &found.secret_hash) && found.is_good_at(now());
        Ok(good.then(|| found.authenticated()))
    }

    async fn insert(&self, user: Uuid, definition: String) -> Result<(), Failure> {
        insert(&self.writer(), user, &definition)?;
        Ok(())
    }

    async fn update(&self, key: Key, definition: String) -> Result<Seen, Failure> {
        Ok(update(&self.writer(), key, &definition)?.seen())
    }

    async fn delete(&self, key: Key) -> Result<(), Failure> {
        match execute(&self.writer(), sql::DELETE, [key.job, key.user])? {
            1 => Ok(()),
            _ => Err("the job is not there".into()),
        }
    }

    async fn page(&self, user: Uuid, search: Option<&str>) -> Result<Listed, Failure> {
        let connection = self.reader()?;
        let (jobs, has_next) = match search {
            Some(search) => cut(jobs(&connection, sql::SEARCH, params![user, pattern(search)])?),
            None => page(&connection, user)?,
        };
        Ok(Listed { jobs: jobs.len(), messages: 0, has_next })
    }

    async fn relations(&self, user: Uuid) -> Result<Listed, Failure> {
        let connection = self.reader()?;
        // One state of the database for all three.
        let transaction = connection.unchecked_transaction()?;
        let (jobs, has_next) = page(&transaction, user)?;
        let mut messages = Vec::with_capacity(jobs.len());
        {
            let mut of_job = transaction.prepare_cached(sql::MESSAGES)?;
            for job in &jobs {
                let found = of_job.query_map([user, job.id], Message::read)?;
                messages.push(found.collect::<Result<Vec<_>, _>>()?);
            }
        }
        let owner = transaction.prepare_cached(sql::OWNER)?.query_row([user], User::read)?;
        transaction.commit()?;
        let page = rows::attach(jobs, messages, &owner);
        let messages = page.iter().map(|with| with.messages.len()).sum();
        Ok(Listed { jobs: page.len(), messages, has_next })
    }

    async fn transaction(&self, key: Key, definition: String) -> Result<(), Failure> {
        let mut connection = self.writer();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let job = job(&transaction, sql::GET, [key.job, key.user])?;
        update(&transaction, key, &definition)?;
        let text = message(0);
        let content = serde_json::Value::String(text.clone());
        let parameters =
            params![Uuid::now_v7(), key.user, job.id, content.to_string(), now(), text.to_lowercase()];
        execute(&transaction, sql::INSERT_MESSAGE, parameters)?;
        Ok(transaction.commit()?)
    }

    async fn claim(&self, limit: u32) -> Result<Vec<Claimed>, Failure> {
        let now = now();
        let until = now + i64::try_from(LEASE.as_micros())?;
        let claimed = jobs(&self.writer(), sql::CLAIM, params![now, until, WORKER, limit])?;
        Ok(claimed.into_iter().map(|job| Claimed { job: job.id, token: job.lock_token }).collect())
    }

    async fn complete(&self, claimed: Claimed) -> Result<(), Failure> {
        job(&self.writer(), sql::COMPLETE, params![claimed.job, claimed.token, now()])?;
        Ok(())
    }

    async fn bulk(&self, user: Uuid, definitions: Vec<String>) -> Result<(), Failure> {
        let mut connection = self.writer();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for definition in &definitions {
            insert(&transaction, user, definition)?;
        }
        Ok(transaction.commit()?)
    }
}
