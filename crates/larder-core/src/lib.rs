//! larder's contract, with no database in it.
//!
//! [`Store`] is what a database driver implements: a small object-safe trait that speaks [`Verb`]s over [`Table`]
//! metadata instead of SQL. Everything a caller touches ([`Repo`], [`UserScope`], lists, patches, transactions with
//! retry) is written once, here, on top of it. [`MemoryStore`] is the complete reference implementation that the
//! databases are compared with.
//!
//! The floors of the crate, from the ground up: [`Value`] and [`Row`]; [`Table`] and its [`Rule`]s; [`Verb`],
//! [`Unit`] and [`Store`]; [`Entity`] and its companions; [`Context`], [`UserScope`], [`SystemScope`] and [`Repo`].

mod answer;
mod bulk;
mod change;
mod clock;
mod const_checks;
mod context;
mod cursor;
mod default_json;
mod detached;
mod entity;
mod error;
mod field;
mod fold;
mod id;
mod ids;
mod json;
pub mod lane;
mod list;
mod memory;
mod migrations;
mod prepare;
mod relation;
mod repo;
mod retry;
mod row;
mod scope;
mod secret;
mod statistics;
mod store;
mod stream;
mod table;
mod transaction;
mod unscoped;
mod validate;
mod value;
mod verb;
mod with;

pub use change::Change;
pub use clock::{Clock, ManualClock, SystemClock};
pub use context::Context;
pub use cursor::Cursor;
pub use detached::Detached;
pub use entity::{
    Entity, EntityKey, EntityPatch, EnumText, ListQuery, NewEntity, Owned, Ownership, Stamp, Unowned,
};
pub use error::{Error, ErrorKind, Result};
pub use field::{Field, Plain, Refers};
pub use fold::fold;
pub use futures_util::Stream;
pub use id::Id;
pub use ids::{Ids, RandomIds, SequentialIds};
pub use json::{Json, MAX_JSON_DEPTH, canonical};
pub use list::{ListRequest, MAX_PAGE_SIZE, MAX_SEARCH_BYTES, Page, SortDirection};
pub use memory::MemoryStore;
pub use migrations::{Migration, Migrations};
pub use relation::{Children, Known, Mapped, Parent, Reference, Relation};
pub use repo::Repo;
pub use retry::RetryPolicy;
pub use row::Row;
pub use scope::{SystemScope, UserScope};
pub use secret::Secret;
pub use statistics::Totals;
pub use store::{
    Begin, Capability, Freshness, Health, ReplicaFailure, ReplicaReport, SCHEMA_LOCK_WAIT, Sql, SqlOutcome,
    Store, Transaction,
};
pub use table::{
    Column, ColumnType, Condition, EnumType, ForeignKey, Index, Literal, MAX_VALUE_BYTES, Rule, Source,
    Table, Unique,
};
pub use unscoped::Unscoped;
pub use validate::{check_row, check_type, check_value};
pub use value::{ColumnValue, Value, WrongType};
pub use verb::{
    Aggregate, Assign, Claim, Count, Delete, Filter, Get, Insert, Key, Op, Order, Outcome, Require, Select,
    Step, Unit, Update, Upsert, Verb,
};
pub use with::With;

/// What the code written by `#[derive(Entity)]` refers to. Not part of the stable interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::{
        const_checks::{at_most, contains, has_key, table_of},
        default_json::{DefaultJson, EmptyArray, EmptyObject},
        field::field,
        prepare::{plain_text, value_of},
    };
    pub use chrono;
    pub use serde;
    pub use serde_json;
    pub use uuid;
}
