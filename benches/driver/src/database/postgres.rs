//! PostgreSQL: a durable server of our own, a template, and copies of it.

use std::{fs, path::Path, sync::Arc};

use contender::{Failure, Key};
use larder::prelude::*;
use larder_testing::{Postgres, PostgresDatabase, Template};
use nix::unistd::{SysconfVar, sysconf};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use super::{Size, load::load};

pub(super) struct Original {
    server: Arc<Postgres>,
    template: Template,
}

impl Original {
    pub(super) async fn load(size: Size, directory: &Path) -> Result<(Self, Vec<Key>), Failure> {
        let server = Postgres::builder().durable(true).own(true).directory(directory).start().await?;
        let mut keys = Vec::new();
        let template = server
            .template(async |url| {
                let larder = Larder::open(&format!("{url}?lanes=off")).await?;
                keys = load(&larder, size).await?;
                larder.close().await?;
                let client = connect(&url).await?;
                client.batch_execute("VACUUM (ANALYZE, FREEZE)").await?;
                Ok::<_, Failure>(client.batch_execute("CHECKPOINT").await?)
            })
            .await?;
        Ok((Self { server: Arc::new(server), template }, keys))
    }

    pub(super) fn version(&self) -> String {
        self.server.origin().to_owned()
    }

    pub(super) async fn copy(&self) -> Result<Copy, Failure> {
        let database = self.server.database_from(&self.template).await?;
        let client = connect(database.url()).await?;
        client.batch_execute("CHECKPOINT").await?;
        let backend: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)?;
        let larder = Larder::open(&format!("{}?lanes=off&pool_size=1", database.url())).await?;
        let postmaster = Stat::of(u32::try_from(backend)?).map(|stat| stat.parent);
        Ok(Copy { client, larder, postmaster, database })
    }
}

async fn connect(url: &str) -> Result<Client, Failure> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // It ends with the client.
    tokio::spawn(connection);
    Ok(client)
}

pub(super) struct Copy {
    client: Client,
    larder: Larder,
    postmaster: Option<u32>,
    database: PostgresDatabase,
}

impl Copy {
    pub(super) fn url(&self) -> String {
        self.database.url().to_owned()
    }

    pub(super) fn larder(&self) -> &Larder {
        &self.larder
    }

    pub(super) async fn make_due(&self, keys: &[Key], step: usize, count: usize) -> Result<u64, Failure> {
        let reset = "UPDATE jobs SET status = 'PAUSED', next_run_at = NULL, locked_until = NULL, lock_owner = NULL \
            WHERE status = 'ACTIVE'";
        self.client.batch_execute(reset).await?;
        let due = "UPDATE jobs SET status = 'ACTIVE', \
            next_run_at = now() - interval '1 hour' + place * interval '1 millisecond' \
            FROM UNNEST($1::uuid[]) WITH ORDINALITY AS due (due_id, place) WHERE id = due_id";
        let ids: Vec<Uuid> = keys.iter().step_by(step).take(count).map(|key| key.job).collect();
        let due = self.client.execute(due, &[&ids]).await?;
        // What the rounds before it left behind is not this round's to wade through.
        self.client.batch_execute("VACUUM (ANALYZE) jobs").await?;
        Ok(due)
    }

    /// Of the server's processes, those that have ended included.
    pub(super) fn server_cpu(&self) -> Option<f64> {
        let postmaster = self.postmaster?;
        let processes = fs::read_dir("/proc")
            .ok()?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok().and_then(Stat::of));
        let running: u64 = processes.filter(|stat| stat.parent == postmaster).map(|stat| stat.ticks).sum();
        let own = Stat::of(postmaster)?;
        let ticks_in_second = sysconf(SysconfVar::CLK_TCK).ok()??;
        Some((running + own.ticks + own.ended_children) as f64 / ticks_in_second as f64)
    }

    pub(super) async fn close(self) -> Result<(), Failure> {
        Ok(self.larder.close().await?)
    }
}

/// A process, as `/proc/<id>/stat` has it.
struct Stat {
    parent: u32,
    ticks: u64,
    ended_children: u64,
}

impl Stat {
    fn of(process: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name before it may hold blanks and parentheses.
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self {
            parent: u32::try_from(number(1)?).ok()?,
            ticks: number(11)? + number(12)?,
            ended_children: number(13)? + number(14)?,
        })
    }
}
