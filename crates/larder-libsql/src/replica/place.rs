//! The files of a replica, and the lock that keeps other processes away from them.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError, remove_file},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use larder_core::{Error, ErrorKind, Result};

use crate::config::config;

/// The file of a replica, locked for as long as this lives.
///
/// Beside the database there are libSQL's `-client_wal_index`, which says how far it is in the primary's log, and `-larder`,
/// which is the lock and names the primary: the log's own identity changes when the primary was killed, and so cannot tell
/// another primary from the same one.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    _lock: File,
}

impl Place {
    /// Takes the path for a replica of this primary. What is there and is none stays as it is.
    ///
    /// # Errors
    /// `Config` when the path cannot be a replica's, or something else is there; `Busy` when another process has it;
    /// `ReadOnly` when nothing can be written there.
    pub(super) fn take(path: &Path, primary: &str) -> Result<Self> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        check(&path)?;
        let mut note = open_note(&path)?;
        match note.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(&path)),
            Err(TryLockError::Error(error)) => return Err(unusable(&path, error)),
        }
        check_note(&mut note, &path, primary)?;
        if !path.exists() {
            forget(&path)?;
        } else if !beside(&path, INDEX).exists() {
            return Err(wrong(
                &path,
                "its -client_wal_index is missing: delete the file, and it is made anew",
            ));
        }
        Ok(Self { path, _lock: note })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

const NOTE: &str = "-larder";
const INDEX: &str = "-client_wal_index";
const LOGS: [&str; 2] = ["-wal", "-shm"];

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

fn check(path: &Path) -> Result<()> {
    let directory = path.parent().unwrap_or(path);
    if path.to_str().is_none() {
        return Err(wrong(path, "the path is not UTF-8"));
    }
    if path.is_dir() {
        return Err(wrong(path, "this is a directory, not a file"));
    }
    if !directory.is_dir() {
        return Err(wrong(path, &format!("there is no directory {}", directory.display())));
    }
    if path.exists() && !beside(path, NOTE).exists() {
        return Err(wrong(
            path,
            "this is no replica that larder made; it is left as it is: choose another path",
        ));
    }
    Ok(())
}

fn open_note(path: &Path) -> Result<File> {
    let note = beside(path, NOTE);
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(note);
    opened.map_err(|error| unusable(path, error))
}

/// Looks whose replica this is; the first to come says it.
fn check_note(note: &mut File, path: &Path, primary: &str) -> Result<()> {
    let expected = format!("replica of {primary}\n");
    let mut found = String::new();
    note.read_to_string(&mut found).map_err(|error| unusable(path, error))?;
    if found == expected {
        return Ok(());
    }
    if path.exists() {
        let whose = found.lines().next().unwrap_or("no replica that larder made");
        return Err(wrong(path, &format!("this is {whose}: choose another path, or delete the file")));
    }
    let written = note.set_len(0).and_then(|()| io::Seek::rewind(note));
    written
        .and_then(|()| note.write_all(expected.as_bytes()))
        .and_then(|()| note.sync_all())
        .map_err(|error| unusable(path, error))
}

/// Removes what belonged to a file that is no longer there.
fn forget(path: &Path) -> Result<()> {
    for suffix in LOGS.into_iter().chain([INDEX]) {
        match remove_file(beside(path, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(path, error)),
            _ => {}
        }
    }
    Ok(())
}

fn wrong(path: &Path, what: &str) -> Error {
    config(format!("replica {}: {what}", path.display()))
}

fn taken(path: &Path) -> Error {
    let context = format!(
        "replica {}: another process has it; end that one, or give this one a path of its own",
        path.display()
    );
    Error::new(ErrorKind::Busy, context)
}

fn unusable(path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::ReadOnly,
        io::ErrorKind::StorageFull => ErrorKind::Full,
        io::ErrorKind::InvalidData => ErrorKind::Config,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("replica {}: its files cannot be used", path.display())).with_source(error)
}

#[cfg(test)]
mod tests {
    use std::fs::{read, write};

    use tempfile::TempDir;

    use super::*;

    fn directory() -> TempDir {
        tempfile::tempdir().expect("a directory")
    }

    fn names(directory: &TempDir) -> Vec<String> {
        let entries = directory.path().read_dir().expect("entries");
        let mut names: Vec<_> =
            entries.map(|e| e.expect("an entry").file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }

    #[test]
    fn one_at_a_time() {
        let directory = directory();
        let path = directory.path().join("edge.db");
        let first = Place::take(&path, "a:80").expect("free");
        let refused = Place::take(&path, "a:80").expect_err("taken");
        assert_eq!(*refused.kind(), ErrorKind::Busy);
        assert!(refused.context().contains("edge.db"), "{refused}");
        drop(first);
        Place::take(&path, "a:80").expect("free again");
    }

    #[test]
    fn what_is_no_replica_stays_as_it_is() {
        let directory = directory();
        let path = directory.path().join("plain.db");
        write(&path, b"precious").expect("written");
        let refused = Place::take(&path, "a:80").expect_err("no replica");
        assert_eq!(*refused.kind(), ErrorKind::Config);
        assert_eq!(read(&path).expect("read"), b"precious");
        assert_eq!(names(&directory), ["plain.db"]);

        for path in [directory.path(), &directory.path().join("none").join("edge.db")] {
            assert_eq!(*Place::take(path, "a:80").expect_err("no file").kind(), ErrorKind::Config);
        }
    }

    #[test]
    fn a_replica_belongs_to_its_primary() {
        let directory = directory();
        let path = directory.path().join("edge.db");
        drop(Place::take(&path, "a:80").expect("free"));
        write(&path, b"pages").expect("written");
        write(beside(&path, INDEX), b"").expect("written");
        let refused = Place::take(&path, "b:80").expect_err("another's");
        assert_eq!(*refused.kind(), ErrorKind::Config);
        assert!(refused.context().contains("replica of a:80"), "{refused}");
        drop(Place::take(&path, "a:80").expect("its own"));

        std::fs::remove_file(beside(&path, INDEX)).expect("removed");
        assert_eq!(*Place::take(&path, "a:80").expect_err("no index").kind(), ErrorKind::Config);
        std::fs::remove_file(&path).expect("removed");
        write(beside(&path, INDEX), b"of a file that is gone").expect("written");
        drop(Place::take(&path, "b:80").expect("anew"));
        assert_eq!(names(&directory), ["edge.db-larder"]);
    }
}
