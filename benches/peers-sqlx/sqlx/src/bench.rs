//! The operations, the same on both databases but for what the crate's root says.

use contender::{
    Claimed, Contender, Failure, Key, LEASE, Listed, Opening, PAGE, Seen, WORKER,
    text::{message, pattern},
};
use sqlx::{query, query_as, types::Json};
use uuid::Uuid;

use crate::{
    BEGIN, CLAIM, Pool, after, bulk, engine, messages, now, open,
    rows::{Job, User, attach, job_columns},
};

const GET: &str = concat!("SELECT ", job_columns!(), " FROM jobs WHERE id = $1 AND user_id = $2");

const INSERT: &str = "INSERT INTO jobs (id, user_id, definition, created_at, updated_at, definition_search) \
     VALUES ($1, $2, $3, $4, $4, $5)";

const UPDATE: &str = concat!(
    "UPDATE jobs SET definition = $3, definition_search = $4, updated_at = $5 \
     WHERE id = $1 AND user_id = $2 RETURNING ",
    job_columns!()
);

const DELETE: &str = "DELETE FROM jobs WHERE id = $1 AND user_id = $2";

const LIST: &str = concat!(
    "SELECT ",
    job_columns!(),
    " FROM jobs WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT 11"
);

const SEARCH: &str = concat!(
    "SELECT ",
    job_columns!(),
    " FROM jobs WHERE user_id = $1 AND definition_search LIKE $2 ESCAPE '\\' \
     ORDER BY created_at DESC, id DESC LIMIT 11"
);

const OWNER: &str =
    "SELECT id, name, email, email_verified_at, image, created_at, updated_at FROM users WHERE id = $1";

const INSERT_MESSAGE: &str = "INSERT INTO messages (id, user_id, job_id, role, content, created_at, updated_at, content_search) \
     VALUES ($1, $2, $3, 'user', $4, $5, $5, $6)";

const COMPLETE: &str = concat!(
    "UPDATE jobs SET next_run_at = NULL, locked_until = NULL, lock_owner = NULL, input_tokens = input_tokens + 120, \
     output_tokens = output_tokens + 30, total_tokens = total_tokens + 150, updated_at = $3 \
     WHERE id = $1 AND lock_token = $2 AND locked_until IS NOT NULL RETURNING ",
    job_columns!()
);

pub(crate) struct Bench {
    reader: Pool,
    writer: Pool,
}

fn seen(job: Job) -> Seen {
    Seen { id: job.id, definition: job.definition }
}

fn cut(mut jobs: Vec<Job>) -> (Vec<Job>, bool) {
    let has_next = jobs.len() > PAGE;
    jobs.truncate(PAGE);
    (jobs, has_next)
}

impl Contender for Bench {
    async fn open(opening: Opening) -> Result<Self, Failure> {
        let (reader, writer) = open(&opening).await?;
        Ok(Self { reader, writer })
    }

    async fn engine(&self) -> Result<Option<String>, Failure> {
        engine(&self.reader).await
    }

    async fn get(&self, key: Key) -> Result<Seen, Failure> {
        Ok(seen(query_as(GET).bind(key.job).bind(key.user).fetch_one(&self.reader).await?))
    }

    async fn insert(&self, user: Uuid, definition: String) -> Result<(), Failure> {
        let search = definition.to_lowercase();
        let insert = query(INSERT).bind(Uuid::now_v7()).bind(user).bind(definition).bind(now()).bind(search);
        insert.execute(&self.writer).await?;
        Ok(())
    }

    async fn update(&self, key: Key, definition: String) -> Result<Seen, Failure> {
        let search = definition.to_lowercase();
        let update = query_as(UPDATE).bind(key.job).bind(key.user).bind(definition).bind(search).bind(now());
        Ok(seen(update.fetch_one(&self.writer).await?))
    }

    async fn delete(&self, key: Key) -> Result<(), Failure> {
        let deleted = query(DELETE).bind(key.job).bind(key.user).execute(&self.writer).await?;
        if deleted.rows_affected() == 1 { Ok(()) } else { Err("the job is not there".into()) }
    }

    async fn page(&self, user: Uuid, search: Option<&str>) -> Result<Listed, Failure> {
        let jobs = match search {
            Some(search) => query_as(SEARCH).bind(user).bind(pattern(search)).fetch_all(&self.reader).await?,
            None => query_as(LIST).bind(user).fetch_all(&self.reader).await?,
        };
        let (jobs, has_next) = cut(jobs);
        Ok(Listed { jobs: jobs.len(), messages: 0, has_next })
    }

    async fn relations(&self, user: Uuid) -> Result<Listed, Failure> {
        let (jobs, has_next) = cut(query_as(LIST).bind(user).fetch_all(&self.reader).await?);
        let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
        let messages = messages(&self.reader, user, &ids).await?;
        let owner: User = query_as(OWNER).bind(user).fetch_one(&self.reader).await?;
        let page = attach(jobs, messages, &owner);
        let messages = page.iter().map(|with| with.messages.len()).sum();
        Ok(Listed { jobs: page.len(), messages, has_next })
    }

    async fn transaction(&self, key: Key, definition: String) -> Result<(), Failure> {
        let mut transaction = self.writer.begin_with(BEGIN).await?;
        let job: Job = query_as(GET).bind(key.job).bind(key.user).fetch_one(&mut *transaction).await?;
        let (now, search) = (now(), definition.to_lowercase());
        let update = query_as(UPDATE).bind(job.id).bind(key.user).bind(definition).bind(search).bind(now);
        let job: Job = update.fetch_one(&mut *transaction).await?;
        let text = message(0);
        let insert = query(INSERT_MESSAGE).bind(Uuid::now_v7()).bind(key.user).bind(job.id);
        let insert = insert.bind(Json(serde_json::Value::String(text.clone()))).bind(now);
        insert.bind(text.to_lowercase()).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    async fn claim(&self, limit: u32) -> Result<Vec<Claimed>, Failure> {
        let now = now();
        let claim = query_as(CLAIM).bind(now).bind(after(now, LEASE)).bind(WORKER).bind(i64::from(limit));
        let jobs: Vec<Job> = claim.fetch_all(&self.writer).await?;
        Ok(jobs.into_iter().map(|job| Claimed { job: job.id, token: job.lock_token }).collect())
    }

    async fn complete(&self, claimed: Claimed) -> Result<(), Failure> {
        let complete = query_as(COMPLETE).bind(claimed.job).bind(claimed.token).bind(now());
        let _: Job = complete.fetch_one(&self.writer).await?;
        Ok(())
    }

    async fn bulk(&self, user: Uuid, definitions: Vec<String>) -> Result<(), Failure> {
        bulk(&self.writer, user, &definitions).await
    }
}
