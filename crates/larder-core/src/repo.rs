//! A repository: the rows of one entity that a scope can reach.

use std::marker::PhantomData;

use uuid::Uuid;

use crate::{
    Assign, ColumnValue, Context, Count, Delete, Entity, EntityKey, EntityPatch, Error, Field, Filter, Get,
    Insert, Key, ListQuery, NewEntity, Order, Outcome, Page, Result, Row, Select, Update, Upsert, Value,
    Verb,
    prepare::{prepare_changes, prepare_row, prepare_value, value_of},
};

/// The rows of one entity that a scope can reach: of one user for an owned entity, all of them for any other. Obtained
/// from [`UserScope::repo`](crate::UserScope::repo) and [`SystemScope::repo`](crate::SystemScope::repo).
///
/// Another user's row behaves in every method as one that does not exist. Every method can fail with the errors of the
/// connection that [`Store::execute`](crate::Store::execute) names, and with `Corrupt` when a row cannot be read.
#[derive(Debug, Clone)]
pub struct Repo<E> {
    context: Context,
    owner: Option<Uuid>,
    entity: PhantomData<fn() -> E>,
}

impl<E: Entity> Repo<E> {
    pub(crate) fn new(context: Context, owner: Option<Uuid>) -> Self {
        Self { context, owner, entity: PhantomData }
    }

    /// The ground that it stands on, for operations of one's own.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The owner whose rows these are; `None` when the entity belongs to nobody.
    pub fn owner(&self) -> Option<Uuid> {
        self.owner
    }

    /// Creates one.
    ///
    /// # Errors
    /// `Invalid` with the field when a rule is broken (nothing was written), `Conflict` with the field when a unique key is
    /// taken, `MissingParent` when its parent, or its owner, does not exist.
    pub async fn create(&self, new: E::New) -> Result<E> {
        self.insert(self.new_row(new)?).await
    }

    /// Creates one, with these values ([`Field::set`]) for fields that no caller gives: those that are `managed` or
    /// `issued`.
    ///
    /// # Errors
    /// As [`Repo::create`]; `Unsupported` when an assignment is no [`Assign::Set`].
    pub async fn create_with(&self, new: E::New, set: Vec<(usize, Assign)>) -> Result<E> {
        let mut values = new.into_values(&self.context.stamp(self.owner))?;
        for (position, assign) in set {
            match (values.get_mut(position), assign) {
                (Some(value), Assign::Set(given)) => *value = given,
                _ => return Err(Error::unsupported("a new row's fields can be set, and nothing else")),
            }
        }
        self.insert(prepare_row(E::TABLE, values)?).await
    }

    /// Creates many, all or none, in one statement or as few as the database allows. None at all is no error.
    ///
    /// # Errors
    /// As [`Repo::create`], of one of them.
    pub async fn create_many(&self, new: impl IntoIterator<Item = E::New>) -> Result<Vec<E>> {
        let rows = new.into_iter().map(|new| self.new_row(new)).collect::<Result<Vec<_>>>()?;
        let entities = rows.iter().map(|row| entity_of(row)).collect::<Result<Vec<E>>>()?;
        self.context.execute(Verb::Insert(Insert { table: E::TABLE, rows })).await?;
        Ok(entities)
    }

    /// The verb that creates one, and what it will be: for a [`Unit`](crate::Unit).
    ///
    /// # Errors
    /// `Invalid` with the field when a rule is broken.
    pub fn creation(&self, new: E::New) -> Result<(E, Verb)> {
        let row = self.new_row(new)?;
        Ok((entity_of(&row)?, Verb::Insert(Insert { table: E::TABLE, rows: vec![row] })))
    }

