//! One storage API over two databases: PostgreSQL in the data centre, libSQL (SQLite) embedded, at the edge or in a test.
//! A service is written once; its configuration says which database it runs on; one conformance suite proves that the
//! choice changes nothing but the deployment.
//!
//! ```
//! use larder::prelude::*;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> larder::Result<()> {
//! let larder = Larder::open("memory:").await?; // or "file:app.db", "postgres://user:password@host/app"
//! larder.migrate().await?;
//!
//! let ada = larder.system().users().create(NewUser { name: Some("Ada".into()), ..NewUser::default() }).await?;
//! let mine = larder.user(ada.id); // from here on, nothing of another user can be reached
//! let job = mine.jobs().create(NewJob::new("Send me the weather every morning")).await?;
//! mine.messages().append(NewMessage::new(job.id, MessageRole::User, "Only when it rains")).await?;
//!
//! let page = mine.jobs().list(ListJobs { search: Some("WEATHER".into()), ..ListJobs::default() }).await?;
//! assert_eq!(page.items, [job]);
//! # Ok(())
//! # }
//! ```
//!
//! - Entities of one's own: [`derive@Entity`].
//! - What a store must do, and what its implementations are held to: [`Store`] and the crate `larder-conformance`.
//! - Features: `libsql` and `postgres`, both on by default; switch off what you don't need. `replica`: a libSQL server's
//!   database, read from a replica in a file.

mod larder;
mod open;

pub use larder_core::*;
pub use larder_derive::{Entity, EnumText, migrations};
pub use larder_migrate::{Applied, LedgerEntry, Status};
pub use larder_model as model;
pub use larder_sql::{Dialect, add_search_index, create_schema};

pub use crate::larder::{Builder, Larder};

/// What is special to libSQL: stores on a server, and where their tokens come from.
#[cfg(feature = "libsql")]
pub mod libsql {
    pub use larder_libsql::{
        Endpoint, LibsqlConfig, LibsqlStore, Location, RemoteConfig, RemoteStore, SecretString, Synchronous,
        Token, TokenSource,
    };
    #[cfg(feature = "replica")]
    pub use larder_libsql::{ReplicaConfig, ReplicaStore};
}

/// What almost every user of larder needs: `use larder::prelude::*`.
pub mod prelude {
    pub use larder_core::{
        Change, Cursor, Entity as _, Error, ErrorKind, Id, Page, Relation as _, SortDirection, SystemScope,
        UserScope, With,
    };
    pub use larder_derive::{Entity, EnumText};
    pub use larder_model::*;

    pub use crate::Larder;
}

/// Where the code that `#[derive(Entity)]` writes finds what it needs.
#[doc(hidden)]
pub use larder_core::__private;
