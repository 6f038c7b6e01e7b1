//! The entities: what the tables, the rules and the companions (`NewInvoice`, `ListInvoices`, …) come from.

use chrono::{DateTime, Utc};
use larder::prelude::*;

/// How far an invoice has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumText)]
pub enum InvoiceStatus {
    /// It is being written.
    Draft,
    /// The customer has it.
    Sent,
    /// The customer has paid.
    Paid,
}

/// What a customer owes.
#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(unique = [user_id, id], unique = [user_id, number])]
pub struct Invoice {
    /// The id.
    pub id: InvoiceId,
    /// Who wrote it.
    #[entity(owner)]
    pub user_id: UserId,
    /// Its number; a user has no two with the same.
    #[entity(length(1, 40), sort, create_only)]
    pub number: String,
    /// Whose name it bears.
    #[entity(length(1, 200), sort, search)]
    pub customer: String,
    /// How far it has come.
    #[entity(default = InvoiceStatus::Draft, filter)]
    pub status: InvoiceStatus,
    /// When it was created.
    #[entity(sort)]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// A line of an invoice.
#[derive(Debug, Clone, PartialEq, Entity)]
pub struct InvoiceLine {
    /// The id.
    pub id: InvoiceLineId,
    /// Who wrote it.
    #[entity(owner)]
    pub user_id: UserId,
    /// The invoice that it is a line of.
    #[entity(parent)]
    pub invoice_id: InvoiceId,
    /// What was sold.
    #[entity(length(1, 500))]
    pub text: String,
    /// How many.
    #[entity(range(1..))]
    pub quantity: i64,
    /// The price of one.
    #[entity(range(0..))]
    pub cents: i64,
    /// When it was created.
    #[entity(sort)]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}
