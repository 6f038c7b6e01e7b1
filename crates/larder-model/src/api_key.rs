//! API keys: how programs sign in.

use std::ops::Deref;

use chrono::{DateTime, TimeDelta, Utc};
use larder_core::{Error, Filter, Repo, Result, Secret, SystemScope, Unscoped, UserScope};
use larder_derive::Entity;
use serde::Serialize;

use crate::{
    UserId,
    token::{KEY_LENGTH, Shown, Token, hash, same},
};

/// `last_used_at` is moved once in this time at most.
const USED_AT_MOST_EVERY: TimeDelta = TimeDelta::minutes(1);

/// A program's key. What it proves itself with is a token, `key.secret`, that is seen when the key is issued and never again:
/// the database holds a salted hash.
#[derive(Debug, Clone, PartialEq, Serialize, Entity)]
#[entity(table = "api_keys", index = [user_id, created_at, id])]
pub struct ApiKey {
    /// The id.
    pub id: ApiKeyId,
    /// Whose it is.
    #[entity(owner)]
    pub user_id: UserId,
    /// What it is called.
    #[entity(length(1, 255), sort)]
    pub name: String,
    /// What it is for.
    #[entity(length(0, 1000))]
    pub description: Option<String>,
    /// The public half of the token: 24 letters and digits.
    #[entity(issued, unique, length(24, 24))]
    pub key: String,
    /// SHA-256 of the salt and the secret half.
    #[entity(issued)]
    #[serde(skip_serializing)]
    pub secret_hash: Secret<Vec<u8>>,
    /// The salt: 16 random bytes.
    #[entity(issued)]
    #[serde(skip_serializing)]
    pub secret_salt: Secret<Vec<u8>>,
    /// What it allows, in the application's own words.
    #[entity(default_json = "[]")]
    pub scopes: Vec<String>,
    /// When it was last used, to a minute.
    #[entity(managed, sort)]
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it ends; never, when `None`.
    #[entity(sort)]
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    #[entity(managed)]
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was issued.
    #[entity(sort)]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl ApiKey {
    /// Is it good at this instant: neither revoked nor expired? At the instant of `expires_at` it has expired.
    pub fn is_good_at(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// Does it have all of these scopes, word for word?
    pub fn allows<'a>(&self, scopes: impl IntoIterator<Item = &'a str>) -> bool {
        scopes.into_iter().all(|wanted| self.scopes.iter().any(|scope| scope == wanted))
    }
}

/// A key that was issued, and its token, which nobody can see again.
#[derive(Debug, Clone)]
pub struct IssuedApiKey {
    /// The key.
    pub api_key: ApiKey,
    /// `key.secret`: what the program shows.
    pub token: Secret,
}

/// A user's API keys. It is a [`Repo`] of [`ApiKey`] and more. Its `create` is refused: [`ApiKeys::issue`] creates them.
///
/// ```
/// # use larder::prelude::*;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// # let larder = Larder::open("memory:").await?;
/// # larder.migrate().await?;
/// let ada = larder.system().users().create(NewUser { name: Some("Ada".into()), ..NewUser::default() }).await?;
/// let mine = larder.user(ada.id);
///
/// let new = NewApiKey { scopes: vec!["jobs:read".into()], ..NewApiKey::new("backup script") };
/// let issued = mine.api_keys().issue(new).await?;
/// let shown_once = issued.token.expose().to_owned();
///
/// let keys = larder.system().api_keys();
/// let key = keys.authenticate(&shown_once).await?.expect("it is good");
/// assert!(key.user_id == ada.id && key.allows(["jobs:read"]) && !key.allows(["jobs:write"]));
///
/// mine.api_keys().revoke(key.id).await?;
/// assert_eq!(keys.authenticate(&shown_once).await?, None);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ApiKeys(Repo<ApiKey>);

impl ApiKeys {
    pub(crate) fn new(scope: &UserScope) -> Self {
        Self(scope.repo())
    }

    /// Issues a key. The answer is the only moment at which its token is seen.
    ///
    /// # Errors
    /// `MissingParent` when the user does not exist; `Invalid`.
    pub async fn issue(&self, new: NewApiKey) -> Result<IssuedApiKey> {
        let token = Token::random(self.context())?;
        let mut set = self.secret(&token)?;
        set.push(ApiKey::KEY.set(token.key.clone())?);
        let api_key = self.create_with(new, set).await?;
        Ok(IssuedApiKey { api_key, token: token.shown() })
    }

