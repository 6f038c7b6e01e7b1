//! Lanes: calls that arrive together travel together.
//!
//! A lane is a bounded queue between callers and a few carriers, each of which takes everything that waits and carries it in
//! one trip. A caller that finds a carrier's place free carries its own work at once, in its own task, so that one who is
//! alone pays for no hand-over; while all places are taken, what arrives gathers and leaves with the first that comes back.
//! Nobody waits for a timer. The lane knows nothing of what it carries: a driver gives it the work, says how to carry, and
//! answers.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, timeout_at},
};

use crate::{
    Detached, Error, ErrorKind, Result,
    answer::{self, Sender},
};

/// The unit in which waiting bytes are counted. What is smaller is bounded by the number of items.
const ROOM: usize = 1024;

/// How much a lane holds and carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneLimits {
    /// How many carriers may be under way at once; at least 1.
    pub carriers: usize,
    /// The most items in a batch; at least 1.
    pub batch: usize,
    /// The most bytes in a batch, as the driver counts them; a single item is always taken.
    pub batch_bytes: usize,
    /// The most items that wait; who comes then waits for a place.
    pub waiting: usize,
    /// The most bytes that wait, in whole KiB of each item; who comes then waits for room. A single item always fits.
    pub waiting_bytes: usize,
}

/// A bounded queue of work `W` answered by `A`. Shared by callers and carriers.
#[derive(Debug)]
pub struct Lane<W, A> {
    limits: LaneLimits,
    places: Semaphore,
    room: Semaphore,
    state: Mutex<State<W, A>>,
    /// Told when the last carrier has come back.
    all_back: Notify,
    meter: LaneMeter,
}

#[derive(Debug)]
struct State<W, A> {
    waiting: VecDeque<Item<W, A>>,
    next_number: u64,
    /// How many carriers are under way.
    under_way: usize,
    closed: bool,
}

/// One caller's work, on its way.
#[derive(Debug)]
pub struct Item<W, A> {
    /// What is to be done.
    pub work: W,
    /// When the caller stops waiting.
    pub deadline: Instant,
    number: u64,
    bytes: usize,
    arrived: Instant,
    caller: Caller<A>,
}

impl<W, A> Item<W, A> {
    /// Answers the caller. One that has gone is not missed.
    pub fn answer(self, answer: Result<A>) {
        self.caller.answer(answer);
    }

    /// The work, and the caller to be answered.
    pub fn split(self) -> (W, Caller<A>) {
        (self.work, self.caller)
    }
}

/// Somebody who waits for an answer.
#[derive(Debug)]
pub struct Caller<A>(Sender<Result<A>>);

impl<A> Caller<A> {
    /// Answers. One that has gone is not missed.
    pub fn answer(self, answer: Result<A>) {
        self.0.send(answer);
    }
}

/// What a lane has carried since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LaneReport {
    /// What the lane is called.
    pub name: &'static str,
    /// How many batches left.
    pub batches: u64,
    /// How many items they held.
    pub items: u64,
    /// The largest batch.
    pub largest: u64,
    /// How long items waited before they left, all together: a long one says that more arrives than the database takes.
    pub waited: Duration,
    /// How many items wait at the moment.
    pub waiting: usize,
}

/// Counts what leaves, for a [`LaneReport`]; each batch is also a `tracing` event at the level `TRACE`.
#[derive(Debug)]
pub struct LaneMeter {
    name: &'static str,
    batches: AtomicU64,
    items: AtomicU64,
    largest: AtomicU64,
    waited_micros: AtomicU64,
}

impl LaneMeter {
    /// Nothing counted yet.
    pub const fn new(name: &'static str) -> Self {
        let [batches, items, largest, waited_micros] = [const { AtomicU64::new(0) }; 4];
        Self { name, batches, items, largest, waited_micros }
    }

