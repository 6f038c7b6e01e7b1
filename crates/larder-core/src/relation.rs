//! Relations: what is loaded with an entity, or with a page of them, without a query for each.

use std::{
    collections::{BTreeSet, HashMap},
    marker::PhantomData,
};

use uuid::Uuid;

use crate::{
    Entity, Error, Field, Filter, Get, Id, Key, Op, Order, Outcome, Refers, Result, Row, Select,
    SortDirection, Value, Verb, repo::unexpected,
};

/// What can be loaded with entities `E`, in one trip for however many of them:
/// [`Repo::get_with`](crate::Repo::get_with) and [`Repo::list_with`](crate::Repo::list_with) take one.
///
/// - `InvoiceLine::INVOICE_ID.children()`: the lines of each invoice, as a `Vec<InvoiceLine>`.
/// - `InvoiceLine::INVOICE_ID.parent()`: the invoice of each line, as an `Option<Invoice>`.
/// - `Invoice::USER_ID.parent()`: the owner of each invoice, as an `Option<User>`.
/// - Several, as a tuple of up to eight: what is loaded is the tuple of what each loads.
/// - With names instead of a tuple's numbers: [`map`](Relation::map).
///
/// The documentation of `#[derive(Entity)]` has an example.
///
/// A relation of another kind implements it: the verbs that load it, how their answers are read, and what of them is whose.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no relation of `{E}`",
    label = "it cannot be loaded with `{E}`",
    note = "possible are `Child::FIELD.children()` where the field refers to `{E}`, `FIELD.parent()` of a field of `{E}` itself, and tuples of these"
)]
pub trait Relation<E: Entity>: Send + Sync {
    /// What is loaded with each.
    type Loaded;
    /// What was found for all of them.
    type Found: Send;

    /// The verbs that load it, as many for any number of entities; they are sent in one unit. `None` when they cannot be
    /// told from what is known yet: then the rows are read first.
    ///
    /// # Errors
    /// `Corrupt` when a row cannot be read.
    fn verbs(&self, of: &Known<'_>) -> Result<Option<Vec<Verb>>>;

    /// Reads the outcomes of the verbs: takes one for each.
    ///
    /// # Errors
    /// `Corrupt` when there are too few, or a row cannot be read.
    fn read(&self, outcomes: &mut dyn Iterator<Item = Outcome>) -> Result<Self::Found>;

    /// Takes out what belongs to the entity with this row. It is called once for each.
    ///
    /// # Errors
    /// `Corrupt` when the row cannot be read.
    fn take(&self, found: &mut Self::Found, row: &Row) -> Result<Self::Loaded>;

    /// The same, and `name` makes of what is loaded what the program calls it.
    fn map<T, F: Fn(Self::Loaded) -> T + Send + Sync>(self, name: F) -> Mapped<Self, F>
    where
        Self: Sized,
    {
        Mapped { relation: self, name }
    }
}

/// What is known of the entities when their relations are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    owner: Option<Uuid>,
    /// The owner's column.
    owned_by: Option<usize>,
    of: KnownOf<'a>,
}

