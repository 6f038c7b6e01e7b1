//! Encryption as libpq's `sslmode` asks for it.

use std::{path::Path, sync::Arc};

use larder_core::{Error, ErrorKind, Result};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{PostgresConfig, SslMode};

/// How connections are encrypted; `None` when they never are.
///
/// # Errors
/// `Config` when the file of certificates cannot be read.
pub(crate) fn connector(config: &PostgresConfig) -> Result<Option<MakeRustlsConnect>> {
    if config.ssl_mode == SslMode::Disable {
        return Ok(None);
    }
    let provider = Arc::new(ring::default_provider());
    let versions = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("TLS cannot be used", error))?;
    let verifier: Arc<dyn ServerCertVerifier> = match config.ssl_mode {
        SslMode::VerifyFull => known_authority(config, provider)?,
        SslMode::VerifyCa => {
            let authorities = Some(known_authority(config, Arc::clone(&provider))?);
            Arc::new(AnyHost { authorities, provider })
        }
        _ => Arc::new(AnyHost { authorities: None, provider }),
    };
    let tls = versions.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    Ok(Some(MakeRustlsConnect::new(tls)))
}

fn unusable(what: impl Into<String>, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Config, what.into()).with_source(cause)
}

fn known_authority(
    config: &PostgresConfig,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>> {
    let roots = match &config.ssl_root_cert {
        Some(file) => roots_of(file)?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| unusable("sslrootcert: no certificate that others can be checked against", error))
}

fn roots_of(file: &Path) -> Result<RootCertStore> {
    let unreadable = |error| unusable(format!("sslrootcert {}: cannot be read", file.display()), error);
    let certificates = CertificateDer::pem_file_iter(file).map_err(unreadable)?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let wrong = |error| unusable(format!("sslrootcert {}: a bad certificate", file.display()), error);
        roots.add(certificate).map_err(wrong)?;
    }
    Ok(roots)
}

type Verified<T> = std::result::Result<T, rustls::Error>;

/// A certificate for whatever host, from a known authority or, without those, from anybody: `prefer` and `require` keep out who
/// listens, not who pretends to be the server.
#[derive(Debug)]
struct AnyHost {
    authorities: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyHost {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Verified<ServerCertVerified> {
        let Some(authorities) = &self.authorities else { return Ok(ServerCertVerified::assertion()) };
        // The name is looked at last, when everything else is in order.
        match authorities.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Verified<HandshakeSignatureValid> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Verified<HandshakeSignatureValid> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