    /// Counts a batch of so many items, which have waited so long all together.
    pub fn count(&self, items: usize, waited: Duration) {
        tracing::trace!(lane = self.name, items, ?waited, "a batch leaves");
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.items.fetch_add(items as u64, Ordering::Relaxed);
        self.largest.fetch_max(items as u64, Ordering::Relaxed);
        let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        self.waited_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// What was counted; `waiting` is how many items wait at the moment.
    pub fn report(&self, waiting: usize) -> LaneReport {
        LaneReport {
            name: self.name,
            batches: self.batches.load(Ordering::Relaxed),
            items: self.items.load(Ordering::Relaxed),
            largest: self.largest.load(Ordering::Relaxed),
            waited: Duration::from_micros(self.waited_micros.load(Ordering::Relaxed)),
            waiting,
        }
    }
}

/// The right to carry: given to [`Lane::send`]'s `carry`, held until [`Carrier::next_batch`] says that nothing waits. When it
/// is dropped before (the task panicked or was aborted), the next caller carries.
#[derive(Debug)]
pub struct Carrier<W, A> {
    lane: Arc<Lane<W, A>>,
    finished: bool,
}

impl<W: Send + 'static, A: Send + 'static> Lane<W, A> {
    /// An empty lane, called `name` in reports.
    pub fn new(name: &'static str, limits: LaneLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            places: Semaphore::new(limits.waiting),
            room: Semaphore::new((limits.waiting_bytes / ROOM).min(Semaphore::MAX_PERMITS)),
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                next_number: 0,
                under_way: 0,
                closed: false,
            }),
            all_back: Notify::new(),
            meter: LaneMeter::new(name),
        })
    }

    /// Puts work of `bytes` bytes in and waits for its answer. When a carrier's place is free, `carry` is given the right and
    /// makes a carrier of it: a future that takes batches until there are none. It runs within this call until this call has
    /// its answer, and goes on in a task of its own.
    ///
    /// Dropped before a carrier took it, the work is never done; afterwards it is done and its answer lost.
    ///
    /// # Errors
    /// The answer's own; `Busy` when the lane stayed full or no carrier came by `deadline` (it is then never done); `Timeout`
    /// when a carrier took it and gave no answer by `deadline`; `Closed`; `Ambiguous` when its carrier was lost.
    pub async fn send<F>(
        self: &Arc<Self>,
        work: W,
        bytes: usize,
        deadline: Instant,
        carry: impl FnOnce(Carrier<W, A>) -> F,
    ) -> Result<A>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        match timeout_at(deadline, self.enter(bytes)).await {
            Ok(entered) => entered?,
            Err(_) => return Err(Error::new(ErrorKind::Busy, "the queue of waiting calls stayed full")),
        }
        let (answer, answered) = answer::channel();
        let (number, carrier) = self.put(work, bytes, deadline, answer)?;
        let mut waiting = Waiting { lane: self, number, may_be_in: true };
        let mut carrying = carrier.map(|carrier| Detached::new(carry(carrier)));
        let answer = poll_fn(|context| {
            answered.poll(context, |context| {
                if let Some(work) = carrying.as_mut().filter(|work| !work.is_finished()) {
                    let _ = Pin::new(work).poll(context);
                }
            })
        });
        match timeout_at(deadline, answer).await {
            Ok(answered) => {
                waiting.may_be_in = false;
                let lost = || Error::new(ErrorKind::Ambiguous, "the task that carried the call was lost");
                answered.unwrap_or_else(|_| Err(lost()))
            }
            Err(_) if waiting.withdraw() => {
                Err(Error::new(ErrorKind::Busy, "no connection came free for the call in time"))
            }
            Err(_) => Err(Error::new(ErrorKind::Timeout, "")),
        }
    }

    /// Waits for a place and for room; whoever takes the item out gives them back.
    async fn enter(&self, bytes: usize) -> Result<()> {
        let place = self.places.acquire().await.map_err(|_| closed())?;
        let room = self.room_of(bytes);
        if room > 0 {
            self.room.acquire_many(room).await.map_err(|_| closed())?.forget();
        }
        place.forget();
        Ok(())
    }

    fn room_of(&self, bytes: usize) -> u32 {
        u32::try_from((bytes / ROOM).min(self.limits.waiting_bytes / ROOM)).unwrap_or(u32::MAX)
    }

    fn leave(&self, items: usize, room: u64) {
        self.places.add_permits(items);
        self.room.add_permits(usize::try_from(room).unwrap_or(0));
    }

    fn put(
        self: &Arc<Self>,
        work: W,
        bytes: usize,
        deadline: Instant,
        answer: Sender<Result<A>>,
    ) -> Result<(u64, Option<Carrier<W, A>>)> {
        let arrived = Instant::now();
        let mut state = self.lock();
        if state.closed {
            return Err(closed());
        }
        let number = state.next_number;
        state.next_number += 1;
        state.waiting.push_back(Item { work, deadline, number, bytes, arrived, caller: Caller(answer) });
        let is_free = state.under_way < self.limits.carriers.max(1);
        if is_free {
            state.under_way += 1;
        }
        Ok((number, is_free.then(|| Carrier { lane: Arc::clone(self), finished: false })))
    }

    /// Takes nothing more in; what is in is still carried.
    pub fn close(&self) {
        self.lock().closed = true;
        self.places.close();
        self.room.close();
    }

    /// Waits until no carrier is under way: after [`Lane::close`], until all that was taken in is answered.
    pub async fn finished(&self) {
        loop {
            let back = self.all_back.notified();
            if self.lock().under_way == 0 {
                return;
            }
            back.await;
        }
    }

    /// What it has carried.
    pub fn report(&self) -> LaneReport {
        self.meter.report(self.lock().waiting.len())
    }
}

