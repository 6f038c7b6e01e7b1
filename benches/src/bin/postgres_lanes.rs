//! What lanes are worth on PostgreSQL: look-ups, inserts and updates of one row by 1, 16 and 64 callers, through larder with
//! lanes, larder without, and tokio-postgres with deadpool, the latter as its documentation has it (prepared statements
//! cached). The server is larder-testing's with durable settings. Contenders take turns in rounds; a result is the median of
//! the ratios of neighbouring rounds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use deadpool_postgres::{ManagerConfig, Pool, RecyclingMethod, Runtime};
use larder::prelude::*;
use larder_testing::Postgres;
use tokio_postgres::NoTls;
use uuid::Uuid;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(1);
const JOBS: usize = 20_000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone, Copy, PartialEq)]
enum Work {
    Get,
    Insert,
    Update,
}

#[derive(Clone)]
enum Contender {
    Larder(UserScope),
    ByHand(Pool, Uuid),
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let server = Postgres::builder().durable(true).start().await?;
    let database = server.database().await?;
    let (with, without) = (open(database.url(), "on").await?, open(database.url(), "off").await?);
    with.migrate().await?;
    let user = with.system().users().create(NewUser::default()).await?;
    let rows = (0..JOBS).map(|number| NewJob::new(format!("Tell me the weather in place {number}")));
    let jobs = with.user(user.id).jobs().create_many(rows).await?;
    let ids: Arc<[JobId]> = jobs.iter().map(|job| job.id).collect();

    let contenders = [
        ("larder", Contender::Larder(with.user(user.id))),
        ("larder, lanes=off", Contender::Larder(without.user(user.id))),
        ("tokio-postgres", Contender::ByHand(pool(database.url())?, user.id.uuid())),
    ];
    println!(
        "{:<8} {:>7}  {:>10} {:>18} {:>15}  {:>8} {:>8}",
        "", "callers", "larder/s", "larder lanes=off/s", "tokio-postgres/s", "to off", "to peer"
    );
    for (name, work) in [("get", Work::Get), ("insert", Work::Insert), ("update", Work::Update)] {
        for callers in [1, 16, 64] {
            let mut rates = vec![Vec::new(); contenders.len()];
            for _ in 0..ROUNDS {
                for (rates, (_, contender)) in rates.iter_mut().zip(&contenders) {
                    rates.push(round(contender, work, callers, &ids).await?);
                }
            }
            let ratio = |peer: usize| {
                median(rates[0].iter().zip(&rates[peer]).map(|(own, peer)| own / peer).collect())
            };
            let [own, off, peer] = [0, 1, 2].map(|contender| median(rates[contender].clone()));
            println!(
                "{name:<8} {callers:>7}  {own:>10.0} {off:>18.0} {peer:>15.0}  {:>8.2} {:>8.2}",
                ratio(1),
                ratio(2)
            );
        }
    }
    Ok(())
}

async fn open(url: &str, lanes: &str) -> Result<Larder, Failure> {
    Ok(Larder::open(&format!("{url}?lanes={lanes}")).await?)
}

fn pool(url: &str) -> Result<Pool, Failure> {
    let mut config = deadpool_postgres::Config::new();
    config.url = Some(url.to_owned());
    config.manager = Some(ManagerConfig { recycling_method: RecyclingMethod::Fast });
    config.pool = Some(deadpool_postgres::PoolConfig::new(8));
    Ok(config.create_pool(Some(Runtime::Tokio1), NoTls)?)
}

/// Operations per second of one contender.
async fn round(
    contender: &Contender,
    work: Work,
    callers: usize,
    ids: &Arc<[JobId]>,
) -> Result<f64, Failure> {
    let done = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (contender, ids, done) = (contender.clone(), Arc::clone(ids), Arc::clone(&done));
            tokio::spawn(async move {
                while begun.elapsed() < ROUND {
                    let id = ids[fastrand::usize(..ids.len())];
                    once(&contender, work, id).await?;
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
}

async fn once(contender: &Contender, work: Work, id: JobId) -> Result<(), Failure> {
    match contender {
        Contender::Larder(mine) => match work {
            Work::Get => assert!(mine.jobs().get(id).await?.is_some()),
            Work::Insert => drop(mine.jobs().create(NewJob::new("Tell me the weather somewhere")).await?),
            Work::Update => {
                let definition = Change::Set("Tell me the weather elsewhere".to_owned());
                mine.jobs().update(id, JobPatch { definition, ..JobPatch::default() }).await?;
            }
        },
        Contender::ByHand(pool, user) => by_hand(pool, *user, work, id.uuid()).await?,
    }
    Ok(())
}

const COLUMNS: &str = "id, user_id, definition, status::text, next_run_at, locked_until, lock_owner, lock_token, input_tokens, \
    output_tokens, reasoning_tokens, cached_input_tokens, total_tokens, created_at, updated_at";

async fn by_hand(pool: &Pool, user: Uuid, work: Work, id: Uuid) -> Result<(), Failure> {
    let client = pool.get().await?;
    match work {
        Work::Get => {
            let statement = client
                .prepare_cached(&format!("SELECT {COLUMNS} FROM jobs WHERE id = $1 AND user_id = $2"))
                .await?;
            read(&client.query_one(&statement, &[&id, &user]).await?)
        }
        Work::Insert => {
            let statement = client
                .prepare_cached(
                    "INSERT INTO jobs (id, user_id, definition, created_at, updated_at, definition_search) \
                     VALUES ($1, $2, $3, $4, $4, $5)",
                )
                .await?;
            let (id, now) = (Uuid::now_v7(), Utc::now());
            let text = "Tell me the weather somewhere";
            client.execute(&statement, &[&id, &user, &text, &now, &text.to_lowercase()]).await?;
            Ok(())
        }
        Work::Update => {
            let statement = client
                .prepare_cached(&format!(
                    "UPDATE jobs SET definition = $3, definition_search = $4, updated_at = $5 \
                     WHERE id = $1 AND user_id = $2 RETURNING {COLUMNS}"
                ))
                .await?;
            let text = "Tell me the weather elsewhere";
            read(
                &client
                    .query_one(&statement, &[&id, &user, &text, &text.to_lowercase(), &Utc::now()])
                    .await?,
            )
        }
    }
}

/// Reads a row as a program would: every column into a field.
fn read(row: &tokio_postgres::Row) -> Result<(), Failure> {
    let _: (Uuid, Uuid, String, String) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    let _: (Option<DateTime<Utc>>, Option<DateTime<Utc>>, Option<String>) =
        (row.try_get(4)?, row.try_get(5)?, row.try_get(6)?);
    for column in 7..13 {
        let _: i64 = row.try_get(column)?;
    }
    let _: (DateTime<Utc>, DateTime<Utc>) = (row.try_get(13)?, row.try_get(14)?);
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
