//! Ids, given from outside.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use chrono::{DateTime, Utc};
use uuid::{Builder, ContextV7, Timestamp, Uuid};

/// Where larder gets new ids from. No database makes one.
pub trait Ids: fmt::Debug + Send + Sync + 'static {
    /// A new UUIDv7 (RFC 9562) whose time is `now`; never the same twice.
    fn next(&self, now: DateTime<Utc>) -> Uuid;
}

/// Random ids, ascending within a process as long as the clock does not go back: the default.
#[derive(Debug, Default)]
pub struct RandomIds(std::sync::Mutex<ContextV7>);

impl Ids for RandomIds {
    fn next(&self, now: DateTime<Utc>) -> Uuid {
        let context = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (seconds, nanoseconds) = since_epoch(now);
        Uuid::new_v7(Timestamp::from_unix(&*context, seconds, nanoseconds))
    }
}

/// Ids that are the same in every run: the time and a counter. For tests and demonstrations.
#[derive(Debug, Default)]
pub struct SequentialIds(AtomicU64);

impl Ids for SequentialIds {
    fn next(&self, now: DateTime<Utc>) -> Uuid {
        let count = self.0.fetch_add(1, Ordering::Relaxed);
        let (seconds, nanoseconds) = since_epoch(now);
        let mut bytes = [0; 10];
        bytes[2..].copy_from_slice(&count.to_be_bytes());
        Builder::from_unix_timestamp_millis(seconds * 1000 + u64::from(nanoseconds) / 1_000_000, &bytes)
            .into_uuid()
    }
}

/// UUIDv7 has no times before 1970: they count as 1970.
fn since_epoch(now: DateTime<Utc>) -> (u64, u32) {
    u64::try_from(now.timestamp()).map_or((0, 0), |seconds| (seconds, now.timestamp_subsec_nanos()))
}
