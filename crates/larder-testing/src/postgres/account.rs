//! Whom the server runs as: PostgreSQL refuses to be root.

use std::process::Command;

use crate::TestingError;
use crate::place::Owner;

/// An unprivileged user of this machine.
pub(super) struct Account {
    pub(super) name: &'static str,
    pub(super) owner: Owner,
}

impl Account {
    /// `None` when we are not root and the server can be ours.
    pub(super) fn for_server() -> Result<Option<Self>, TestingError> {
        if id(&["-u"]) != Some(0) {
            return Ok(None);
        }
        ["postgres", "nobody"].into_iter().find_map(Self::look_up).map(Some).ok_or_else(|| {
            TestingError::new(
                "PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as: \
                 run the tests as another user",
            )
        })
    }

    fn look_up(name: &'static str) -> Option<Self> {
        Some(Self { name, owner: Owner { uid: id(&["-u", name])?, gid: id(&["-g", name])? } })
    }
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
