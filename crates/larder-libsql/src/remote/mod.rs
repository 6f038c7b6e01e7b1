//! A libSQL server (sqld, Turso), spoken to by SQL over HTTP.
//!
//! From the ground up: `connect` reaches the host, `http` posts to it, `pipeline` is a request of the Hrana protocol. A
//! `Script` is what verbs and units are on the wire: statements with conditions, so that whatever is decided between two of
//! them is decided there. `reads` and `writes` are the lanes in which scripts travel together, and a `Stream` is what is kept
//! open for what cannot be sent whole.

mod attempts;
mod batch;
mod config;
mod connect;
mod error;
mod http;
mod pipeline;
mod plan;
mod reads;
mod script;
mod sql;
mod stall;
mod store;
mod stream;
mod token;
mod transaction;
mod wire;
mod writes;

#[cfg(feature = "replica")]
pub(crate) use config::OPTIONS;
pub use config::{Endpoint, RemoteConfig};
#[cfg(feature = "replica")]
pub(crate) use connect::Connector;
pub use store::RemoteStore;
#[cfg(feature = "replica")]
pub(crate) use token::Tokens;
pub use token::{Token, TokenSource};
