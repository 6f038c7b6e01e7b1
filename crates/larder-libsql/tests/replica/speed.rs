//! What a read costs, against the same rows in a plain file.

use std::time::{Duration, Instant};

use larder_core::{Sql, Store};
use larder_libsql::{LibsqlConfig, LibsqlStore};

use crate::common::{Primary, value};

const ROWS: i64 = 1_000;
const ROUNDS: usize = 7;
const READS: i64 = 5_000;

async fn time(store: &dyn Store) -> Duration {
    let begun = Instant::now();
    for read in 0..READS {
        assert_eq!(value(store, read * 7 % ROWS).await.expect("read"), Some(read * 7 % ROWS));
    }
    begun.elapsed() / 5_000
}

/// With the primary and without it; of the rounds, which alternate, the best.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_takes_at_most_twice_as_long_as_in_a_plain_file() {
    let fill = format!(
        "WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < {ROWS} - 1)
         INSERT INTO counters SELECT n, n FROM n"
    );
    let primary = Primary::start().await;
    primary.write(&fill).await;
    let replica = primary.replica("edge.db", "").await;
    let url = format!("file:{}", primary.path("plain.db").display());
    let plain = LibsqlStore::open(LibsqlConfig::parse(&url).expect("config")).await.expect("a file");
    let schema = "CREATE TABLE counters (id INTEGER PRIMARY KEY NOT NULL, value INTEGER NOT NULL) STRICT;";
    plain.sql(Sql::portable(format!("{schema} {fill}"))).await.expect("filled");

    let mut best = [Duration::MAX; 3];
    for round in 0..2 * ROUNDS {
        if round == ROUNDS {
            primary.server.stop().await.expect("stopped");
        }
        best[0] = best[0].min(time(&plain).await);
        let with_or_without = 1 + round / ROUNDS;
        best[with_or_without] = best[with_or_without].min(time(&replica).await);
    }
    let [plain, with, without] = best;
    println!("a look-up: plain file {plain:?}, replica {with:?}, replica without its primary {without:?}");
    assert!(with <= plain * 2 && without <= plain * 2, "{best:?}");
}
