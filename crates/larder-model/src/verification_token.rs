//! Verification tokens: sent to an address, shown once.

use std::ops::Deref;

use chrono::{DateTime, Utc};
use larder_core::{Repo, Result, Secret, SystemScope};
use larder_derive::Entity;
use serde::Serialize;

use crate::unknown::{secret_to_look_up, to_look_up};

/// A token that proves, when it is shown, that somebody reads what is sent to `identifier`. It is good once, before
/// `expires_at`.
#[derive(Debug, Clone, PartialEq, Serialize, Entity)]
#[entity(table = "verification_tokens", index = [expires_at])]
pub struct VerificationToken {
    /// The address that it was sent to.
    #[entity(key, length(1, 320), sort, filter)]
    pub identifier: String,
    /// The token, or its hash, as the caller made it. It is not written out.
    #[entity(key, length(1, 255))]
    #[serde(skip_serializing)]
    pub token: Secret,
    /// When it ends.
    #[entity(sort, create_only)]
    pub expires_at: DateTime<Utc>,
}

/// All verification tokens; for the system. It is a [`Repo`] of [`VerificationToken`] and more.
///
/// ```
/// # use larder::prelude::*;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// # let larder = Larder::open("memory:").await?;
/// # larder.migrate().await?;
/// let tokens = larder.system().verification_tokens();
/// let in_a_day = tokens.context().now() + chrono::TimeDelta::days(1);
/// tokens.create(NewVerificationToken::new("ada@example.org", "what the link holds", in_a_day)).await?;
///
/// // Of however many who follow the link, one is let in.
/// assert!(tokens.use_once("ada@example.org", "what the link holds").await?.is_some());
/// assert!(tokens.use_once("ada@example.org", "what the link holds").await?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct VerificationTokens(Repo<VerificationToken>);

impl VerificationTokens {
    pub(crate) fn new(scope: &SystemScope) -> Self {
        Self(scope.repo())
    }

    /// Uses a token: of however many callers exactly one gets it, and then it is gone. `None` when there is none (any more);
    /// an expired one is gone too.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn use_once(
        &self,
        identifier: impl Into<String>,
        token: impl Into<Secret>,
    ) -> Result<Option<VerificationToken>> {
        let now = self.context().now();
        let taken = self.take((to_look_up(identifier.into()), secret_to_look_up(token))).await?;
        Ok(taken.filter(|token| token.expires_at > now))
    }

    /// Deletes the tokens that have expired, in batches that do not hold the database; answers how many.
    ///
    /// # Errors
    /// Those of the connection; the batches before it stay deleted.
    pub async fn purge_expired(&self) -> Result<u64> {
        self.purge(VerificationToken::EXPIRES_AT.le(self.context().now())?).await
    }
}

impl Deref for VerificationTokens {
    type Target = Repo<VerificationToken>;

    fn deref(&self) -> &Repo<VerificationToken> {
        &self.0
    }
}
