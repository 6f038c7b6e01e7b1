//! tokio-postgres with deadpool: statements cached by `prepare_cached`, connections recycled without a query, and what does
//! not depend on each other pipelined. The variant says how rows are written in bulk: `copy` or `unnest`.

mod rows;
mod sql;

use std::process::ExitCode;

use chrono::{TimeDelta, Utc};
use contender::{
    Authenticated, BULK, Claimed, Contender, Failure, Key, LEASE, Listed, Opening, PAGE, Seen, WORKER,
    Workload, serve,
    text::{message, pattern},
    token::is_right,
};
use deadpool_postgres::{Client, ManagerConfig, Pool, PoolConfig, RecyclingMethod, Runtime};
use futures_util::{future::try_join, pin_mut};
use tokio_postgres::{
    NoTls, Row,
    binary_copy::BinaryCopyInWriter,
    types::{Json, ToSql, Type},
};
use uuid::Uuid;

use rows::{ApiKey, Job, Message, User};

fn main() -> ExitCode {
    serve::<Bench>()
}

struct Bench {
    pool: Pool,
    bulk: Bulk,
}

#[derive(Clone, Copy, PartialEq)]
enum Bulk {
    Copy,
    Unnest,
}

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

async fn query(client: &Client, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Failure> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query(&statement, parameters).await?)
}

async fn query_one(client: &Client, sql: &str, parameters: Parameters<'_>) -> Result<Row, Failure> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query_one(&statement, parameters).await?)
}

impl Contender for Bench {
    async fn open(opening: Opening) -> Result<Self, Failure> {
        let mut config = deadpool_postgres::Config::new();
        config.url = Some(opening.url);
        config.manager = Some(ManagerConfig { recycling_method: RecyclingMethod::Fast });
        config.pool = Some(PoolConfig::new(opening.connections as usize));
        let pool = config.create_pool(Some(Runtime::Tokio1), NoTls)?;
        let bulk = if opening.variant == "unnest" { Bulk::Unnest } else { Bulk::Copy };
        Ok(Self { pool, bulk })
    }

