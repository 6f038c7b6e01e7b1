//! The token that a server asks for, and where it comes from.

use std::{env, fmt, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use larder_core::{Error, ErrorKind, Result};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::RwLock;

use crate::{config::config, options::Options};

/// The variables of the environment that hold a token, when nothing else is said: the first that is set.
const VARIABLES: [&str; 2] = ["LIBSQL_AUTH_TOKEN", "TURSO_AUTH_TOKEN"];

/// Where a token comes from. It is read when it is first needed, kept, and read again when the server refuses it.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Token {
    /// From the variable `LIBSQL_AUTH_TOKEN` or else `TURSO_AUTH_TOKEN` of the environment; none, when neither is set.
    #[default]
    Default,
    /// From this variable of the environment, which must be set.
    Env(String),
    /// From this file; white space around it is left out.
    File(PathBuf),
    /// This one.
    Fixed(SecretString),
    /// From somewhere else.
    Source(Arc<dyn TokenSource>),
}

/// Fetches a token, for instance from a service that issues short-lived ones.
#[async_trait]
pub trait TokenSource: Send + Sync + 'static {
    /// A token that is valid now. It is asked for again when the server refuses the one before, and its time counts as part
    /// of the call's.
    ///
    /// # Errors
    /// Answered to the callers that need the token; `Denied` and `Unavailable` are the usual kinds.
    async fn token(&self) -> Result<SecretString>;
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("Default"),
            Self::Env(name) => f.debug_tuple("Env").field(name).finish(),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Fixed(_) => f.write_str("Fixed(…)"),
            Self::Source(_) => f.write_str("Source(…)"),
        }
    }
}

impl From<SecretString> for Token {
    fn from(token: SecretString) -> Self {
        Self::Fixed(token)
    }
}

impl<S: TokenSource> From<Arc<S>> for Token {
    fn from(source: Arc<S>) -> Self {
        Self::Source(source)
    }
}

impl Token {
    pub(crate) fn from_options(options: &mut Options) -> Result<Self> {
        let named = [
            options.take("token_env", |name| Ok(Self::Env(name.to_owned())))?,
            options.take("token_file", |path| Ok(Self::File(PathBuf::from(path))))?,
            options.take("authToken", |token| Ok(Self::Fixed(SecretString::from(token))))?,
        ];
        let mut named = named.into_iter().flatten();
        match (named.next(), named.next()) {
            (None, _) => Ok(Self::Default),
            (Some(token), None) => Ok(token),
            (Some(_), Some(_)) => {
                Err(config("only one of the options token_env, token_file and authToken can be given"))
            }
        }
    }

    async fn read(&self) -> Result<Option<SecretString>> {
        match self {
            Self::Default => Ok(VARIABLES.into_iter().find_map(|name| env::var(name).ok()).map(Into::into)),
            Self::Env(name) => match env::var(name) {
                Ok(token) => Ok(Some(token.into())),
                Err(error) => {
                    let context = format!("the token's environment variable {name} cannot be used");
                    Err(config(context).with_source(error))
                }
            },
            Self::File(path) => match tokio::fs::read_to_string(path).await {
                Ok(token) => Ok(Some(token.trim().into())),
                Err(error) => {
                    let context = format!("the token's file {} cannot be read", path.display());
                    Err(config(context).with_source(error))
                }
            },
            Self::Fixed(token) => Ok(Some(token.clone())),
            Self::Source(source) => source.token().await.map(Some),
        }
    }
}

/// A token that was read and is kept.
#[derive(Debug)]
pub(crate) struct Tokens {
    from: Token,
    kept: RwLock<Option<Kept>>,
}

/// `None` inside: there is none to be had.
#[derive(Debug, Clone)]
struct Kept(Option<SecretString>);

impl Tokens {
    pub(crate) fn new(from: Token) -> Self {
        Self { from, kept: RwLock::new(None) }
    }

    /// What the header `Authorization` is to say, if anything.
    pub(crate) async fn header(&self) -> Result<Option<SecretString>> {
        if let Some(Kept(token)) = &*self.kept.read().await {
            return Ok(token.clone());
        }
        let mut kept = self.kept.write().await;
        if kept.is_none() {
            *kept = Some(Kept(self.read().await?));
        }
        Ok(kept.as_ref().and_then(|kept| kept.0.clone()))
    }

    /// After the server has refused this header: true when there is another one now.
    pub(crate) async fn renew(&self, refused: Option<&SecretString>) -> Result<bool> {
        let mut kept = self.kept.write().await;
        let is_other = |token: &Option<SecretString>| exposed(token.as_ref()) != exposed(refused);
        // Another call may have renewed it meanwhile.
        if kept.as_ref().is_none_or(|kept| !is_other(&kept.0)) {
            *kept = Some(Kept(self.read().await?));
        }
        Ok(kept.as_ref().is_some_and(|kept| is_other(&kept.0)))
    }

    async fn read(&self) -> Result<Option<SecretString>> {
        let Some(token) = self.from.read().await? else { return Ok(None) };
        let token = token.expose_secret();
        let is_visible = |byte: u8| (0x21..=0x7e).contains(&byte);
        if token.is_empty() || !token.bytes().all(is_visible) {
            let context = "the token is empty, or holds characters that no token has";
            return Err(Error::new(ErrorKind::Denied, context));
        }
        Ok(Some(format!("Bearer {token}").into()))
    }
}

fn exposed(header: Option<&SecretString>) -> Option<&str> {
    header.map(ExposeSecret::expose_secret)
}