impl<W, A> Lane<W, A> {
    fn lock(&self) -> MutexGuard<'_, State<W, A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn came_back(&self, mut state: MutexGuard<'_, State<W, A>>) {
        state.under_way -= 1;
        if state.under_way == 0 {
            drop(state);
            self.all_back.notify_waiters();
        }
    }
}

impl<W: Send + 'static, A: Send + 'static> Carrier<W, A> {
    /// Does anything wait? When nothing does, the right to carry has ended: then there is no need for a connection.
    pub fn is_needed(&mut self) -> bool {
        let lane = &self.lane;
        let state = lane.lock();
        if state.waiting.is_empty() {
            self.finished = true;
            lane.came_back(state);
        }
        !self.finished
    }

    /// How many wait, of whom some may have gone.
    pub fn waiting(&self) -> usize {
        self.lane.lock().waiting.len()
    }

    /// Everything that waits, up to a batch, in the order in which it came, without those whose callers have gone; `None`
    /// when nothing waits, and then the right to carry has ended.
    ///
    /// Call it with the connection in hand: what is taken is about to be sent.
    pub fn next_batch(&mut self) -> Option<Vec<Item<W, A>>> {
        let now = Instant::now();
        let lane = &self.lane;
        let mut state = lane.lock();
        let most = state.waiting.len().min(lane.limits.batch.max(1));
        let (mut batch, mut bytes, mut waited) = (Vec::with_capacity(most), 0, Duration::ZERO);
        let (mut freed, mut room) = (0, 0);
        while let Some(first) = state.waiting.front() {
            let is_full = batch.len() == lane.limits.batch.max(1)
                || (!batch.is_empty() && bytes + first.bytes > lane.limits.batch_bytes);
            if is_full {
                break;
            }
            let Some(item) = state.waiting.pop_front() else { break };
            freed += 1;
            room += u64::from(lane.room_of(item.bytes));
            if !item.caller.0.is_closed() {
                bytes += item.bytes;
                waited += now.saturating_duration_since(item.arrived);
                batch.push(item);
            }
        }
        lane.leave(freed, room);
        if batch.is_empty() {
            // Under the same lock, so that whoever comes next finds the place free.
            self.finished = true;
            lane.came_back(state);
            return None;
        }
        drop(state);
        lane.meter.count(batch.len(), waited);
        Some(batch)
    }
}

