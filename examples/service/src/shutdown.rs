//! When to stop.

use std::{future::Future, io, time::Duration};

use tokio_util::sync::CancellationToken;

/// Listens, from this call on, for SIGINT and SIGTERM; the future ends with the first.
///
/// # Errors
/// When the system does not let it listen.
#[cfg(unix)]
pub fn signals() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Listens, from this call on, for Ctrl-C; the future ends with the first.
///
/// # Errors
/// When the system does not let it listen.
#[cfg(windows)]
pub fn signals() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}

/// Ends this long after `stop`.
pub(crate) async fn deadline(stop: &CancellationToken, drain: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(drain).await;
}