    fn unsupported(&self, workload: Workload) -> Option<&'static str> {
        match workload {
            Workload::Bulk => None,
            _ if self.bulk == Bulk::Unnest => Some("the same as the other way"),
            _ => workload.only_larder(),
        }
    }

    async fn get(&self, key: Key) -> Result<Seen, Failure> {
        let client = self.pool.get().await?;
        let row = query_one(&client, sql::GET, &[&key.job, &key.user]).await?;
        Ok(Job::read(&row)?.seen())
    }

    async fn authenticate(&self, token: &str) -> Result<Option<Authenticated>, Failure> {
        let Some((key, secret)) = token.split_once('.') else { return Ok(None) };
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(sql::API_KEY).await?;
        let Some(row) = client.query_opt(&statement, &[&key]).await? else { return Ok(None) };
        let found = ApiKey::read(&row)?;
        let good = is_right(secret, &found.secret_salt, &found.secret_hash) && found.is_good_at(Utc::now());
        Ok(good.then(|| found.authenticated()))
    }

    async fn insert(&self, user: Uuid, definition: String) -> Result<(), Failure> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(sql::INSERT).await?;
        let (id, now, search) = (Uuid::now_v7(), Utc::now(), definition.to_lowercase());
        client.execute(&statement, &[&id, &user, &definition, &now, &search]).await?;
        Ok(())
    }

    async fn update(&self, key: Key, definition: String) -> Result<Seen, Failure> {
        let client = self.pool.get().await?;
        let search = definition.to_lowercase();
        let row = query_one(&client, sql::UPDATE, &[&key.job, &key.user, &definition, &search, &Utc::now()])
            .await?;
        Ok(Job::read(&row)?.seen())
    }

    async fn delete(&self, key: Key) -> Result<(), Failure> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(sql::DELETE).await?;
        match client.execute(&statement, &[&key.job, &key.user]).await? {
            1 => Ok(()),
            _ => Err("the job is not there".into()),
        }
    }

    async fn page(&self, user: Uuid, search: Option<&str>) -> Result<Listed, Failure> {
        let client = self.pool.get().await?;
        let rows = match search {
            Some(search) => query(&client, sql::SEARCH, &[&user, &pattern(search)]).await?,
            None => query(&client, sql::PAGE, &[&user]).await?,
        };
        let (jobs, has_next) = read_page(&rows)?;
        Ok(Listed { jobs: jobs.len(), messages: 0, has_next })
    }

    async fn relations(&self, user: Uuid) -> Result<Listed, Failure> {
        let client = self.pool.get().await?;
        let (jobs, has_next) = read_page(&query(&client, sql::PAGE, &[&user]).await?)?;
        let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
        // Pipelined: the second is sent without waiting for the first.
        let parameters: (Parameters<'_>, Parameters<'_>) = (&[&user, &ids], &[&user]);
        let (messages, owner) = try_join(
            query(&client, sql::MESSAGES, parameters.0),
            query_one(&client, sql::OWNER, parameters.1),
        )
        .await?;
        let owner = User::read(&owner)?;
        let messages = messages.iter().map(Message::read).collect::<Result<Vec<_>, _>>()?;
        let pages = rows::attach(jobs, messages, &owner);
        let messages = pages.iter().map(|with| with.messages.len()).sum();
        Ok(Listed { jobs: pages.len(), messages, has_next })
    }

    async fn transaction(&self, key: Key, definition: String) -> Result<(), Failure> {
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        let get = transaction.prepare_cached(sql::GET).await?;
        let job = Job::read(&transaction.query_one(&get, &[&key.job, &key.user]).await?)?;
        let update = transaction.prepare_cached(sql::UPDATE).await?;
        let (now, search) = (Utc::now(), definition.to_lowercase());
        let row = transaction.query_one(&update, &[&job.id, &key.user, &definition, &search, &now]).await?;
        Job::read(&row)?;
        let insert = transaction.prepare_cached(sql::INSERT_MESSAGE).await?;
        let text = message(0);
        let content = Json(serde_json::Value::String(text.clone()));
        transaction
            .execute(&insert, &[&Uuid::now_v7(), &key.user, &job.id, &content, &now, &text.to_lowercase()])
            .await?;
        Ok(transaction.commit().await?)
    }

    async fn claim(&self, limit: u32) -> Result<Vec<Claimed>, Failure> {
        let client = self.pool.get().await?;
        let now = Utc::now();
        let until = now + TimeDelta::from_std(LEASE)?;
        let rows = query(&client, sql::CLAIM, &[&now, &until, &WORKER, &i64::from(limit)]).await?;
        let jobs = rows.iter().map(Job::read).collect::<Result<Vec<_>, _>>()?;
        Ok(jobs.into_iter().map(|job| Claimed { job: job.id, token: job.lock_token }).collect())
    }

    async fn complete(&self, claimed: Claimed) -> Result<(), Failure> {
        let client = self.pool.get().await?;
        let row = query_one(&client, sql::COMPLETE, &[&claimed.job, &claimed.token, &Utc::now()]).await?;
        Job::read(&row)?;
        Ok(())
    }

    async fn bulk(&self, user: Uuid, definitions: Vec<String>) -> Result<(), Failure> {
        let client = self.pool.get().await?;
        match self.bulk {
            Bulk::Copy => copy(&client, user, &definitions).await,
            Bulk::Unnest => unnest(&client, user, &definitions).await,
        }
    }
}

fn read_page(rows: &[Row]) -> Result<(Vec<Job>, bool), Failure> {
    let has_next = rows.len() > PAGE;
    let jobs = rows.iter().take(PAGE).map(Job::read).collect::<Result<_, _>>()?;
    Ok((jobs, has_next))
}

async fn copy(client: &Client, user: Uuid, definitions: &[String]) -> Result<(), Failure> {
    let sink = client.copy_in(sql::COPY).await?;
    let types = [Type::UUID, Type::UUID, Type::TEXT, Type::TIMESTAMPTZ, Type::TIMESTAMPTZ, Type::TEXT];
    let writer = BinaryCopyInWriter::new(sink, &types);
    pin_mut!(writer);
    for definition in definitions {
        let (id, now, search) = (Uuid::now_v7(), Utc::now(), definition.to_lowercase());
        writer.as_mut().write(&[&id, &user, definition, &now, &now, &search]).await?;
    }
    let written = writer.finish().await?;
    if written == BULK as u64 { Ok(()) } else { Err(format!("{written} rows were copied").into()) }
}

async fn unnest(client: &Client, user: Uuid, definitions: &[String]) -> Result<(), Failure> {
    let ids: Vec<Uuid> = definitions.iter().map(|_| Uuid::now_v7()).collect();
    let times: Vec<_> = definitions.iter().map(|_| Utc::now()).collect();
    let searches: Vec<String> = definitions.iter().map(|text| text.to_lowercase()).collect();
    let statement = client.prepare_cached(sql::UNNEST).await?;
    client.execute(&statement, &[&user, &ids, &definitions, &times, &searches]).await?;
    Ok(())
}
