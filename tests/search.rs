//! The indexes that search uses: that they are used, and that they never say less than the rows.

// Clippy takes functions beside the tests for production code.
#![allow(clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use larder::{
    ColumnType, Dialect, Filter, Larder, Migrations, Row, Select, Sql, SqlOutcome, SystemClock, Value, Verb,
    model, prelude::*,
};
use larder_conformance::Failure;
use larder_migrate::LEDGER;
use larder_sql::{Bind, Statement, introspect, select_by_search};
use larder_testing::{Postgres, PostgresDatabase, poll_until};
use tempfile::TempDir;
use uuid::Uuid;

/// What few jobs have; in a database whose letters are ASCII's alone no trigram of it would be one.
const RARE: &str = "ΣΊΣΥΦΟΣ 100%";

/// One in so many has it.
const ONE_IN: u64 = 10_000;

/// To write a million rows takes its time.
const PATIENT: &str = "timeout=600s";

/// How many jobs there are: `LARDER_ROWS`, or enough for the planners to choose as they do for a million.
fn rows() -> u64 {
    std::env::var("LARDER_ROWS").map_or(50_000, |rows| rows.parse().expect("LARDER_ROWS is a number"))
}

/// Gives all jobs to one user, and prepares the planners.
async fn fill(larder: &Larder, rows: u64) -> Result<UserScope, Failure> {
    let user = larder.system().users().create(NewUser::default()).await?.id;
    let columns = "id, user_id, definition, created_at, updated_at, definition_search";
    let begun = Instant::now();
    let script = |id: &str, user: String, time: &str, numbers: &str| {
        format!(
            "INSERT INTO jobs ({columns}) SELECT {id}, {user}, text, {time}, {time}, text FROM (
                SELECT n, 'tell me the weather in place ' || n
                    || CASE WHEN n % {ONE_IN} = 77 THEN ' and what σίσυφοσ 100% has to do' ELSE '' END AS text
                FROM {numbers}) AS texts"
        )
    };
    let id = user.uuid().simple().to_string();
    let postgres = script(
        "lpad(to_hex(n), 32, '0')::uuid",
        format!("'{id}'"),
        "timestamptz '2026-01-01 00:00:00+00' + n * interval '1 second'",
        &format!("generate_series(1, {rows}) AS numbers (n)"),
    );
    let numbers = format!(
        "(WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows}) SELECT n FROM numbers)"
    );
    let sqlite =
        script("unhex(printf('%032x', n))", format!("x'{id}'"), "1767225600000000 + n * 1000000", &numbers);
    larder.system().sql(Sql::new(postgres, sqlite)).await?;
    larder.system().sql(Sql::portable("ANALYZE")).await?;
    println!("{rows} rows written in {:?}", begun.elapsed());
    Ok(larder.user(user))
}

async fn page(mine: &UserScope, search: &str) -> Result<Vec<Job>, Failure> {
    let begun = Instant::now();
    let list = ListJobs { search: Some(search.to_owned()), ..ListJobs::default() };
    let page = mine.jobs().list(list).await?;
    println!("{search:?}: {} jobs in {:?}", page.items.len(), begun.elapsed());
    Ok(page.items)
}

/// What [`page`] sends.
fn select(mine: &UserScope, search: &str) -> Select {
    let filter = contains(&larder::fold(search));
    let order = vec![Job::CREATED_AT.order(SortDirection::Desc), Job::ID.order(SortDirection::Desc)];
    match mine.jobs().selection(filter, order, Some(11)) {
        Verb::Select(select) => select,
        other => panic!("{other:?} is no select"),
    }
}

