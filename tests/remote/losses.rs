//! Answers that are lost, and servers that are silent.

use std::time::{Duration, Instant};

use larder::{
    ErrorKind, Filter,
    model::{Job, JobPatch, NewJob},
    prelude::UserModel as _,
};

use crate::way::Way;

#[tokio::test]
async fn an_insert_whose_answer_is_lost_is_there_once() {
    let way = Way::lay("").await;
    let [mine, observed] = way.user().await;
    for _ in 0..5 {
        way.proxy.drop_answer_after(0);
        let job = mine.jobs().create(NewJob::new("written once")).await.unwrap();
        assert_eq!(observed.jobs().get(job.id).await.unwrap(), Some(job));
    }
    assert_eq!(observed.jobs().count(Filter::always()).await.unwrap(), 5);
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_ambiguous_and_done_once() {
    let way = Way::lay("").await;
    let [mine, observed] = way.user().await;
    let job = observed.jobs().create(NewJob::new("counted")).await.unwrap();
    way.proxy.drop_answer_after(0);
    let lost = mine.jobs().update_if(job.id, Filter::always(), vec![Job::TOTAL_TOKENS.add(1)]).await;
    assert_eq!(*lost.unwrap_err().kind(), ErrorKind::Ambiguous);
    assert_eq!(observed.jobs().get(job.id).await.unwrap().unwrap().total_tokens, 1);
    // The handle goes on.
    let patch = JobPatch { definition: "changed".to_owned().into(), ..JobPatch::default() };
    assert_eq!(mine.jobs().update(job.id, patch).await.unwrap().definition, "changed");
}

#[tokio::test]
async fn a_read_whose_answer_is_lost_is_read_again() {
    let way = Way::lay("").await;
    let [mine, observed] = way.user().await;
    let job = observed.jobs().create(NewJob::new("read twice")).await.unwrap();
    way.proxy.drop_answer_after(0);
    assert_eq!(mine.jobs().get(job.id).await.unwrap(), Some(job));
}

#[tokio::test]
async fn what_cannot_be_sent_is_unavailable_and_the_handle_recovers() {
    let way = Way::lay("retry=0s").await;
    let [mine, observed] = way.user().await;
    way.proxy.refuse(true).await.unwrap();
    way.proxy.cut();
    assert_eq!(*mine.jobs().count(Filter::always()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    // The connection that was cut is gone now: another one is to be made, and nothing is sent.
    let refused = mine.jobs().create(NewJob::new("nowhere")).await.unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::Unavailable, "{refused:?}");
    way.proxy.refuse(false).await.unwrap();
    mine.jobs().create(NewJob::new("here again")).await.unwrap();
    assert_eq!(observed.jobs().count(Filter::always()).await.unwrap(), 1);
}

#[tokio::test]
async fn a_silent_server_is_waited_for_until_the_deadline() {
    let way = Way::lay("timeout=300ms").await;
    let [mine, _] = way.user().await;
    way.proxy.freeze(true);
    let begun = Instant::now();
    let read = mine.jobs().count(Filter::always()).await;
    assert_eq!(*read.unwrap_err().kind(), ErrorKind::Timeout);
    let write = mine.jobs().create(NewJob::new("too late")).await;
    assert_eq!(*write.unwrap_err().kind(), ErrorKind::Timeout);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    way.proxy.freeze(false);
    mine.jobs().count(Filter::always()).await.unwrap();
}

/// Nothing of a handle is open on the server, and a connection that was idle is no error.
#[tokio::test]
async fn after_half_a_minute_without_a_call_a_thousand_go_well() {
    let way = Way::lay("").await;
    let [mine, _] = way.user().await;
    let job = mine.jobs().create(NewJob::new("looked up")).await.unwrap();
    // It is the time itself that is to pass: the server ends streams after 10 s, and the client its connections after 20.
    tokio::time::sleep(Duration::from_secs(30)).await;
    for call in 0..500 {
        assert!(mine.jobs().get(job.id).await.unwrap().is_some());
        mine.jobs().create(NewJob::new(format!("call {call}"))).await.unwrap();
    }
}
