//! Cargo notices of itself that a migration was changed; that one was added it learns here.

fn main() {
    println!("cargo::rerun-if-changed=migrations-postgres");
    println!("cargo::rerun-if-changed=migrations-sqlite");
}
