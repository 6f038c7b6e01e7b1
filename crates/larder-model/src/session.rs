//! Sessions: who is signed in, until when.

use std::ops::Deref;

use chrono::{DateTime, Utc};
use larder_core::{Error, Filter, Repo, Result, Secret, SystemScope, Unscoped, UserScope};
use larder_derive::Entity;
use serde::Serialize;

use crate::{User, UserId, unknown::secret_to_look_up};

/// A session: who shows its token is the user, before `expires_at`. At that instant it has expired.
#[derive(Debug, Clone, PartialEq, Serialize, Entity)]
#[entity(table = "sessions", index = [expires_at])]
pub struct Session {
    /// The token, made by the caller: it must not be possible to guess. It is not written out with the session.
    #[entity(key, length(1, 512))]
    #[serde(skip_serializing)]
    pub session_token: Secret,
    /// Whose it is.
    #[entity(owner)]
    pub user_id: UserId,
    /// When it ends. [`AllSessions::extend`] changes it, and nothing else.
    #[entity(sort, create_only)]
    pub expires_at: DateTime<Utc>,
    /// When it began.
    #[entity(sort)]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[entity(sort)]
    pub updated_at: DateTime<Utc>,
}

/// A user's own sessions: a [`Repo`] of [`Session`], in which the expired ones are as long as they were not purged.
#[derive(Debug, Clone)]
pub struct Sessions(Repo<Session>);

impl Sessions {
    pub(crate) fn new(scope: &UserScope) -> Self {
        Self(scope.repo())
    }

    /// Ends all sessions of the user, everywhere; answers how many there were.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn end_all(&self) -> Result<u64> {
        self.delete_many(Filter::always()).await
    }
}

impl Deref for Sessions {
    type Target = Repo<Session>;

    fn deref(&self) -> &Repo<Session> {
        &self.0
    }
}

/// The sessions of all users, by their token: who shows it is its user.
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
/// let month = chrono::TimeDelta::days(30);
/// let now = mine.context().now();
/// mine.sessions().create(NewSession::new("made of random bytes", now + month)).await?;
///
/// let sessions = larder.system().sessions();
/// let (session, user) = sessions.find_with_user("made of random bytes").await?.expect("it has not expired");
/// assert_eq!((session.expires_at, user), (now + month, ada));
/// sessions.extend("made of random bytes", now + month * 2).await?;
/// sessions.end("made of random bytes").await?;
/// assert_eq!(sessions.find_with_user("made of random bytes").await?, None);
/// sessions.purge_expired().await?; // now and then, for all users
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct AllSessions {
    sessions: Unscoped<Session>,
    users: Repo<User>,
}

impl AllSessions {
    pub(crate) fn new(scope: &SystemScope) -> Self {
        Self { sessions: scope.all_users(), users: scope.repo() }
    }

    /// The session of this token and its user; `None` when there is none, or it has expired. Two look-ups.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn find_with_user(&self, token: impl Into<Secret>) -> Result<Option<(Session, User)>> {
        let Some(session) = self.living(secret_to_look_up(token)).await? else { return Ok(None) };
        Ok(self.users.get(session.user_id).await?.map(|user| (session, user)))
    }

    /// Makes a session end at another instant. One that has expired is not brought back.
    ///
    /// # Errors
    /// `NotFound`, also when it has expired.
    pub async fn extend(&self, token: impl Into<Secret>, expires_at: DateTime<Utc>) -> Result<Session> {
        let living = Session::EXPIRES_AT.gt(self.sessions.context().now())?;
        let set = vec![Session::EXPIRES_AT.set(expires_at)?];
        let extended = self.sessions.update_if(secret_to_look_up(token), living, set).await?;
        extended.ok_or_else(|| Error::not_found("Session"))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn end(&self, token: impl Into<Secret>) -> Result<()> {
        self.sessions.delete(secret_to_look_up(token)).await
    }

    /// Deletes the sessions that have expired, in batches that do not hold the database; answers how many.
    ///
    /// # Errors
    /// Those of the connection; the batches before it stay deleted.
    pub async fn purge_expired(&self) -> Result<u64> {
        let expired = Session::EXPIRES_AT.le(self.sessions.context().now())?;
        self.sessions.purge(expired).await
    }

    async fn living(&self, token: Secret) -> Result<Option<Session>> {
        let now = self.sessions.context().now();
        Ok(self.sessions.get(token).await?.filter(|session| session.expires_at > now))
    }
}