    /// Creates one, or replaces what a caller may set of the one that holds its values of `key`, which is the primary key
    /// or a unique key of the table. Id and time of creation of one that is there stay.
    ///
    /// # Errors
    /// As [`Repo::create`]; `Unsupported` when `key` is no unique key.
    pub async fn put(&self, new: E::New, key: &[usize]) -> Result<E> {
        let table = E::TABLE;
        let now = self.context.now();
        let stays = |column: &usize| {
            key.contains(column)
                || table.primary_key.contains(column)
                || [table.owner, table.created_at, table.updated_at].contains(&Some(*column))
        };
        self.upsert(new, key, |row| {
            let changed = (0..table.columns.len()).filter(|column| !stays(column));
            let set = changed.map(|column| (column, Assign::Set(row[column].clone())));
            set.chain(table.updated_at.map(|column| (column, Assign::Advance(now)))).collect()
        })
        .await
    }

    /// Creates one, unless there is one that holds its values of `key`, which is the primary key or a unique key of the table:
    /// that one stays as it is, and is the answer. So what a program needs to find can be seeded at every start, by any number
    /// of processes at once, and what users have made of it since is kept.
    ///
    /// # Errors
    /// As [`Repo::put`].
    pub async fn ensure(&self, new: E::New, key: &[usize]) -> Result<E> {
        // What is set is what the row holds already.
        self.upsert(new, key, |row| {
            key.iter().take(1).map(|&column| (column, Assign::Set(row[column].clone()))).collect()
        })
        .await
    }

    /// The one with this key; `None` when there is none.
    ///
    /// # Errors
    /// Those of the connection, and `Corrupt`.
    pub async fn get(&self, key: E::Key) -> Result<Option<E>> {
        let key = self.primary_key(key)?;
        self.get_row(key).await?.map(E::from_row).transpose()
    }

    /// The one that holds `value` in a field that is unique; `None` when there is none, and for a value that is NULL, which
    /// no row is found by.
    ///
    /// # Errors
    /// `Unsupported` when the field is not unique by itself; `Invalid` when the value breaks the field's rules, so that
    /// there cannot be one.
    pub async fn get_by<T: ColumnValue, K>(&self, field: Field<E, T, K>, value: T) -> Result<Option<E>> {
        let Some(columns) = E::TABLE.key(&[field.position()]) else {
            return Err(Error::unsupported(format!("{field:?} is not unique")));
        };
        let value = value_of(E::TABLE, field.position(), value)?;
        match prepare_value(E::TABLE, field.position(), value)? {
            Value::Null => Ok(None),
            value => {
                let row = self.get_row(Key { columns, values: vec![value] }).await?;
                row.map(E::from_row).transpose()
            }
        }
    }

    /// A page.
    ///
    /// # Errors
    /// `Invalid` with the field when the page, its size, the search text or the cursor is wrong.
    pub async fn list(&self, list: E::List) -> Result<Page<E>> {
        let Page { items, has_next, next } = self.page(list).await?;
        let items = items.into_iter().map(E::from_row).collect::<Result<_>>()?;
        Ok(Page { items, has_next, next })
    }

    /// The rows of a page.
    pub(crate) async fn page(&self, list: E::List) -> Result<Page<Row>> {
        let request = list.into_request()?;
        let page_size = request.page_size;
        let (select, walk) = request.into_select(E::TABLE, self.owner)?;
        let mut rows = rows_of(self.context.execute(Verb::Select(select)).await?)?;
        let fits = usize::try_from(page_size).unwrap_or(usize::MAX);
        let has_next = rows.len() > fits;
        rows.truncate(fits);
        let next = match rows.last() {
            Some(last) if has_next => Some(walk.cursor(last)?),
            _ => None,
        };
        Ok(Page { items: rows, has_next, next })
    }

    /// The first `limit` (all, when `None`) of those that meet `filter`, in this order.
    ///
    /// # Errors
    /// Those of the connection, and `Corrupt`.
    pub async fn select(&self, filter: Filter, order: Vec<Order>, limit: Option<u64>) -> Result<Vec<E>> {
        let verb = self.selection(filter, order, limit);
        rows_of(self.context.execute(verb).await?)?.into_iter().map(E::from_row).collect()
    }

