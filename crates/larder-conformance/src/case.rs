//! What a case is, and how cases are registered: where they are written.

use std::{future::Future, pin::Pin};

use larder::Capability;

use crate::World;

/// Why a case failed, or a database could not be made. Any error turns into it by `?`.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The answer of a case.
pub type CaseResult = Result<(), Failure>;

/// The future of a case.
pub type CaseFuture = Pin<Box<dyn Future<Output = CaseResult> + Send>>;

/// One promise, and the code that checks it.
#[derive(Debug)]
pub struct Case {
    /// The promise, in snake case.
    pub name: &'static str,
    /// What is promised and how it is checked, a line each.
    pub doc: &'static [&'static str],
    /// The numbers of the cases of the list in `CASES.md` that it covers, wholly or in part.
    pub covers: &'static [u32],
    /// What a store must be able to do for the case to make sense.
    pub needs: &'static [Capability],
    /// Checks it, on a database of its own.
    pub run: fn(World) -> CaseFuture,
}

/// Cases on one subject: a module.
#[derive(Debug)]
pub struct Group {
    /// The module's name.
    pub name: &'static str,
    /// The cases, as they are written.
    pub cases: &'static [Case],
}

impl Group {
    /// `group::case`: how a case is named on every backend.
    pub fn name_of(&self, case: &Case) -> String {
        format!("{}::{}", self.name, case.name)
    }
}

/// Writes the cases of a module and its table of them, so that none can be written and never run.
///
/// Each is `/// what is promised`, `#[covers(numbers)]`, if need be `#[needs(capabilities)]`, and an `async fn` that takes
/// a [`World`] and returns nothing: it fails by panicking, or by an error through `?`.
macro_rules! cases {
    ($(
        $(#[doc = $doc:literal])+
        #[covers($($number:literal),+ $(,)?)]
        $(#[needs($($capability:ident),+ $(,)?)])?
        async fn $name:ident($world:ident: World) $body:block
    )+) => {
        /// The cases of this module.
        pub(crate) const CASES: &[$crate::Case] = &[$($crate::Case {
            name: stringify!($name),
            doc: &[$($doc),+],
            covers: &[$($number),+],
            needs: &[$($(larder::Capability::$capability),+)?],
            run: |world| Box::pin($name(world)),
        }),+];

        $(
            $(#[doc = $doc])+
            async fn $name($world: $crate::World) -> $crate::CaseResult {
                let () = $body;
                Ok(())
            }
        )+
    };
}

/// Declares the modules of cases and makes the table of them all.
macro_rules! groups {
    ($($(#[$attribute:meta])* mod $group:ident;)+) => {
        $($(#[$attribute])* mod $group;)+

        /// All cases, by subject.
        pub const GROUPS: &[$crate::Group] =
            &[$($crate::Group { name: stringify!($group), cases: $group::CASES }),+];
    };
}
