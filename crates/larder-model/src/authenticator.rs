//! Authenticators: the passkeys of a user (WebAuthn).

use std::ops::Deref;

use larder_core::{Error, ErrorKind, Filter, Repo, Result, SortDirection, SystemScope, Unscoped, UserScope};
use larder_derive::Entity;
use serde::Serialize;

use crate::UserId;

/// A passkey of a user.
#[derive(Debug, Clone, PartialEq, Serialize, Entity)]
#[entity(table = "authenticators")]
pub struct Authenticator {
    /// Whose it is.
    #[entity(owner, key)]
    pub user_id: UserId,
    /// The credential's id, in base64url (at most 1,023 bytes, as WebAuthn has it); no two authenticators have the same.
    #[entity(key, length(1, 1364), unique, sort)]
    pub credential_id: String,
    /// The account that was linked with it.
    #[entity(length(1, 255), create_only)]
    pub provider_account_id: String,
    /// The public key, in base64url.
    #[entity(length(1, 65_536), create_only)]
    pub credential_public_key: String,
    /// How often it has signed, as it says itself; 0 for ever when it does not count.
    #[entity(range(0..), create_only)]
    pub counter: i64,
    /// `singleDevice` or `multiDevice`.
    #[entity(length(1, 255))]
    pub credential_device_type: String,
    /// Is there a copy of it?
    pub credential_backed_up: bool,
    /// How it is reached: `usb,nfc`.
    #[entity(length(0, 255))]
    pub transports: Option<String>,
}

/// A user's passkeys. It is a [`Repo`] of [`Authenticator`], whose key is the user and the credential.
#[derive(Debug, Clone)]
pub struct Authenticators(Repo<Authenticator>);

impl Authenticators {
    pub(crate) fn new(scope: &UserScope) -> Self {
        Self(scope.repo())
    }

    /// All of them, in the order of the credentials' ids.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn all(&self) -> Result<Vec<Authenticator>> {
        let order = Authenticator::CREDENTIAL_ID.order(SortDirection::Asc);
        self.select(Filter::always(), vec![order], None).await
    }
}

impl Deref for Authenticators {
    type Target = Repo<Authenticator>;

    fn deref(&self) -> &Repo<Authenticator> {
        &self.0
    }
}

/// The passkeys of all users, for signing in.
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
/// let passkey = NewAuthenticator::new("credential", "account", "public key", 0, "multiDevice", true);
/// mine.authenticators().create(passkey).await?;
///
/// // The browser names its credential: whose is it, and has its counter gone forward?
/// let passkeys = larder.system().authenticators();
/// let known = passkeys.find("credential").await?.expect("it was added above");
/// assert_eq!(known.user_id, ada.id);
/// passkeys.count("credential", 7).await?;
/// let copied = passkeys.count("credential", 7).await.unwrap_err();
/// assert!(matches!(copied.kind(), ErrorKind::Invalid { field, .. } if field == "counter"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct AllAuthenticators(Unscoped<Authenticator>);

impl AllAuthenticators {
    pub(crate) fn new(scope: &SystemScope) -> Self {
        Self(scope.all_users())
    }

    /// The passkey of this credential; `None` when there is none.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn find(&self, credential_id: &str) -> Result<Option<Authenticator>> {
        match self.0.get_by(Authenticator::CREDENTIAL_ID, credential_id.to_owned()).await {
            // What cannot be a credential's id is nobody's.
            Err(error) if matches!(error.kind(), ErrorKind::Invalid { .. }) => Ok(None),
            found => found,
        }
    }

    /// Writes down what the passkey's counter has come to. It only goes forward; one that does not count stays at 0.
    ///
    /// A counter that goes back may be that of a copied passkey:
    /// [WebAuthn, § 6.1.1](https://www.w3.org/TR/webauthn-2/#sctn-sign-counter).
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for `counter` when it does not go forward.
    pub async fn count(&self, credential_id: &str, counter: i64) -> Result<Authenticator> {
        let missing = || Error::not_found("Authenticator");
        let known = self.find(credential_id).await?.ok_or_else(missing)?;
        let key = || (known.user_id, known.credential_id.clone());
        let behind = Authenticator::COUNTER.lt(counter)?;
        let guard = match counter {
            0 => Authenticator::COUNTER.eq(0)?,
            _ => behind,
        };
        let set = vec![Authenticator::COUNTER.set(counter)?];
        if let Some(counted) = self.0.update_if(key(), guard, set).await? {
            return Ok(counted);
        }
        let now = self.0.get(key()).await?.ok_or_else(missing)?;
        let reason =
            format!("must go forward from {}, not to {counter}: was the passkey copied?", now.counter);
        Err(Error::invalid("Authenticator", "counter", reason))
    }
}
