//! The answer to a call: a channel for one value, whose receiver may be the one who drives the sender.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// A channel for one value.
pub(crate) fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let slot = Arc::new(Slot(Mutex::new(State { value: Value::Awaited, waker: None, driving: false })));
    (Sender(Arc::clone(&slot)), Receiver(slot))
}

/// Sends the value, or by its drop that there will be none.
#[derive(Debug)]
pub(crate) struct Sender<T>(Arc<Slot<T>>);

/// Awaits the value.
#[derive(Debug)]
pub(crate) struct Receiver<T>(Arc<Slot<T>>);

/// The sender was dropped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lost;

#[derive(Debug)]
struct Slot<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    value: Value<T>,
    waker: Option<Waker>,
    /// The receiver is looking after this, and needs no wake-up: one to a task that is running costs a turn in the queue, and
    /// wakes another thread.
    driving: bool,
}

#[derive(Debug)]
enum Value<T> {
    Awaited,
    There(T),
    Lost,
    /// Taken by the receiver, or nobody wants it.
    Gone,
}

impl<T> Slot<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, value: Value<T>) {
        let mut state = self.lock();
        if !matches!(state.value, Value::Awaited) {
            return;
        }
        state.value = value;
        let waker = state.waker.take().filter(|_| !state.driving);
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Sender<T> {
    /// Sends the value. When the receiver is gone it is dropped.
    pub(crate) fn send(self, value: T) {
        self.0.put(Value::There(value));
    }

    /// Has the receiver gone?
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.0.lock().value, Value::Gone)
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.put(Value::Lost);
    }
}

impl<T> Receiver<T> {
    /// Polls for the value after `drive`, which may send it.
    pub(crate) fn poll(
        &self,
        context: &mut Context<'_>,
        drive: impl FnOnce(&mut Context<'_>),
    ) -> Poll<Result<T, Lost>> {
        self.0.lock().driving = true;
        drive(context);
        let mut state = self.0.lock();
        state.driving = false;
        match std::mem::replace(&mut state.value, Value::Gone) {
            Value::There(value) => Poll::Ready(Ok(value)),
            Value::Lost | Value::Gone => Poll::Ready(Err(Lost)),
            Value::Awaited => {
                state.value = Value::Awaited;
                match &mut state.waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    none => *none = Some(context.waker().clone()),
                }
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        let value = std::mem::replace(&mut state.value, Value::Gone);
        drop(state);
        drop(value);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn poll(receiver: &Receiver<u8>, counter: &Arc<Counter>, drive: impl FnOnce()) -> Poll<Result<u8, Lost>> {
        let waker = Waker::from(Arc::clone(counter));
        receiver.poll(&mut Context::from_waker(&waker), |_| drive())
    }

    #[test]
    fn a_value_wakes_who_waits() {
        let (counter, (sender, receiver)) = (Arc::default(), channel());
        assert!(poll(&receiver, &counter, || {}).is_pending());
        sender.send(7);
        assert_eq!(counter.0.load(Ordering::SeqCst), 1);
        assert_eq!(poll(&receiver, &counter, || {}), Poll::Ready(Ok(7)));
    }

    #[test]
    fn who_drives_is_not_woken() {
        let (counter, (sender, receiver)) = (Arc::default(), channel());
        assert!(poll(&receiver, &counter, || {}).is_pending());
        assert_eq!(poll(&receiver, &counter, || sender.send(7)), Poll::Ready(Ok(7)));
        assert_eq!(counter.0.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn each_learns_that_the_other_has_gone() {
        let (counter, (sender, receiver)) = (Arc::default(), channel());
        drop(sender);
        assert_eq!(poll(&receiver, &counter, || {}), Poll::Ready(Err(Lost)));
        let (sender, receiver) = channel::<u8>();
        assert!(!sender.is_closed());
        drop(receiver);
        assert!(sender.is_closed());
        sender.send(7);
    }
}
