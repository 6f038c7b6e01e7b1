//! The conformance suite on every backend.

use std::process::ExitCode;

fn main() -> ExitCode {
    larder_conformance::main(larder_tests::backends())
}
