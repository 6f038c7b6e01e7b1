//! larder on a libSQL server: how many requests it takes, and what is answered when one is lost, refused or too large.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod addresses;
mod limits;
mod losses;
mod migrations;
mod requests;
mod tokens;
mod way;
