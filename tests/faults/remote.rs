//! A libSQL server is killed while 64 tasks write, by one handle that is never opened anew.

use fastrand::Rng;
use larder::Larder;
use larder_testing::Sqld;

use crate::{kills, through::kill_again_and_again};

/// The server goes at once, and is started again.
#[tokio::test(flavor = "multi_thread")]
async fn every_caller_is_told_the_truth_when_the_libsql_server_is_killed() {
    let server = Sqld::start().await.unwrap();
    let database = server.database().await.unwrap();
    Larder::open(database.url()).await.unwrap().migrate().await.unwrap();
    let mut random = Rng::with_seed(20_261_125);
    let fault = async || {
        server.kill().await.unwrap();
        server.restart().await.unwrap();
    };
    kill_again_and_again("the libSQL server", kills(10), database.url(), &mut random, fault).await;
}
