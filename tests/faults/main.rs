//! Faults in the middle of a batch: a process, a session or a server that is killed, a connection that is cut. What was
//! acknowledged is there, nothing is there twice, and every caller was told the truth.
//!
//! The environment variable `LARDER_KILLS` says how often each test kills; with 100, processes are killed 200 times (half of
//! them write to a file, half to PostgreSQL), and PostgreSQL 200 times (half as a whole, half by one session), a libSQL server 100 times. Without it they
//! kill less often: see each test. `LARDER_CLAIMS` says how many jobs the workers of [`claims`] share.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod child;
mod claims;
mod cuts;
mod ground;
mod processes;
mod remote;
mod server;
mod through;

/// How many kills a test makes, unless the environment says otherwise.
fn kills(usual: usize) -> usize {
    std::env::var("LARDER_KILLS").map_or(usual, |kills| kills.parse().unwrap())
}
