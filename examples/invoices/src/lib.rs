//! What the application stores: invoices, which belong to a user, and their lines, which belong to an invoice.

mod entities;

use larder::{Entity, Migrations, Table};

pub use entities::{
    Invoice, InvoiceId, InvoiceLine, InvoiceLineId, InvoiceLinePatch, InvoiceLineSort, InvoicePatch,
    InvoiceSort, InvoiceStatus, ListInvoiceLines, ListInvoices, NewInvoice, NewInvoiceLine,
};

/// The application's own tables.
pub const TABLES: &[&Table] = &[Invoice::TABLE, InvoiceLine::TABLE];

/// The migrations that make them, in two folders. `tests/schema.rs` holds them to the entities.
pub fn migrations() -> Migrations {
    larder::migrations!("invoices", postgres = "migrations-postgres", sqlite = "migrations-sqlite")
}
