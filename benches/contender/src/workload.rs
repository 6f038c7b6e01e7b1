//! What is measured.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Look up a random job of its owner.
    Get,
    /// Authenticate by the token of a random API key: look-up, hash and comparison; against the drivers by hand.
    Authenticate,
    /// Insert one job.
    Insert,
    /// Change one random job by key, returning the row.
    Update,
    /// Delete one job by key; the jobs are inserted outside the measured time.
    Delete,
    /// The first page of ten of a random user, with `has_next`.
    Page,
    /// The same of those that contain a text.
    Search,
    /// The first page with each job's messages and the owner.
    Relations,
    /// Read a job, change it, add a message: as larder's unit, against a transaction of the peer.
    Unit,
    /// The same as larder's closure, against a transaction of the peer.
    Closure,
    /// Claim one due job a call until a backlog is claimed.
    Claim1,
    /// Claim up to 32 a call.
    Claim32,
    /// Claim one, complete it, until a backlog is worked off.
    Work,
    /// Insert 10,000 jobs in one call.
    Bulk,
    /// 80 % look-ups, 10 % updates, 10 % inserts.
    Mix,
    /// A page by cursor, deep in a long list; larder only.
    DeepPage,
    /// Open the database and ask whether migrations are pending; larder only.
    Open,
}

/// When a run of a workload ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// When its time is over.
    Timed,
    /// When the jobs whose keys it was given are used up.
    Keyed,
    /// When the backlog of due jobs is used up.
    Backlog,
}

impl Workload {
    /// The workloads that larder is compared in.
    pub const COMPARED: [Self; 15] = [
        Self::Get,
        Self::Authenticate,
        Self::Insert,
        Self::Update,
        Self::Delete,
        Self::Page,
        Self::Search,
        Self::Relations,
        Self::Unit,
        Self::Closure,
        Self::Mix,
        Self::Claim1,
        Self::Claim32,
        Self::Work,
        Self::Bulk,
    ];

    /// When a run ends.
    pub fn kind(self) -> Kind {
        match self {
            Self::Delete => Kind::Keyed,
            Self::Claim1 | Self::Claim32 | Self::Work => Kind::Backlog,
            _ => Kind::Timed,
        }
    }

    /// Whether it commits: only then `synchronous` matters.
    pub fn writes(self) -> bool {
        !matches!(
            self,
            Self::Get
                | Self::Authenticate
                | Self::Page
                | Self::Search
                | Self::Relations
                | Self::DeepPage
                | Self::Open
        )
    }

    /// Why all peers are left out; `None` when they are not.
    pub fn only_larder(self) -> Option<&'static str> {
        matches!(self, Self::DeepPage | Self::Open).then_some("measured for larder only")
    }

    /// Why a peer that is no driver is left out; `None` when it is not.
    pub fn not_for_libraries(self) -> Option<&'static str> {
        match self {
            Self::Authenticate => Some("compared with the drivers only"),
            _ => self.only_larder(),
        }
    }

    /// Its name, as on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
