//! Migrating real databases: each test is written once and runs on a libSQL file and on PostgreSQL.

mod concurrency;
mod databases;
mod ledger;
mod processes;
mod refusals;
mod steps;
