//! What the programs of this package write and read.

use larder::prelude::*;

/// A row.
#[derive(Debug, Clone, PartialEq, Entity)]
pub struct Event {
    pub id: EventId,
    pub writer: i64,
    #[entity(length(0, 100))]
    pub text: String,
    pub created_at: chrono::DateTime<chrono::Utc>,
    pub updated_at: chrono::DateTime<chrono::Utc>,
}
