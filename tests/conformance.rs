//! The conformance suite on every backend.

use std::{process::ExitCode, sync::Arc};

use larder_conformance::MemoryBackend;

fn main() -> ExitCode {
    larder_conformance::main(vec![Arc::new(MemoryBackend)])
}
