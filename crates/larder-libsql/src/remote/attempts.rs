//! Sending again what was lost.

use std::time::Duration;

use larder_core::{ErrorKind, Result, RetryPolicy};
use tokio::time::{Instant, sleep};

use super::error::{Fate, Lost};

/// How attempts follow each other; when they end is up to the configuration.
const ATTEMPTS: RetryPolicy = RetryPolicy {
    max_attempts: u32::MAX,
    base: Duration::from_millis(20),
    cap: Duration::from_millis(500),
    budget: Duration::from_secs(60 * 60),
};

/// The attempts at one request, with a budget.
pub(crate) struct Attempts {
    until: Instant,
    failed: u32,
}

impl Attempts {
    /// Within this time from now, and by the deadline.
    pub(crate) fn new(budget: Duration, deadline: Instant) -> Self {
        Self { until: (Instant::now() + budget).min(deadline), failed: 0 }
    }

    /// Waits for the next attempt at what does no harm when it is executed twice; hands the error back when there is to be
    /// none.
    pub(crate) async fn next(&mut self, lost: Lost) -> Result<(), Lost> {
        self.failed += 1;
        // Jitter is no data: it needs no injected source.
        let wait = ATTEMPTS.longest_wait(self.failed).mul_f64(fastrand::f64());
        let is_over = *lost.error.kind() == ErrorKind::Timeout || Instant::now() + wait >= self.until;
        if lost.fate == Fate::Refused || is_over {
            return Err(lost);
        }
        tracing::debug!(failed = self.failed, error = %lost.error, "trying again");
        sleep(wait).await;
        Ok(())
    }
}
