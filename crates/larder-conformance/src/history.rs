//! Histories: the steps of several transactions, interleaved; and the question whether what happened is as if the
//! transactions had run one after the other.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use larder::{
    Assign, Begin, Delete, ErrorKind, Filter, Get, Key, Outcome, Result, Row, Select, Store, Transaction,
    Update, Verb,
};
use tokio::sync::mpsc;

use crate::{Failure, World, entities::Specimen};

/// How long the next step of another transaction is held back for a step that may be waiting for a lock.
const PATIENCE: Duration = Duration::from_millis(50);

/// Something that a transaction does with the rows: each has a name, a number, and a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Reads the row of this number.
    Get(i64),
    /// Reads all rows with at least this value.
    AtLeast(i64),
    /// Gives the row of this number a value.
    Set(i64, i64),
    /// Gives all rows of one value another value.
    Move { from: i64, to: i64 },
    /// Writes a row of this number with a value.
    Insert(i64, i64),
    /// Deletes all rows with this value.
    Delete(i64),
    /// Commits.
    Commit,
    /// Rolls back.
    RollBack,
}

/// What a step saw: rows by number, or how many it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Rows(Rows),
    Changed(u64),
}

type Rows = BTreeMap<i64, i64>;

/// What became of a transaction.
#[derive(Debug)]
struct Ended {
    committed: bool,
    seen: Vec<(Step, Seen)>,
}

/// Runs a history over two handles: each step is begun when the one before it has ended or, waiting for a lock, is given no
/// more time. The rows at first are those of `initial`.
///
/// # Errors
/// When what was committed is as no order of the committed transactions would have it; when none was.
pub(crate) async fn check(
    world: &World,
    initial: &[(i64, i64)],
    history: &[(usize, Step)],
) -> Result<(), Failure> {
    let initial: Rows = initial.iter().copied().collect();
    let specimens = world.system().repo::<Specimen>();
    specimens.create_many(initial.iter().map(|(&number, &value)| specimen(number, value))).await?;

    let ended = crate::promptly("the history", interleave(world, history)).await?;
    let last = specimens.select(Filter::always(), Vec::new(), None).await?;
    let last: Rows = last.into_iter().map(|row| (number_of(&row.label), row.number)).collect();

    let committed: Vec<_> = ended.iter().filter(|transaction| transaction.committed).collect();
    if committed.is_empty() {
        return Err(format!("none was committed: {ended:#?}").into());
    }
    if !orders(committed).iter().any(|order| explains(order, &initial, &last)) {
        return Err(format!("no serial order explains the rows {last:?} after {ended:#?}").into());
    }
    Ok(())
}

async fn interleave(world: &World, history: &[(usize, Step)]) -> Result<Vec<Ended>, Failure> {
    let count = history.iter().map(|(transaction, _)| transaction + 1).max().unwrap_or(0);
    let stores = [world.store(), Arc::clone(world.reopen().await?.store())];
    let mut actors: Vec<_> =
        (0..count).map(|index| Actor::start(world.clone(), Arc::clone(&stores[index % 2]))).collect();
    for (transaction, step) in history {
        actors[*transaction].next(*step).await;
    }
    let mut ended = Vec::new();
    for actor in actors {
        ended.push(actor.end().await?);
    }
    Ok(ended)
}

/// A transaction that does its steps in a task of its own.
struct Actor {
    steps: mpsc::UnboundedSender<Step>,
    done: mpsc::UnboundedReceiver<()>,
    asked: usize,
    answered: usize,
    task: tokio::task::JoinHandle<Result<Ended>>,
}

