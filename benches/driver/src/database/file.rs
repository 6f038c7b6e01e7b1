//! An SQLite file: written by larder, and copies of it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use contender::{
    Failure, Key,
    protocol::{read_keys, write_keys},
};
use larder::{ColumnType, Sql, Value, prelude::*};

use super::{Size, load::load};

pub(super) struct Original {
    path: PathBuf,
    directory: PathBuf,
    pub(super) version: String,
}

impl Original {
    pub(super) async fn load(size: Size, directory: &Path) -> Result<(Self, Vec<Key>), Failure> {
        let name = format!("{}-{}-{}-{}", size.jobs, size.messages, size.api_keys, size.long_list);
        let (path, kept) = (directory.join(format!("{name}.db")), directory.join(format!("{name}.keys")));
        let larder = Larder::open(&format!("file:{}?synchronous=off", path.display())).await?;
        // However it commits, what is loaded is the same: once is enough.
        let keys = if fs::exists(&kept)? {
            read_keys(&kept)?
        } else {
            let keys = load(&larder, size).await?;
            larder.system().sql(Sql::portable("ANALYZE")).await?;
            write_keys(&kept, &keys)?;
            keys
        };
        let version = larder.health().await?.version;
        // The last to close writes the WAL back into the file.
        larder.close().await?;
        Ok((Self { path, directory: directory.to_owned(), version }, keys))
    }

    pub(super) async fn copy(&self) -> Result<Copy, Failure> {
        let path = self.directory.join("copy.db");
        for end in ["", "-wal", "-shm"] {
            let stale = format!("{}{end}", path.display());
            if fs::exists(&stale)? {
                fs::remove_file(stale)?;
            }
        }
        fs::copy(&self.path, &path)?;
        fs::File::open(&path)?.sync_all()?;
        let larder = Larder::open(&format!("file:{}?synchronous=normal&readers=1", path.display())).await?;
        Ok(Copy { path, larder })
    }
}

pub(super) struct Copy {
    path: PathBuf,
    larder: Larder,
}

impl Copy {
    pub(super) fn path(&self) -> String {
        self.path.display().to_string()
    }

    pub(super) fn larder(&self) -> &Larder {
        &self.larder
    }

    pub(super) async fn make_due(&self, step: usize, count: usize) -> Result<u64, Failure> {
        let reset = "UPDATE jobs SET status = 'PAUSED', next_run_at = NULL, locked_until = NULL, lock_owner = NULL \
            WHERE status = 'ACTIVE'";
        let due = "UPDATE jobs SET status = 'ACTIVE', next_run_at = created_at - 3600000000 \
            WHERE id IN (SELECT id FROM jobs WHERE rowid % ?1 = 0 ORDER BY rowid LIMIT ?2)";
        let system = self.larder.system();
        system.sql(Sql::portable(reset)).await?;
        let integer = |number: usize| i64::try_from(number).map(Value::Int);
        let due =
            Sql::portable(due).bind(ColumnType::Int, integer(step)?).bind(ColumnType::Int, integer(count)?);
        Ok(system.sql(due).await?.affected)
    }

    pub(super) async fn close(self) -> Result<(), Failure> {
        Ok(self.larder.close().await?)
    }
}
