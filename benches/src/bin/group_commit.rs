//! How much 64 concurrent callers gain from sharing commits on a libSQL file with `synchronous=full`.

use std::{
    env,
    error::Error,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use larder_core::{Column, ColumnType, Insert, Source, Sql, Store, Table, Value, Verb};
use larder_libsql::{LibsqlConfig, LibsqlStore};
use larder_sql::{Dialect, create_schema};
use uuid::Uuid;

const CALLERS: usize = 64;
const WARM_UP: Duration = Duration::from_secs(1);
const MEASURED: Duration = Duration::from_secs(5);

static NOTES: Table = Table {
    name: "notes",
    entity: "Note",
    columns: &[
        column("id", ColumnType::Uuid),
        column("number", ColumnType::Int),
        column("text", ColumnType::Text),
    ],
    visible: 3,
    primary_key: &[0],
    uniques: &[],
    foreign_keys: &[],
    indexes: &[],
    owner: None,
    created_at: None,
    updated_at: None,
};

const fn column(name: &'static str, kind: ColumnType) -> Column {
    Column { name, kind, nullable: false, default: None, type_rules: &[], rules: &[], source: Source::Field }
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = match env::args_os().nth(1) {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(compare(directory.path()))
}

async fn compare(directory: &Path) -> Result<(), Box<dyn Error>> {
    println!("inserts into {}, synchronous=full, {} s each", directory.display(), MEASURED.as_secs());
    let alone = rate(directory, 1).await?;
    println!("{:>3} caller:  {alone:>9.0} inserts/s", 1);
    let together = rate(directory, CALLERS).await?;
    println!("{CALLERS:>3} callers: {together:>9.0} inserts/s");
    println!("ratio: {:.1} (promised: at least 5)", together / alone);
    Ok(())
}

/// Inserts per second of this many callers, on a fresh database.
async fn rate(directory: &Path, callers: usize) -> Result<f64, Box<dyn Error>> {
    let path = directory.join(format!("{callers}.db"));
    let config = LibsqlConfig::parse(&format!("file:{}?synchronous=full", path.display()))?;
    let store: Arc<dyn Store> = Arc::new(LibsqlStore::open(config).await?);
    store.sql(Sql::portable(create_schema(Dialect::Sqlite, &[&NOTES]))).await?;
    let inserted = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..callers)
        .map(|caller| tokio::spawn(insert(Arc::clone(&store), caller as u64, Arc::clone(&inserted))))
        .collect();
    tokio::time::sleep(WARM_UP).await;
    let (begun, before) = (Instant::now(), inserted.load(Ordering::Relaxed));
    tokio::time::sleep(MEASURED).await;
    let rate = (inserted.load(Ordering::Relaxed) - before) as f64 / begun.elapsed().as_secs_f64();
    for task in tasks {
        task.abort();
        // It was aborted, or ended with the error that is worth knowing.
        if let Ok(error) = task.await {
            return Err(error.into());
        }
    }
    store.close().await?;
    Ok(rate)
}

/// Inserts one row after the other until something fails.
async fn insert(store: Arc<dyn Store>, caller: u64, inserted: Arc<AtomicU64>) -> larder_core::Error {
    for number in 0.. {
        // Ids that grow, as those of an application do.
        let id = Uuid::from_u64_pair(number, caller);
        let row = vec![
            Value::Uuid(id),
            Value::Int(number as i64),
            Value::Text("a row of an ordinary size, as a service would write it".to_owned()),
        ];
        if let Err(error) = store.execute(Verb::Insert(Insert { table: &NOTES, rows: vec![row] })).await {
            return error;
        }
        inserted.fetch_add(1, Ordering::Relaxed);
    }
    unreachable!("there is always a next number")
}
