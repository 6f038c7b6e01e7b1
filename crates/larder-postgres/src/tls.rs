//! Encryption as the configuration asks for it.

use larder_core::{Error, ErrorKind, Result};
use larder_tls::{Check, MakeRustlsConnect};

use crate::{PostgresConfig, SslMode};

/// How connections are encrypted; `None` when they never are.
///
/// # Errors
/// `Config` when the file of certificates cannot be read.
pub(crate) fn connector(config: &PostgresConfig) -> Result<Option<MakeRustlsConnect>> {
    let check = match config.ssl_mode {
        SslMode::Disable => return Ok(None),
        SslMode::Allow | SslMode::Prefer | SslMode::Require => Check::Nothing,
        SslMode::VerifyCa => Check::Authority,
        SslMode::VerifyFull => Check::AuthorityAndHost,
    };
    match larder_tls::connector(check, config.ssl_root_cert.as_deref()) {
        Ok(connector) => Ok(Some(connector)),
        Err(unusable) => Err(Error::new(ErrorKind::Config, unusable.what.clone()).with_source(unusable)),
    }
}
