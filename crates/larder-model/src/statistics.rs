//! What jobs come to: how many, and the tokens that they used.

use larder_core::Field;
use serde::Serialize;

use crate::{Job, JobStatus, TokenUsage};

/// The fields of a job that count tokens, in the order of [`TokenUsage`]'s.
pub(crate) const TOKENS: [Field<Job, i64>; 5] = [
    Job::INPUT_TOKENS,
    Job::OUTPUT_TOKENS,
    Job::REASONING_TOKENS,
    Job::CACHED_INPUT_TOKENS,
    Job::TOTAL_TOKENS,
];

impl TokenUsage {
    /// Of as many tokens as [`TOKENS`] hold, each.
    pub(crate) fn of([input, output, reasoning, cached_input, total]: [i64; 5]) -> Self {
        Self { input, output, reasoning, cached_input, total }
    }
}

/// How many jobs there are of each status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct JobCounts {
    /// Jobs that run when they are due.
    pub active: u64,
    /// Jobs that do not run until they are activated.
    pub paused: u64,
    /// Jobs that are kept to look at.
    pub archived: u64,
}

impl JobCounts {
    pub(crate) fn of(counts: impl IntoIterator<Item = (JobStatus, u64)>) -> Self {
        let mut all = Self::default();
        for (status, count) in counts {
            match status {
                JobStatus::Active => all.active = count,
                JobStatus::Paused => all.paused = count,
                JobStatus::Archived => all.archived = count,
            }
        }
        all
    }
}
