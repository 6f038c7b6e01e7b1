//! Size and build time of the smallest program that uses larder with one backend.

use std::{fs, path::Path, process::Command, time::Instant};

use contender::Failure;
use serde::Serialize;

/// What the program costs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Footprint {
    pub(crate) backend: &'static str,
    /// Of the stripped program, in MiB.
    pub(crate) size: f64,
    /// Of a release build from nothing, in seconds, with crates downloaded before.
    pub(crate) build: f64,
    /// How many crates it is built of.
    pub(crate) crates: usize,
}

/// Builds it for each backend, from nothing.
pub(crate) fn measure(benches: &Path, directory: &Path) -> Result<Vec<Footprint>, Failure> {
    ["libsql", "postgres"].into_iter().map(|backend| footprint(backend, benches, directory)).collect()
}

fn footprint(backend: &'static str, benches: &Path, directory: &Path) -> Result<Footprint, Failure> {
    eprintln!("building the smallest program with {backend}, from nothing");
    let (home, target) = (benches.join("smallest"), directory.join(format!("target-{backend}")));
    let cargo = |arguments: &[&str]| -> Result<String, Failure> {
        let output = Command::new(env!("CARGO")).args(arguments).current_dir(&home).output()?;
        if output.status.success() {
            Ok(String::from_utf8(output.stdout)?)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into())
        }
    };
    cargo(&["fetch"])?;
    let tree =
        cargo(&["tree", "--features", backend, "--prefix", "none", "--no-dedupe", "--edges", "normal"])?;
    let mut crates: Vec<_> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    crates.sort_unstable();
    crates.dedup();
    let begun = Instant::now();
    let target = target.display().to_string();
    cargo(&["build", "--release", "--quiet", "--features", backend, "--target-dir", &target])?;
    let build = begun.elapsed().as_secs_f64();
    let size = fs::metadata(Path::new(&target).join("release/smallest"))?.len() as f64 / (1024.0 * 1024.0);
    eprintln!("{backend}: {size:.1} MiB, built in {build:.0} s, {} crates", crates.len());
    Ok(Footprint { backend, size, build, crates: crates.len() })
}
