//! A fresh database of either kind.

use larder::{Result, UserScope, prelude::*};
use larder_testing::{Postgres, PostgresDatabase};
use tempfile::TempDir;

/// Runs each of these tests, which take a [`Database`], on both.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod libsql {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::databases::Database::libsql()).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::databases::Database::postgres().await).await;
            })+
        }
    };
}
pub(crate) use on_both;

/// An empty database. It is gone when this is dropped.
pub(crate) enum Database {
    Libsql(TempDir),
    Postgres(PostgresDatabase),
}

impl Database {
    pub(crate) fn libsql() -> Self {
        Self::Libsql(tempfile::tempdir().unwrap())
    }

    pub(crate) async fn postgres() -> Self {
        Self::Postgres(Postgres::shared().await.unwrap().database().await.unwrap())
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Libsql(directory) => format!("file:{}", directory.path().join("test.db").display()),
            Self::Postgres(database) => database.url().to_owned(),
        }
    }

    pub(crate) async fn open(&self) -> Result<Larder> {
        Larder::open(&self.url()).await
    }

    /// Opened, and migrated.
    pub(crate) async fn migrated(&self) -> Larder {
        let larder = self.open().await.unwrap();
        larder.migrate().await.unwrap();
        larder
    }
}

/// A new user's scope.
pub(crate) async fn user(larder: &Larder) -> UserScope {
    larder.user(larder.system().users().create(NewUser::default()).await.unwrap().id)
}

/// The entity and the field that an `Invalid` names.
pub(crate) fn invalid<T: std::fmt::Debug>(result: Result<T>) -> (String, String) {
    match result.unwrap_err().kind() {
        ErrorKind::Invalid { entity, field, reason } => {
            assert!(!reason.is_empty());
            (entity.to_string(), field.to_string())
        }
        other => panic!("{other:?}"),
    }
}

/// Asserts that an `Invalid` names this entity and field.
#[track_caller]
pub(crate) fn assert_invalid<T: std::fmt::Debug>(result: Result<T>, entity: &str, field: &str) {
    assert_eq!(invalid(result), (entity.to_owned(), field.to_owned()));
}