    /// The verb of [`Repo::select`]: for a [`Unit`](crate::Unit).
    pub fn selection(&self, filter: Filter, order: Vec<Order>, limit: Option<u64>) -> Verb {
        let (table, owner) = (E::TABLE, self.owner);
        Verb::Select(Select { table, owner, filter, order, after: None, offset: 0, limit })
    }

    /// The verb of [`Repo::get`]: for a [`Unit`](crate::Unit).
    ///
    /// # Errors
    /// `Invalid` when the key cannot be stored in its columns.
    pub fn look_up(&self, key: E::Key) -> Result<Verb> {
        let key = self.primary_key(key)?;
        Ok(Verb::Get(Get { table: E::TABLE, owner: self.owner, key }))
    }

    /// How many meet `filter`.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn count(&self, filter: Filter) -> Result<u64> {
        let verb = Verb::Count(Count { table: E::TABLE, owner: self.owner, filter });
        Ok(match self.context.execute(verb).await? {
            Outcome::Count(count) => count,
            other => return Err(unexpected(&other)),
        })
    }

    /// Changes the fields that the patch sets; all others stay as they are, also when somebody else changes them at the
    /// same time. `updated_at` moves forward.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` when a rule is broken or the patch is empty; `Conflict`.
    pub async fn update(&self, key: E::Key, patch: E::Patch) -> Result<E> {
        let changed = self.changed(self.modification(key, patch)?).await?;
        changed.ok_or_else(|| Error::not_found(E::TABLE.entity))
    }

    /// The verb of [`Repo::update`]: for a [`Unit`](crate::Unit), in which it answers the row as it is afterwards, or no row
    /// when there is none: [`Unit::then_some`](crate::Unit::then_some) makes that an error.
    ///
    /// # Errors
    /// `Invalid` when a rule is broken or the patch is empty.
    pub fn modification(&self, key: E::Key, patch: E::Patch) -> Result<Verb> {
        let changes = patch.into_changes()?;
        if changes.is_empty() {
            let reason = "changes nothing: set at least one field";
            return Err(Error::invalid(E::TABLE.entity, "patch", reason));
        }
        self.change(key, Filter::always(), prepare_changes(E::TABLE, changes)?)
    }

    /// Changes the one with this key if it meets `guard`, which is evaluated on the row as it is at that moment;
    /// `updated_at` moves forward. `None` when there is none, or it does not meet the guard.
    ///
    /// # Errors
    /// `Invalid` when an assignment breaks a rule; `Conflict`.
    pub async fn update_if(
        &self,
        key: E::Key,
        guard: Filter,
        set: Vec<(usize, Assign)>,
    ) -> Result<Option<E>> {
        self.changed(self.change(key, guard, checked_assignments::<E>(set)?)?).await
    }

    /// The verb that changes one row and moves its `updated_at` forward.
    fn change(&self, key: E::Key, filter: Filter, mut set: Vec<(usize, Assign)>) -> Result<Verb> {
        let (table, owner, key) = (E::TABLE, self.owner, Some(self.primary_key(key)?));
        set.extend(table.updated_at.map(|column| (column, Assign::Advance(self.context.now()))));
        Ok(Verb::Update(Update { table, owner, key, filter, set, returning: true }))
    }

    async fn changed(&self, change: Verb) -> Result<Option<E>> {
        rows_of(self.context.execute(change).await?)?.into_iter().next().map(E::from_row).transpose()
    }

    /// Deletes the one with this key, and all that belongs to it.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete(&self, key: E::Key) -> Result<()> {
        match self.context.execute(self.removal(key)?).await?.rows() {
            0 => Err(Error::not_found(E::TABLE.entity)),
            _ => Ok(()),
        }
    }

    /// Deletes the one with this key, and all that belongs to it, and answers what it was; `None` when there is none. Of
    /// concurrent callers one gets it.
    ///
    /// # Errors
    /// Those of the connection, and `Corrupt`.
    pub async fn take(&self, key: E::Key) -> Result<Option<E>> {
        let removal = Verb::Delete(Delete { returning: true, ..self.deletion(key)? });
        rows_of(self.context.execute(removal).await?)?.into_iter().next().map(E::from_row).transpose()
    }

    /// The verb of [`Repo::delete`]: for a [`Unit`](crate::Unit), in which it answers how many there were: 0 or 1.
    ///
    /// # Errors
    /// `Invalid` when the key cannot be stored in its columns.
    pub fn removal(&self, key: E::Key) -> Result<Verb> {
        self.deletion(key).map(Verb::Delete)
    }

    fn deletion(&self, key: E::Key) -> Result<Delete> {
        let key = Some(self.primary_key(key)?);
        let (table, owner) = (E::TABLE, self.owner);
        Ok(Delete { table, owner, key, filter: Filter::always(), limit: None, returning: false })
    }

    /// Creates one, or changes by `set`, which is made of the new row, the one that holds its values of `key`.
    async fn upsert(
        &self,
        new: E::New,
        key: &[usize],
        set: impl FnOnce(&[Value]) -> Vec<(usize, Assign)>,
    ) -> Result<E> {
        let table = E::TABLE;
        let Some(conflict) = table.key(key) else {
            let reason = format!("{} is no unique key of {}", table.names(key), table.name);
            return Err(Error::unsupported(reason));
        };
        let row = self.new_row(new)?;
        let set = set(&row);
        match self.context.execute(Verb::Upsert(Upsert { table, row, conflict, set })).await? {
            Outcome::Row(Some(row)) => E::from_row(row),
            other => Err(unexpected(&other)),
        }
    }

    async fn insert(&self, row: Vec<Value>) -> Result<E> {
        let entity = entity_of(&row)?;
        self.context.execute(Verb::Insert(Insert { table: E::TABLE, rows: vec![row] })).await?;
        Ok(entity)
    }

    fn new_row(&self, new: E::New) -> Result<Vec<Value>> {
        prepare_row(E::TABLE, new.into_values(&self.context.stamp(self.owner))?)
    }

    pub(crate) fn primary_key(&self, key: E::Key) -> Result<Key> {
        let columns = E::TABLE.primary_key;
        let values = key
            .into_values()
            .map_err(|wrong| Error::invalid(E::TABLE.entity, E::TABLE.names(columns), wrong.0))?;
        Ok(Key { columns, values })
    }

    pub(crate) async fn get_row(&self, key: Key) -> Result<Option<Row>> {
        let verb = Verb::Get(Get { table: E::TABLE, owner: self.owner, key });
        row_of(self.context.execute(verb).await?)
    }
}