impl Actor {
    fn start(world: World, store: Arc<dyn Store>) -> Self {
        let (steps, mut queue) = mpsc::unbounded_channel();
        let (report, done) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let mut acting = Acting { world, transaction: None, seen: Vec::new(), store };
            while let Some(step) = queue.recv().await {
                let stepped = acting.step(step).await;
                // Nobody waits for the answer any more when the history has ended.
                let _ = report.send(());
                match stepped {
                    Ok(None) => {}
                    Ok(Some(committed)) => return Ok(Ended { committed, seen: acting.seen }),
                    Err(error) if *error.kind() == ErrorKind::Contention => {
                        return Ok(Ended { committed: false, seen: acting.seen });
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(Ended { committed: false, seen: acting.seen })
        });
        Self { steps, done, asked: 0, answered: 0, task }
    }

    /// Asks for a step, and waits for it if nothing before it still waits.
    async fn next(&mut self, step: Step) {
        // One that has ended takes no more steps.
        if self.steps.send(step).is_err() {
            return;
        }
        self.asked += 1;
        while self.answered < self.asked {
            match tokio::time::timeout(PATIENCE, self.done.recv()).await {
                Ok(Some(())) => self.answered += 1,
                Ok(None) | Err(_) => return,
            }
        }
    }

    async fn end(self) -> Result<Ended, Failure> {
        drop(self.steps);
        Ok(self.task.await??)
    }
}

struct Acting {
    world: World,
    store: Arc<dyn Store>,
    transaction: Option<Box<dyn Transaction>>,
    seen: Vec<(Step, Seen)>,
}

impl Acting {
    /// Does a step; answers whether it committed when it was the last.
    async fn step(&mut self, step: Step) -> Result<Option<bool>> {
        let mut transaction = match self.transaction.take() {
            Some(transaction) => transaction,
            None => self.store.begin(Begin::Serializable).await?,
        };
        let Some(verb) = self.verb(step)? else {
            match step {
                Step::Commit => transaction.commit().await?,
                _ => transaction.rollback().await?,
            }
            return Ok(Some(step == Step::Commit));
        };
        let outcome = transaction.execute(verb).await?;
        self.seen.push((step, seen(outcome)?));
        self.transaction = Some(transaction);
        Ok(None)
    }

