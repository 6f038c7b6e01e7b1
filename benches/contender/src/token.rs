//! The tokens of API keys, and how they are checked by hand.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// A token. There is one key for each job, and its token follows from the job's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The public half, 24 characters: what the key is found by.
    pub key: String,
    /// The secret half, 32 characters.
    pub secret: String,
}

impl Token {
    /// The token of the key that was loaded with this job.
    pub fn of(job: Uuid) -> Self {
        let characters: String = Sha256::digest(job).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { key: characters[..24].to_owned(), secret: characters[24..56].to_owned() }
    }

    /// As a caller shows it.
    pub fn shown(&self) -> String {
        format!("{}.{}", self.key, self.secret)
    }
}

/// What of a secret is stored: SHA-256 of the salt and the secret.
pub fn hash(salt: &[u8], secret: &str) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(secret).finalize().into()
}

/// Is this the secret that was stored? It takes as long when it is not.
pub fn is_right(secret: &str, salt: &[u8], stored: &[u8]) -> bool {
    stored.ct_eq(&hash(salt, secret)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_itself_is_right() {
        let (one, other) = (Token::of(Uuid::from_u128(1)), Token::of(Uuid::from_u128(2)));
        let stored = hash(b"salt", &one.secret);
        assert!(is_right(&one.secret, b"salt", &stored));
        assert!(!is_right(&one.secret, b"tlas", &stored));
        assert!(!is_right(&other.secret, b"salt", &stored));
    }

    #[test]
    fn a_token_has_the_lengths_that_larder_asks_for() {
        let token = Token::of(Uuid::from_u128(1));
        assert_eq!((token.key.len(), token.secret.len(), token.shown().len()), (24, 32, 57));
    }
}
