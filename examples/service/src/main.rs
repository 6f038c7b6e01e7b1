//! The service as a program; README.md shows it at work.

mod config;

use std::{error::Error, process::ExitCode};

use clap::Parser;
use job_service::{Agent, Settings, serve, shutdown};
use larder::prelude::*;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use config::{Command, Config, Serve, User};

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let config = Config::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("job-service: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> Outcome {
    let (command, url) = config.into_parts();
    let larder = Larder::open(url.expose()).await?;
    larder.migrate().await?;
    match command {
        Command::Serve(options) => serve_until_told(larder, options).await,
        Command::User(options) => create_user(larder, options).await,
    }
}

async fn serve_until_told(larder: Larder, options: Serve) -> Outcome {
    let (signals, stop) = (shutdown::signals()?, CancellationToken::new());
    let listener = TcpListener::bind(options.address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let told = stop.clone();
    tokio::spawn(async move {
        signals.await;
        tracing::info!("stopping: nothing new is accepted");
        told.cancel();
    });
    Ok(serve(larder, listener, Agent, Settings::default(), stop).await?)
}

/// A user and a key, or neither. Standard output is the key and nothing else.
async fn create_user(larder: Larder, options: User) -> Outcome {
    let User { name, scopes } = options;
    let system = larder.system();
    let issued = system
        .transaction(|tx| {
            let new = NewUser { name: Some(name.clone()), ..NewUser::default() };
            let key = NewApiKey { scopes: scopes.clone(), ..NewApiKey::new("first key") };
            async move {
                let user = tx.users().create(new).await?;
                tx.user(user.id).api_keys().issue(key).await
            }
        })
        .await?;
    eprintln!("user {}; the key is shown this once:", issued.api_key.user_id);
    println!("{}", issued.token.expose());
    Ok(larder.close().await?)
}
