//! Messages: what was said in the course of a job.

use std::ops::Deref;

use chrono::{DateTime, Utc};
use larder_core::{Repo, Result, SortDirection, UserScope, Value};
use larder_derive::{Entity, EnumText};
use serde::Serialize;

use crate::{JobId, MessageContent, UserId};

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumText)]
#[entity(name = "message_role")]
pub enum MessageRole {
    /// Instructions.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool that the model called.
    Tool,
}

/// Where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumText)]
#[entity(name = "message_source", rename_all = "kebab-case")]
pub enum MessageSource {
    /// The answer of one of the job's endpoints.
    EndpointResponse,
    /// The scheduler.
    Scheduler,
    /// What handles errors.
    ErrorHandler,
    /// Not known.
    Unknown,
}

/// A message of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Entity)]
#[entity(table = "messages")]
#[entity(index = [job_id, created_at, id])]
pub struct Message {
    /// The id.
    pub id: MessageId,
    /// Whose it is.
    #[entity(owner)]
    pub user_id: UserId,
    /// Which job it belongs to.
    #[entity(parent)]
    pub job_id: JobId,
    /// Who says it.
    #[entity(sort, filter)]
    pub role: MessageRole,
    /// What is said.
    #[entity(search = searchable_text)]
    pub content: MessageContent,
    /// Where it came from.
    pub source: Option<MessageSource>,
    /// When it was created.
    #[entity(sort)]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[entity(sort)]
    pub updated_at: DateTime<Utc>,
}

/// The text in a message that search looks into.
fn searchable_text(content: &Value) -> Option<String> {
    match content {
        Value::Json(json) => Some(crate::content::text_of(json)),
        _ => None,
    }
}

/// The messages of a user's jobs. It is a [`Repo`] of [`Message`] and more.
///
/// ```
/// use larder::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// # let larder = Larder::open("memory:").await?;
/// # larder.migrate().await?;
/// # let ada = larder.system().users().create(NewUser::new()).await?;
/// # let mine = larder.user(ada.id);
/// # let job = mine.jobs().create(NewJob::new("Send me the weather every morning")).await?;
/// let messages = mine.messages();
/// messages.append(NewMessage::new(job.id, MessageRole::User, "Only when it rains")).await?;
/// let answer = vec![Part::text("It rains"), Part::text("in Oslo")];
/// messages.append(NewMessage::new(job.id, MessageRole::Assistant, answer)).await?;
///
/// let all = messages.of_job(job.id).await?;
/// assert_eq!(all.iter().map(|message| message.role).collect::<Vec<_>>(), [
///     MessageRole::User,
///     MessageRole::Assistant,
/// ]);
/// let search = ListMessages { search: Some("OSLO".into()), ..ListMessages::default() };
/// assert_eq!(messages.list(search).await?.items, all[1..]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Messages(Repo<Message>);

impl Messages {
    pub(crate) fn new(scope: &UserScope) -> Self {
        Self(scope.repo())
    }

    /// Adds a message to a job.
    ///
    /// # Errors
    /// `MissingParent` when the job does not exist or is not this user's; `Invalid`.
    pub async fn append(&self, message: NewMessage) -> Result<Message> {
        self.create(message).await
    }

    /// Adds messages, all or none; they keep their order.
    ///
    /// # Errors
    /// As [`Messages::append`], of one of them.
    pub async fn append_many(&self, messages: impl IntoIterator<Item = NewMessage>) -> Result<Vec<Message>> {
        self.create_many(messages).await
    }

    /// All messages of a job in the order in which they were added; none when the job does not exist or is not this user's.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn of_job(&self, job: JobId) -> Result<Vec<Message>> {
        let order =
            vec![Message::CREATED_AT.order(SortDirection::Asc), Message::ID.order(SortDirection::Asc)];
        self.select(Message::JOB_ID.eq(job)?, order, None).await
    }
}

impl Deref for Messages {
    type Target = Repo<Message>;

    fn deref(&self) -> &Repo<Message> {
        &self.0
    }
}
