//! How many requests calls take.

use larder::{
    Unit,
    model::{Job, ListJobs, Message, MessageRole, NewJob, NewMessage},
    prelude::UserModel as _,
};
use larder_conformance::together;

use crate::way::Way;

impl Way {
    /// How many requests something takes.
    async fn requests<T>(&self, call: impl Future<Output = larder::Result<T>>) -> (u64, T) {
        let before = self.proxy.requests();
        let answer = call.await.unwrap();
        (self.proxy.requests() - before, answer)
    }
}

#[tokio::test]
async fn a_call_is_one_request() {
    let way = Way::lay("").await;
    let [mine, _] = way.user().await;
    let (jobs, messages) = (mine.jobs(), mine.messages());
    let (requests, job) = way.requests(jobs.create(NewJob::new("once and again"))).await;
    assert_eq!(requests, 1, "an insert");
    assert_eq!(way.requests(jobs.get(job.id)).await, (1, Some(job.clone())), "a look-up");
    let new = || NewMessage::new(job.id, MessageRole::User, "text to search");
    let many = (0..250).map(|_| new());
    assert_eq!(way.requests(mine.repo::<Message>().create_many(many)).await.0, 1, "many inserts");
    let list = ListJobs { search: Some("ONCE AND".into()), ..ListJobs::default() };
    let (requests, page) = way.requests(jobs.list(list)).await;
    assert_eq!((requests, page.items.len()), (1, 1), "a page of a search");
    let set = vec![Job::TOTAL_TOKENS.add(1)];
    assert_eq!(way.requests(jobs.update_if(job.id, larder::Filter::always(), set)).await.0, 1, "a sum");
    assert_eq!(way.requests(messages.append(new())).await.0, 1, "an operation that is a unit");
    assert_eq!(way.requests(jobs.delete(job.id)).await.0, 1, "a deletion");
}

#[tokio::test]
async fn a_unit_of_three_writes_is_one_request() {
    let way = Way::lay("").await;
    let [mine, observed] = way.user().await;
    let mut unit = Unit::default();
    for number in 0..3 {
        unit = unit.then(mine.repo::<Job>().creation(NewJob::new(format!("job {number}"))).unwrap().1);
    }
    assert_eq!(way.requests(mine.context().run(unit)).await.0, 1);
    assert_eq!(observed.jobs().count(larder::Filter::always()).await.unwrap(), 3);
}

#[tokio::test]
async fn a_transaction_is_a_request_for_each_call() {
    let way = Way::lay("").await;
    let [mine, observed] = way.user().await;
    let work = mine.transaction(|tx| async move {
        for number in 0..3 {
            tx.jobs().create(NewJob::new(format!("job {number}"))).await?;
        }
        Ok(())
    });
    // BEGIN, three calls, COMMIT.
    assert_eq!(way.requests(work).await.0, 5);
    assert_eq!(observed.jobs().count(larder::Filter::always()).await.unwrap(), 3);
}

#[tokio::test]
async fn calls_that_come_together_share_requests() {
    let way = Way::lay("").await;
    let [mine, _] = way.user().await;
    let job = mine.jobs().create(NewJob::new("wanted by many")).await.unwrap();
    let before = way.proxy.requests();
    let found = together(64, |_| {
        let jobs = mine.jobs();
        async move { jobs.get(job.id).await }
    });
    assert!(found.await.into_iter().all(|found| found.unwrap().is_some_and(|found| found == job)));
    let reads = way.proxy.requests() - before;
    assert!(reads <= 8, "64 look-ups took {reads} requests");

    let before = way.proxy.requests();
    let written = together(64, |number| {
        let jobs = mine.jobs();
        async move { jobs.create(NewJob::new(format!("job {number}"))).await }
    });
    assert!(written.await.into_iter().all(|written| written.is_ok()));
    let writes = way.proxy.requests() - before;
    assert!(writes <= 8, "64 inserts took {writes} requests");
}
