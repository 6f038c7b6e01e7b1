//! diesel-async with its pool of deadpool: queries in diesel's language, connections recycled without a query.

mod models;
mod schema;

use std::process::ExitCode;

use chrono::{TimeDelta, Utc};
use contender::{
    Claimed, Contender, Failure, Key, LEASE, Listed, Opening, PAGE, Seen, WORKER, serve,
    text::{message, pattern},
};
use diesel::{prelude::*, result::Error};
use diesel_async::{
    AsyncConnection, AsyncPgConnection, RunQueryDsl,
    pooled_connection::{
        AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
        deadpool::{Object, Pool},
    },
};
use uuid::Uuid;

use models::{Job, JobWith, Message, NewJob, NewMessage, Role, Status, User};
use schema::{jobs, messages, users};

fn main() -> ExitCode {
    serve::<Bench>()
}

struct Bench {
    pool: Pool<AsyncPgConnection>,
}

/// Six values a row, below PostgreSQL's limit of 65,535.
const ROWS: usize = 10_000;

impl Bench {
    async fn connection(&self) -> Result<Object<AsyncPgConnection>, Failure> {
        Ok(self.pool.get().await?)
    }
}

fn seen(job: Job) -> Seen {
    Seen { id: job.id, definition: job.definition }
}

async fn get(connection: &mut AsyncPgConnection, key: Key) -> QueryResult<Job> {
    let found = jobs::table.filter(jobs::id.eq(key.job)).filter(jobs::user_id.eq(key.user));
    found.select(Job::as_select()).first(connection).await
}

async fn update(connection: &mut AsyncPgConnection, key: Key, definition: &str) -> QueryResult<Job> {
    diesel::update(jobs::table.filter(jobs::id.eq(key.job)).filter(jobs::user_id.eq(key.user)))
        .set((
            jobs::definition.eq(definition),
            jobs::definition_search.eq(definition.to_lowercase()),
            jobs::updated_at.eq(Utc::now()),
        ))
        .returning(Job::as_returning())
        .get_result(connection)
        .await
}

async fn page(connection: &mut AsyncPgConnection, user: Uuid) -> QueryResult<(Vec<Job>, bool)> {
    let page = jobs::table
        .filter(jobs::user_id.eq(user))
        .order((jobs::created_at.desc(), jobs::id.desc()))
        .limit(PAGE as i64 + 1);
    Ok(cut(page.select(Job::as_select()).load(connection).await?))
}

async fn search(connection: &mut AsyncPgConnection, user: Uuid, text: &str) -> QueryResult<(Vec<Job>, bool)> {
    let page = jobs::table
        .filter(jobs::user_id.eq(user))
        .filter(jobs::definition_search.like(pattern(text)).escape('\\'))
        .order((jobs::created_at.desc(), jobs::id.desc()))
        .limit(PAGE as i64 + 1);
    Ok(cut(page.select(Job::as_select()).load(connection).await?))
}

fn cut(mut jobs: Vec<Job>) -> (Vec<Job>, bool) {
    let has_next = jobs.len() > PAGE;
    jobs.truncate(PAGE);
    (jobs, has_next)
}

impl Contender for Bench {
    async fn open(opening: Opening) -> Result<Self, Failure> {
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Fast;
        let manager = AsyncDieselConnectionManager::new_with_config(opening.url, config);
        Ok(Self { pool: Pool::builder(manager).max_size(opening.connections as usize).build()? })
    }

    async fn get(&self, key: Key) -> Result<Seen, Failure> {
        Ok(seen(get(&mut *self.connection().await?, key).await?))
    }

    async fn insert(&self, user: Uuid, definition: String) -> Result<(), Failure> {
        let new = NewJob::new(user, &definition);
        diesel::insert_into(jobs::table).values(new).execute(&mut *self.connection().await?).await?;
        Ok(())
    }

    async fn update(&self, key: Key, definition: String) -> Result<Seen, Failure> {
        Ok(seen(update(&mut *self.connection().await?, key, &definition).await?))
    }

    async fn delete(&self, key: Key) -> Result<(), Failure> {
        let row = jobs::table.filter(jobs::id.eq(key.job)).filter(jobs::user_id.eq(key.user));
        match diesel::delete(row).execute(&mut *self.connection().await?).await? {
            1 => Ok(()),
            _ => Err("the job is not there".into()),
        }
    }

    async fn page(&self, user: Uuid, text: Option<&str>) -> Result<Listed, Failure> {
        let connection = &mut *self.connection().await?;
        let (jobs, has_next) = match text {
            Some(text) => search(connection, user, text).await?,
            None => page(connection, user).await?,
        };
        Ok(Listed { jobs: jobs.len(), messages: 0, has_next })
    }