#[derive(Debug, Clone, Copy)]
enum KnownOf<'a> {
    /// The key of one, that is being read in the same unit.
    Key(&'a Key),
    /// Their rows.
    Rows(&'a [Row]),
}

impl<'a> Known<'a> {
    pub(crate) fn key<E: Entity>(owner: Option<Uuid>, key: &'a Key) -> Self {
        Self { owner, owned_by: E::TABLE.owner, of: KnownOf::Key(key) }
    }

    pub(crate) fn rows<E: Entity>(owner: Option<Uuid>, rows: &'a [Row]) -> Self {
        Self { owner, owned_by: E::TABLE.owner, of: KnownOf::Rows(rows) }
    }

    /// Whose they are; `None` when they belong to nobody. What is loaded with them must belong to the same.
    pub fn owner(&self) -> Option<Uuid> {
        self.owner
    }

    /// The ids that they hold in a column, each once, without NULLs; `None` when that is not known before they are read.
    ///
    /// # Errors
    /// `Corrupt` when a row holds something else there.
    pub fn ids(&self, column: usize) -> Result<Option<BTreeSet<Uuid>>> {
        match self.of {
            KnownOf::Rows(rows) => {
                rows.iter().filter_map(|row| id_in(row, column).transpose()).collect::<Result<_>>().map(Some)
            }
            KnownOf::Key(key) => {
                let of_key = key.columns.iter().position(|candidate| *candidate == column);
                let value = of_key.and_then(|position| key.values.get(position));
                let owner = self.owner.filter(|_| self.owned_by == Some(column));
                Ok(match value {
                    Some(Value::Uuid(id)) => Some(BTreeSet::from([*id])),
                    _ => owner.map(|owner| BTreeSet::from([owner])),
                })
            }
        }
    }
}

/// The rows of `C` that refer to each of `P`: as a `Vec<C>`, the oldest first where they have a `created_at`, else (and
/// among equals) in the order of their key. Obtained from [`Field::children`].
#[derive(Debug, Clone)]
pub struct Children<C, P> {
    /// The column that refers to the parent.
    column: usize,
    marker: PhantomData<fn() -> (C, P)>,
}

/// The row of `P` that each of `E` refers to: an `Option<P>`, `None` where the field is NULL (or, on a page, where it was
/// deleted after the page was read). Obtained from [`Field::parent`].
#[derive(Debug, Clone)]
pub struct Parent<E, P> {
    /// The column that refers to the parent.
    column: usize,
    marker: PhantomData<fn() -> (E, P)>,
}

/// What a field that [refers](Refers) to `To` may hold: an [`Id`], or an `Option` of one.
pub trait Reference {
    /// The entity that is referred to.
    type To: Entity;
}

impl<P: Entity> Reference for Id<P> {
    type To = P;
}

impl<P: Entity> Reference for Option<Id<P>> {
    type To = P;
}

impl<E: Entity, T: Reference> Field<E, T, Refers> {
    /// The relation of an entity to those that refer to it by this field: `Message::JOB_ID.children()` are the messages of
    /// a job.
    pub const fn children(self) -> Children<E, T::To> {
        Children { column: self.position(), marker: PhantomData }
    }

    /// The relation of an entity to the one that this field refers to, its parent or owner: `Message::JOB_ID.parent()` is
    /// the job of a message.
    pub const fn parent(self) -> Parent<E, T::To> {
        Parent { column: self.position(), marker: PhantomData }
    }
}

impl<P: Entity<Key = Id<P>>, C: Entity> Relation<P> for Children<C, P> {
    type Loaded = Vec<C>;
    type Found = HashMap<Uuid, Vec<C>>;

    fn verbs(&self, of: &Known<'_>) -> Result<Option<Vec<Verb>>> {
        let parents = of.ids(key_column::<P>())?;
        Ok(parents.map(|parents| vec![selection::<C>(of, self.column, parents)]))
    }

    fn read(&self, outcomes: &mut dyn Iterator<Item = Outcome>) -> Result<Self::Found> {
        let mut children = HashMap::<_, Vec<_>>::new();
        for row in next_rows(outcomes)? {
            if let Some(parent) = id_in(&row, self.column)? {
                children.entry(parent).or_default().push(C::from_row(row)?);
            }
        }
        Ok(children)
    }

    fn take(&self, found: &mut Self::Found, row: &Row) -> Result<Vec<C>> {
        let key = id_in(row, key_column::<P>())?;
        Ok(key.and_then(|key| found.remove(&key)).unwrap_or_default())
    }
}

impl<E: Entity, P: Entity<Key = Id<P>>> Relation<E> for Parent<E, P> {
    type Loaded = Option<P>;
    type Found = HashMap<Uuid, P>;

    fn verbs(&self, of: &Known<'_>) -> Result<Option<Vec<Verb>>> {
        let Some(parents) = of.ids(self.column)? else { return Ok(None) };
        let verb = match parents.first() {
            Some(id) if parents.len() == 1 => {
                let key = Key { columns: P::TABLE.primary_key, values: vec![Value::Uuid(*id)] };
                Verb::Get(Get { table: P::TABLE, owner: owner_of::<P>(of), key })
            }
            _ => selection::<P>(of, key_column::<P>(), parents),
        };
        Ok(Some(vec![verb]))
    }

    fn read(&self, outcomes: &mut dyn Iterator<Item = Outcome>) -> Result<Self::Found> {
        let mut parents = HashMap::new();
        for row in next_rows(outcomes)? {
            if let Some(id) = id_in(&row, key_column::<P>())? {
                parents.insert(id, P::from_row(row)?);
            }
        }
        Ok(parents)
    }

    fn take(&self, found: &mut Self::Found, row: &Row) -> Result<Option<P>> {
        Ok(id_in(row, self.column)?.and_then(|id| found.get(&id).cloned()))
    }
}

/// A relation whose loads have a name of the program's own. Obtained from [`Relation::map`].
#[derive(Debug, Clone)]
pub struct Mapped<R, F> {
    relation: R,
    name: F,
}

impl<E: Entity, R: Relation<E>, T, F: Fn(R::Loaded) -> T + Send + Sync> Relation<E> for Mapped<R, F> {
    type Loaded = T;
    type Found = R::Found;

    fn verbs(&self, of: &Known<'_>) -> Result<Option<Vec<Verb>>> {
        self.relation.verbs(of)
    }

    fn read(&self, outcomes: &mut dyn Iterator<Item = Outcome>) -> Result<R::Found> {
        self.relation.read(outcomes)
    }

    fn take(&self, found: &mut R::Found, row: &Row) -> Result<T> {
        self.relation.take(found, row).map(&self.name)
    }
}

macro_rules! tuple {
    ($($relation:ident $position:tt),+) => {
        impl<E: Entity, $($relation: Relation<E>),+> Relation<E> for ($($relation,)+) {
            type Loaded = ($($relation::Loaded,)+);
            type Found = ($($relation::Found,)+);

            fn verbs(&self, of: &Known<'_>) -> Result<Option<Vec<Verb>>> {
                let mut verbs = Vec::new();
                $(match self.$position.verbs(of)? {
                    Some(more) => verbs.extend(more),
                    None => return Ok(None),
                })+
                Ok(Some(verbs))
            }

            fn read(&self, outcomes: &mut dyn Iterator<Item = Outcome>) -> Result<Self::Found> {
                Ok(($(self.$position.read(outcomes)?,)+))
            }

            fn take(&self, found: &mut Self::Found, row: &Row) -> Result<Self::Loaded> {
                Ok(($(self.$position.take(&mut found.$position, row)?,)+))
            }
        }
    };
}

tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, F 4);
tuple!(A 0, B 1, C 2, D 3, F 4, G 5);
tuple!(A 0, B 1, C 2, D 3, F 4, G 5, H 6);
tuple!(A 0, B 1, C 2, D 3, F 4, G 5, H 6, I 7);

