//! `larder demo`: the main job, told as it happens.
//!
//! The story goes to standard output and is the same on every database but for ids and times; which database it is, and
//! what takes a while, goes to standard error.

mod people;
mod workers;

use std::path::PathBuf;

use clap::Args;
use larder::prelude::*;

/// What can be said about the demonstration.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The database to run on, such as postgres://user:password@host/database; it must hold no other users. Without it: a
    /// libSQL file.
    #[arg(long)]
    url: Option<String>,
    /// Where the libSQL file `larder.db` is made.
    #[arg(long, default_value = "larder-demo", conflicts_with = "url")]
    directory: PathBuf,
}

/// Runs the demonstration.
pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let url = match options.url {
        Some(url) => url,
        None => file_in(&options.directory)?,
    };
    let larder = Larder::open(&url).await?;
    eprintln!("database: {}\n", larder.health().await?.version);
    tell(&larder).await?;
    larder.close().await?;
    println!(
        "\nRun it again: it begins afresh. With --url it does the same on PostgreSQL or a libSQL server."
    );
    Ok(())
}

async fn tell(larder: &Larder) -> Result<(), Error> {
    heading(1, "A database, migrated");
    let applied = larder.migrate().await?;
    for step in &applied {
        line(format!("applied {}", step.step));
    }
    for entry in larder.migrations().await?.applied {
        line(format!("in the ledger: {} {:04}_{}", entry.source, entry.number, entry.name));
    }
    people::clear(larder).await?;

    heading(2, "Two users with jobs and messages");
    let (ada, grace) = people::create(larder).await?;

    heading(3, "One user's page: search, sort, relations");
    let job = people::show_page(&ada).await?;

    heading(4, "The other user cannot reach them");
    people::intrude(&grace, &job).await?;

    heading(5, "Workers, leases, and one that dies");
    workers::run(larder, &ada, &grace).await
}

fn file_in(directory: &std::path::Path) -> Result<String, Error> {
    std::fs::create_dir_all(directory).map_err(|error| {
        let what = format!("cannot make the directory {}: {error}", directory.display());
        Error::new(ErrorKind::Config, what).with_source(error)
    })?;
    Ok(format!("file:{}", directory.join("larder.db").display()))
}

fn heading(number: u32, text: &str) {
    println!("{}{number}. {text}", if number == 1 { "" } else { "\n" });
}

fn line(text: impl AsRef<str>) {
    println!("   {}", text.as_ref());
}
