//! Sixty-four tasks write while something is killed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use larder::Larder;
use larder_testing::poll_until;
use tokio::sync::watch;

use crate::ground::{Counts, Ground, Told, WRITERS};

/// Longer than any recovery.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes through this many faults, by one handle that is never opened anew, and checks what the writers were told.
pub(crate) async fn kill_again_and_again(
    what: &str,
    rounds: usize,
    url: &str,
    random: &mut Rng,
    fault: impl AsyncFn(),
) {
    let larder = Larder::open(url).await.unwrap();
    let mut counts = Counts::default();
    for _ in 0..rounds {
        let ground = Ground::make(&larder).await.unwrap();
        let told = write_through(&larder, &ground, random.usize(1..600), &fault).await;
        counts += ground.check(&told).await.unwrap();
    }
    larder.close().await.unwrap();
    println!("{rounds} kills of {what}, {counts}");
}

/// Writes from before a fault, which comes after this many acknowledgements, until each writer can write again. Gives what
/// the writers were told.
async fn write_through(
    larder: &Larder,
    ground: &Ground,
    before: usize,
    fault: &impl AsyncFn(),
) -> Vec<Vec<Told>> {
    let stop = Arc::new(AtomicBool::new(false));
    let done = watch::Sender::new(vec![0_usize; WRITERS]);
    let writers = (0..WRITERS).map(|writer| {
        let (larder, ground, stop, done) = (larder.clone(), ground.clone(), Arc::clone(&stop), done.clone());
        tokio::spawn(async move {
            let mut told = Vec::new();
            while !stop.load(Ordering::SeqCst) {
                let answer = Told::by(ground.write(writer, told.len()).await);
                told.push(answer);
                match answer {
                    Told::Done => done.send_modify(|done| done[writer] += 1),
                    Told::NotDone | Told::Unclear => answers_again(&larder).await,
                }
            }
            told
        })
    });
    let writers: Vec<_> = writers.collect();
    reached(&done, |done| done.iter().sum::<usize>() >= before).await;
    fault().await;
    let at_the_fault = done.borrow().clone();
    // One that was under way may have been acknowledged since; the second one was begun afterwards.
    reached(&done, |done| done.iter().zip(&at_the_fault).all(|(now, then)| *now >= then + 2)).await;
    stop.store(true, Ordering::SeqCst);
    let mut told = Vec::new();
    for writer in writers {
        told.push(writer.await.unwrap());
    }
    told
}

async fn reached(done: &watch::Sender<Vec<usize>>, enough: impl FnMut(&Vec<usize>) -> bool) {
    let mut done = done.subscribe();
    tokio::time::timeout(PATIENCE, done.wait_for(enough)).await.expect("the writers go on").unwrap();
}

async fn answers_again(larder: &Larder) {
    let healthy = || async { larder.health().await.ok() };
    poll_until(PATIENCE, "the store answers again", healthy).await.unwrap();
}
