//! The messages of a job over HTTP.

use axum::{Json, http::StatusCode};
use larder::{Filter, MAX_PAGE_SIZE, prelude::*};
use serde::Deserialize;

use crate::{
    auth::{Caller, Read, Write},
    error::Problem,
    extract::{Body, Path, Query},
    jobs::existing,
};

/// A message as a caller says it: the path names the job, and where it comes from is the service's to say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    role: MessageRole,
    content: MessageContent,
}

/// Which messages are wanted.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Wanted {
    page_size: u32,
    /// `next` of the page before: its last message.
    cursor: Option<MessageId>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { page_size: 10, cursor: None }
    }
}

/// `POST /jobs/{id}/messages`
pub(crate) async fn append(
    caller: Caller<Write>,
    Path(job): Path<JobId>,
    Body(said): Body<Said>,
) -> Result<(StatusCode, Json<Message>), Problem> {
    let message = NewMessage::new(job, said.role, said.content);
    Ok((StatusCode::CREATED, Json(caller.user.messages().append(message).await?)))
}

/// `GET /jobs/{id}/messages?page_size=…&cursor=…`: in the order in which they were added.
pub(crate) async fn list(
    caller: Caller<Read>,
    Path(job): Path<JobId>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page<Message>>, Problem> {
    let job = existing(&caller.user, job).await?.id;
    Ok(Json(page(&caller.user.messages(), job, wanted).await?))
}

async fn page(messages: &Messages, job: JobId, wanted: Wanted) -> larder::Result<Page<Message>> {
    if !(1..=MAX_PAGE_SIZE).contains(&wanted.page_size) {
        let reason = format!("must be from 1 to {MAX_PAGE_SIZE}, not {}", wanted.page_size);
        return Err(Error::invalid("list of messages", "page_size", reason));
    }
    let mut filter = Message::JOB_ID.eq(job)?;
    if let Some(last) = wanted.cursor {
        filter = filter.and(after(messages, job, last).await?);
    }
    let order = vec![Message::CREATED_AT.order(SortDirection::Asc), Message::ID.order(SortDirection::Asc)];
    // One more than asked for tells whether there are more.
    let mut items = messages.select(filter, order, Some(u64::from(wanted.page_size) + 1)).await?;
    let has_next = items.len() > wanted.page_size as usize;
    items.truncate(wanted.page_size as usize);
    let next = items.last().filter(|_| has_next).map(|last| Cursor::new(last.id.to_string()));
    Ok(Page { items, has_next, next })
}

/// Those behind this message of the job.
async fn after(messages: &Messages, job: JobId, last: MessageId) -> larder::Result<Filter> {
    let Some(last) = messages.get(last).await?.filter(|last| last.job_id == job) else {
        let reason = "not a cursor of this list: start again without one";
        return Err(Error::invalid("list of messages", "cursor", reason));
    };
    let same_instant = Message::CREATED_AT.eq(last.created_at)?.and(Message::ID.gt(last.id)?);
    Ok(Message::CREATED_AT.gt(last.created_at)?.or(same_instant))
}
