//! Jobs over HTTP. Bodies and query strings are larder's companions as they are: they refuse what a caller may not set.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
};
use larder::prelude::*;

use crate::{
    App,
    auth::{Caller, Read, Write},
    error::Problem,
    extract::{Body, Path, Query},
};

/// `POST /jobs`
pub(crate) async fn create(
    caller: Caller<Write>,
    State(app): State<App>,
    Body(new): Body<NewJob>,
) -> Result<impl IntoResponse, Problem> {
    let job = caller.user.jobs().create(new).await?;
    tracing::info!(job = %job.id, key = caller.key.key, "created");
    app.wake.notify_one();
    Ok((StatusCode::CREATED, [(LOCATION, format!("/jobs/{}", job.id))], Json(job)))
}

/// `GET /jobs?search=…&status=…&sort_by=…&sort_direction=…&page_size=…&cursor=…`
pub(crate) async fn list(
    caller: Caller<Read>,
    Query(list): Query<ListJobs>,
) -> Result<Json<Page<Job>>, Problem> {
    Ok(Json(caller.user.jobs().list(list).await?))
}

/// `GET /jobs/{id}`
pub(crate) async fn get(caller: Caller<Read>, Path(id): Path<JobId>) -> Result<Json<Job>, Problem> {
    Ok(Json(existing(&caller.user, id).await?))
}

/// `PATCH /jobs/{id}`
pub(crate) async fn update(
    caller: Caller<Write>,
    State(app): State<App>,
    Path(id): Path<JobId>,
    Body(patch): Body<JobPatch>,
) -> Result<Json<Job>, Problem> {
    let job = caller.user.jobs().update(id, patch).await?;
    app.wake.notify_one();
    Ok(Json(job))
}

/// `DELETE /jobs/{id}`
pub(crate) async fn delete(caller: Caller<Write>, Path(id): Path<JobId>) -> Result<StatusCode, Problem> {
    caller.user.jobs().delete(id).await?;
    tracing::info!(job = %id, key = caller.key.key, "deleted");
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /jobs/{id}/activate`
pub(crate) async fn activate(
    caller: Caller<Write>,
    State(app): State<App>,
    Path(id): Path<JobId>,
) -> Result<Json<Job>, Problem> {
    let job = caller.user.jobs().activate(id).await?;
    app.wake.notify_one();
    Ok(Json(job))
}

/// `POST /jobs/{id}/pause`
pub(crate) async fn pause(caller: Caller<Write>, Path(id): Path<JobId>) -> Result<Json<Job>, Problem> {
    Ok(Json(caller.user.jobs().pause(id).await?))
}

/// `POST /jobs/{id}/archive`
pub(crate) async fn archive(caller: Caller<Write>, Path(id): Path<JobId>) -> Result<Json<Job>, Problem> {
    Ok(Json(caller.user.jobs().archive(id).await?))
}

/// The user's job; `NotFound` for another user's as for one that is not there.
pub(crate) async fn existing(user: &UserScope, id: JobId) -> larder::Result<Job> {
    user.jobs().get(id).await?.ok_or_else(|| Error::not_found("Job"))
}