/// The entity that a new row will be read as.
fn entity_of<E: Entity>(row: &[Value]) -> Result<E> {
    E::from_row(Row::new(row[..E::TABLE.visible].to_vec()))
}

/// Assignments of an operation: values prepared as those of a patch are.
pub(crate) fn checked_assignments<E: Entity>(set: Vec<(usize, Assign)>) -> Result<Vec<(usize, Assign)>> {
    let mut checked = Vec::with_capacity(set.len() + 1);
    for (column, assign) in set {
        match assign {
            Assign::Set(value) => checked.extend(prepare_changes(E::TABLE, vec![(column, value)])?),
            other => checked.push((column, other)),
        }
    }
    Ok(checked)
}

pub(crate) fn rows_of(outcome: Outcome) -> Result<Vec<Row>> {
    match outcome {
        Outcome::Rows(rows) => Ok(rows),
        other => Err(unexpected(&other)),
    }
}

pub(crate) fn row_of(outcome: Outcome) -> Result<Option<Row>> {
    match outcome {
        Outcome::Row(row) => Ok(row),
        other => Err(unexpected(&other)),
    }
}

/// A store that answers a verb with the wrong kind of outcome is broken.
pub(crate) fn unexpected(outcome: &Outcome) -> Error {
    let found = match outcome {
        Outcome::Row(_) => "a row",
        Outcome::Rows(_) => "rows",
        Outcome::Count(_) => "a count",
    };
    Error::corrupt("Store", "outcome").with_context(format!("the store answered with {found}"))
}
