//! Which database, and how: parsed from a URL.

use std::{
    fmt,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use larder_core::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;

use crate::options::{Options, duration, size, whole_number, yes_or_no};

/// How a [`LibsqlStore`](crate::LibsqlStore) opens its database.
///
/// Written as a URL, `file:app.db?readers=2&timeout=10s`, or `memory:`; [`LibsqlConfig::parse`] says how.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LibsqlConfig {
    /// Where the database is.
    pub location: Location,
    /// How many threads read a file, and how many callers at once may read it in place, 1 to 64. A database in memory has
    /// none: its one thread reads and writes.
    pub readers: usize,
    /// By when a call has to have ended, from 1 ms to 1 h. One that was not begun by then answers `Busy`; one that was
    /// is stopped and answers `Timeout`.
    pub timeout: Duration,
    /// How long a call waits for a lock that another process (or another handle) holds before it answers `Busy`, up to
    /// 1 h; never longer than its `timeout`.
    pub busy_timeout: Duration,
    /// What a commit waits for.
    pub synchronous: Synchronous,
    /// The size of the page cache of each connection in bytes, 64 KiB to 64 GiB.
    pub cache: u64,
    /// Create the file when there is none?
    pub create: bool,
    /// How many calls may wait for the writer, and how many for the readers, 1 to 1,000,000. The next one waits outside
    /// of the queue, up to its `timeout`.
    pub queue: usize,
}

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file. Its directory also holds the `-wal` and `-shm` files that belong to it.
    File(PathBuf),
    /// Memory. Handles of this process that give the same name share one database, which lives as long as one of them;
    /// without a name it belongs to one handle.
    Memory(Option<String>),
}

/// What a commit waits for. The file stays consistent with each of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// The write-ahead log is on the disk: what was acknowledged survives a power failure.
    #[default]
    Full,
    /// The operating system has it: what was acknowledged survives the end of the process; a power failure may undo the
    /// last commits.
    Normal,
    /// As `Normal`, and a power failure may damage the file.
    Off,
}

const FILE_OPTIONS: &[&str] =
    &["busy_timeout", "cache", "create", "queue", "readers", "synchronous", "timeout"];
const MEMORY_OPTIONS: &[&str] = &["busy_timeout", "cache", "queue", "timeout"];

pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
const KIB: u64 = 1024;
const GIB: u64 = 1024 * 1024 * KIB;

impl LibsqlConfig {
    /// The defaults, for this place: a reader for each core up to 4, 30 s for a call, 5 s for the locks of others, full
    /// durability, 16 MiB of cache for each connection, 10,000 calls in each queue; a missing file is created.
    pub fn new(location: Location) -> Self {
        Self {
            location,
            readers: std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(4),
            timeout: Duration::from_secs(30),
            busy_timeout: Duration::from_secs(5),
            synchronous: Synchronous::Full,
            cache: 16 * 1024 * KIB,
            create: true,
            queue: 10_000,
        }
    }

    /// Parses a URL.
    ///
    /// - `file:app.db`, `file:/var/lib/app.db`, `file:///var/lib/app.db`: a file. The path is percent-decoded, so `%3F`
    ///   is a question mark in it and `%25` a percent sign.
    /// - `memory:` or `:memory:`: a database in memory for one handle.
    /// - `memory:name`: a database in memory for all handles of this process that give this name.
    ///
    /// Options follow a `?`, separated by `&`: `timeout` and `busy_timeout` (`5s`, `250ms`, `2m`), `cache` (`16MiB`),
    /// `queue` (a number); for a file also `readers` (a number), `synchronous` (`full`, `normal`, `off`) and `create`
    /// (`true`, `false`). The fields of [`LibsqlConfig`] have their meanings and ranges.
    ///
    /// # Errors
    /// `Config`, naming what is wrong and what is allowed.
    pub fn parse(url: &str) -> Result<Self> {
        let (place, options) = match url.split_once('?') {
            Some((place, options)) => (place, options),
            None => (url, ""),
        };
        let location = Location::parse(place)?;
        let allowed = match location {
            Location::File(_) => FILE_OPTIONS,
            Location::Memory(_) => MEMORY_OPTIONS,
        };
        let mut options = Options::parse(options, allowed)?;
        let default = Self::new(location);
        Ok(Self {
            readers: options.take("readers", |text| whole_number(text, 1, 64))?.unwrap_or(default.readers),
            timeout: options
                .take("timeout", |text| duration(text, Duration::from_millis(1), HOUR))?
                .unwrap_or(default.timeout),
            busy_timeout: options
                .take("busy_timeout", |text| duration(text, Duration::ZERO, HOUR))?
                .unwrap_or(default.busy_timeout),
            synchronous: options.take("synchronous", Synchronous::parse)?.unwrap_or_default(),
            cache: options.take("cache", |text| size(text, 64 * KIB, 64 * GIB))?.unwrap_or(default.cache),
            create: options.take("create", yes_or_no)?.unwrap_or(default.create),
            queue: options.take("queue", |text| whole_number(text, 1, 1_000_000))?.unwrap_or(default.queue),
            location: default.location,
        })
    }
}

impl LibsqlConfig {
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.location, Location::File(_))
    }

    pub(crate) fn reader_threads(&self) -> usize {
        if self.is_file() { self.readers } else { 0 }
    }
}

impl Location {
    fn parse(place: &str) -> Result<Self> {
        if place == ":memory:" {
            return Ok(Self::Memory(None));
        }
        let (scheme, rest) = place.split_once(':').unwrap_or(("", place));
        let rest = percent_decode_str(rest)
            .decode_utf8()
            .map_err(|error| config("the path is not UTF-8 after percent-decoding").with_source(error))?;
        if rest.contains('\0') {
            return Err(config("the path holds the NUL character"));
        }
        match scheme {
            "memory" if rest.is_empty() => Ok(Self::Memory(None)),
            "memory" => Ok(Self::Memory(Some(rest.into_owned()))),
            "file" => file_path(&rest).map(|path| Self::File(path.to_owned())),
            _ => Err(config("a libSQL URL begins with file:, memory: or :memory:")),
        }
    }
}

fn file_path(text: &str) -> Result<&Path> {
    let path = match text.strip_prefix("//") {
        Some(absolute) if absolute.starts_with('/') => absolute,
        Some(_) => {
            return Err(config("a file URL names no host: write file:path, file:/path or file:///path"));
        }
        None => text,
    };
    if path.is_empty() {
        return Err(config("a file URL needs a path: file:app.db"));
    }
    Ok(Path::new(path))
}

impl Synchronous {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "full" => Ok(Self::Full),
            "normal" => Ok(Self::Normal),
            "off" => Ok(Self::Off),
            _ => Err("must be full, normal or off".to_owned()),
        }
    }
}

/// As `PRAGMA synchronous` takes it.
impl fmt::Display for Synchronous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
            Self::Off => "OFF",
        })
    }
}

/// The database as messages name it: the path as it was given, or `memory:name`.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Memory(name) => write!(f, "memory:{}", name.as_deref().unwrap_or_default()),
        }
    }
}

/// An error in the configuration.
pub(crate) fn config(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, what.into())
}
