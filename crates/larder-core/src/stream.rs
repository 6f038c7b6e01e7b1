//! A table from end to end, without holding it in memory.

use std::vec;

use futures_util::{Stream, stream::try_unfold};

use crate::{Entity, Filter, Order, Repo, Result, Row, Select, SortDirection, Value, Verb, repo::rows_of};

/// How many rows a stream reads, and holds, at once.
const PAGE: u64 = 1_000;

impl<E: Entity> Repo<E> {
    /// All that meet `filter`, in the order of the primary key, read by pages of 1,000 as the stream is asked for them.
    ///
    /// Each page is a read of its own: what is there, and meets the filter, from the first page to the last comes exactly
    /// once; what is made, changed or deleted meanwhile comes as the page found it, or not at all, and nothing comes twice.
    /// Nothing is held in the database between two pages. In a transaction all pages see what the transaction sees.
    ///
    /// The stream ends after an error: those of the connection, and `Corrupt`.
    pub fn stream(&self, filter: Filter) -> impl Stream<Item = Result<E>> + Send + use<E> {
        let repo = Self::new(self.context().clone(), self.owner());
        let walk = Walk { repo, filter, page: Vec::new().into_iter(), after: None, at_end: false };
        try_unfold(walk, async |mut walk: Walk<E>| match walk.next().await? {
            Some(row) => Ok(Some((E::from_row(row)?, walk))),
            None => Ok(None),
        })
    }
}

/// A stream on its way.
struct Walk<E> {
    repo: Repo<E>,
    filter: Filter,
    /// What is left of the page that was read last.
    page: vec::IntoIter<Row>,
    /// The primary key of the last row of that page.
    after: Option<Vec<Value>>,
    /// Was that page the last one?
    at_end: bool,
}

impl<E: Entity> Walk<E> {
    async fn next(&mut self) -> Result<Option<Row>> {
        if self.page.len() == 0 && !self.at_end {
            self.turn_the_page().await?;
        }
        Ok(self.page.next())
    }

    async fn turn_the_page(&mut self) -> Result<()> {
        let (table, owner) = (E::TABLE, self.repo.owner());
        let by = |&column: &usize| Order { column, direction: SortDirection::Asc };
        let select = Select {
            table,
            owner,
            filter: self.filter.clone(),
            order: table.primary_key.iter().map(by).collect(),
            after: self.after.take(),
            offset: 0,
            limit: Some(PAGE),
        };
        let page = rows_of(self.repo.context().execute(Verb::Select(select)).await?)?;
        self.at_end = (page.len() as u64) < PAGE;
        let key_of =
            |row: &Row| table.primary_key.iter().filter_map(|&column| row.get(column).cloned()).collect();
        self.after = page.last().map(key_of);
        self.page = page.into_iter();
        Ok(())
    }
}
