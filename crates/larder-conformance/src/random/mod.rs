//! Random operations on a store and on the reference, compared; and the search for the fewest that differ.

mod batches;
mod operation;
mod plot;
mod values;

use std::{
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{Backend, Failure, MemoryBackend, World};
pub(crate) use batches::{agree, batches};
use operation::{Known, Operation};

/// How many operations a run has, unless the environment variable `LARDER_OPERATIONS` says otherwise.
const OPERATIONS: usize = 10_000;

/// How many operations one pair of databases sees, before it is given up for a fresh one: many enough that rows meet, few
/// enough that a failure is found again quickly.
const ON_ONE_DATABASE: usize = 1_000;

/// How long a failure is made smaller.
const SHRINKING: Duration = Duration::from_secs(30);

/// The seed of a run: the same in every run unless `LARDER_SEED` says otherwise.
pub(crate) fn seed() -> Result<u64, Failure> {
    match std::env::var("LARDER_SEED") {
        Ok(text) if text == "random" => Ok(fastrand::u64(..)),
        Ok(text) => {
            text.parse().map_err(|_| format!("LARDER_SEED is a number or `random`, not `{text}`").into())
        }
        Err(_) => Ok(20_260_102),
    }
}

/// How many operations a run has.
pub(crate) fn operations() -> Result<usize, Failure> {
    number_in("LARDER_OPERATIONS", OPERATIONS)
}

/// How many times longer than usual the random runs on this backend were asked to be; at least 1.
pub(crate) fn times_longer(backend: &dyn Backend) -> Result<u32, Failure> {
    let batches = batches(backend)? / backend.random_batches().max(1);
    let times = (operations()? / OPERATIONS).max(batches).max(1);
    Ok(u32::try_from(times).unwrap_or(u32::MAX))
}

/// The number that this environment variable holds; `otherwise` when it is not set.
fn number_in(variable: &str, otherwise: usize) -> Result<usize, Failure> {
    match std::env::var(variable) {
        Ok(text) => text.parse().map_err(|_| format!("{variable} is a number, not `{text}`").into()),
        Err(_) => Ok(otherwise),
    }
}

/// Runs `count` operations of this seed.
///
/// # Errors
/// When an answer differs, with the fewest operations that were found to show it.
pub(crate) async fn agrees(world: &World, seed: u64, count: usize) -> Result<(), Failure> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut left = count;
    while left > 0 {
        let operations: Vec<_> =
            (0..left.min(ON_ONE_DATABASE)).map(|_| Operation::random(&mut random)).collect();
        left -= operations.len();
        if let Some(difference) = difference(world, &operations).await? {
            return Err(explain(world, seed, operations, difference).await?.into());
        }
    }
    Ok(())
}

/// Where the store and the reference differ.
struct Difference {
    /// After how many operations.
    after: usize,
    /// What was asked and answered, up to there.
    story: String,
}

/// Runs operations on a fresh database and on a fresh reference.
async fn difference(world: &World, operations: &[Operation]) -> Result<Option<Difference>, Failure> {
    let (tested, reference) = (world.another().await?, world.another_on(Arc::new(MemoryBackend)).await?);
    let found = compare(&tested, &reference, operations).await;
    tested.larder().close().await?;
    found
}

async fn compare(
    tested: &World,
    reference: &World,
    operations: &[Operation],
) -> Result<Option<Difference>, Failure> {
    let mut known = Known::default();
    let mut story = String::new();
    for (index, operation) in operations.iter().enumerate() {
        let expected = operation.perform(reference, &known).await;
        let found = operation.perform(tested, &known).await;
        writeln!(story, "{}\n    -> {}", expected.call, expected.answer)?;
        if found.answer != expected.answer {
            writeln!(story, "    but the store answered\n    -> {}", found.answer)?;
            return Ok(Some(Difference { after: index + 1, story }));
        }
        known.learn(expected.made);
    }
    let (expected, found) = (reference.all_rows().await?, tested.all_rows().await?);
    for ((table, expected), (_, found)) in expected.iter().zip(&found) {
        if let Some(row) =
            (0..expected.len().max(found.len())).find(|&row| expected.get(row) != found.get(row))
        {
            let (expected, found) = (expected.get(row), found.get(row));
            writeln!(
                story,
                "row {row} of {table} should be\n    {expected:?}\n    but the store holds\n    {found:?}"
            )?;
            return Ok(Some(Difference { after: operations.len(), story }));
        }
    }
    Ok(None)
}

/// Leaves out operations as long as a difference remains: first halves, then quarters, down to single ones.
async fn explain(
    world: &World,
    seed: u64,
    mut operations: Vec<Operation>,
    mut shown: Difference,
) -> Result<String, Failure> {
    let begun = Instant::now();
    operations.truncate(shown.after);
    let mut chunk = operations.len().div_ceil(2);
    while begun.elapsed() < SHRINKING {
        let mut left_out = false;
        let mut start = 0;
        while start < operations.len() && begun.elapsed() < SHRINKING {
            let mut fewer = operations.clone();
            fewer.drain(start..(start + chunk).min(operations.len()));
            match difference(world, &fewer).await? {
                Some(difference) => {
                    fewer.truncate(difference.after);
                    (operations, shown, left_out) = (fewer, difference, true);
                }
                None => start += chunk,
            }
        }
        match (chunk, left_out) {
            (1, false) => break,
            (1, true) => {}
            _ => chunk = chunk.div_ceil(2),
        }
    }
    Ok(format!("LARDER_SEED={seed} shows it; these {} operations do too:\n{}", operations.len(), shown.story))
}