/// A server's or a file's plan for a statement.
async fn plan(larder: &Larder, statement: Statement, column: usize) -> Result<String, Failure> {
    let text = statement.text;
    let mut sql = Sql::new(format!("EXPLAIN {text}"), format!("EXPLAIN QUERY PLAN {text}"));
    for bind in statement.binds {
        sql = match bind {
            Bind::One { kind, value } => sql.bind(kind, value),
            Bind::Pattern { value } => sql.bind(ColumnType::Text, value),
            Bind::Many { .. } => panic!("an array"),
        };
    }
    let types = match column {
        0 => vec![ColumnType::Text],
        _ => vec![ColumnType::Int, ColumnType::Int, ColumnType::Int, ColumnType::Text],
    };
    let rows = larder.system().sql(sql.returning(types)).await?.rows;
    Ok(rows.iter().map(|row| format!("{}\n", text_of(row, column))).collect())
}

fn text_of(row: &Row, column: usize) -> &str {
    match row.get(column) {
        Some(Value::Text(text)) => text,
        other => panic!("{other:?} is no text"),
    }
}

async fn number(larder: &Larder, query: impl Into<String>) -> Result<i64, Failure> {
    let SqlOutcome { rows, .. } =
        larder.system().sql(Sql::portable(query.into()).returning([ColumnType::Int])).await?;
    match rows.first().and_then(|row| row.get(0)) {
        Some(Value::Int(number)) => Ok(*number),
        other => Err(format!("{other:?} is no number").into()),
    }
}

async fn on_postgres() -> Result<(Larder, PostgresDatabase), Failure> {
    let database = Postgres::shared().await?.database().await?;
    let larder = Larder::open(&format!("{}?{PATIENT}", database.url())).await?;
    larder.migrate().await?;
    Ok((larder, database))
}

async fn in_a_file() -> Result<(Larder, TempDir), Failure> {
    let directory = TempDir::with_prefix("larder-test-")?;
    let file = directory.path().join("test.db");
    let larder = Larder::open(&format!("file:{}?{PATIENT}", file.display())).await?;
    larder.migrate().await?;
    Ok((larder, directory))
}

/// The jobs that a search for [`RARE`] finds: the latest ten.
fn assert_rare(found: &[Job], rows: u64) {
    let numbers = (1..=rows).rev().filter(|number| number % ONE_IN == 77).take(10);
    let ids: Vec<_> = numbers.map(|number| JobId::from_uuid(Uuid::from_u128(number.into()))).collect();
    assert_eq!(found.iter().map(|job| job.id).collect::<Vec<_>>(), ids);
}

/// PostgreSQL finds what is rare by the index of trigrams, whose user the rows may be, and does so again and again: no plan that
/// is made for any text takes its place.
#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_the_index_serves_what_is_rare() -> Result<(), Failure> {
    const TIMES: i64 = 20;
    let (larder, _database) = on_postgres().await?;
    let mine = fill(&larder, rows()).await?;
    let plan = plan(&larder, larder_sql::select(Dialect::Postgres, &select(&mine, RARE)), 0).await?;
    println!("{plan}");
    assert!(plan.contains("Bitmap Index Scan on jobs_trgm"), "{plan}");
    assert!(!plan.contains("Seq Scan") && !plan.contains("user_id_created_at_id_idx"), "{plan}");

    let uses = "SELECT coalesce(sum(idx_scan), 0)::bigint FROM pg_stat_user_indexes WHERE indexrelname = 'jobs_trgm'";
    let before = number(&larder, uses).await?;
    for _ in 0..TIMES {
        assert_rare(&page(&mine, RARE).await?, rows());
    }
    poll_until(Duration::from_secs(30), "the searches' use of the index", || async {
        (number(&larder, uses).await.ok()? >= before + TIMES).then_some(())
    })
    .await?;
    let common = page(&mine, "WEATHER").await?;
    assert_eq!((common.len(), common[0].created_at), (10, common[0].updated_at));
    Ok(())
}

