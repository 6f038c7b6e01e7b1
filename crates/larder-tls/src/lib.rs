//! Encryption of connections to databases. Of those to PostgreSQL as libpq's `sslmode` asks for it: for larder's store, and for
//! the administrator of the databases that tests run on.

use std::{error::Error, fmt, path::Path, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
#[cfg(feature = "postgres")]
pub use tokio_postgres_rustls::MakeRustlsConnect;

/// What is checked of a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Nothing: who listens is kept out, not who pretends to be the server. `prefer` and `require`.
    Nothing,
    /// That a known authority has signed it. `verify-ca`.
    Authority,
    /// That a known authority has signed it for this host. `verify-full`.
    AuthorityAndHost,
}

/// Why connections cannot be encrypted as asked for: it says the cause, for an error that says [what](Unusable::what) cannot be
/// used.
#[derive(Debug)]
pub struct Unusable {
    /// What cannot be used.
    pub what: String,
    cause: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl Error for Unusable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

impl Unusable {
    fn because<E: Into<Box<dyn Error + Send + Sync>>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        |cause| Self { what, cause: cause.into() }
    }
}

/// Encrypts connections. The known authorities are those in the file `root_cert` (certificates in PEM), or else those that
/// everybody knows: Mozilla's.
///
/// # Errors
/// When the file cannot be read, or holds no certificate that others can be checked against.
pub fn client_config(check: Check, root_cert: Option<&Path>) -> Result<ClientConfig, Unusable> {
    let provider = Arc::new(ring::default_provider());
    let versions = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(Unusable::because("TLS cannot be used"))?;
    let known = || known_authorities(root_cert, Arc::clone(&provider));
    let verifier: Arc<dyn ServerCertVerifier> = match check {
        Check::Nothing => Arc::new(AnyHost { authorities: None, provider }),
        Check::Authority => Arc::new(AnyHost { authorities: Some(known()?), provider }),
        Check::AuthorityAndHost => known()?,
    };
    Ok(versions.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// The same for tokio-postgres.
///
/// # Errors
/// As [`client_config`].
#[cfg(feature = "postgres")]
pub fn connector(check: Check, root_cert: Option<&Path>) -> Result<MakeRustlsConnect, Unusable> {
    client_config(check, root_cert).map(MakeRustlsConnect::new)
}

fn known_authorities(
    root_cert: Option<&Path>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Unusable> {
    let roots = match root_cert {
        Some(file) => roots_of(file)?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(Unusable::because("sslrootcert: no certificate that others can be checked against"))
}

fn roots_of(file: &Path) -> Result<RootCertStore, Unusable> {
    let shown = file.display();
    let mut roots = RootCertStore::empty();
    let unreadable = || Unusable::because(format!("sslrootcert {shown}: cannot be read"));
    for certificate in CertificateDer::pem_file_iter(file).map_err(unreadable())? {
        let certificate = certificate.map_err(unreadable())?;
        roots
            .add(certificate)
            .map_err(Unusable::because(format!("sslrootcert {shown}: a bad certificate")))?;
    }
    Ok(roots)
}

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
    ) -> Result<ServerCertVerified, rustls::Error> {
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
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
