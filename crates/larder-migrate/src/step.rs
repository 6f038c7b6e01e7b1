//! One step: its script and its entry in the ledger, in one transaction.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use larder_core::{Begin, Clock, Error, ErrorKind, Migration, Migrations, Result, Sql, Store, Transaction};

use crate::{
    Applied,
    boundary::Boundary,
    failure::{crossed, failed},
    ledger, plan,
};

/// Applies the first pending step of a set; `None` when there is none.
pub(crate) async fn apply_next(
    store: &Arc<dyn Store>,
    clock: &dyn Clock,
    set: &Migrations,
) -> Result<Option<Applied>> {
    let mut transaction = store.begin(Begin::Schema).await?;
    let entries = ledger::open(&mut *transaction, set.source()).await?;
    let Some(step) = plan::pending(set, &entries)?.first().copied() else {
        transaction.rollback().await?;
        return Ok(None);
    };
    let boundary = Boundary::begin(&mut *transaction).await?;
    let duration = match run(&mut *transaction, step).await {
        Ok(duration) => duration,
        Err(error) => {
            // The script's error is the one to report.
            let _ = transaction.rollback().await;
            return Err(failed(store, set, step, &boundary, entries.is_empty(), error).await);
        }
    };
    if !boundary.holds(&mut *transaction).await? {
        return Err(crossed(set, step));
    }
    ledger::record(&mut *transaction, set, step, clock.now(), duration).await?;
    transaction.commit().await.map_err(|error| not_committed(set, step, error))?;
    Ok(Some(Applied { step: set.describe(step), duration }))
}

/// Runs the script and tells how long it took.
async fn run(transaction: &mut dyn Transaction, step: &Migration) -> Result<Duration> {
    let begun = Instant::now();
    transaction.sql(Sql::new(step.postgres.clone(), step.sqlite.clone())).await?;
    Ok(begun.elapsed())
}

fn not_committed(set: &Migrations, step: &Migration, error: Error) -> Error {
    match error.kind() {
        ErrorKind::Ambiguous | ErrorKind::Timeout => {
            let what = format!("{}: migrate again, which finds out and goes on", set.describe(step));
            Error::new(error.kind().clone(), what).with_source(error)
        }
        _ => error,
    }
}
