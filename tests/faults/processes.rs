//! A process is killed while 64 of its tasks write.

use std::time::Duration;

use larder::{ColumnType, Larder, Sql, Value};
use larder_testing::{Postgres, poll_until};

use crate::{
    child::{TestProcess, URL, tell},
    ground::{Counts, Ground, Told, WRITERS},
    kills,
};

/// Tells [`writers`] for whom to write.
const OWNER: &str = "LARDER_FAULTS_OWNER";
/// How PostgreSQL names its sessions.
const NAME: &str = "larder_faults_writers";

/// Not a test of its own: what the killed processes run. They write for ever, and tell the writer and the number of each
/// write that was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers() {
    let (Ok(url), Ok(owner)) = (std::env::var(URL), std::env::var(OWNER)) else { return };
    let larder = Larder::open(&url).await.unwrap();
    let ground = Ground::find(&larder, owner.parse().unwrap()).await.unwrap();
    let writers = (0..WRITERS).map(|writer| {
        let ground = ground.clone();
        tokio::spawn(async move {
            for number in 0.. {
                ground.write(writer, number).await.unwrap();
                tell(format_args!("{writer} {number}"));
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

/// Starts the writers, kills them (SIGKILL) after this many acknowledgements and a moment more, and gives what they were told.
fn killed_writers(url: &str, ground: &Ground, acknowledged: usize, moment: Duration) -> Vec<Vec<Told>> {
    let owner = (OWNER, ground.owner().to_string());
    let (mut process, lines) = TestProcess::start("processes::writers", url, owner);
    let mut told = vec![Vec::new(); WRITERS];
    let mut left = acknowledged;
    for line in lines {
        let (writer, number) = line.split_once(' ').unwrap();
        let told: &mut Vec<_> = &mut told[writer.parse::<usize>().unwrap()];
        assert_eq!(told.len(), number.parse::<usize>().unwrap(), "a writer does one write after the other");
        told.push(Told::Done);
        left = left.saturating_sub(1);
        if left == 0 {
            // Acknowledgements follow a commit: so that not all kills do.
            std::thread::sleep(moment);
            process.kill();
            left = usize::MAX;
        }
    }
    let status = process.ended();
    assert!(
        !status.success() && told.iter().flatten().count() >= acknowledged,
        "{status} before it was killed"
    );
    // Of the write that was under way nobody was told anything.
    told.iter_mut().for_each(|told| told.push(Told::Unclear));
    told
}

/// Kills as often as asked for, after ever other numbers of acknowledgements; `settled` waits until the killed process's
/// last write is done or not, and opens the database.
async fn kill_again_and_again<F>(what: &str, rounds: usize, url: &str, settled: impl Fn() -> F)
where
    F: Future<Output = Larder>,
{
    let mut random = fastrand::Rng::with_seed(20_260_102);
    let mut counts = Counts::default();
    for _ in 0..rounds {
        let larder = settled().await;
        let ground = Ground::make(&larder).await.unwrap();
        larder.close().await.unwrap();
        let (acknowledged, moment) = (random.usize(1..600), Duration::from_micros(random.u64(0..5_000)));
        let told = tokio::task::block_in_place(|| killed_writers(url, &ground, acknowledged, moment));
        let larder = settled().await;
        counts += Ground::find(&larder, ground.owner()).await.unwrap().check(&told).await.unwrap();
        larder.close().await.unwrap();
    }
    println!("{what}: {rounds} kills of the process, {counts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_was_told_is_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("file:{}?synchronous=full", directory.path().join("faults.db").display());
    Larder::open(&url).await.unwrap().migrate().await.unwrap();
    let opened = || async { Larder::open(&url).await.unwrap() };
    kill_again_and_again("libSQL file", kills(40), &url, opened).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_was_told_is_in_postgresql() {
    let database = Postgres::shared().await.unwrap().database().await.unwrap();
    Larder::open(database.url()).await.unwrap().migrate().await.unwrap();
    let url = format!("{}?lanes=on&application_name={NAME}", database.url());
    let settled = || async {
        let larder = Larder::open(database.url()).await.unwrap();
        let nobody = || async { (sessions(&larder).await == 0).then_some(()) };
        poll_until(Duration::from_secs(30), "the killed process's sessions end", nobody).await.unwrap();
        larder
    };
    kill_again_and_again("PostgreSQL", kills(40), &url, settled).await;
}

/// How many sessions of the killed process the server still has.
async fn sessions(larder: &Larder) -> i64 {
    let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{NAME}'");
    let sessions = Sql::portable(sessions).returning([ColumnType::Int]);
    match larder.system().sql(sessions).await.unwrap().rows[0].get(0) {
        Some(Value::Int(sessions)) => *sessions,
        other => panic!("no number: {other:?}"),
    }
}
