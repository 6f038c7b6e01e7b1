//! The bounds of a step: it must not end the transaction that it runs in. SQLite's driver refuses that; PostgreSQL takes
//! a COMMIT in a script, and what the script did would be in the database without the ledger knowing.

use std::sync::Arc;

use larder_core::{ColumnType, Result, Sql, SqlOutcome, Store, Transaction, Value};

/// The transaction that a step began in.
pub(crate) struct Boundary(Value);

impl Boundary {
    /// Notes the transaction. Also lets PostgreSQL (14 and later) notice when this process is killed: it would go on with
    /// the script, and hold the migrators' lock until its end.
    pub(crate) async fn begin(transaction: &mut dyn Transaction) -> Result<Self> {
        let sql = Sql::new(
            "SELECT txid_current(), \
             (SELECT set_config(name, '1s', true) FROM pg_settings WHERE name = 'client_connection_check_interval')",
            "SELECT 0, NULL",
        );
        let outcome = transaction.sql(sql.returning([ColumnType::Int, ColumnType::Text])).await?;
        Ok(Self(first(&outcome)))
    }

    /// After the script: is it still the same transaction? What the script has set (`search_path` in every dump) is
    /// reset, so that it reaches neither the ledger nor whoever has the connection next.
    pub(crate) async fn holds(&self, transaction: &mut dyn Transaction) -> Result<bool> {
        transaction.sql(Sql::new("RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL", "")).await?;
        let sql = Sql::new("SELECT txid_current()", "SELECT 0").returning([ColumnType::Int]);
        Ok(first(&transaction.sql(sql).await?) == self.0)
    }

    /// After a script that failed: was the transaction committed before that?
    pub(crate) async fn was_crossed(&self, store: &Arc<dyn Store>) -> Result<bool> {
        let sql = Sql::new("SELECT txid_status($1) = 'committed'", "SELECT ?1 <> 0")
            .bind(ColumnType::Int, self.0.clone())
            .returning([ColumnType::Bool]);
        Ok(first(&store.sql(sql).await?) == Value::Bool(true))
    }
}

fn first(outcome: &SqlOutcome) -> Value {
    outcome.rows.first().and_then(|row| row.get(0)).cloned().unwrap_or(Value::Null)
}
