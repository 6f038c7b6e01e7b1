//! Work that its caller drives, and that goes on without the caller.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::runtime::Handle;

/// A future that runs in its caller's task as long as the caller waits for it: that costs no task and no hand-over. When it is
/// dropped after it was begun and before it has ended, a task of its own ends it, so that a caller who goes away leaves
/// nothing half done. Dropped before it was polled, it never runs; outside a tokio runtime it ends where it is.
pub struct Detached<T: Send + 'static> {
    work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    begun: bool,
}

impl<T: Send + 'static> Detached<T> {
    /// Work that is not begun yet.
    pub fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self { work: Some(Box::pin(work)), begun: false }
    }

    /// True when it has ended.
    pub fn is_finished(&self) -> bool {
        self.work.is_none()
    }
}

impl<T: Send + 'static> Future for Detached<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.begun = true;
        let Some(work) = &mut self.work else { return Poll::Pending };
        let polled = work.as_mut().poll(context);
        if polled.is_ready() {
            self.work = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Detached<T> {
    fn drop(&mut self) {
        if !self.begun {
            return;
        }
        if let (Some(work), Ok(runtime)) = (self.work.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Detached<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detached").field("begun", &self.begun).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{task::Waker, time::Duration};

    use tokio::{sync::oneshot, time::sleep};

    use super::*;

    const WORK: Duration = Duration::from_millis(10);

    fn work() -> (Detached<u8>, oneshot::Receiver<u8>) {
        let (ended, end) = oneshot::channel();
        let work = async move {
            sleep(WORK).await;
            let _ = ended.send(1);
            2
        };
        (Detached::new(work), end)
    }

    #[tokio::test(start_paused = true)]
    async fn answers_its_caller() {
        let (work, end) = work();
        assert_eq!((work.await, end.await), (2, Ok(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn goes_on_without_its_caller() {
        let (mut work, end) = work();
        assert!(Pin::new(&mut work).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(!work.is_finished());
        drop(work);
        assert_eq!(end.await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn is_not_begun_for_nobody() {
        let (work, end) = work();
        drop(work);
        assert!(end.await.is_err());
    }
}
