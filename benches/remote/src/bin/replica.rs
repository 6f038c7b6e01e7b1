//! Look-ups by key on a replica, beside the same rows in a plain file, with the primary and when it is stopped.
//!
//!     cargo run --release -p remote --bin replica

use std::time::{Duration, Instant};

use larder::{Dialect, Entity as _, Larder, Sql};
use larder_testing::Sqld;
use remote::{Event, EventId, NewEvent};

const ROWS: usize = 10_000;
const ROUNDS: usize = 5;
const READS: usize = 100_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name).display().to_string();
    let server = Sqld::start().await?;
    let database = server.database().await?;
    let replica = Larder::open(&format!("{}?replica={}", database.url(), path("edge.db"))).await?;
    let plain = Larder::open(&format!("file:{}", path("plain.db"))).await?;
    let (on_replica, in_file) = (filled(&replica).await?, filled(&plain).await?);
    println!("{ROUNDS} rounds of {READS} look-ups by one caller among {ROWS} rows");
    for primary in ["runs", "is stopped"] {
        if primary == "is stopped" {
            server.stop().await?;
        }
        for round in 1..=ROUNDS {
            let file = time(&plain, &in_file).await?;
            let replica = time(&replica, &on_replica).await?;
            let ratio = replica.as_secs_f64() / file.as_secs_f64();
            println!(
                "round {round}, the primary {primary}: file {file:?}, replica {replica:?}, {ratio:.2} of the file's time"
            );
        }
    }
    Ok(())
}

async fn filled(larder: &Larder) -> larder::Result<Vec<EventId>> {
    let schema = larder::create_schema(Dialect::Sqlite, &[Event::TABLE]);
    larder.system().sql(Sql::portable(schema)).await?;
    let events = (0..ROWS).map(|number| NewEvent::new(number as i64, "a row"));
    let events = larder.system().repo::<Event>().create_many(events).await?;
    Ok(events.into_iter().map(|event| event.id).collect())
}

/// How long a look-up takes.
async fn time(larder: &Larder, ids: &[EventId]) -> larder::Result<Duration> {
    let events = larder.system().repo::<Event>();
    let begun = Instant::now();
    for read in 0..READS {
        let id = ids[read * 7 % ids.len()];
        assert!(events.get(id).await?.is_some_and(|event| event.id == id));
    }
    Ok(begun.elapsed() / u32::try_from(READS).unwrap_or(u32::MAX))
}