    async fn relations(&self, user: Uuid) -> Result<Listed, Failure> {
        let connection = &mut *self.connection().await?;
        let (jobs, has_next) = page(connection, user).await?;
        let of_jobs = Message::belonging_to(&jobs).order((messages::created_at, messages::id));
        let of_jobs: Vec<Message> = of_jobs.select(Message::as_select()).load(connection).await?;
        let owner: User = users::table.find(user).select(User::as_select()).first(connection).await?;
        let of_jobs = of_jobs.grouped_by(&jobs);
        let page: Vec<_> = jobs
            .into_iter()
            .zip(of_jobs)
            .map(|(job, messages)| JobWith { job, messages, owner: owner.clone() })
            .collect();
        let messages = page.iter().map(|with| with.messages.len()).sum();
        Ok(Listed { jobs: page.len(), messages, has_next })
    }

    async fn transaction(&self, key: Key, definition: String) -> Result<(), Failure> {
        let connection = &mut *self.connection().await?;
        let done = connection.transaction::<_, Error, _>(async |connection| {
            let job = get(connection, key).await?;
            update(connection, key, &definition).await?;
            let (now, text) = (Utc::now(), message(0));
            let new = NewMessage {
                id: Uuid::now_v7(),
                user_id: key.user,
                job_id: job.id,
                role: Role::User,
                content: serde_json::Value::String(text.clone()),
                created_at: now,
                updated_at: now,
                content_search: text.to_lowercase(),
            };
            diesel::insert_into(messages::table).values(new).execute(connection).await?;
            Ok(())
        });
        Ok(done.await?)
    }

    /// Diesel's language has no `UPDATE … FROM` of a locking query: a transaction of two statements.
    async fn claim(&self, limit: u32) -> Result<Vec<Claimed>, Failure> {
        let now = Utc::now();
        let until = now + TimeDelta::from_std(LEASE)?;
        let connection = &mut *self.connection().await?;
        let claimed = connection.transaction::<_, Error, _>(async |connection| {
            let due: Vec<Uuid> = jobs::table
                .filter(jobs::status.eq(Status::Active))
                .filter(jobs::next_run_at.le(now))
                .filter(jobs::locked_until.is_null().or(jobs::locked_until.le(now)))
                .order((jobs::next_run_at, jobs::id))
                .limit(i64::from(limit))
                .select(jobs::id)
                .for_update()
                .skip_locked()
                .load(connection)
                .await?;
            diesel::update(jobs::table.filter(jobs::id.eq_any(due)))
                .set((
                    jobs::locked_until.eq(until),
                    jobs::lock_owner.eq(WORKER),
                    jobs::lock_token.eq(jobs::lock_token + 1),
                    jobs::updated_at.eq(now),
                ))
                .returning(Job::as_returning())
                .get_results(connection)
                .await
        });
        let claimed = claimed.await?;
        Ok(claimed.into_iter().map(|job| Claimed { job: job.id, token: job.lock_token }).collect())
    }

    async fn complete(&self, claimed: Claimed) -> Result<(), Failure> {
        let held = jobs::table
            .filter(jobs::id.eq(claimed.job))
            .filter(jobs::lock_token.eq(claimed.token))
            .filter(jobs::locked_until.is_not_null());
        let _: Job = diesel::update(held)
            .set((
                jobs::next_run_at.eq(None::<chrono::DateTime<Utc>>),
                jobs::locked_until.eq(None::<chrono::DateTime<Utc>>),
                jobs::lock_owner.eq(None::<String>),
                jobs::input_tokens.eq(jobs::input_tokens + 120),
                jobs::output_tokens.eq(jobs::output_tokens + 30),
                jobs::total_tokens.eq(jobs::total_tokens + 150),
                jobs::updated_at.eq(Utc::now()),
            ))
            .returning(Job::as_returning())
            .get_result(&mut *self.connection().await?)
            .await?;
        Ok(())
    }

    async fn bulk(&self, user: Uuid, definitions: Vec<String>) -> Result<(), Failure> {
        let new: Vec<_> = definitions.iter().map(|definition| NewJob::new(user, definition)).collect();
        let connection = &mut *self.connection().await?;
        let done = connection.transaction::<_, Error, _>(async |connection| {
            for rows in new.chunks(ROWS) {
                diesel::insert_into(jobs::table).values(rows).execute(connection).await?;
            }
            Ok(())
        });
        Ok(done.await?)
    }
}
