//! 64 callers write rows to one libSQL server for a minute: by larder, then by the libsql crate's remote client, each on a
//! server of its own. What was acknowledged is counted on the server afterwards, over a connection of its own.
//!
//!     cargo run --release -p remote --bin writers            # a minute each
//!     cargo run --release -p remote --bin writers -- 10      # ten seconds each

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use larder::{ColumnType, Dialect, Entity as _, Larder, Sql};
use larder_testing::Sqld;
use remote::{Event, NewEvent};
use uuid::Uuid;

const WRITERS: u64 = 64;

/// A call that takes longer is counted as hanging.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(60), |text| text.parse())?;
    println!("{WRITERS} writers, {seconds} s each");
    for contender in ["larder", "libsql"] {
        let server = Sqld::start().await?;
        let url = server.url();
        let larder = Larder::open(&url).await?;
        let schema = larder::create_schema(Dialect::Sqlite, &[Event::TABLE]);
        larder.system().sql(Sql::portable(schema)).await?;
        let run = Run::new(Duration::from_secs(seconds));
        match contender {
            "larder" => run.by_larder(&larder).await,
            _ => run.by_libsql(&url).await?,
        }
        run.report(contender, &larder).await;
    }
    Ok(())
}

#[derive(Default)]
struct Told {
    acknowledged: AtomicU64,
    failed: AtomicU64,
    hung: AtomicU64,
    slowest_micros: AtomicU64,
}

struct Run {
    end: Instant,
    seconds: f64,
    told: Arc<Told>,
}

impl Run {
    fn new(length: Duration) -> Self {
        Self { end: Instant::now() + length, seconds: length.as_secs_f64(), told: Arc::default() }
    }

    async fn by_larder(&self, larder: &Larder) {
        self.write(|writer| {
            let events = larder.system().repo::<Event>();
            async move { events.create(NewEvent::new(writer as i64, "a row")).await.map(drop) }
        })
        .await;
    }

    async fn by_libsql(&self, url: &str) -> libsql::Result<()> {
        let database = libsql::Builder::new_remote(url.to_owned(), String::new()).build().await?;
        let connections = (0..WRITERS).map(|_| database.connect()).collect::<libsql::Result<Vec<_>>>()?;
        self.write(|writer| {
            let connection = connections[writer as usize].clone();
            async move {
                let now = chrono::Utc::now();
                let id = Uuid::now_v7().as_bytes().to_vec();
                let insert = r#"INSERT INTO "events" ("id", "writer", "text", "created_at", "updated_at")
                    VALUES (?1, ?2, 'a row', ?3, ?3)"#;
                connection.execute(insert, (id, writer as i64, now.timestamp_micros())).await.map(drop)
            }
        })
        .await;
        Ok(())
    }

    /// Writes with all writers until the time is over.
    async fn write<F, E>(&self, call: impl Fn(u64) -> F)
    where
        F: Future<Output = Result<(), E>>,
        E: std::fmt::Debug,
    {
        let writers = (0..WRITERS).map(|writer| {
            let (call, told) = (&call, Arc::clone(&self.told));
            async move {
                while Instant::now() < self.end {
                    let begun = Instant::now();
                    let ended = tokio::time::timeout(PATIENCE, call(writer)).await;
                    let counter = match ended {
                        Ok(Ok(())) => &told.acknowledged,
                        Ok(Err(error)) => {
                            if told.failed.load(Ordering::Relaxed) < 3 {
                                eprintln!("writer {writer}: {error:?}");
                            }
                            // A client that fails at once is not to spin.
                            tokio::time::sleep(Duration::from_millis(10)).await;
                            &told.failed
                        }
                        Err(_) => &told.hung,
                    };
                    counter.fetch_add(1, Ordering::Relaxed);
                    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                    told.slowest_micros.fetch_max(micros, Ordering::Relaxed);
                }
            }
        });
        futures_util::future::join_all(writers).await;
    }

    async fn report(&self, contender: &str, larder: &Larder) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let acknowledged = load(&self.told.acknowledged);
        println!(
            "{contender}: {acknowledged} rows acknowledged, {:.0}/s; {} calls failed, {} hung for {PATIENCE:?}; slowest {:.0} ms",
            acknowledged as f64 / self.seconds,
            load(&self.told.failed),
            load(&self.told.hung),
            load(&self.told.slowest_micros) as f64 / 1000.0,
        );
        let query = Sql::portable("SELECT count(*) FROM \"events\"").returning([ColumnType::Int]);
        match larder.system().sql(query).await {
            Ok(answer) => println!("{contender}: there are {:?}", answer.rows[0]),
            Err(error) => println!("{contender}: the server takes no more SQL: {error}"),
        }
        let again = larder.system().repo::<Event>().create(NewEvent::new(0, "afterwards")).await;
        println!(
            "{contender}: a write afterwards: {}",
            again.map_or_else(|error| error.to_string(), |_| "done".to_owned())
        );
    }
}
