//! The entities: what the tables, the rules and the companions (`NewInvoice`, `ListInvoices`, …) come from.

use chrono::{DateTime, Utc};
use larder::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumText)]
pub(crate) enum InvoiceStatus {
    Draft,
    Sent,
    Paid,
}

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(unique(user_id, id))]
#[entity(unique(user_id, number))]
pub(crate) struct Invoice {
    pub id: InvoiceId,
    #[entity(owner)]
    pub user_id: UserId,
    #[entity(length(1, 40), sort, create_only)]
    pub number: String,
    #[entity(length(1, 200), sort, search)]
    pub customer: String,
    #[entity(default = InvoiceStatus::Draft, filter)]
    pub status: InvoiceStatus,
    #[entity(sort)]
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Entity)]
pub(crate) struct InvoiceLine {
    pub id: InvoiceLineId,
    #[entity(owner)]
    pub user_id: UserId,
    #[entity(parent)]
    pub invoice_id: InvoiceId,
    #[entity(length(1, 500))]
    pub text: String,
    #[entity(range(1..))]
    pub quantity: i64,
    #[entity(range(0..))]
    pub cents: i64,
    #[entity(sort)]
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}