/// The column of a key that is one id.
fn key_column<P: Entity<Key = Id<P>>>() -> usize {
    P::TABLE.primary_key.first().copied().unwrap_or_default()
}

/// The owner that rows of `T` must have: that of the entities they are loaded with.
fn owner_of<T: Entity>(of: &Known<'_>) -> Option<Uuid> {
    of.owner.filter(|_| T::TABLE.owner.is_some())
}

/// Reads the rows of `T` that hold one of these ids in this column.
fn selection<T: Entity>(of: &Known<'_>, column: usize, ids: BTreeSet<Uuid>) -> Verb {
    let mut values: Vec<_> = ids.into_iter().map(Value::Uuid).collect();
    let filter = match values.pop() {
        Some(value) if values.is_empty() => Filter::Compare { column, op: Op::Eq, value },
        last => {
            values.extend(last);
            Filter::In { column, values }
        }
    };
    let (table, owner) = (T::TABLE, owner_of::<T>(of));
    let columns = table.created_at.into_iter().chain(table.primary_key.iter().copied());
    let order = columns.map(|column| Order { column, direction: SortDirection::Asc }).collect();
    Verb::Select(Select { table, owner, filter, order, after: None, offset: 0, limit: None })
}

fn id_in(row: &Row, column: usize) -> Result<Option<Uuid>> {
    match row.get(column) {
        Some(Value::Uuid(id)) => Ok(Some(*id)),
        Some(Value::Null) => Ok(None),
        _ => Err(Error::corrupt("Store", "row").with_context("an id that relations go by is missing")),
    }
}

fn next_rows(outcomes: &mut dyn Iterator<Item = Outcome>) -> Result<Vec<Row>> {
    match outcomes.next() {
        Some(Outcome::Row(row)) => Ok(row.into_iter().collect()),
        Some(Outcome::Rows(rows)) => Ok(rows),
        Some(other) => Err(unexpected(&other)),
        None => Err(incomplete()),
    }
}

pub(crate) fn incomplete() -> Error {
    Error::corrupt("Store", "outcome").with_context("the store did not answer every step of a unit")
}
