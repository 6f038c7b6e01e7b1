//! Waiting for a condition, with a deadline, in place of a sleep.

use std::future::Future;
use std::time::Duration;

use crate::TestingError;

/// Asks `condition` again and again until it answers `Some`, and returns that.
///
/// The pause between two questions grows from one to twenty milliseconds.
///
/// # Errors
/// When `deadline` passes first, even while a question hangs; the message names `what` was waited for.
pub async fn poll_until<T, F, C>(deadline: Duration, what: &str, mut condition: F) -> Result<T, TestingError>
where
    F: FnMut() -> C,
    C: Future<Output = Option<T>>,
{
    let asking = async {
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(answer) = condition().await {
                return answer;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    };
    tokio::time::timeout(deadline, asking)
        .await
        .map_err(|_| TestingError::new(format!("waited {deadline:?} in vain: {what}")))
}
