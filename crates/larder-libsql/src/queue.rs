//! A bounded queue from async callers to threads.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Async callers put in, threads take out, first come first served. A caller waits for a place without blocking its
/// thread; a thread waits for work.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    places: Semaphore,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    closed: bool,
}

/// The queue takes nothing more.
#[derive(Debug)]
pub(crate) struct Closed;

impl<T> Queue<T> {
    pub(crate) fn new(places: usize) -> Self {
        Self {
            state: Mutex::new(State { items: VecDeque::new(), closed: false }),
            filled: Condvar::new(),
            places: Semaphore::new(places),
        }
    }

    /// Waits for a place.
    pub(crate) async fn place(&self) -> Result<SemaphorePermit<'_>, Closed> {
        self.places.acquire().await.map_err(|_| Closed)
    }

    /// Puts an item at the end, on a place that was waited for.
    pub(crate) fn put(&self, item: T, place: SemaphorePermit<'_>) -> Result<(), Closed> {
        let mut state = self.lock();
        if state.closed {
            return Err(Closed);
        }
        state.items.push_back(item);
        drop(state);
        // The place is given back by whoever takes the item.
        place.forget();
        self.filled.notify_one();
        Ok(())
    }

    /// Waits for the first item and takes it; `None` when the queue is closed and empty.
    pub(crate) fn take(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.items.pop_front() {
                drop(state);
                self.places.add_permits(1);
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes the first item if there is one now and it is `wanted`.
    pub(crate) fn take_if(&self, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        let mut state = self.lock();
        if !state.items.front().is_some_and(wanted) {
            return None;
        }
        let item = state.items.pop_front();
        drop(state);
        self.places.add_permits(1);
        item
    }

    /// How many items wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// Takes no more items in. Those that are in are still given out.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.places.close();
        self.filled.notify_all();
    }

    /// Takes no more items in, and drops those that are in: their callers learn that nobody serves them.
    pub(crate) fn abandon(&self) {
        self.close();
        let items = std::mem::take(&mut self.lock().items);
        drop(items);
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    async fn put(queue: &Queue<u8>, item: u8) -> Result<(), Closed> {
        let place = queue.place().await?;
        queue.put(item, place)
    }

    #[tokio::test]
    async fn gives_out_in_order_and_what_was_put_before_the_close() {
        let queue = Queue::new(8);
        put(&queue, 1).await.unwrap();
        put(&queue, 2).await.unwrap();
        queue.close();
        assert!(put(&queue, 3).await.is_err());
        assert_eq!((queue.take(), queue.take(), queue.take()), (Some(1), Some(2), None));
    }

    #[tokio::test]
    async fn a_full_queue_makes_callers_wait_until_an_item_is_taken() {
        let queue = Queue::new(1);
        put(&queue, 1).await.unwrap();
        let mut waiting = Box::pin(queue.place());
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(queue.take(), Some(1));
        assert!(waiting.await.is_ok());
    }

    #[tokio::test]
    async fn takes_the_first_only_if_it_is_wanted() {
        let queue = Queue::new(8);
        put(&queue, 1).await.unwrap();
        assert_eq!(queue.take_if(|item| *item == 2), None);
        assert_eq!(queue.take_if(|item| *item == 1), Some(1));
        assert_eq!(queue.take_if(|_| true), None);
    }
}