/// SQLite finds what is rare by the index, and walks in the order of the page when half of the rows would be candidates.
#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_the_index_serves_what_is_rare() -> Result<(), Failure> {
    let (larder, _directory) = in_a_file().await?;
    let mine = fill(&larder, rows()).await?;
    let plan = plan(&larder, select_by_search(&select(&mine, RARE)), 3).await?;
    println!("{plan}");
    for step in
        ["SEARCH jobs USING INDEX sqlite_autoindex_jobs_1 (id=?)", "SCAN jobs_trgm VIRTUAL TABLE INDEX"]
    {
        assert!(plan.contains(step), "{step} in {plan}");
    }
    assert!(!plan.contains("SCAN jobs\n"), "{plan}");
    assert_rare(&page(&mine, RARE).await?, rows());
    assert_eq!(page(&mine, "weather").await?.len(), 10);
    let begun = Instant::now();
    let all = contains("weather");
    assert_eq!(mine.jobs().count(all.clone()).await?, rows());
    println!("all counted in {:?}", begun.elapsed());

    // Without its numbers nothing is found by the index any more.
    larder.system().sql(Sql::new("", "DELETE FROM jobs_trgm_keys")).await?;
    assert_eq!(page(&mine, RARE).await?, []);
    assert_eq!(mine.jobs().count(contains("what σίσυφοσ")).await?, 0);
    // By the walk, and in every row when nearly all have it or the text has no trigram, it is.
    assert_eq!(page(&mine, "weather").await?.len(), 10);
    assert_eq!(mine.jobs().count(all).await?, rows());
    assert_rare(&page(&mine, "0%").await?, rows());
    Ok(())
}

/// What SQLite's index holds is what is in the rows: after every kind of write, after what was undone, and after rows have got
/// other rowids.
#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_the_index_follows_every_write() -> Result<(), Failure> {
    let (larder, _directory) = in_a_file().await?;
    let users: Vec<_> = larder.system().users().create_many([NewUser::default(), NewUser::default()]).await?;
    let [ada, bob] = [larder.user(users[0].id), larder.user(users[1].id)];
    let texts = |who: &str| {
        (0..150).map(|number| NewJob::new(format!("{who}'s number {number}"))).collect::<Vec<_>>()
    };
    let jobs = ada.jobs().create_many(texts("Ada")).await?;
    bob.jobs().create_many(texts("Bob")).await?;
    for job in jobs.iter().step_by(2) {
        let patch = JobPatch { definition: format!("now {}", job.definition).into(), ..JobPatch::default() };
        ada.jobs().update(job.id, patch).await?;
    }
    for job in jobs.iter().step_by(5) {
        ada.jobs().delete(job.id).await?;
    }
    let undone: larder::Result<()> = ada
        .transaction(async |tx| {
            tx.jobs().create_many(texts("Nobody")).await?;
            tx.jobs().delete(jobs[1].id).await?;
            assert_eq!(tx.jobs().count(contains("nobody's number")).await?, 150);
            Err(Error::new(ErrorKind::Application, "undone"))
        })
        .await;
    assert!(undone.is_err());
    larder.system().sql(Sql::new("", "UPDATE jobs SET rowid = 10000 - rowid")).await?;
    assert_index_is_the_rows(&larder, &ada, "ada's number").await?;
    assert_eq!(ada.jobs().count(contains("now ada's")).await?, 60);
    assert_eq!(ada.jobs().count(contains("nobody")).await?, 0);

    larder.system().users().delete(users[1].id).await?;
    assert_index_is_the_rows(&larder, &ada, "ada's number").await?;
    ada.jobs().create_many(texts("Ada")).await?;
    assert_index_is_the_rows(&larder, &ada, "number").await
}

fn contains(text: &str) -> Filter {
    let column = Job::TABLE.search_columns().next().expect("jobs are searched");
    Filter::Contains { column, text: text.to_owned() }
}

