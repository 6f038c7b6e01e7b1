//! What larder's SQL databases share: [`Verb`](larder_core::Verb)s rendered for a [`Dialect`], DDL from the tables'
//! metadata, and the logical schema that both are compared by.
//!
//! A driver calls [`check`] on a verb, renders it with the function of the verb's name, and executes the [`Statement`]; with
//! [`Statements`] the text of each shape of verb is written only once.
//! What takes more than one statement (a claim on SQLite, an overflow, a conflict that must not raise) is described at the
//! functions that render the parts.

mod aggregate;
mod batch;
mod candidates;
mod check;
mod claim;
mod ddl;
mod definition;
mod dialect;
#[cfg(test)]
mod fixtures;
mod introspect;
mod logical;
mod read;
mod search;
mod shape;
mod statement;
mod statements;
mod write;
mod writer;

pub use aggregate::{aggregate, aggregated};
pub use batch::{Batchable, RowKey, batch_answers};
pub use candidates::{count_goes_by_search, select_goes_by_search};
pub use check::check;
pub use claim::{claim, claim_at_once, claim_keys, claim_update};
pub use ddl::{create_schema, create_table};
pub use dialect::Dialect;
pub use introspect::introspect;
pub use logical::{
    LogicalColumn, LogicalForeignKey, LogicalIndex, LogicalKey, LogicalSchema, LogicalTable, LogicalType,
};
pub use read::{Lock, count, count_by_search, get, get_locked, select, select_by_search};
pub use search::add_search_index;
pub use statement::{Bind, Returns, Statement};
pub use statements::{Rendered, Statements};
pub use write::{
    ConflictProbe, add_overflow, add_probe, conflict_probe, delete, insert, insert_unless_conflict, update,
    upsert, upsert_as_update,
};
