//! Larder by itself on a database: for what is not compared with peers.

use std::path::Path;

use contender::{Failure, Workload, protocol::Command};

use crate::{
    child::{Child, Ran},
    compare::prepare,
    contenders::{LARDER, build, on},
    database::{Copy, Database, Loaded, Size},
    options::Options,
    results::Round,
};

/// Larder's contender on a database of this size.
pub(crate) struct Alone {
    copy: Copy,
    pub(crate) child: Child,
}

impl Alone {
    /// Builds, loads and starts.
    pub(crate) async fn start(
        database: Database,
        size: Size,
        options: &Options,
        benches: &Path,
        directory: &Path,
    ) -> Result<Self, Failure> {
        let larder = on(database, options).into_iter().find(|entrant| entrant.name == LARDER);
        let larder = larder.ok_or("larder takes part everywhere")?;
        if let Some((_, why)) = build(benches, std::slice::from_ref(&larder))?.first() {
            return Err(why.clone().into());
        }
        eprintln!("{}: loading {} jobs", database.name(), size.jobs + size.long_list);
        let loaded = Loaded::load(database, size, directory).await?;
        let copy = loaded.copy().await?;
        let open = Command::Open {
            url: copy.url(),
            connections: options.connections,
            synchronous: database.synchronous().to_owned(),
            variant: larder.variant.clone(),
            keys: copy.keys(),
        };
        let child = Child::start(&larder.program(benches), &open).await?;
        Ok(Self { copy, child })
    }

    /// All rounds of a workload; one more before them is not counted.
    pub(crate) async fn rounds(
        &mut self,
        workload: Workload,
        callers: usize,
        options: &Options,
    ) -> Result<Vec<Round>, Failure> {
        let mut rounds = Vec::new();
        for lap in 0..=options.rounds {
            let run = prepare(workload, callers, options, &self.copy).await?;
            match self.child.run(run).await {
                Ran::Measured(measured) if lap > 0 => rounds.push(Round::new(lap, measured, None)),
                Ran::Measured(_) => {}
                Ran::Unsupported(error) | Ran::Failed(error) => {
                    return Err(format!("{} × {callers}: {error}", workload.name()).into());
                }
            }
        }
        Ok(rounds)
    }

    pub(crate) async fn end(self) -> Result<(), Failure> {
        self.child.end().await?;
        self.copy.close().await
    }
}
