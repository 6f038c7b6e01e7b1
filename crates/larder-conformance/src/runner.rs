//! Runs one case on one backend.

use std::{any::Any, sync::Arc, time::Duration};

use larder::Capability;
use tokio::runtime::{Builder, Runtime};

use crate::{Backend, Case, CaseResult, Failure, Schema, World, random::times_longer};

/// After this long a case hangs: it has failed. Where the random runs are made longer, so is this.
const DEADLINE: Duration = Duration::from_secs(300);

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The promise was kept.
    Passed,
    /// It was not, and this is how it showed.
    Failed(String),
    /// The store says that it cannot do this, which the case needs.
    LeftOut(Capability),
}

/// Runs a case on a fresh database of this backend. Blocks; must not be called within a runtime.
pub fn run_case(backend: &Arc<dyn Backend>, case: &'static Case) -> Verdict {
    match runtime() {
        Ok(runtime) => {
            let verdict = runtime.block_on(on_fresh_database(backend, case));
            // A case that hangs must not make the suite hang.
            runtime.shutdown_timeout(Duration::from_secs(2));
            verdict.unwrap_or_else(|failure| Verdict::Failed(described(&*failure)))
        }
        Err(error) => Verdict::Failed(format!("no runtime: {error}")),
    }
}

fn runtime() -> std::io::Result<Runtime> {
    // Two threads, so that what can race does.
    Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

async fn on_fresh_database(backend: &Arc<dyn Backend>, case: &'static Case) -> Result<Verdict, Failure> {
    let world = World::create(Arc::clone(backend), Arc::new(Schema::of_the_suite())).await?;
    let store = world.store();
    if let Some(missing) = case.needs.iter().find(|needed| !store.supports(**needed)) {
        return Ok(Verdict::LeftOut(*missing));
    }
    let deadline = DEADLINE * times_longer(&**backend)?;
    let database = world.database();
    let mut task = tokio::spawn((case.run)(world));
    let ended = tokio::time::timeout(deadline, &mut task).await;
    let result: CaseResult = match ended {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => Err(panic_message(error).into()),
        Err(_) => {
            task.abort();
            Err(format!("did not end within {deadline:?}").into())
        }
    };
    let closed = tokio::time::timeout(DEADLINE, store.close()).await;
    drop(database);
    result?;
    closed.map_err(|_| "close() did not end")??;
    Ok(Verdict::Passed)
}

fn panic_message(error: tokio::task::JoinError) -> String {
    let Ok(payload) = error.try_into_panic() else { return "was cancelled".to_owned() };
    text_of_panic(&*payload).unwrap_or("panicked").to_owned()
}

fn text_of_panic(payload: &(dyn Any + Send)) -> Option<&str> {
    payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied())
}

/// An error with its causes.
fn described(failure: &(dyn std::error::Error + 'static)) -> String {
    let mut text = failure.to_string();
    let mut cause = failure.source();
    while let Some(error) = cause {
        text.push_str(&format!("\n  caused by: {error}"));
        cause = error.source();
    }
    text
}