    /// Gives a key a new secret, and so a new token; the old one is no good from then on.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for `revoked_at` when it was revoked.
    pub async fn rotate(&self, id: ApiKeyId) -> Result<IssuedApiKey> {
        let mut token = Token::random(self.context())?;
        let set = self.secret(&token)?;
        if let Some(api_key) = self.update_if(id, ApiKey::REVOKED_AT.is_null(), set).await? {
            token.key.clone_from(&api_key.key);
            return Ok(IssuedApiKey { api_key, token: token.shown() });
        }
        match self.get(id).await? {
            Some(_) => Err(Error::invalid("ApiKey", "revoked_at", "is revoked for good: issue another key")),
            None => Err(Error::not_found("ApiKey")),
        }
    }

    /// Revokes a key, for good: once this has answered, nothing authenticates with it. One that was revoked before stays as it
    /// is.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn revoke(&self, id: ApiKeyId) -> Result<ApiKey> {
        let set = vec![ApiKey::REVOKED_AT.set(Some(self.context().now()))?];
        match self.update_if(id, ApiKey::REVOKED_AT.is_null(), set).await? {
            Some(revoked) => Ok(revoked),
            None => self.get(id).await?.ok_or_else(|| Error::not_found("ApiKey")),
        }
    }

    fn secret(&self, token: &Token) -> Result<Vec<(usize, larder_core::Assign)>> {
        let salt = self.context().random::<16>()?;
        let hash = hash(&salt, &token.secret);
        Ok(vec![
            ApiKey::SECRET_HASH.set(Secret::new(hash.to_vec()))?,
            ApiKey::SECRET_SALT.set(Secret::new(salt.to_vec()))?,
        ])
    }
}

impl Deref for ApiKeys {
    type Target = Repo<ApiKey>;

    fn deref(&self) -> &Repo<ApiKey> {
        &self.0
    }
}

/// The API keys of all users, by the tokens that are shown.
#[derive(Debug, Clone)]
pub struct AllApiKeys(Unscoped<ApiKey>);

impl AllApiKeys {
    pub(crate) fn new(scope: &SystemScope) -> Self {
        Self(scope.all_users())
    }

    /// The key whose token this is; `None` when there is none, the secret is wrong, it was revoked or has expired: the caller
    /// is not told which, and all of them cost one look-up, one hash and one comparison in constant time.
    ///
    /// It moves `last_used_at` to now, once a minute at most and never back. That it cannot (the database is read-only) does
    /// not make it fail.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn authenticate(&self, token: &str) -> Result<Option<ApiKey>> {
        let now = self.0.context().now();
        let shown = Shown::read(token);
        let found = self.0.get_by(ApiKey::KEY, shown.key.to_owned()).await?;
        let none = (&[0; 16][..], &[0; 32][..]);
        let (salt, stored) =
            found.as_ref().map_or(none, |key| (key.secret_salt.expose(), key.secret_hash.expose()));
        let right = same(stored, &hash(salt, shown.secret));
        let Some(key) = found.as_ref().filter(|key| right && key.is_good_at(now)) else { return Ok(None) };
        let long_ago = now.checked_sub_signed(USED_AT_MOST_EVERY);
        if key.last_used_at.is_some_and(|last| long_ago.is_none_or(|long_ago| last > long_ago)) {
            return Ok(found);
        }
        // Whether the use can be written down is nothing to the caller, who has shown a good token.
        match self.note_use(key, now, long_ago).await {
            // The row that it was noted in may be later than the one that was looked up.
            Ok(Some(noted)) => Ok(Some(noted).filter(|key| key.is_good_at(now))),
            Ok(None) | Err(_) => Ok(found),
        }
    }

    async fn note_use(
        &self,
        key: &ApiKey,
        now: DateTime<Utc>,
        long_ago: Option<DateTime<Utc>>,
    ) -> Result<Option<ApiKey>> {
        let due: Filter = ApiKey::LAST_USED_AT.is_null().or(ApiKey::LAST_USED_AT.le(long_ago)?);
        self.0.update_if(key.id, due, vec![ApiKey::LAST_USED_AT.set(Some(now))?]).await
    }
}

const _: () = assert!(KEY_LENGTH == 24, "the rule of `ApiKey::key`");