    /// The verb of a step; `None` for the steps that end a transaction.
    fn verb(&self, step: Step) -> Result<Option<Verb>> {
        let table = <Specimen as larder::Entity>::TABLE;
        let key = |number: i64| Key {
            columns: table.uniques[0].columns,
            values: vec![larder::Value::Text(label(number))],
        };
        let set = |value| vec![(Specimen::NUMBER.position(), Assign::Set(larder::Value::Int(value)))];
        let update = |key, filter, value| {
            Verb::Update(Update { table, owner: None, key, filter, set: set(value), returning: false })
        };
        Ok(Some(match step {
            Step::Get(number) => Verb::Get(Get { table, owner: None, key: key(number) }),
            Step::AtLeast(value) => {
                let filter = Specimen::NUMBER.ge(value)?;
                Verb::Select(Select {
                    table,
                    owner: None,
                    filter,
                    order: Vec::new(),
                    after: None,
                    offset: 0,
                    limit: None,
                })
            }
            Step::Set(number, value) => update(Some(key(number)), Filter::always(), value),
            Step::Move { from, to } => update(None, Specimen::NUMBER.eq(from)?, to),
            Step::Insert(number, value) => {
                self.world.system().repo::<Specimen>().creation(specimen(number, value))?.1
            }
            Step::Delete(value) => {
                let filter = Specimen::NUMBER.eq(value)?;
                Verb::Delete(Delete { table, owner: None, key: None, filter, limit: None, returning: false })
            }
            Step::Commit | Step::RollBack => return Ok(None),
        }))
    }
}

fn seen(outcome: Outcome) -> Result<Seen> {
    let rows = match outcome {
        Outcome::Count(count) => return Ok(Seen::Changed(count)),
        Outcome::Row(row) => row.into_iter().collect(),
        Outcome::Rows(rows) => rows,
    };
    let rows = rows.into_iter().map(|row: Row| {
        let row: Specimen = larder::Entity::from_row(row)?;
        Ok((number_of(&row.label), row.number))
    });
    rows.collect::<Result<_>>().map(Seen::Rows)
}

/// All orders of these transactions.
fn orders(transactions: Vec<&Ended>) -> Vec<Vec<&Ended>> {
    if transactions.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in 0..transactions.len() {
        let mut rest = transactions.clone();
        let first = rest.remove(first);
        all.extend(orders(rest).into_iter().map(|mut order| {
            order.insert(0, first);
            order
        }));
    }
    all
}

/// Would this order, from these rows, have seen what was seen, and left the rows that were left?
fn explains(order: &[&Ended], initial: &Rows, last: &Rows) -> bool {
    let mut rows = initial.clone();
    let steps = order.iter().flat_map(|transaction| &transaction.seen);
    steps.into_iter().all(|(step, seen)| would_see(*step, &mut rows) == *seen) && rows == *last
}

/// What a step sees in these rows when it is alone, and what it makes of them.
fn would_see(step: Step, rows: &mut Rows) -> Seen {
    match step {
        Step::Get(number) => Seen::Rows(
            rows.iter().filter(|row| *row.0 == number).map(|(&number, &value)| (number, value)).collect(),
        ),
        Step::AtLeast(least) => Seen::Rows(
            rows.iter().filter(|row| *row.1 >= least).map(|(&number, &value)| (number, value)).collect(),
        ),
        Step::Set(number, value) => Seen::Changed(rows.get_mut(&number).map_or(0, |row| {
            *row = value;
            1
        })),
        Step::Move { from, to } => {
            let moved = rows.values_mut().filter(|value| **value == from).map(|value| *value = to).count();
            Seen::Changed(moved as u64)
        }
        Step::Insert(number, value) => {
            rows.insert(number, value);
            Seen::Changed(1)
        }
        Step::Delete(value) => {
            let before = rows.len();
            rows.retain(|_, row| *row != value);
            Seen::Changed((before - rows.len()) as u64)
        }
        Step::Commit | Step::RollBack => Seen::Changed(0),
    }
}

fn specimen(number: i64, value: i64) -> <Specimen as larder::Entity>::New {
    crate::entities::NewSpecimen { number: value, ..Specimen::plain(label(number)) }
}

fn label(number: i64) -> String {
    format!("row {number}")
}

fn number_of(label: &str) -> i64 {
    label.strip_prefix("row ").and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(number: i64, value: i64) -> (Step, Seen) {
        (Step::Get(number), Seen::Rows(Rows::from([(number, value)])))
    }

    fn wrote(number: i64, value: i64) -> (Step, Seen) {
        (Step::Set(number, value), Seen::Changed(1))
    }

    fn is_serial(transactions: [Vec<(Step, Seen)>; 2], last: [(i64, i64); 2]) -> bool {
        let ended = transactions.map(|seen| Ended { committed: true, seen });
        let initial = Rows::from([(1, 10), (2, 20)]);
        orders(ended.iter().collect()).iter().any(|order| explains(order, &initial, &Rows::from(last)))
    }

    #[test]
    fn one_after_the_other_is_serial() {
        assert!(is_serial(
            [vec![read(1, 11), wrote(1, 12)], vec![read(1, 10), wrote(1, 11)]],
            [(1, 12), (2, 20)]
        ));
    }

    #[test]
    fn a_lost_update_and_write_skew_are_not() {
        assert!(!is_serial(
            [vec![read(1, 10), wrote(1, 11)], vec![read(1, 10), wrote(1, 12)]],
            [(1, 12), (2, 20)]
        ));
        assert!(!is_serial(
            [vec![read(2, 20), wrote(1, 11)], vec![read(1, 10), wrote(2, 21)]],
            [(1, 11), (2, 21)]
        ));
    }

    #[test]
    fn rows_that_no_transaction_left_are_not() {
        assert!(!is_serial(
            [vec![wrote(1, 11), wrote(2, 21)], vec![wrote(1, 12), wrote(2, 22)]],
            [(1, 12), (2, 21)]
        ));
    }
}
