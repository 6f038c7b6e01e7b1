//! What the supervisor has to know about PostgreSQL.

use std::path::Path;

use crate::supervisor::Service;

/// PostgreSQL, for the supervisor.
pub(super) struct PostgresService;

impl Service for PostgresService {
    const NAME: &'static str = "PostgreSQL";
    const SCRIPT: &'static str = include_str!("supervised.sh");
    const PORTS: usize = 1;
    const STOP: &'static str = "INT";

    /// Reads the lock file, which says whose it is in line 1 and the state in line 8: asking by connecting would fill
    /// the log with refusals.
    async fn is_ready(&self, directory: &Path, pid: u32, _ports: &[u16]) -> bool {
        let Ok(text) = std::fs::read_to_string(directory.join("data/postmaster.pid")) else { return false };
        let mut lines = text.lines();
        let ours = lines.next().is_some_and(|line| line == pid.to_string());
        ours && lines.nth(6).is_some_and(|state| state.trim_end() == "ready")
    }
}
