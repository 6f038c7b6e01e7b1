//! Where PostgreSQL's programs are on this machine.

use std::path::{Path, PathBuf};

const DEBIAN: &str = "/usr/lib/postgresql";

/// Debian's directories, the newest version first, then those on PATH.
pub(super) fn usual_directories() -> Vec<PathBuf> {
    let mut directories = debian(Path::new(DEBIAN));
    if let Some(path) = std::env::var_os("PATH") {
        directories.extend(std::env::split_paths(&path));
    }
    directories
}

/// The first of `directories` that holds the two programs that a server needs.
pub(super) fn find(directories: &[PathBuf]) -> Option<&PathBuf> {
    directories.iter().find(|directory| {
        directory.is_absolute()
            && ["initdb", "postgres"].iter().all(|program| directory.join(program).is_file())
    })
}

fn debian(root: &Path) -> Vec<PathBuf> {
    let mut versions: Vec<(Vec<u32>, PathBuf)> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by(|one, other| other.0.cmp(&one.0));
    versions.into_iter().map(|(_, directory)| directory).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debians_newest_version_comes_first_by_number() {
        let root = tempfile::tempdir().unwrap();
        for name in ["9.6", "15", "common", "17", "9.10"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        let expected: Vec<PathBuf> =
            ["17", "15", "9.10", "9.6"].iter().map(|version| root.path().join(version).join("bin")).collect();
        assert_eq!(debian(root.path()), expected);
    }

    #[test]
    fn a_directory_needs_both_programs() {
        let (half, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(half.path().join("postgres"), "").unwrap();
        std::fs::write(whole.path().join("postgres"), "").unwrap();
        std::fs::write(whole.path().join("initdb"), "").unwrap();
        let directories = [half.path().to_owned(), whole.path().to_owned()];
        assert_eq!(find(&directories), Some(&directories[1]));
    }
}
