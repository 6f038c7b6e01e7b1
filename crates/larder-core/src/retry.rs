//! Trying again what lost against a concurrent caller.

use std::time::Duration;

use tokio::time::Instant;

use crate::{Error, Result};

/// How often, and for how long, work that failed with a [retryable](crate::Error::is_retryable) error is tried again.
///
/// Before attempt `n + 1` it waits a random time between zero and `base * 2^(n - 1)`, at most `cap`: "full jitter" of
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>, which keeps callers that collided from
/// colliding again. When the attempts or the budget are spent the last error is returned as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The most attempts, the first one included; at least 1.
    pub max_attempts: u32,
    /// The longest wait before the second attempt.
    pub base: Duration,
    /// The longest wait before any attempt.
    pub cap: Duration,
    /// No attempt begins later than this after the first one did.
    pub budget: Duration,
}

/// Forty attempts within 30 seconds, waits from 2 ms to 250 ms: enough for a hundred writers of one row.
impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 40,
            base: Duration::from_millis(2),
            cap: Duration::from_millis(250),
            budget: Duration::from_secs(30),
        }
    }
}

impl RetryPolicy {
    /// One attempt.
    pub const NEVER: Self =
        Self { max_attempts: 1, base: Duration::ZERO, cap: Duration::ZERO, budget: Duration::ZERO };

    /// The longest wait after this many failed attempts.
    pub fn longest_wait(&self, failed: u32) -> Duration {
        let doublings = failed.saturating_sub(1).min(31);
        self.base.saturating_mul(1 << doublings).min(self.cap)
    }

    pub(crate) fn begin(self) -> Retries {
        Retries { policy: self, begun: Instant::now(), failed: 0 }
    }
}

/// The attempts at one piece of work.
#[derive(Debug)]
pub(crate) struct Retries {
    policy: RetryPolicy,
    begun: Instant,
    failed: u32,
}

impl Retries {
    /// After a failed attempt: waits for the next one, or hands the error back when there is to be none.
    pub(crate) async fn wait_after(&mut self, error: Error) -> Result<()> {
        self.failed += 1;
        if !error.is_retryable() || self.failed >= self.policy.max_attempts {
            return Err(error);
        }
        // Jitter is no data: it needs no injected source.
        let wait = self.policy.longest_wait(self.failed).mul_f64(fastrand::f64());
        if self.begun.elapsed() + wait > self.policy.budget {
            return Err(error);
        }
        tracing::debug!(failed = self.failed, ?wait, %error, "trying again");
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    /// How many attempts fail before the error is handed back.
    async fn attempts(policy: RetryPolicy, kind: ErrorKind) -> u32 {
        let mut retries = policy.begin();
        let mut attempts = 1;
        while retries.wait_after(Error::new(kind.clone(), "")).await.is_ok() {
            attempts += 1;
        }
        attempts
    }

    #[tokio::test(start_paused = true)]
    async fn stops_after_the_attempts() {
        let policy = RetryPolicy { max_attempts: 3, ..RetryPolicy::default() };
        assert_eq!(attempts(policy, ErrorKind::Busy).await, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn stops_when_the_budget_is_spent() {
        let second = Duration::from_secs(1);
        let policy = RetryPolicy { max_attempts: u32::MAX, base: second, cap: second, budget: 10 * second };
        let begun = Instant::now();
        assert!(attempts(policy, ErrorKind::Contention).await > 9);
        assert!(begun.elapsed() <= 10 * second);
    }

    #[tokio::test(start_paused = true)]
    async fn never_tries_again_what_is_not_retryable() {
        assert_eq!(attempts(RetryPolicy::default(), ErrorKind::Ambiguous).await, 1);
    }

    #[test]
    fn waits_double_up_to_the_cap() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.longest_wait(1), Duration::from_millis(2));
        assert_eq!(policy.longest_wait(4), Duration::from_millis(16));
        assert_eq!(policy.longest_wait(1000), Duration::from_millis(250));
    }
}
