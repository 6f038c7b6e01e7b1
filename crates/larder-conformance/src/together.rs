//! Doing things at once, and not for ever.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use tokio::sync::Barrier;

/// What takes longer than this, though nothing hinders it, hangs.
const PROMPTLY: Duration = Duration::from_secs(10);

/// Waits for what nothing should hinder.
///
/// # Panics
/// When it takes longer than ten seconds.
pub async fn promptly<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PROMPTLY, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not end within {PROMPTLY:?}"),
    }
}

/// Runs `count` tasks that begin at the same moment; gives what they answered, in their order.
///
/// # Panics
/// When one of them does.
pub async fn together<T, F, Fut>(count: usize, mut task: F) -> Vec<T>
where
    F: FnMut(usize) -> Fut,
    Fut: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let barrier = std::sync::Arc::new(Barrier::new(count));
    let tasks: Vec<_> = (0..count)
        .map(|index| {
            let (barrier, work) = (std::sync::Arc::clone(&barrier), task(index));
            tokio::spawn(async move {
                barrier.wait().await;
                work.await
            })
        })
        .collect();
    let mut answers = Vec::with_capacity(count);
    for task in tasks {
        match task.await {
            Ok(answer) => answers.push(answer),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    answers
}

/// Polls a future at most this often, giving way to others in between, then drops it; what it answered, if it did.
pub(crate) async fn dropped_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Poll::Ready(answer) = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
            return Some(answer);
        }
        tokio::task::yield_now().await;
    }
    None
}
