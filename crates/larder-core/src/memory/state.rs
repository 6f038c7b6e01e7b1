//! A state of the database, and how verbs turn it into the next.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    aggregate::aggregated,
    assign::assigned,
    key::{key, key_of},
    query::{belongs, check_columns, in_turns, is_after, matcher, sort},
    rows::{Rows, Stored},
    schema::Schema,
};
use crate::{
    Assign, Claim, Delete, Error, Filter, Insert, Key, Outcome, Result, Select, Step, Table, Update, Upsert,
    Value, Verb, check_row,
};

/// What the database holds at one moment. A clone is cheap: it shares each table until one of the two changes it.
#[derive(Clone)]
pub(super) struct State {
    schema: Arc<Schema>,
    /// In the schema's order.
    tables: Vec<Arc<Rows>>,
}

impl State {
    /// The empty database.
    pub(super) fn new(schema: Schema) -> Self {
        let tables = schema.tables.iter().map(|table| Arc::new(Rows::new(table))).collect();
        Self { schema: Arc::new(schema), tables }
    }

    /// Does `work`, all of it or, when it fails, nothing.
    pub(super) fn atomically<T>(&mut self, work: impl FnOnce(&mut Work<'_>) -> Result<T>) -> Result<T> {
        let mut attempt = Work { state: self, undo: Vec::new() };
        let result = work(&mut attempt);
        if result.is_err() {
            attempt.undo();
        }
        result
    }

    /// The rows that a verb means, in the order of the primary key.
    fn choose(&self, at: usize, owner: Option<Uuid>, by: Option<&Key>, filter: &Filter) -> Vec<Arc<Stored>> {
        let rows = &self.tables[at];
        let matches = matcher(filter);
        let chosen = |row: &&Arc<Stored>| belongs(rows.table, row, owner) && matches(row);
        match by {
            Some(by) => {
                let row = key(&by.values).and_then(|key| rows.holder(by.columns, &key));
                row.into_iter().filter(chosen).cloned().collect()
            }
            None => rows.iter().filter(chosen).cloned().collect(),
        }
    }

    fn select(&self, at: usize, select: &Select) -> Vec<Arc<Stored>> {
        let mut rows = self.choose(at, select.owner, None, &select.filter);
        if let Some(position) = &select.after {
            rows.retain(|row| is_after(row, &select.order, position));
        }
        sort(&mut rows, &select.order);
        let limit = select.limit.map_or(usize::MAX, saturated);
        rows.into_iter().skip(saturated(select.offset)).take(limit).collect()
    }
}

/// Verbs at work on a state, with what it takes to undo them.
pub(super) struct Work<'a> {
    state: &'a mut State,
    undo: Vec<Undo>,
}

/// What reverses the change of one row of a table.
enum Undo {
    Put(usize, Arc<Stored>),
    Take(usize, Arc<Stored>),
}

