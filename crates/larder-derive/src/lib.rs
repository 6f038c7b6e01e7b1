//! larder's macros: [`Entity`](macro@Entity), [`EnumText`](macro@EnumText) and [`migrations!`]. They write data and the code that moves
//! it, no behaviour: what an entity can do is in larder-core.
//!
//! The code that they write refers to the crate `larder`. A crate that stands below it says
//! `extern crate larder_core as larder;` at its root.

mod attributes;
mod entity;
mod enum_text;
mod migrations;
mod names;

use std::path::PathBuf;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

/// Makes a struct with named fields an entity: a row of a table.
///
/// ```
/// # extern crate larder_core as larder;
/// # use chrono::{DateTime, Utc};
/// # use larder::{Change, Entity as _, Id, Literal};
/// # use larder_derive::{Entity, EnumText};
/// # #[derive(Debug, Clone, PartialEq, Entity)]
/// # pub struct User {
/// #     pub id: UserId,
/// # }
/// #[derive(Debug, Clone, PartialEq, EnumText)]
/// pub enum InvoiceStatus {
///     Draft,
///     Sent,
/// }
///
/// /// What a customer owes.
/// #[derive(Debug, Clone, PartialEq, Entity)]
/// #[entity(unique = [user_id, number], unique = [user_id, id])]
/// #[entity(index = [due_at] where status = InvoiceStatus::Sent)]
/// pub struct Invoice {
///     pub id: InvoiceId,
///     #[entity(owner)]
///     pub user_id: UserId,
///     #[entity(length(1, 20), sort, search, create_only)]
///     pub number: String,
///     #[entity(default = InvoiceStatus::Draft, filter)]
///     pub status: InvoiceStatus,
///     #[entity(range(0..))]
///     pub cents: i64,
///     #[entity(sort)]
///     pub due_at: Option<DateTime<Utc>>,
///     #[entity(managed, default = 0)]
///     pub reminders: i64,
///     pub created_at: DateTime<Utc>,
///     pub updated_at: DateTime<Utc>,
/// }
///
/// /// One of its lines.
/// #[derive(Debug, Clone, PartialEq, Entity)]
/// pub struct InvoiceLine {
///     pub id: InvoiceLineId,
///     #[entity(owner)]
///     pub user_id: UserId,
///     #[entity(parent)]
///     pub invoice_id: InvoiceId,
///     #[entity(default_json = "[]")]
///     pub tags: Vec<String>,
/// }
///
/// let new = NewInvoice { due_at: None, ..NewInvoice::new("2026-001", 12_00) };
/// assert_eq!(new.status, InvoiceStatus::Draft);
/// let patch = InvoicePatch { due_at: Change::Set(None), ..InvoicePatch::default() };
/// assert_eq!(patch.cents, Change::Leave);
/// let list = ListInvoices { search: Some("2026".to_owned()), ..ListInvoices::default() };
/// assert_eq!((list.page, list.page_size), (1, 10));
/// assert_eq!(Invoice::TABLE.name, "invoices");
/// assert_eq!(InvoiceLine::TABLE.foreign_keys[0].parent_columns, ["user_id", "id"]);
/// ```
///
/// # What is written
///
/// For a struct `Job`, with its visibility:
///
/// | item | what it is |
/// |---|---|
/// | `impl Entity for Job` | the table's metadata, the row's reading, the key |
/// | `JobId` | `Id<Job>`, when the key is the field `id` |
/// | `Job::STATUS`, … | a `Field` for each field; of a parent and the owner one that relations go by: `Message::JOB_ID.children()` |
/// | `NewJob` | the fields that a caller gives, with `NewJob::new(…)` for those without a default, and `Default` when all have one |
/// | `JobPatch` | a `Change` for each field that a caller may change |
/// | `ListJobs` | page, sort, cursor, search when there is a field to search in, and the filters |
/// | `JobSort` | the fields to sort by; `created_at` is the default when it is among them, else the first |
///
/// The companions are read and written by serde under the names of the fields, and refuse unknown ones. The struct
/// derives `Debug` and `Clone` itself (the trait asks for them), and serde's traits if it wants them. A field's type
/// implements `ColumnValue`, `Debug`, `Clone` and `PartialEq`; in a companion also serde's traits. `Option<T>` is a column that may be null.
///
/// # On the struct
///
/// | attribute | meaning |
/// |---|---|
/// | `table = "jobs"` | the table's name; by default the plural of the struct's, in `snake_case` |
/// | `unique = [user_id, number]` | a unique key of several fields |
/// | `index = [user_id, created_at]` | an index |
/// | `index = [due_at] where status = InvoiceStatus::Sent` | an index of the rows in which a field equals a constant |
///
/// # On a field
///
/// | attribute | meaning |
/// |---|---|
/// | `key` | the primary key, or one of two fields of it, in their order. Without it, the field `id` is the key |
/// | `owner` | the user that the row belongs to. It comes from the scope: no companion has it |
/// | `parent` | the row that this one belongs to, and goes with. Given at creation, never changed; a filter |
/// | `managed` | larder, or an operation of the entity's own, writes it: at first its default, or null. No companion has it |
/// | `issued` | as `managed`, but it is never null and has no default: the entity's own operation gives it when it creates one, by `Repo::create_with`; any other creation is refused |
/// | `create_only` | given at creation, never changed |
/// | `default = 5` | a boolean, a number, a text, or a variant of an enumeration |
/// | `default_json = "{}"` | any JSON for a `serde_json::Value`; `[]` or texts for a `Vec<String>`; `[]` or `{}` for a list, a set or a map in `Json<…>` |
/// | `length(5, 1000)` | of text: the fewest and the most characters |
/// | `range(0..)`, `range(1..=5)` | of an integer |
/// | `url`, `email` | what the text is; an e-mail address is case-folded when it is written |
/// | `unique` | no two rows have the same; any number have null |
/// | `sort`, `filter` | lists can be sorted by it; filtered by what it equals |
/// | `search` | search looks into this text |
/// | `search = path` | the same for any other type; `path` is a `fn(&Value) -> Option<String>` |
/// | `column = "kind"` | the column's name; by default the field's |
///
/// # What follows by itself
///
/// - The key `id` is made by larder. Fields called `created_at` and `updated_at` are written from its clock. None of
///   them is in a companion.
/// - An entity with an owner has a foreign key to its owner's table. With a parent that is never null, the parent vouches
///   for the owner: there is one foreign key `(owner, parent)` instead, so that no row points into another user's
///   data. The parent then needs `unique = [user_id, id]`; the compiler says so. Rows go when what they refer to goes.
/// - Each foreign key is indexed, in the order that lists have by default: `(user_id, created_at, id)`, and `(job_id,
///   created_at, id)` of a child. An index or unique key that is declared and begins with `(user_id, created_at)` takes the
///   place of that; without `created_at`, one that begins with `user_id`.
/// - A field with `search` has a hidden column `{column}_search` with its case-folded text.
///
/// # Relations
///
/// A field that is a `parent`, or the `owner`, is what relations go by: `get_with` and `list_with` of a repository load what
/// belongs to one entity, or to each on a page, without a query for each. See `larder::Relation`.
///
/// ```
/// # extern crate larder_core as larder;
/// # use std::sync::Arc;
/// # use chrono::{DateTime, Utc};
/// # use larder::{
/// #     Context, Entity as _, MemoryStore, RandomIds, Relation as _, Repo, Result, RetryPolicy, SystemClock, SystemScope, With,
/// # };
/// # use larder_derive::Entity;
/// # #[derive(Debug, Clone, PartialEq, Entity)]
/// # pub struct User {
/// #     pub id: UserId,
/// # }
/// # #[derive(Debug, Clone, PartialEq, Entity)]
/// # #[entity(unique = [user_id, id])]
/// # pub struct Invoice {
/// #     pub id: InvoiceId,
/// #     #[entity(owner)]
/// #     pub user_id: UserId,
/// #     pub number: String,
/// #     pub created_at: DateTime<Utc>,
/// # }
/// # #[derive(Debug, Clone, PartialEq, Entity)]
/// # pub struct InvoiceLine {
/// #     pub id: InvoiceLineId,
/// #     #[entity(owner)]
/// #     pub user_id: UserId,
/// #     #[entity(parent)]
/// #     pub invoice_id: InvoiceId,
/// #     pub text: String,
/// # }
/// struct Whole {
///     lines: Vec<InvoiceLine>,
///     owner: Option<User>,
/// }
///
/// async fn show(invoices: &Repo<Invoice>, id: InvoiceId) -> Result<()> {
///     // Two trips, however many invoices are on the page; each derefs to its invoice.
///     let page = invoices.list_with(ListInvoices::default(), InvoiceLine::INVOICE_ID.children()).await?;
///     for invoice in &page.items {
///         println!("{}: {} lines", invoice.number, invoice.loaded.len());
///     }
///     // One trip; a tuple loads a tuple, and `map` gives names to what is in it.
///     let whole = (InvoiceLine::INVOICE_ID.children(), Invoice::USER_ID.parent())
///         .map(|(lines, owner)| Whole { lines, owner });
///     let invoice: With<Invoice, Whole> = invoices.get_with(id, whole).await?.unwrap();
///     assert_eq!(invoice.loaded.lines[0].text, "Punched cards");
///     assert_eq!(invoice.loaded.owner.map(|owner| owner.id), Some(invoice.entity.user_id));
///     Ok(())
/// }
/// # let run = async {
/// #     let store = Arc::new(MemoryStore::new([User::TABLE, Invoice::TABLE, InvoiceLine::TABLE])?);
/// #     let ids = Arc::new(RandomIds::default());
/// #     let context = Context::new(store, Arc::new(SystemClock), ids, RetryPolicy::NEVER);
/// #     let system = SystemScope::new(context);
/// #     let mine = system.user(system.repo::<User>().create(NewUser::new()).await?.id);
/// #     let invoices = mine.repo::<Invoice>();
/// #     let invoice = invoices.create(NewInvoice::new("2026-001")).await?;
/// #     mine.repo::<InvoiceLine>().create(NewInvoiceLine::new(invoice.id, "Punched cards")).await?;
/// #     show(&invoices, invoice.id).await
/// # };
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run).unwrap();
/// ```
#[proc_macro_derive(Entity, attributes(entity))]
pub fn derive_entity(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    entity::derive(input).unwrap_or_else(Error::into_compile_error).into()
}

