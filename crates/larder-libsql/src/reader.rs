//! A thread that reads.

use crate::{database::Database, shared::Shared};

/// Serves the readers' queue until it is closed and empty. Each job sees everything that was committed before it began.
pub(crate) fn serve(database: &Database, shared: &Shared) {
    while let Some(mut job) = shared.reads.take() {
        if job.ticket().begin() {
            job.run(database);
            // Nothing of it stays open: a snapshot that is kept would keep the log from being reused.
            database.roll_back();
            job.answer();
        }
    }
}
