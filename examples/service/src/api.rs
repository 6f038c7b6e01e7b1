//! The routes, and what is the same for all of them.

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::Serialize;

use crate::{App, error::Problem, jobs, messages};

/// The largest body, in bytes.
const BODY_LIMIT: usize = 256 * 1024;

/// The whole API.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/jobs", get(jobs::list).post(jobs::create))
        .route("/jobs/{id}", get(jobs::get).patch(jobs::update).delete(jobs::delete))
        .route("/jobs/{id}/activate", post(jobs::activate))
        .route("/jobs/{id}/pause", post(jobs::pause))
        .route("/jobs/{id}/archive", post(jobs::archive))
        .route("/jobs/{id}/messages", get(messages::list).post(messages::append))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(app)
}

#[derive(Serialize)]
struct Healthy {
    status: &'static str,
}

/// Is the database there? For whoever decides where requests go: no key is needed.
async fn health(State(app): State<App>) -> Result<Json<Healthy>, Problem> {
    app.larder.health().await?;
    Ok(Json(Healthy { status: "ok" }))
}
