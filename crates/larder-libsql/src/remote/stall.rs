//! A server that answers reads and takes no writes.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use larder_core::{Error, ErrorKind};
use tokio::time::{Instant, sleep};

/// A write may wait so long for another client's transaction before the server itself ends that (after 5 s): what waits
/// longer is suspicious.
const PATIENCE: Duration = Duration::from_secs(8);

/// Does an answer show that the server takes writes?
pub(crate) trait Acknowledges {
    fn is_taken(&self) -> bool;
}

impl<T, E> Acknowledges for Result<T, E> {
    fn is_taken(&self) -> bool {
        self.is_ok()
    }
}

/// sqld has been seen to stop for good to take writes while it answers reads. Who waits in vain is to be told so, because it
/// is mended by a restart of the server and by nothing else.
#[derive(Debug, Default)]
pub(crate) struct Stall {
    since: Mutex<Option<Instant>>,
}

impl Stall {
    /// For how long the server has been suspected of it.
    pub(crate) fn suspected_for(&self) -> Option<Duration> {
        self.lock().map(|since| since.elapsed())
    }

    /// Waits for a write. When that takes suspiciously long, `read` tells whether the server answers at all.
    pub(crate) async fn watch<T: Acknowledges>(
        &self,
        write: impl Future<Output = T>,
        read: impl Future<Output = bool>,
    ) -> T {
        let begun = Instant::now();
        let mut write = std::pin::pin!(write);
        let suspect = async {
            sleep(PATIENCE).await;
            if read.await {
                tracing::warn!(waited = ?begun.elapsed(), "the server answers reads, and does not take a write");
                self.lock().get_or_insert(begun);
            }
        };
        let early = tokio::select! {
            biased;
            ended = &mut write => Some(ended),
            () = suspect => None,
        };
        let ended = match early {
            Some(ended) => ended,
            None => write.await,
        };
        if ended.is_taken() {
            *self.lock() = None;
        }
        ended
    }

    /// The error of a write: when its time was over while the server is suspected, that is what it says.
    pub(crate) fn explain(&self, error: Error) -> Error {
        if *error.kind() != ErrorKind::Timeout || self.suspected_for().is_none() {
            return error;
        }
        let context =
            "the server answers reads and has not taken this write: it probably has to be restarted";
        Error::new(ErrorKind::Stalled, context).with_source(error)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::timeout;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn reads_that_go_on_make_it_suspicious_and_a_write_ends_that() {
        let stall = Stall::default();
        let hanging = stall.watch(pending::<Result<(), ()>>(), ready(true));
        assert!(timeout(MINUTE, hanging).await.is_err());
        assert!(stall.suspected_for().is_some_and(|time| time >= MINUTE));
        let late = || Error::new(ErrorKind::Timeout, "");
        assert_eq!(*stall.explain(late()).kind(), ErrorKind::Stalled);
        assert_eq!(stall.watch(ready(Ok::<_, ()>(1)), ready(true)).await, Ok(1));
        assert_eq!((stall.suspected_for(), stall.explain(late()).kind()), (None, &ErrorKind::Timeout));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_answers_nothing_is_not_suspected() {
        let stall = Stall::default();
        let hanging = stall.watch(pending::<Result<(), ()>>(), ready(false));
        assert!(timeout(MINUTE, hanging).await.is_err());
        assert_eq!(stall.suspected_for(), None);
    }
}
