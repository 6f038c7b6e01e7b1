//! A contender's main loop.

use std::{
    io::{self, BufRead, Write},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use crate::{
    Contender, Failure, Key, Opening, Workload, calls,
    protocol::{Command, Reply, Run, read_keys},
    token::Token,
};

/// Does what is asked on standard input until that ends.
pub fn serve<C: Contender>() -> ExitCode {
    match answer_all::<C>() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn answer_all<C: Contender>() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut opened: Option<Opened<C>> = None;
    for line in io::stdin().lock().lines() {
        let reply = match serde_json::from_str(&line?)? {
            Command::Open { url, connections, synchronous, variant, keys } => {
                opened = None;
                let opening = Opening { url, connections, synchronous, variant };
                runtime.block_on(open(opening, &keys)).map(|(new, engine)| {
                    opened = Some(new);
                    Reply::Opened { engine }
                })
            }
            Command::Run(run) => match &mut opened {
                Some(opened) => runtime.block_on(opened.run(&run)),
                None => Err("nothing is open".into()),
            },
        };
        let reply = reply.unwrap_or_else(|error| Reply::Failed { error: text_of(&*error) });
        let mut out = io::stdout().lock();
        serde_json::to_writer(&mut out, &reply)?;
        writeln!(out)?;
        out.flush()?;
    }
    Ok(())
}

struct Opened<C> {
    contender: Arc<C>,
    keys: Arc<[Key]>,
    /// The tokens of the API keys of all jobs, once they are asked for.
    tokens: Arc<[String]>,
    is_deep: bool,
}

async fn open<C: Contender>(opening: Opening, keys: &str) -> Result<(Opened<C>, Option<String>), Failure> {
    let keys = read_keys(Path::new(keys))?.into();
    let contender = C::open(opening).await?;
    let engine = contender.engine().await?;
    let contender = Arc::new(contender);
    Ok((Opened { contender, keys, tokens: Arc::default(), is_deep: false }, engine))
}

impl<C: Contender> Opened<C> {
    async fn run(&mut self, run: &Run) -> Result<Reply, Failure> {
        if let Some(reason) = self.contender.unsupported(run.workload) {
            return Ok(Reply::Unsupported { reason: reason.to_owned() });
        }
        if run.workload == Workload::DeepPage && !self.is_deep {
            // The user with the long list is the last one's.
            let (Some(contender), Some(last)) = (Arc::get_mut(&mut self.contender), self.keys.last()) else {
                return Err("the contender is in use".into());
            };
            contender.find_deep_page(last.user).await?;
            self.is_deep = true;
        }
        if run.workload == Workload::Authenticate && self.tokens.is_empty() {
            self.tokens = self.keys.iter().map(|key| Token::of(key.job).shown()).collect();
            self.refuses_another_secret().await?;
        }
        Ok(Reply::Measured(calls::run(&self.contender, &self.keys, &self.tokens, run).await?))
    }

    /// Rounds only show tokens that are right.
    async fn refuses_another_secret(&self) -> Result<(), Failure> {
        let (Some(one), Some(other)) = (self.keys.first(), self.keys.last()) else {
            return Err("there are no keys".into());
        };
        let wrong = Token { secret: Token::of(other.job).secret, ..Token::of(one.job) };
        match self.contender.authenticate(&wrong.shown()).await? {
            Some(_) => Err("another key's secret was taken for right".into()),
            None => Ok(()),
        }
    }
}

/// An error with its sources.
fn text_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