/// Every job has one number, no job that is gone has one, and the index holds the texts of those that were written, once.
async fn assert_index_is_the_rows(larder: &Larder, mine: &UserScope, in_all: &str) -> Result<(), Failure> {
    let differ = "SELECT count(*) FROM jobs FULL JOIN jobs_trgm_keys USING (id) WHERE definition IS NULL OR trgm IS NULL";
    assert_eq!(number(larder, differ).await?, 0);
    let written = "FROM jobs_trgm_keys WHERE trgm <= (SELECT seq - seq % 64 FROM sqlite_sequence WHERE name = 'jobs_trgm_keys')";
    assert!(number(larder, format!("SELECT count(*) {written}")).await? > 0);
    let numbers = async |query: String| -> Result<BTreeSet<i64>, Failure> {
        let rows = larder.system().sql(Sql::portable(query).returning([ColumnType::Int])).await?.rows;
        let numbers: Vec<_> = rows.iter().map(|row| row.get(0).cloned()).collect();
        let set: BTreeSet<_> = numbers
            .iter()
            .filter_map(|it| if let Some(Value::Int(it)) = it { Some(*it) } else { None })
            .collect();
        assert_eq!(set.len(), rows.len());
        Ok(set)
    };
    let indexed = numbers("SELECT rowid FROM jobs_trgm WHERE jobs_trgm MATCH '\"num\"'".to_owned()).await?;
    assert_eq!(indexed, numbers(format!("SELECT trgm {written}")).await?);
    let (all, found) =
        (mine.jobs().count(Filter::always()).await?, mine.jobs().count(contains(in_all)).await?);
    assert_eq!(found, all);
    Ok(())
}

/// Rows that were there before the index are found by it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_is_indexed() -> Result<(), Failure> {
    let all = model::migrations();
    let first = &all.steps()[0];
    let before = Migrations::new(all.source().to_owned()).then(
        first.name.clone(),
        first.postgres.clone(),
        first.sqlite.clone(),
    );
    let directory = TempDir::with_prefix("larder-test-")?;
    let file = format!("file:{}", directory.path().join("test.db").display());
    let database = Postgres::shared().await?.database().await?;
    for url in [file.as_str(), database.url()] {
        let larder = Larder::open(url).await?;
        larder_migrate::migrate(larder.store(), &SystemClock, std::slice::from_ref(&before)).await?;
        let user = larder.system().users().create(NewUser::default()).await?.id;
        let jobs = (0..100).map(|number| NewJob::new(format!("from before: {number}")));
        larder.user(user).jobs().create_many(jobs).await?;
        larder.migrate().await?;
        assert_eq!(larder.user(user).jobs().count(contains("before: ")).await?, 100);
        assert_eq!(page(&larder.user(user), "BEFORE: 77").await?.len(), 1);
        assert!(has_index(&larder).await?, "{url}");
    }
    Ok(())
}

async fn has_index(larder: &Larder) -> Result<bool, Failure> {
    let schema = introspect(&**larder.store(), &[LEDGER.name]).await?;
    let jobs = schema.tables.into_iter().find(|table| table.name == "jobs");
    Ok(jobs.and_then(|jobs| jobs.search).is_some())
}

/// Where pg_trgm may not be created, or is not there, the tables are made without the index, and the same is found.
#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_it_goes_without_the_extension() -> Result<(), Failure> {
    let database = Postgres::shared().await?.database().await?;
    let admin = Larder::open(database.url()).await?;
    let role = format!("limited_{}", database.name());
    let script = format!(
        "CREATE ROLE \"{role}\" LOGIN PASSWORD 'limited'; GRANT CREATE, USAGE ON SCHEMA public TO \"{role}\""
    );
    admin.system().sql(Sql::new(script, "")).await?;
    let (_, address) = database.url().split_once('@').expect("a URL with a user");
    let limited = Larder::open(&format!("postgres://{role}:limited@{address}")).await?;
    limited.migrate().await?;
    assert!(!has_index(&limited).await?);
    let mine = fill(&limited, 100).await?;
    assert_eq!(page(&mine, RARE).await?.len(), 1);
    // Once it is there, the same script makes the index.
    let add = larder::add_search_index(Dialect::Postgres, Job::TABLE);
    let missing = add.replace("pg_trgm", "pg_no_such_extension");
    admin.system().sql(Sql::new(missing, "")).await?;
    assert!(!has_index(&admin).await?);
    admin.system().sql(Sql::new(add, "")).await?;
    assert!(has_index(&limited).await?);
    assert_eq!(page(&mine, RARE).await?.len(), 1);
    limited.close().await?;
    admin.system().sql(Sql::new(format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\""), "")).await?;
    Ok(())
}