impl Work<'_> {
    /// Executes a step of a unit.
    ///
    /// # Errors
    /// The verb's, or the requirement's.
    pub(super) fn step(&mut self, step: Step) -> Result<Outcome> {
        let outcome = self.execute(step.verb)?;
        step.require.check(&outcome)?;
        Ok(outcome)
    }

    /// Executes a verb. When it fails, what it has changed so far is left to [`State::atomically`].
    ///
    /// # Errors
    /// Those of the verb; `Schema` for a table or column that does not exist.
    pub(super) fn execute(&mut self, verb: Verb) -> Result<Outcome> {
        let at = self.state.schema.position(verb.table())?;
        let table = self.state.tables[at].table;
        check_columns(table, &verb)?;
        match verb {
            Verb::Get(get) => {
                let rows = self.state.choose(at, get.owner, Some(&get.key), &Filter::always());
                Ok(Outcome::Row(rows.first().map(|row| row.visible(table))))
            }
            Verb::Select(select) => Ok(answer(table, &self.state.select(at, &select), true)),
            Verb::Count(count) => {
                Ok(answer(table, &self.state.choose(at, count.owner, None, &count.filter), false))
            }
            Verb::Aggregate(aggregate) => {
                let rows = self.state.choose(at, aggregate.owner, None, &aggregate.filter);
                aggregated(&aggregate, &rows)
            }
            Verb::Insert(insert) => self.insert(at, insert),
            Verb::Update(update) => self.update(at, &update),
            Verb::Delete(delete) => self.delete(at, &delete),
            Verb::Upsert(upsert) => self.upsert(at, upsert),
            Verb::Claim(claim) => self.claim(at, &claim),
        }
    }

    fn insert(&mut self, at: usize, insert: Insert) -> Result<Outcome> {
        let rows = insert.rows.into_iter().map(|row| checked(insert.table, row));
        let rows = rows.collect::<Result<Vec<_>>>()?;
        self.replace(at, &[], &rows)?;
        Ok(answer(insert.table, &rows, false))
    }

    fn update(&mut self, at: usize, update: &Update) -> Result<Outcome> {
        if update.key.is_none() && update.adds() {
            return Err(Error::unsupported("an update that adds needs the key of the row"));
        }
        let rows = self.state.choose(at, update.owner, update.key.as_ref(), &update.filter);
        let rows = self.change(at, &rows, &update.set)?;
        Ok(answer(update.table, &rows, update.returning))
    }

    fn delete(&mut self, at: usize, delete: &Delete) -> Result<Outcome> {
        let mut rows = self.state.choose(at, delete.owner, delete.key.as_ref(), &delete.filter);
        rows.truncate(delete.limit.map_or(usize::MAX, saturated));
        self.cascade(at, &rows);
        Ok(answer(delete.table, &rows, delete.returning))
    }

    fn upsert(&mut self, at: usize, upsert: Upsert) -> Result<Outcome> {
        let table = upsert.table;
        let new = checked(table, upsert.row)?;
        let key = key_of(&new.values, upsert.conflict);
        let holder = key.and_then(|key| self.state.tables[at].holder(upsert.conflict, &key).cloned());
        let written = match holder {
            None => {
                self.replace(at, &[], std::slice::from_ref(&new))?;
                new
            }
            Some(row) if table.owner.is_some_and(|owner| row.value(owner) != new.value(owner)) => {
                return Err(Error::conflict(table.entity, table.names(upsert.conflict)));
            }
            Some(row) => {
                let changed = assigned(table, &row, &upsert.set)?;
                self.replace(at, &[row], std::slice::from_ref(&changed))?;
                changed
            }
        };
        Ok(Outcome::Row(Some(written.visible(table))))
    }

    fn claim(&mut self, at: usize, claim: &Claim) -> Result<Outcome> {
        let mut rows = self.state.choose(at, None, None, &claim.filter);
        sort(&mut rows, &claim.order);
        if let Some(column) = claim.fair_by {
            rows = in_turns(rows, column);
        }
        rows.truncate(saturated(claim.limit.into()));
        let rows = self.change(at, &rows, &claim.set)?;
        Ok(answer(claim.table, &rows, true))
    }

    /// Changes rows; answers them as they are afterwards, in the same order.
    fn change(
        &mut self,
        at: usize,
        rows: &[Arc<Stored>],
        set: &[(usize, Assign)],
    ) -> Result<Vec<Arc<Stored>>> {
        let table = self.state.tables[at].table;
        let changed = rows.iter().map(|row| assigned(table, row, set)).collect::<Result<Vec<_>>>()?;
        self.replace(at, rows, &changed)?;
        Ok(changed)
    }

    /// Puts rows in the place of others, then checks the keys between tables, as databases do at the end of a statement.
    fn replace(&mut self, at: usize, old: &[Arc<Stored>], new: &[Arc<Stored>]) -> Result<()> {
        for row in old {
            self.take(at, row);
        }
        for row in new {
            self.put(at, row)?;
        }
        self.check_parents(at, new)?;
        self.check_children(at, old)
    }

    /// Deletes rows and all that refer to them, directly or not.
    fn cascade(&mut self, at: usize, rows: &[Arc<Stored>]) {
        let mut doomed: Vec<_> = rows.iter().map(|row| (at, row.clone())).collect();
        while let Some((at, row)) = doomed.pop() {
            // A row that is reached in a second way is gone by then, and so is all that referred to it.
            self.take(at, &row);
            for reference in self.state.schema.references_to(at) {
                let Some(key) = key_of(&row.values, reference.parent_key) else { continue };
                let children = self.state.tables[reference.child].referrers(reference.foreign_key, &key);
                doomed.extend(children.map(|child| (reference.child, child.clone())));
            }
        }
    }

    /// Every parent that the rows refer to must exist. A foreign key with a NULL in it refers to nothing.
    fn check_parents(&self, at: usize, rows: &[Arc<Stored>]) -> Result<()> {
        for row in rows {
            for reference in self.state.schema.references_of(at) {
                let Some(key) = key_of(&row.values, reference.columns) else { continue };
                let parent = &self.state.tables[reference.parent];
                if parent.holder(reference.parent_key, &key).is_none() {
                    return Err(Error::missing_parent(
                        self.state.tables[at].table.entity,
                        parent.table.entity,
                    ));
                }
            }
        }
        Ok(())
    }

    /// No row may refer to a key that was changed away.
    fn check_children(&self, at: usize, before: &[Arc<Stored>]) -> Result<()> {
        let parent = &self.state.tables[at];
        for row in before {
            for reference in self.state.schema.references_to(at) {
                let Some(key) = key_of(&row.values, reference.parent_key) else { continue };
                let child = &self.state.tables[reference.child];
                if parent.holder(reference.parent_key, &key).is_none()
                    && child.referrers(reference.foreign_key, &key).next().is_some()
                {
                    return Err(Error::missing_parent(child.table.entity, parent.table.entity));
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, at: usize, row: &Arc<Stored>) -> Result<()> {
        let rows = &mut self.state.tables[at];
        if let Some(columns) = rows.taken_key(row) {
            return Err(Error::conflict(rows.table.entity, rows.table.names(columns)));
        }
        Arc::make_mut(rows).put(row.clone());
        self.undo.push(Undo::Take(at, row.clone()));
        Ok(())
    }

    fn take(&mut self, at: usize, row: &Stored) {
        let taken = Arc::make_mut(&mut self.state.tables[at]).take(&row.key);
        self.undo.extend(taken.map(|row| Undo::Put(at, row)));
    }

    /// Undoes everything, the last change first, so that each finds the state that it left.
    fn undo(&mut self) {
        for undo in self.undo.drain(..).rev() {
            match undo {
                Undo::Put(at, row) => Arc::make_mut(&mut self.state.tables[at]).put(row),
                Undo::Take(at, row) => drop(Arc::make_mut(&mut self.state.tables[at]).take(&row.key)),
            }
        }
    }
}

/// A new row that keeps every rule of its columns.
fn checked(table: &'static Table, values: Vec<Value>) -> Result<Arc<Stored>> {
    check_row(table, &values)?;
    Stored::new(table, values)
}

fn answer(table: &'static Table, rows: &[Arc<Stored>], returning: bool) -> Outcome {
    if returning {
        Outcome::Rows(rows.iter().map(|row| row.visible(table)).collect())
    } else {
        Outcome::Count(rows.len() as u64)
    }
}

/// A number of rows; more than fit into memory are all of them.
fn saturated(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
