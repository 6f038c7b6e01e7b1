//! Ids and other randomness, given from outside.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use chrono::{DateTime, Utc};
use uuid::{Builder, ContextV7, Timestamp, Uuid};

use crate::{Error, ErrorKind, Result};

/// Where larder gets new ids and random bytes from. No database makes any.
pub trait Ids: fmt::Debug + Send + Sync + 'static {
    /// A new UUIDv7 (RFC 9562) whose time is `now`; never the same twice.
    fn next(&self, now: DateTime<Utc>) -> Uuid;

    /// Fills `bytes` with random ones that nobody can guess: secrets are made of them.
    ///
    /// # Errors
    /// `Unavailable` when there are none to be had.
    fn random(&self, bytes: &mut [u8]) -> Result<()>;
}

/// Random ids, ascending within a process as long as the clock does not go back, and the operating system's random bytes: the
/// default.
#[derive(Debug, Default)]
pub struct RandomIds(std::sync::Mutex<ContextV7>);

impl Ids for RandomIds {
    fn next(&self, now: DateTime<Utc>) -> Uuid {
        let context = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (seconds, nanoseconds) = since_epoch(now);
        Uuid::new_v7(Timestamp::from_unix(&*context, seconds, nanoseconds))
    }

    fn random(&self, bytes: &mut [u8]) -> Result<()> {
        getrandom::fill(bytes).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "the operating system has no random bytes").with_source(error)
        })
    }
}

/// Ids that are the same in every run: the time and a counter. For tests and demonstrations: its "random" bytes are the
/// counter's too, and secrets that are made of them are none.
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

    fn random(&self, bytes: &mut [u8]) -> Result<()> {
        for chunk in bytes.chunks_mut(8) {
            // Spread over all bits (the finalizer of SplitMix64), so that what is drawn by rejection ends.
            let mut count = self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
            count = (count ^ (count >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            count = (count ^ (count >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(count ^ (count >> 31)).to_be_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// UUIDv7 has no times before 1970: they count as 1970.
fn since_epoch(now: DateTime<Utc>) -> (u64, u32) {
    u64::try_from(now.timestamp()).map_or((0, 0), |seconds| (seconds, now.timestamp_subsec_nanos()))
}
