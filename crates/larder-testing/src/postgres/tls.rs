//! Encryption of the administrator's connections.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::TestingError;

/// What is checked of a server's certificate.
pub(super) enum Check {
    Nothing,
    /// That a known authority has signed it.
    Authority,
    /// That a known authority has signed it for this host.
    AuthorityAndHost,
}

/// The known authorities are those in `root_cert`, or else those that everybody knows.
pub(super) fn connector(check: Check, root_cert: Option<&Path>) -> Result<MakeRustlsConnect, TestingError> {
    let provider = Arc::new(ring::default_provider());
    let versions = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TestingError::caused("TLS cannot be used"))?;
    let known = || known_authorities(root_cert, Arc::clone(&provider));
    let verifier: Arc<dyn ServerCertVerifier> = match check {
        Check::Nothing => Arc::new(AnyHost { authorities: None, provider }),
        Check::Authority => Arc::new(AnyHost { authorities: Some(known()?), provider }),
        Check::AuthorityAndHost => known()?,
    };
    let config = versions.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn known_authorities(
    root_cert: Option<&Path>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, TestingError> {
    let roots = match root_cert {
        Some(file) => roots_of(file)?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(TestingError::caused("sslrootcert: no certificate that others can be checked against"))
}

fn roots_of(file: &Path) -> Result<RootCertStore, TestingError> {
    let read = || {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(file)? {
            roots.add(certificate?)?;
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(roots)
    };
    read().map_err(TestingError::caused(format!("sslrootcert {}: cannot be read", file.display())))
}

/// A certificate for whatever host, from a known authority or, without those, from anybody.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use url::Url;

    use super::super::login::{Login, reason};
    use crate::{Postgres, poll_until};

    /// Writes a file into the server's directory, for the server alone to read.
    fn write_file(name: &str, text: &str) -> String {
        format!(
            "COPY (SELECT unnest(string_to_array('{text}', E'\\n'))) TO PROGRAM 'umask 077; cat > {name}'"
        )
    }

    /// Whether the connection is encrypted, or why there is none.
    async fn is_encrypted(url: &Url, host: &str, options: &str) -> Result<bool, String> {
        let mut url = url.clone();
        url.set_host(Some(host)).unwrap();
        url.set_query(Some(options));
        let client = Login::from_url(&url).unwrap().connect().await;
        let client = client.map_err(|error| reason(error).to_string())?;
        let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        Ok(client.query_one(query, &[]).await.unwrap().get(0))
    }

    #[tokio::test]
    async fn each_mode_encrypts_and_checks_what_it_says() {
        let server = Postgres::builder().own(true).start().await.unwrap();
        let url = &server.server.url;
        assert_eq!(is_encrypted(url, "localhost", "sslmode=prefer").await, Ok(false));
        let without = is_encrypted(url, "localhost", "sslmode=require").await;
        assert_eq!(without, Err("server does not support TLS".to_owned()));

        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let orders = [
            write_file("server.crt", &cert.pem()),
            write_file("server.key", &signing_key.serialize_pem()),
            "ALTER SYSTEM SET ssl = on".to_owned(),
            "SELECT pg_reload_conf()".to_owned(),
        ];
        server.server.administer("encrypt", orders.into()).await.unwrap();
        poll_until(Duration::from_secs(20), "the server encrypts", || async {
            is_encrypted(url, "localhost", "sslmode=require").await.ok()
        })
        .await
        .unwrap();

        let root = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(root.path(), cert.pem()).unwrap();
        let with_root = |mode: &str| format!("sslmode={mode}&sslrootcert={}", root.path().display());
        for (host, options, encrypted) in [
            ("localhost", "sslmode=disable", false),
            ("localhost", "sslmode=allow", false),
            ("localhost", "sslmode=prefer", true),
            ("127.0.0.1", "sslmode=require", true),
            ("127.0.0.1", &with_root("verify-ca"), true),
            ("localhost", &with_root("verify-full"), true),
        ] {
            assert_eq!(is_encrypted(url, host, options).await, Ok(encrypted), "{host} {options}");
        }
        for (host, options, why) in [
            ("127.0.0.1", &*with_root("verify-full"), "not valid for name"),
            // Authorities that everybody knows have not signed it.
            ("localhost", "sslmode=verify-ca", "UnknownIssuer"),
            ("localhost", "sslmode=verify-full", "UnknownIssuer"),
        ] {
            let error = is_encrypted(url, host, options).await.unwrap_err();
            assert!(error.contains(why), "{host} {options}: {error}");
        }
    }
}
