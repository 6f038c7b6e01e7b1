//! Lists: pages by number or by cursor.

use serde::{Deserialize, Serialize};

use crate::{Cursor, Error, Filter, Order, Result, Select, Table, cursor::Walk, fold};

/// The largest page.
pub const MAX_PAGE_SIZE: u32 = 100;

/// The longest search text, in bytes. It is far below SQLite's limit of 50,000 bytes for a pattern, also after folding
/// and escaping.
pub const MAX_SEARCH_BYTES: usize = 4096;

/// Which way a list is sorted. NULLs come last either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SortDirection {
    /// The least first.
    Asc,
    /// The greatest first: the default.
    #[default]
    Desc,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page<T> {
    /// The items, at most as many as asked for.
    pub items: Vec<T>,
    /// Is there a page after this one?
    pub has_next: bool,
    /// Where the next page begins; `Some` exactly when `has_next`.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// The same page of other items.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), has_next: self.has_next, next: self.next }
    }
}

/// A list as asked for, of whatever entity. The companions (`ListJobs`) turn into it.
#[derive(Debug, Clone, PartialEq)]
pub struct ListRequest {
    /// The page's number, from 1.
    pub page: u32,
    /// Items on a page, 1 to [`MAX_PAGE_SIZE`].
    pub page_size: u32,
    /// The position of the column to sort by; ties are broken by the primary key, in the same direction.
    pub sort: usize,
    /// Which way.
    pub direction: SortDirection,
    /// Only rows one of whose search columns contains this, without regard to case (see [`fold()`]). The empty text is no
    /// search. At most [`MAX_SEARCH_BYTES`] bytes.
    pub search: Option<String>,
    /// Where the page begins, instead of a page number: [`Page::next`] of the page before, of the same list.
    pub cursor: Option<Cursor>,
    /// Only rows that meet this.
    pub filter: Filter,
}

impl ListRequest {
    /// The verb that reads this page and one row more.
    pub(crate) fn into_select(
        self,
        table: &'static Table,
        owner: Option<uuid::Uuid>,
    ) -> Result<(Select, Walk)> {
        self.check(table)?;
        let order = self.order(table);
        let filter = self.full_filter(table)?;
        let walk = Walk::new(table, owner, &order, &filter);
        let after = self.cursor.as_ref().map(|cursor| walk.position(cursor)).transpose()?;
        let offset = u64::from(self.page - 1) * u64::from(self.page_size);
        let limit = Some(u64::from(self.page_size) + 1);
        Ok((Select { table, owner, filter, order, after, offset, limit }, walk))
    }

    fn check(&self, table: &'static Table) -> Result<()> {
        let invalid = |field: &'static str, reason: String| {
            Err(Error::invalid(format!("list of {}", table.name), field, reason))
        };
        if self.page == 0 {
            return invalid("page", "pages are numbered from 1".to_owned());
        }
        if !(1..=MAX_PAGE_SIZE).contains(&self.page_size) {
            return invalid(
                "page_size",
                format!("must be from 1 to {MAX_PAGE_SIZE}, not {}", self.page_size),
            );
        }
        if self.cursor.is_some() && self.page != 1 {
            return invalid("page", "give a page number or a cursor, not both".to_owned());
        }
        let search = self.search.as_deref().unwrap_or_default();
        if search.len() > MAX_SEARCH_BYTES {
            return invalid("search", format!("longer than {MAX_SEARCH_BYTES} bytes"));
        }
        if search.contains('\0') {
            return invalid("search", "must not hold the NUL character".to_owned());
        }
        Ok(())
    }

    fn order(&self, table: &'static Table) -> Vec<Order> {
        let ties = table.primary_key.iter().copied().filter(|&column| column != self.sort);
        let columns = std::iter::once(self.sort).chain(ties);
        columns.map(|column| Order { column, direction: self.direction }).collect()
    }

    fn full_filter(&self, table: &'static Table) -> Result<Filter> {
        let search = self.search.as_deref().unwrap_or_default();
        if search.is_empty() {
            return Ok(self.filter.clone());
        }
        let text = fold(search);
        let contains: Vec<_> =
            table.search_columns().map(|column| Filter::Contains { column, text: text.clone() }).collect();
        if contains.is_empty() {
            let reason = format!("{} has no field to search in", table.entity);
            return Err(Error::invalid(format!("list of {}", table.name), "search", reason));
        }
        Ok(self.filter.clone().and(Filter::Any(contains)))
    }
}
