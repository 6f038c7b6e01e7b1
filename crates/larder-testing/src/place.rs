//! What a server takes from this machine: a directory, ports, a name that nobody guesses.

use std::fs::Permissions;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::TestingError;

/// An account of this machine, by its numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Text that nobody guesses, for passwords and names.
pub(crate) fn random_hex() -> Result<String, TestingError> {
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(TestingError::caused("cannot read /dev/urandom"))?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}

/// Memory when nothing has to last: making a database is making 300 files, and disks were seen to take 100 ms for
/// that. A container may have a /dev/shm of 64 MB, though, which is one database.
pub(crate) fn default_parent(durable: bool) -> PathBuf {
    const ENOUGH_KIB: u64 = 2 * 1024 * 1024;
    let memory = Path::new("/dev/shm");
    if !durable && free_kib(memory).is_some_and(|free| free >= ENOUGH_KIB) {
        return memory.to_owned();
    }
    std::env::temp_dir()
}

fn free_kib(path: &Path) -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg(path).output().ok()?;
    String::from_utf8(output.stdout).ok()?.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

/// A server's directory, with its log, still empty, and `files` that only the owner reads: names and contents.
pub(crate) fn make_directory(
    parent: &Path,
    files: &[(&str, &str)],
    owner: Option<Owner>,
) -> Result<TempDir, TestingError> {
    let make = || {
        let directory = tempfile::Builder::new().prefix("larder-testing-").tempdir_in(parent)?;
        let path = directory.path();
        for (name, text) in files.iter().copied().chain([("log", "")]) {
            let file = path.join(name);
            std::fs::write(&file, text)?;
            std::fs::set_permissions(&file, Permissions::from_mode(0o600))?;
            own(&file, owner)?;
        }
        own(path, owner)?;
        Ok::<_, std::io::Error>(directory)
    };
    let context = format!("cannot make a directory for the server in {}", parent.display());
    make().map_err(TestingError::caused(context))
}

fn own(path: &Path, owner: Option<Owner>) -> std::io::Result<()> {
    owner.map_or(Ok(()), |owner| chown(path, Some(owner.uid), Some(owner.gid)))
}

/// Ports that are free now; whether they still are when the server asks for them shows then.
///
/// Below those that the kernel gives to outgoing connections, where that is possible: a client that tries to come back
/// to a server that is down could be given the server's own port, and keep it, connected to itself.
pub(crate) fn free_ports(count: usize) -> Result<Vec<u16>, TestingError> {
    const ATTEMPTS: usize = 100;
    let end = first_outgoing_port();
    let mut kept = Vec::new();
    for attempt in 0..ATTEMPTS {
        let wanted = if attempt < ATTEMPTS / 2 { random_port(end)? } else { 0 };
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)) {
            // Kept open, so that the next one differs.
            kept.push(listener);
        }
        if kept.len() == count {
            break;
        }
    }
    let ports = kept.iter().map(|listener| listener.local_addr().map(|address| address.port()));
    match ports.collect::<std::io::Result<Vec<u16>>>() {
        Ok(ports) if ports.len() == count => Ok(ports),
        Ok(_) => Err(TestingError::new("no free port on 127.0.0.1")),
        Err(error) => Err(TestingError::caused("no free port on 127.0.0.1")(error)),
    }
}

/// One of the ten thousand before `end`, or 0, which lets the kernel choose, where there are no ten thousand.
fn random_port(end: u16) -> Result<u16, TestingError> {
    const CHOICE: u16 = 10_000;
    const PRIVILEGED: u16 = 1024;
    if end < PRIVILEGED + CHOICE {
        return Ok(0);
    }
    let mut bytes = [0; 2];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(TestingError::caused("cannot read /dev/urandom"))?;
    Ok(end - CHOICE + u16::from_ne_bytes(bytes) % CHOICE)
}

/// Linux says it; elsewhere the range is the one that IANA set aside.
fn first_outgoing_port() -> u16 {
    const IANA: u16 = 49_152;
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(IANA)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_different_and_none_that_an_outgoing_connection_gets() {
        let end = first_outgoing_port();
        let mut ports = free_ports(20).unwrap();
        assert!(random_port(end).unwrap() == 0 || ports.iter().all(|port| *port < end), "{ports:?}");
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 20);
    }

    #[test]
    fn where_there_is_no_room_below_the_kernel_chooses() {
        assert_eq!(random_port(11_000).unwrap(), 0);
        for _ in 0..100 {
            assert!((22_768..32_768).contains(&random_port(32_768).unwrap()));
        }
    }
}