impl<W, A> Drop for Carrier<W, A> {
    fn drop(&mut self) {
        if !self.finished {
            self.lane.came_back(self.lane.lock());
        }
    }
}

/// A caller's place in the queue: given up when the caller goes.
struct Waiting<'a, W: Send + 'static, A: Send + 'static> {
    lane: &'a Lane<W, A>,
    number: u64,
    may_be_in: bool,
}

impl<W: Send + 'static, A: Send + 'static> Waiting<'_, W, A> {
    /// Takes the item out; true when it was still in, so that no carrier will ever take it.
    fn withdraw(&mut self) -> bool {
        self.may_be_in = false;
        let mut state = self.lane.lock();
        let found = state.waiting.binary_search_by_key(&self.number, |item| item.number);
        let removed = found.ok().and_then(|position| state.waiting.remove(position));
        drop(state);
        if let Some(item) = &removed {
            self.lane.leave(1, u64::from(self.lane.room_of(item.bytes)));
        }
        removed.is_some()
    }
}

impl<W: Send + 'static, A: Send + 'static> Drop for Waiting<'_, W, A> {
    fn drop(&mut self) {
        if self.may_be_in {
            self.withdraw();
        }
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the store is closed")
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use tokio::{sync::mpsc, task::JoinHandle, time::sleep};

    use super::*;

    const LIMITS: LaneLimits =
        LaneLimits { carriers: 1, batch: 64, batch_bytes: 1000, waiting: 100, waiting_bytes: 1 << 20 };
    const TRIP: Duration = Duration::from_millis(10);

    type TestLane = Lane<u32, u32>;

    /// A driver: each trip takes [`TRIP`], answers each number with itself plus 1, and reports its batch.
    async fn carry(mut carrier: Carrier<u32, u32>, trips: mpsc::UnboundedSender<Vec<u32>>) {
        while let Some(batch) = carrier.next_batch() {
            sleep(TRIP).await;
            trips.send(batch.iter().map(|item| item.work).collect()).unwrap();
            for item in batch {
                let answer = item.work + 1;
                item.answer(Ok(answer));
            }
        }
    }

    struct Fixture {
        lane: Arc<TestLane>,
        report: mpsc::UnboundedSender<Vec<u32>>,
        trips: mpsc::UnboundedReceiver<Vec<u32>>,
    }

    impl Fixture {
        fn new(limits: LaneLimits) -> Self {
            let (report, trips) = mpsc::unbounded_channel();
            Self { lane: Lane::new("test", limits), report, trips }
        }

        fn call(&self, work: u32, bytes: usize, patience: Duration) -> JoinHandle<Result<u32>> {
            let (lane, report) = (Arc::clone(&self.lane), self.report.clone());
            let deadline = Instant::now() + patience;
            tokio::spawn(
                async move { lane.send(work, bytes, deadline, |carrier| carry(carrier, report)).await },
            )
        }

        /// Calls and lets the call get as far as it can.
        async fn called(&self, work: u32, bytes: usize) -> JoinHandle<Result<u32>> {
            let call = self.call(work, bytes, Duration::from_secs(10));
            tokio::task::yield_now().await;
            call
        }

        /// The batches that were carried so far.
        fn carried(&mut self) -> Vec<Vec<u32>> {
            std::iter::from_fn(|| self.trips.try_recv().ok()).collect()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_caller_waits_for_nothing_but_the_trip() {
        let fixture = Fixture::new(LIMITS);
        let begun = Instant::now();
        assert_eq!(fixture.called(1, 1).await.await.unwrap().unwrap(), 2);
        assert_eq!(begun.elapsed(), TRIP);
    }

    #[tokio::test(start_paused = true)]
    async fn what_left_is_reported() {
        let fixture = Fixture::new(LIMITS);
        let first = fixture.called(0, 1).await;
        let others = [fixture.called(1, 1).await, fixture.called(2, 1).await];
        assert_eq!(fixture.lane.report().waiting, 2);
        first.await.unwrap().unwrap();
        for call in others {
            call.await.unwrap().unwrap();
        }
        let report =
            LaneReport { name: "test", batches: 2, items: 3, largest: 2, waited: 2 * TRIP, waiting: 0 };
        assert_eq!(fixture.lane.report(), report);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lane_that_is_full_of_bytes_makes_callers_wait() {
        let fixture = Fixture::new(LaneLimits { waiting_bytes: 2 * ROOM, ..LIMITS });
        let under_way = fixture.called(0, 1).await;
        let large = fixture.called(1, 2 * ROOM).await;
        let hasty = fixture.call(2, ROOM, TRIP / 2);
        let small = fixture.called(3, 1).await;
        assert_eq!(hasty.await.unwrap().unwrap_err().kind(), &ErrorKind::Busy);
        for call in [under_way, large, small, fixture.called(4, 100 * ROOM).await] {
            call.await.unwrap().unwrap();
        }
        assert_eq!(fixture.lane.room.available_permits(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_arrives_during_a_trip_leaves_together_in_its_order() {
        let mut fixture = Fixture::new(LIMITS);
        let mut calls = Vec::new();
        for work in 0..10 {
            calls.push(fixture.called(work, 1).await);
        }
        for (work, call) in (0..).zip(calls) {
            assert_eq!(call.await.unwrap().unwrap(), work + 1);
        }
        assert_eq!(fixture.carried(), [vec![0], (1..10).collect()]);
    }

    #[tokio::test(start_paused = true)]
    async fn batches_are_bounded_in_items_and_bytes_but_one_item_always_goes() {
        let mut fixture = Fixture::new(LaneLimits { batch: 3, ..LIMITS });
        let mut calls = Vec::new();
        for (work, bytes) in [(0, 1), (1, 1), (2, 1), (3, 1), (4, 600), (5, 600), (6, 5000), (7, 1)] {
            calls.push(fixture.called(work, bytes).await);
        }
        for call in calls {
            call.await.unwrap().unwrap();
        }
        assert_eq!(fixture.carried(), [vec![0], vec![1, 2, 3], vec![4], vec![5], vec![6], vec![7]]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_lane_makes_callers_wait_and_is_busy_at_their_deadline() {
        let fixture = Fixture::new(LaneLimits { waiting: 2, ..LIMITS });
        let under_way = fixture.called(0, 1).await;
        let first = fixture.called(1, 1).await;
        let second = fixture.called(2, 1).await;
        let hasty = fixture.call(3, 1, TRIP / 2);
        let patient = fixture.call(4, 1, 10 * TRIP);
        assert_eq!(hasty.await.unwrap().unwrap_err().kind(), &ErrorKind::Busy);
        for call in [under_way, first, second, patient] {
            call.await.unwrap().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_went_away_before_its_trip_is_skipped() {
        let mut fixture = Fixture::new(LIMITS);
        let under_way = fixture.called(0, 1).await;
        let gone = fixture.called(1, 1).await;
        let late = fixture.call(2, 1, TRIP / 2);
        let stays = fixture.called(3, 1).await;
        gone.abort();
        assert_eq!(late.await.unwrap().unwrap_err().kind(), &ErrorKind::Busy);
        under_way.await.unwrap().unwrap();
        stays.await.unwrap().unwrap();
        assert_eq!(fixture.carried(), [vec![0], vec![3]]);
        assert_eq!(fixture.lane.places.available_permits(), LIMITS.waiting);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_whose_trip_takes_too_long_is_told_so() {
        let fixture = Fixture::new(LIMITS);
        let error = fixture.call(0, 1, TRIP / 2).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Timeout);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_carriers_than_allowed_are_under_way() {
        let lane: Arc<TestLane> = Lane::new("test", LaneLimits { carriers: 2, batch: 1, ..LIMITS });
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let calls: Vec<_> = (0..20)
            .map(|work| {
                let (lane, now, most) = (Arc::clone(&lane), Arc::clone(&now), Arc::clone(&most));
                tokio::spawn(async move {
                    let carry = |mut carrier: Carrier<u32, u32>| async move {
                        while let Some(batch) = carrier.next_batch() {
                            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                            sleep(TRIP).await;
                            now.fetch_sub(1, Ordering::SeqCst);
                            batch.into_iter().for_each(|item| item.answer(Ok(0)));
                        }
                    };
                    lane.send(work, 1, Instant::now() + 100 * TRIP, carry).await
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_carrier_is_told_and_replaced() {
        let fixture = Fixture::new(LIMITS);
        let deadline = Instant::now() + TRIP;
        let lost =
            fixture.lane.send(1, 1, deadline, |mut carrier| async move { drop(carrier.next_batch()) }).await;
        assert_eq!(lost.unwrap_err().kind(), &ErrorKind::Ambiguous);
        assert_eq!(fixture.called(1, 1).await.await.unwrap().unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_lane_finishes_what_it_took() {
        let fixture = Fixture::new(LIMITS);
        let (under_way, taken) = (fixture.called(0, 1).await, fixture.called(1, 1).await);
        fixture.lane.close();
        assert_eq!(fixture.called(2, 1).await.await.unwrap().unwrap_err().kind(), &ErrorKind::Closed);
        fixture.lane.finished().await;
        assert_eq!((under_way.await.unwrap().unwrap(), taken.await.unwrap().unwrap()), (1, 2));
        assert_eq!(fixture.lane.report().waiting, 0);
    }

    /// Random callers (some impatient, some that go away) on random lanes: every number that was answered was carried once,
    /// none was carried twice, none that was told `Busy` was carried, and all places come back.
    #[tokio::test(start_paused = true)]
    async fn nothing_is_lost_or_carried_twice() {
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let limits = LaneLimits {
                carriers: random.usize(1..4),
                batch: random.usize(1..6),
                batch_bytes: random.usize(1..40),
                waiting: random.usize(1..10),
                waiting_bytes: random.usize(1..4) * ROOM,
            };
            let mut fixture = Fixture::new(limits);
            let mut calls = Vec::new();
            for work in 0..60 {
                let call = fixture.call(work, random.usize(0..20), TRIP * random.u32(1..8));
                if random.u8(..) < 40 {
                    call.abort();
                }
                calls.push((work, call));
                if random.bool() {
                    sleep(TRIP.mul_f64(random.f64())).await;
                }
            }
            let mut answers = Vec::new();
            for (work, call) in calls {
                answers.push((work, call.await.ok()));
            }
            sleep(100 * TRIP).await;
            let mut carried = fixture.carried().concat();
            carried.sort_unstable();
            let distinct = carried.windows(2).all(|pair| pair[0] != pair[1]);
            assert!(distinct, "seed {seed}: carried twice");
            for (work, answer) in answers {
                let was_carried = carried.binary_search(&work).is_ok();
                match answer {
                    Some(Ok(answer)) => assert!(was_carried && answer == work + 1, "seed {seed}: {work}"),
                    Some(Err(error)) if *error.kind() == ErrorKind::Busy => {
                        assert!(!was_carried, "seed {seed}: {work} was told Busy and carried");
                    }
                    _ => {}
                }
            }
            assert_eq!(fixture.lane.places.available_permits(), limits.waiting, "seed {seed}");
            fixture.lane.finished().await;
        }
    }
}
