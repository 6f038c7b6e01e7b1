//! Random operations: what the databases answer is what the reference answers.

use crate::random::{agrees, operations, seed};

cases! {
    /// Ten thousand random operations, those of several users mixed, get from this store the answers that they get from
    /// `MemoryStore`, and leave the same rows. On a failure the fewest operations that show it are printed, with the seed;
    /// `LARDER_SEED` runs that seed again, `LARDER_SEED=random` a new one; `LARDER_OPERATIONS` makes them more or fewer.
    #[covers(80)]
    async fn ten_thousand_random_operations_agree_with_the_reference(world: World) {
        agrees(&world, seed()?, operations()?).await?;
    }
}
