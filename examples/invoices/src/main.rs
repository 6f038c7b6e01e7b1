//! An application with two entities of its own: invoices, which belong to a user, and their lines, which belong to an
//! invoice. It runs on either database:
//!
//! ```sh
//! cargo run -p invoices                                              # in memory
//! cargo run -p invoices -- file:invoices.db
//! cargo run -p invoices -- postgres://user:password@localhost/invoices
//! ```

use invoices::{Invoice, InvoiceLine, InvoiceStatus, ListInvoices, NewInvoice, NewInvoiceLine, migrations};
use larder::prelude::*;

#[tokio::main]
async fn main() -> larder::Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "memory:".to_owned());
    let larder = Larder::builder().migrations(migrations()).open(&url).await?;
    larder.migrate().await?;

    let user = larder.system().users().create(NewUser::default()).await?;
    let mine = larder.user(user.id);
    write_invoice(&mine).await?;

    let list = ListInvoices {
        search: Some("LOVELACE".into()),
        status: Some(InvoiceStatus::Sent),
        ..Default::default()
    };
    // The invoices of a page and all of their lines: two trips, however many there are.
    let page = mine.repo::<Invoice>().list_with(list, InvoiceLine::INVOICE_ID.children()).await?;
    println!("found by search: {}", page.items.len());
    for invoice in &page.items {
        let lines: &Vec<InvoiceLine> = &invoice.loaded;
        let total: i64 = lines.iter().map(|line| line.quantity * line.cents).sum();
        println!(
            "{} for {}: {} lines, {total} cents, {}",
            invoice.number,
            invoice.customer,
            lines.len(),
            invoice.status
        );
    }

    let again = mine.repo::<Invoice>().create(NewInvoice::new("2026-001", "Somebody else")).await;
    println!("the same number again: {}", again.map_or_else(|error| error.to_string(), |_| "created".into()));
    larder.close().await
}

/// An invoice and its lines, all or nothing.
async fn write_invoice(mine: &UserScope) -> larder::Result<()> {
    mine.transaction(|tx| async move {
        let invoice = tx.repo::<Invoice>().create(NewInvoice::new("2026-001", "Ada Lovelace")).await?;
        let lines = [("Notes on the Analytical Engine", 1, 120_000), ("Punched cards", 500, 3)];
        let lines =
            lines.map(|(text, quantity, cents)| NewInvoiceLine::new(invoice.id, text, quantity, cents));
        tx.repo::<InvoiceLine>().create_many(lines).await?;
        let sent = Invoice::STATUS.set(InvoiceStatus::Sent)?;
        let draft = Invoice::STATUS.eq(InvoiceStatus::Draft)?;
        let sent = tx.repo::<Invoice>().update_if(invoice.id, draft, vec![sent]).await?;
        sent.map(drop).ok_or_else(|| Error::not_found("Invoice"))
    })
    .await
}
