//! Accounts: the identities at other providers with which a user signs in.

use std::ops::Deref;

use chrono::{DateTime, Utc};
use larder_core::{Repo, Result, Secret, SystemScope, Unscoped, UserScope};
use larder_derive::{Entity, EnumText};
use serde::Serialize;

use crate::{UserId, unknown::to_look_up};

/// How the provider says who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumText)]
#[entity(name = "account_kind")]
pub enum AccountKind {
    /// OAuth 2.0.
    Oauth,
    /// OpenID Connect.
    Oidc,
    /// A link sent by e-mail.
    Email,
    /// A passkey.
    Webauthn,
}

/// An identity at a provider that is linked with a user. An identity is linked with one user at most.
///
/// The tokens are not written out with the account.
#[derive(Debug, Clone, PartialEq, Serialize, Entity)]
#[entity(table = "accounts")]
pub struct Account {
    /// Whose it is.
    #[entity(owner)]
    pub user_id: UserId,
    /// How the provider says who somebody is.
    #[entity(filter, create_only)]
    pub kind: AccountKind,
    /// The provider: `github`.
    #[entity(key, length(1, 255), sort, filter)]
    pub provider: String,
    /// Who it is there.
    #[entity(key, length(1, 255))]
    pub provider_account_id: String,
    /// The token to have a new access token with.
    #[entity(length(0, 65_536))]
    #[serde(skip_serializing)]
    pub refresh_token: Option<Secret>,
    /// The token to use the provider with.
    #[entity(length(0, 65_536))]
    #[serde(skip_serializing)]
    pub access_token: Option<Secret>,
    /// When the access token ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// What kind of token it is: `bearer`.
    #[entity(length(0, 255))]
    pub token_type: Option<String>,
    /// What the token allows, separated by spaces.
    #[entity(length(0, 65_536))]
    pub scope: Option<String>,
    /// Who it is, signed by the provider.
    #[entity(length(0, 65_536))]
    #[serde(skip_serializing)]
    pub id_token: Option<Secret>,
    /// The provider's own state of the session.
    #[entity(length(0, 65_536))]
    pub session_state: Option<String>,
    /// When it was linked.
    #[entity(sort)]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[entity(sort)]
    pub updated_at: DateTime<Utc>,
}

/// The accounts linked with a user. It is a [`Repo`] of [`Account`], whose key is the provider and the id there, and more.
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
/// let account = NewAccount { access_token: Some("gho_…".into()), ..NewAccount::new(AccountKind::Oauth, "github", "42") };
/// mine.accounts().link(account).await?;
///
/// // Whoever comes back from the provider is the user, until the account is unlinked.
/// let users = larder.system().users();
/// assert_eq!(users.find_by_account("github", "42").await?.map(|user| user.id), Some(ada.id));
/// mine.accounts().unlink("github", "42").await?;
/// assert_eq!(users.find_by_account("github", "42").await?, None);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Accounts(Repo<Account>);

impl Accounts {
    pub(crate) fn new(scope: &UserScope) -> Self {
        Self(scope.repo())
    }

    /// Links an identity with this user.
    ///
    /// # Errors
    /// `Conflict` when it is linked already, with this user or another; `MissingParent` when the user does not exist;
    /// `Invalid`.
    pub async fn link(&self, account: NewAccount) -> Result<Account> {
        self.create(account).await
    }

    /// Unlinks an identity from this user.
    ///
    /// # Errors
    /// `NotFound` when it is not linked with this user.
    pub async fn unlink(
        &self,
        provider: impl Into<String>,
        provider_account_id: impl Into<String>,
    ) -> Result<()> {
        self.delete((to_look_up(provider.into()), to_look_up(provider_account_id.into()))).await
    }
}

impl Deref for Accounts {
    type Target = Repo<Account>;

    fn deref(&self) -> &Repo<Account> {
        &self.0
    }
}

/// The accounts of all users, for signing in.
#[derive(Debug, Clone)]
pub struct AllAccounts(Unscoped<Account>);

impl AllAccounts {
    pub(crate) fn new(scope: &SystemScope) -> Self {
        Self(scope.all_users())
    }

    /// The account of this identity; `None` when it is linked with nobody.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn find(
        &self,
        provider: impl Into<String>,
        provider_account_id: impl Into<String>,
    ) -> Result<Option<Account>> {
        self.0.get((to_look_up(provider.into()), to_look_up(provider_account_id.into()))).await
    }
}
