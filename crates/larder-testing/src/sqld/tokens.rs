//! Tokens for a server that asks for them: JWTs, signed with Ed25519.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::TestingError;

/// One server's tokens, of every kind.
pub(super) struct Tokens {
    /// What the server is given to check them with: the key's bytes in URL-safe base64.
    pub(super) public_key: String,
    pub(super) full_access: String,
    pub(super) expired: String,
    pub(super) foreign: String,
    pub(super) read_only: String,
}

impl Tokens {
    /// Makes a key pair and signs with it. The private key is kept nowhere.
    pub(super) fn new() -> Result<Self, TestingError> {
        let (ours, another) = (key_pair()?, key_pair()?);
        // `a` is what sqld and Turso look at: `rw` or `ro`; without an `id`, in every namespace.
        let full_access = r#"{"a":"rw"}"#;
        Ok(Self {
            public_key: URL_SAFE_NO_PAD.encode(ours.public_key()),
            full_access: signed(&ours, full_access),
            // In 2001; no clock has to be asked.
            expired: signed(&ours, r#"{"a":"rw","exp":1000000000}"#),
            foreign: signed(&another, full_access),
            read_only: signed(&ours, r#"{"a":"ro"}"#),
        })
    }
}

fn key_pair() -> Result<Ed25519KeyPair, TestingError> {
    let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .map_err(|_| TestingError::new("cannot make a key: the system gives no random bytes"))?;
    Ed25519KeyPair::from_pkcs8(made.as_ref())
        .map_err(|rejected| TestingError::new(format!("cannot read the key just made: {rejected}")))
}

fn signed(key: &Ed25519KeyPair, claims: &str) -> String {
    let header = r#"{"alg":"EdDSA","typ":"JWT"}"#;
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes()));
    format!("{text}.{signature}")
}