/// Makes an enum without fields the type of a column: a native enumeration on PostgreSQL, checked text on SQLite.
///
/// ```
/// # extern crate larder_core as larder;
/// # use larder_derive::EnumText;
/// #[derive(Debug, Clone, Copy, PartialEq, EnumText)]
/// #[entity(name = "job_status", rename_all = "SCREAMING_SNAKE_CASE")]
/// pub enum JobStatus {
///     Active,
///     #[entity(rename = "STOPPED")]
///     Paused,
/// }
///
/// assert_eq!(JobStatus::Active.as_str(), "ACTIVE");
/// assert_eq!("STOPPED".parse::<JobStatus>()?, JobStatus::Paused);
/// # Ok::<(), larder::Error>(())
/// ```
///
/// The same texts are what serde, `Display`, `FromStr` and `as_str` read and write; an error lists those that are allowed.
/// Values sort as text.
///
/// | attribute | meaning |
/// |---|---|
/// | `name = "job_status"` | the type's name in PostgreSQL; by default the enum's in `snake_case` |
/// | `rename_all = "kebab-case"` | how texts are made of the variants' names: `snake_case` (the default), `SCREAMING_SNAKE_CASE`, `kebab-case` or `lowercase` |
/// | on a variant: `rename = "text"` | its text |
#[proc_macro_derive(EnumText, attributes(entity))]
pub fn derive_enum_text(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    enum_text::derive(input).unwrap_or_else(Error::into_compile_error).into()
}

/// Embeds migrations: `migrations!("app", postgres = "migrations-postgres", sqlite = "migrations-sqlite")` is an
/// expression of the type `larder::Migrations`.
///
/// The first argument names their source in the ledger. The directories are relative to the crate's `Cargo.toml`, and are
/// read when it is compiled. Each holds files named like `0001_create_users.sql`, numbered from 1 without a gap; both
/// hold the same numbers and names. Anything else is a compile error; files whose name begins with `.` are passed over.
///
/// Cargo compiles the crate again when one of the files changes. That a file was **added** it notices only when the crate
/// has a `build.rs` whose `main` prints `cargo::rerun-if-changed=migrations-postgres` and the same line for the other
/// directory: without it, a new migration is not embedded until something else is compiled.
#[proc_macro]
pub fn migrations(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as migrations::Input);
    let root = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    migrations::expand(&input, &root).unwrap_or_else(Error::into_compile_error).into()
}
