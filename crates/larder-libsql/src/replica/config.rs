//! Which server's database, and where its replica is: parsed from a URL.

use std::{path::PathBuf, time::Duration};

use larder_core::Result;

use crate::{
    config::{HOUR, LibsqlConfig, Location, config},
    options::{Options, duration, size, whole_number},
    remote::{OPTIONS as REMOTE_OPTIONS, RemoteConfig},
};

/// How a [`ReplicaStore`](crate::ReplicaStore) reaches its server, and keeps and reads the replica.
///
/// Written as a URL, `libsql://name-org.turso.io?replica=edge.db&sync=30s`; [`ReplicaConfig::parse`] says how.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReplicaConfig {
    /// The server, which takes the writes. Its `timeout` and `queue` are also those of reads.
    pub remote: RemoteConfig,
    /// The file. Beside it there are others whose names begin with its own.
    pub path: PathBuf,
    /// How long after a sync the next one begins, when nothing is written, from 100 ms to 1 h. A write of this process is
    /// followed by one at once.
    pub sync: Duration,
    /// How long a read that is to be fresh waits for writes of this process that the replica does not hold yet, from 1 ms to
    /// 1 h.
    pub wait: Duration,
    /// How many threads read the file, and how many callers at once may read it in place, 1 to 64.
    pub readers: usize,
    /// The size of the page cache of each connection in bytes, 64 KiB to 64 GiB.
    pub cache: u64,
}

const OPTIONS: &[&str] = &["cache", "readers", "replica", "sync", "wait"];

const KIB: u64 = 1024;
const GIB: u64 = 1024 * 1024 * KIB;

impl ReplicaConfig {
    /// The defaults, for a replica of this server at this path: a sync every 30 s, 5 s of waiting for one's own writes, a
    /// reader for each core up to 4, 16 MiB of cache for each connection.
    pub fn new(remote: RemoteConfig, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let file = LibsqlConfig::new(Location::File(path.clone()));
        Self {
            remote,
            path,
            sync: Duration::from_secs(30),
            wait: Duration::from_secs(5),
            readers: file.readers,
            cache: file.cache,
        }
    }

    /// Parses a URL: that of a server, as [`RemoteConfig::parse`] has it, with the options `replica` (the path,
    /// percent-decoded), `sync` and `wait` (`30s`, `250ms`), `readers` (a number) and `cache` (`16MiB`). The fields have
    /// their meanings and ranges. Without the option `retry`, nothing is tried again.
    ///
    /// # Errors
    /// `Config`, naming what is wrong and what is allowed.
    pub fn parse(url: &str) -> Result<Self> {
        let (place, options) = url.split_once('?').unwrap_or((url, ""));
        let mut options = Options::parse(options, &[REMOTE_OPTIONS, OPTIONS].concat())?;
        let path = options.take("replica", path)?;
        let path = path.ok_or_else(|| config("the URL names no replica: libsql://host?replica=edge.db"))?;
        let retries = options.has("retry");
        let mut remote = RemoteConfig::from_options(place, &mut options)?;
        if !retries {
            // Reads go on without the primary: a write is to say at once that it cannot.
            remote.retry = Duration::ZERO;
        }
        let default = Self::new(remote, path);
        Ok(Self {
            sync: options
                .take("sync", |text| duration(text, Duration::from_millis(100), HOUR))?
                .unwrap_or(default.sync),
            wait: options
                .take("wait", |text| duration(text, Duration::from_millis(1), HOUR))?
                .unwrap_or(default.wait),
            readers: options.take("readers", |text| whole_number(text, 1, 64))?.unwrap_or(default.readers),
            cache: options.take("cache", |text| size(text, 64 * KIB, 64 * GIB))?.unwrap_or(default.cache),
            remote: default.remote,
            path: default.path,
        })
    }

    /// How the file is read.
    pub(super) fn file(&self) -> LibsqlConfig {
        let mut file = LibsqlConfig::new(Location::File(self.path.clone()));
        file.readers = self.readers;
        file.timeout = self.remote.timeout;
        file.cache = self.cache;
        file.queue = self.remote.queue;
        file.create = false;
        file
    }
}

fn path(text: &str) -> Result<PathBuf, String> {
    match text {
        "" => Err("must be a path".to_owned()),
        _ if text.contains('\0') => Err("the path holds the NUL character".to_owned()),
        _ => Ok(PathBuf::from(text)),
    }
}

#[cfg(test)]
mod tests {
    use larder_core::ErrorKind;

    use super::*;

    #[test]
    fn a_url_says_all_of_it() {
        let url = "libsql://a.turso.io?replica=/var/lib/edge%20one.db&sync=5s&wait=1s&readers=3&cache=1MiB&timeout=7s";
        let config = ReplicaConfig::parse(url).expect("config");
        assert_eq!(config.path, PathBuf::from("/var/lib/edge one.db"));
        assert_eq!((config.sync, config.wait), (Duration::from_secs(5), Duration::from_secs(1)));
        assert_eq!(
            (config.remote.endpoint.host.as_str(), config.remote.retry),
            ("a.turso.io", Duration::ZERO)
        );
        let file = config.file();
        assert_eq!((file.readers, file.cache, file.timeout), (3, 1024 * KIB, Duration::from_secs(7)));
    }

    #[test]
    fn wrong_urls_say_what_is_wrong() {
        for (url, said) in [
            ("libsql://host", "names no replica"),
            ("libsql://host?replica=", "must be a path"),
            ("libsql://host?replica=a%00b", "NUL"),
            ("libsql://host?replica=a.db&sync=10ms", "must be a duration"),
            ("libsql://host?replica=a.db&synchronous=full", "unknown option synchronous"),
            ("file:app.db?replica=a.db", "libsql://"),
        ] {
            let error = ReplicaConfig::parse(url).expect_err(url);
            assert_eq!(*error.kind(), ErrorKind::Config);
            assert!(error.context().contains(said), "{url}: {error}");
        }
    }
}
