//! The connection is cut at every point of a batch: before a request is sent, between it and its answer, after the answer.

use std::time::Duration;

use larder::{Begin, ColumnType, ErrorKind, Larder, Sql, Value};
use larder_conformance::together;
use larder_testing::{Postgres, PostgresDatabase, Proxy, poll_until};

use crate::ground::{Counts, Ground, Told, WRITERS};

/// How PostgreSQL names the sessions that are cut.
const NAME: &str = "larder_faults_cuts";
/// Longer than a statement takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many read besides.
const READERS: usize = 16;
/// No batch has more points.
const POINTS: usize = 2_000;

/// A database, and the way to it that is cut.
struct Way {
    proxy: Proxy,
    /// Dropped with it.
    _database: PostgresDatabase,
    /// By the way.
    larder: Larder,
    /// Past it.
    observer: Larder,
}

impl Way {
    async fn lay(lanes: &str) -> Self {
        let database = Postgres::shared().await.unwrap().database().await.unwrap();
        let observer = Larder::open(database.url()).await.unwrap();
        observer.migrate().await.unwrap();
        let proxy = Proxy::start(database.address().unwrap()).await.unwrap();
        let url = database.url_through(proxy.address()).unwrap();
        let url = format!("{url}?lanes={lanes}&pool_size=4&application_name={NAME}");
        let larder = Larder::open(&url).await.unwrap();
        Self { proxy, _database: database, larder, observer }
    }

    /// Whether a write waits for a lock by itself: a batch waits only shortly.
    async fn waits_for_a_lock(&self) -> Option<()> {
        let waits = "wait_event_type = 'Lock' AND clock_timestamp() - query_start > interval '200 ms'";
        (self.sessions(waits).await? > 0).then_some(())
    }

    /// Waits until the server has ended the sessions whose connections were cut, and with them what they were doing.
    async fn settled(&self) {
        let nobody = || async { (self.sessions("state <> 'idle'").await? == 0).then_some(()) };
        poll_until(PATIENCE, "the cut sessions end", nobody).await.unwrap();
    }

    /// How many sessions by the way are so.
    async fn sessions(&self, so: &str) -> Option<i64> {
        let count = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{NAME}' AND {so}
             AND datname = current_database()"
        );
        let count = Sql::portable(count).returning([ColumnType::Int]);
        match self.observer.system().sql(count).await.ok()?.rows.first()?.get(0) {
            Some(Value::Int(sessions)) => Some(*sessions),
            _ => None,
        }
    }
}

/// Cuts a batch at its first piece, then at another batch's second one, and so on by this step, until a batch has ended
/// before it was cut.
async fn cut_at_every_point(lanes: &str, step: usize) {
    let way = Way::lay(lanes).await;
    let (mut counts, mut points) = (Counts::default(), 0);
    for point in (0..POINTS).step_by(step) {
        let observed = Ground::make(&way.observer).await.unwrap();
        let ground = Ground::find(&way.larder, observed.owner()).await.unwrap();
        let mut told = vec![Vec::new(); WRITERS];
        // The store needs no help to go on after a cut. Its connections are at hand then, its statements prepared.
        let all_succeed = async { while !batch(&ground, &mut told).await {} };
        tokio::time::timeout(PATIENCE, all_succeed).await.unwrap();
        way.proxy.cut_after(point);
        batch(&ground, &mut told).await;
        let was_cut = !way.proxy.spare();
        way.settled().await;
        counts += observed.check(&told).await.unwrap();
        if !was_cut {
            assert!(counts.unclear > 0, "a write that was sent and not answered is unclear: {counts}");
            println!("PostgreSQL, lanes={lanes}: batches cut at {points} points, {counts}");
            return;
        }
        points += 1;
    }
    panic!("a batch has more than {POINTS} points");
}

/// A write of each writer and some reads, at once; adds what the writers were told. True when all writes were done.
async fn batch(ground: &Ground, told: &mut [Vec<Told>]) -> bool {
    let answers = together(WRITERS + READERS, |index| {
        let (ground, number) = (ground.clone(), told.get(index).map(Vec::len));
        async move {
            match number {
                Some(number) => Some(Told::by(ground.write(index, number).await)),
                None => {
                    let read = ground.read(index).await;
                    // It changes nothing: a lost connection leaves nothing unclear.
                    let refused = read.err().map(|error| error.kind().clone());
                    assert!(matches!(refused, None | Some(ErrorKind::Unavailable)), "{refused:?}");
                    None
                }
            }
        }
    });
    let answers: Vec<_> = answers.await.into_iter().flatten().collect();
    told.iter_mut().zip(&answers).for_each(|(told, answer)| told.push(*answer));
    answers.iter().all(|told| *told == Told::Done)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_cut_at_any_point_tells_each_caller_the_truth() {
    cut_at_every_point("on", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_without_lanes_that_are_cut_at_some_points_are_told_the_truth() {
    cut_at_every_point("off", 7).await;
}

/// The requests are with the server and it cannot answer: who was sent is told that it is unclear, who still waits is sent
/// on a new connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_cut_while_the_server_works_tells_each_caller_the_truth() {
    let way = Way::lay("on").await;
    let observed = Ground::make(&way.observer).await.unwrap();
    let ground = Ground::find(&way.larder, observed.owner()).await.unwrap();
    // Additions: what is waiting for a lock is then no unit, whose commit is still to be asked for.
    let mut told: Vec<_> = (0..WRITERS).map(Ground::nothing_before_an_addition).collect();
    let mut holder = way.observer.store().begin(Begin::Serializable).await.unwrap();
    for verb in observed.additions_of_nothing() {
        holder.execute(verb).await.unwrap();
    }
    let cut = async {
        poll_until(PATIENCE, "writes wait for the lock", || way.waits_for_a_lock()).await.unwrap();
        way.proxy.cut();
        holder.rollback().await.unwrap();
    };
    tokio::join!(batch(&ground, &mut told), cut);
    way.settled().await;
    let counts = observed.check(&told).await.unwrap();
    assert!(counts.unclear > 0, "some were sent and not answered: {counts}");
}
