//! Random batches: calls that are sent at once, against the same calls sent one by one to the reference.

use std::{fmt::Write, sync::Arc};

use chrono::TimeDelta;
use fastrand::Rng;

use super::{number_in, plot::Plot};
use crate::{Backend, Failure, MemoryBackend, World, call::Call, together};

/// How many plots there are: enough for the largest batch, few enough that each holds rows soon.
const PLOTS: usize = 256;

/// The sizes of batches.
const SIZES: std::ops::RangeInclusive<usize> = 2..=64;

/// After this many batches all rows are compared.
const BETWEEN_ROWS: usize = 250;

/// How many batches a run on this backend has.
pub(crate) fn batches(backend: &dyn Backend) -> Result<usize, Failure> {
    number_in("LARDER_BATCHES", backend.random_batches())
}

/// Sends `count` batches of this seed. The calls of a batch touch no row in common, so that the order in which a store
/// happens to take them changes nothing.
///
/// # Errors
/// When an answer differs, or a row; the message has the seed and the batch.
pub(crate) async fn agree(world: &World, seed: u64, count: usize) -> Result<(), Failure> {
    let reference = world.another_on(Arc::new(MemoryBackend)).await?;
    let mut random = Rng::with_seed(seed);
    for number in 1..=count {
        world.clock().advance(TimeDelta::microseconds(random.i64(1..40_000_000)));
        let batch = batch(&mut random, world)?;
        same_answers(world, &reference, batch)
            .await
            .map_err(|difference| format!("LARDER_SEED={seed}, batch {number}: {difference}"))?;
        if number % BETWEEN_ROWS == 0 || number == count {
            let same = world.all_rows().await? == reference.all_rows().await?;
            if !same {
                return Err(format!("LARDER_SEED={seed}: other rows after batch {number}").into());
            }
        }
    }
    Ok(())
}

/// Calls on plots of which no two are the same.
fn batch(random: &mut Rng, world: &World) -> larder::Result<Vec<Call>> {
    let size = size(random);
    let plots = random.choose_multiple(0..PLOTS, size);
    plots.into_iter().map(|number| Plot::of(number, world).call(random)).collect()
}

/// Small sizes more often than large ones: as many between 2 and 4 as between 32 and 64.
fn size(random: &mut Rng) -> usize {
    let (least, most) = (*SIZES.start() as f64, *SIZES.end() as f64);
    let size = least * (most / least).powf(random.f64());
    (size.round() as usize).clamp(*SIZES.start(), *SIZES.end())
}

async fn same_answers(world: &World, reference: &World, batch: Vec<Call>) -> Result<(), Failure> {
    let (tested, alone) = (world.store(), reference.store());
    let found = together(batch.len(), |index| {
        let (store, call) = (Arc::clone(&tested), batch[index].clone());
        async move { call.send(&*store).await }
    });
    let found = found.await;
    for (index, (call, found)) in batch.iter().zip(found).enumerate() {
        let expected = call.clone().send(&*alone).await;
        if found != expected {
            let mut story = format!("call {index} was\n{call:?}\nand is answered, sent alone,\n{expected}\n");
            writeln!(story, "but the store answered\n{found}\nwhen it was sent with")?;
            for other in batch.iter().filter(|other| *other != call) {
                writeln!(story, "{other:?}")?;
            }
            return Err(story.into());
        }
    }
    Ok(())
}
