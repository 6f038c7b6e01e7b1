//! What can go wrong while a database for tests is found, started or made.

use std::error::Error;
use std::fmt;

/// Why a database for tests could not be had, in words that say what to do about it.
///
/// One type for everything, as a test does nothing with it but fail: read the message. What lies underneath (an I/O
/// error, the database's answer, what `prepare` returned) is the [`source`](Error::source).
#[derive(Debug)]
pub struct TestingError {
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl TestingError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    /// For `map_err`: says what was attempted and keeps what happened.
    pub(crate) fn caused<E: Into<Box<dyn Error + Send + Sync>>>(
        message: impl Into<String>,
    ) -> impl FnOnce(E) -> Self {
        let message = message.into();
        |source| Self { message, source: Some(source.into()) }
    }
}

impl fmt::Display for TestingError {
    // A test prints an error with `{}` or `{:?}`, rarely its chain: the cause belongs in the line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl Error for TestingError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn Error + 'static))
    }
}
