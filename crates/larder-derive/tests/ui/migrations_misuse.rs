extern crate larder_core as larder;

use larder_derive::migrations;

const NO_DIRECTORY: () = migrations!("app", postgres = "migrations-postgres");
const UNKNOWN: () = migrations!("app", mysql = "migrations-mysql");

fn main() {}
