//! The tokens of API keys: `key.secret`.

use larder_core::{Context, Result, Secret};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The characters of a token.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Characters of the public half.
pub(crate) const KEY_LENGTH: usize = 24;

/// Characters of the secret half: log2(62^32) = 190.5 bits.
const SECRET_LENGTH: usize = 32;

/// What is looked up and hashed for a token of the wrong shape: nobody has it, because its characters are not the alphabet's.
const NOBODYS: Shown<'static> =
    Shown { key: "------------------------", secret: "--------------------------------" };

const _: () = assert!(
    NOBODYS.key.len() == KEY_LENGTH && NOBODYS.secret.len() == SECRET_LENGTH,
    "what nobody has is as long as what somebody has",
);

/// A token.
pub(crate) struct Token {
    /// The public half: what the key is found by.
    pub(crate) key: String,
    /// The secret half.
    pub(crate) secret: String,
}

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// When there are no random bytes to be had.
    pub(crate) fn random(context: &Context) -> Result<Self> {
        Ok(Self { key: letters(context, KEY_LENGTH)?, secret: letters(context, SECRET_LENGTH)? })
    }

    /// As the caller sees it.
    pub(crate) fn shown(&self) -> Secret {
        Secret::new(format!("{}.{}", self.key, self.secret))
    }
}

/// A token that a caller shows.
pub(crate) struct Shown<'a> {
    /// The public half.
    pub(crate) key: &'a str,
    /// The secret half.
    pub(crate) secret: &'a str,
}

impl<'a> Shown<'a> {
    /// Reads it. One of the wrong shape is one that nobody has, so that it costs the same work.
    pub(crate) fn read(text: &'a str) -> Self {
        let halves = text.split_at_checked(KEY_LENGTH);
        let parts = halves.and_then(|(key, rest)| Some((key, rest.strip_prefix('.')?)));
        match parts {
            Some((key, secret))
                if secret.len() == SECRET_LENGTH && is_of_the_alphabet(key) && is_of_the_alphabet(secret) =>
            {
                Self { key, secret }
            }
            _ => NOBODYS,
        }
    }
}

/// Letters and digits are the alphabet; a search of it for each character would cost more than the hash.
fn is_of_the_alphabet(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Random characters, each as likely as the other: bytes beyond a multiple of the alphabet's length are drawn again.
fn letters(context: &Context, count: usize) -> Result<String> {
    let mut text = String::with_capacity(count);
    while text.len() < count {
        for byte in context.random::<64>()? {
            let letter = ALPHABET.get(usize::from(byte) % ALPHABET.len()).filter(|_| byte < 248);
            text.extend(letter.filter(|_| text.len() < count).map(|&letter| char::from(letter)));
        }
    }
    Ok(text)
}

/// What of a secret is stored. It has 190 bits of randomness: a fast hash is enough, because there is nothing to guess.
pub(crate) fn hash(salt: &[u8], secret: &str) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(secret).finalize().into()
}

/// Are they the same? It takes as long when they are not.
pub(crate) fn same(stored: &[u8], computed: &[u8; 32]) -> bool {
    stored.ct_eq(computed).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_the_wrong_shape_is_one_that_nobody_has() {
        let (key, secret) = ("a".repeat(KEY_LENGTH), "b".repeat(SECRET_LENGTH));
        let token = format!("{key}.{secret}");
        let right = Shown::read(&token);
        assert_eq!((right.key, right.secret), (key.as_str(), secret.as_str()));
        let wrong = [
            "",
            ".",
            &key,
            &format!("{key}.{secret}x"),
            &format!("{key}-{secret}"),
            &format!("{key}.é{}", &secret[2..]),
        ];
        for text in wrong {
            assert_eq!(Shown::read(text).key, NOBODYS.key, "{text}");
        }
    }

    #[test]
    fn the_salt_and_the_secret_make_the_hash() {
        let one = hash(b"salt", "secret");
        assert!(same(&one, &hash(b"salt", "secret")));
        assert!(!same(&one, &hash(b"tlas", "secret")));
        assert!(!same(&one, &hash(b"salt", "secreT")));
        assert!(!same(b"short", &one));
    }
}
