//! Users.

use std::ops::Deref;

use chrono::{DateTime, Utc};
use larder_core::{Repo, Result, SystemScope, UserScope};
use larder_derive::Entity;
use serde::Serialize;

use crate::SystemModel;

/// A person, or a service that acts as one. All that is below belongs to exactly one user, and goes when the user goes.
#[derive(Debug, Clone, PartialEq, Serialize, Entity)]
#[entity(table = "users")]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The name to show.
    #[entity(length(0, 1000), sort, search)]
    pub name: Option<String>,
    /// The e-mail address, kept case-folded; no two users have the same.
    #[entity(email, unique, sort, search)]
    pub email: Option<String>,
    /// When the address was verified.
    pub email_verified_at: Option<DateTime<Utc>>,
    /// Where the picture is.
    #[entity(length(0, 2048))]
    pub image: Option<String>,
    /// When the user was created.
    #[entity(sort)]
    pub created_at: DateTime<Utc>,
    /// When the user was last changed.
    #[entity(sort)]
    pub updated_at: DateTime<Utc>,
}

/// All users; for the system. It is a [`Repo`] of [`User`] and more.
///
/// ```
/// use larder::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// # let larder = Larder::open("memory:").await?;
/// # larder.migrate().await?;
/// let users = larder.system().users();
/// let new = NewUser { email: Some("Ada@Example.org".into()), ..NewUser::default() };
/// let ada = users.create(new).await?;
/// assert_eq!(users.find_by_email("ADA@example.org").await?, Some(ada.clone()));
///
/// let again = NewUser { email: Some("ada@example.org".into()), ..NewUser::default() };
/// let taken = users.create(again).await.unwrap_err();
/// assert_eq!(taken.to_string(), "User with this email already exists");
///
/// // All that belongs to the user goes with the user.
/// users.delete(ada.id).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Users(Repo<User>);

impl Users {
    pub(crate) fn new(scope: &SystemScope) -> Self {
        Self(scope.repo())
    }

    /// The user with this e-mail address, in whatever case; `None` when there is none.
    ///
    /// # Errors
    /// `Invalid` when it is no e-mail address.
    pub async fn find_by_email(&self, email: impl Into<String>) -> Result<Option<User>> {
        self.get_by(User::EMAIL, Some(email.into())).await
    }

    /// The user with whom this identity at a provider is linked; `None` when it is nobody. Two look-ups.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn find_by_account(
        &self,
        provider: impl Into<String>,
        provider_account_id: impl Into<String>,
    ) -> Result<Option<User>> {
        let accounts = SystemScope::new(self.context().clone()).accounts();
        match accounts.find(provider, provider_account_id).await? {
            Some(account) => self.get(account.user_id).await,
            None => Ok(None),
        }
    }
}

impl Deref for Users {
    type Target = Repo<User>;

    fn deref(&self) -> &Repo<User> {
        &self.0
    }
}

/// The user that a scope belongs to.
#[derive(Debug, Clone)]
pub struct Profile {
    users: Repo<User>,
    id: UserId,
}

impl Profile {
    pub(crate) fn new(scope: &UserScope) -> Self {
        let users = SystemScope::new(scope.context().clone()).repo();
        Self { users, id: UserId::from_uuid(scope.owner()) }
    }

    /// The user; `None` when there is no such user (any more).
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn get(&self) -> Result<Option<User>> {
        self.users.get(self.id).await
    }

    /// Changes the user.
    ///
    /// # Errors
    /// As [`Repo::update`].
    pub async fn update(&self, patch: UserPatch) -> Result<User> {
        self.users.update(self.id, patch).await
    }

    /// Deletes the user and everything that belongs to the user.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete(&self) -> Result<()> {
        self.users.delete(self.id).await
    }
}
