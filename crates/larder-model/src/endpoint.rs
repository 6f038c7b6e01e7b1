//! Endpoints: what a job calls.

use std::{collections::BTreeMap, ops::Deref};

use chrono::{DateTime, Utc};
use larder_core::{Json, Repo, Secret, UserScope};
use larder_derive::{Entity, EnumText};
use serde::Serialize;

use crate::{JobId, UserId};

/// With which method an endpoint is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumText)]
#[entity(name = "http_method", rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum HttpMethod {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

/// An endpoint that a job calls, over HTTP.
#[derive(Debug, Clone, PartialEq, Serialize, Entity)]
#[entity(table = "endpoints")]
pub struct Endpoint {
    /// The id.
    pub id: EndpointId,
    /// Whose it is.
    #[entity(owner)]
    pub user_id: UserId,
    /// Which job calls it.
    #[entity(parent)]
    pub job_id: JobId,
    /// What it is called.
    #[entity(length(1, 255), sort, search)]
    pub name: String,
    /// Where it is.
    #[entity(url, length(1, 2048))]
    pub url: String,
    /// With which method it is called.
    #[entity(default = HttpMethod::Get, filter)]
    pub method: HttpMethod,
    /// The headers that are sent.
    #[entity(default_json = "{}")]
    pub headers: Json<BTreeMap<String, String>>,
    /// The token that is sent as `Authorization: Bearer …`. It is not written out with the endpoint.
    #[entity(length(1, 4096))]
    #[serde(skip_serializing)]
    pub bearer_token: Option<Secret>,
    /// The JSON Schema of what is sent.
    pub request_schema: Option<serde_json::Value>,
    /// How long an answer is waited for, in milliseconds.
    #[entity(default = 5_000, range(1_000..=30_000))]
    pub timeout_ms: i64,
    /// Is it called without waiting for an answer?
    #[entity(default = false)]
    pub fire_and_forget: bool,
    /// The most bytes that are sent.
    #[entity(default = 1_048_576, range(1_024..=10_485_760))]
    pub max_request_bytes: i64,
    /// The most bytes of an answer that are read.
    #[entity(default = 5_242_880, range(1_024..=52_428_800))]
    pub max_response_bytes: i64,
    /// When it was created.
    #[entity(sort)]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[entity(sort)]
    pub updated_at: DateTime<Utc>,
}

/// The endpoints of a user's jobs: a [`Repo`] of [`Endpoint`].
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
/// let endpoints = mine.endpoints();
/// let new = NewEndpoint {
///     bearer_token: Some("sesame".into()),
///     timeout_ms: 10_000,
///     ..NewEndpoint::new(job.id, "weather", "https://example.org/weather")
/// };
/// let endpoint = endpoints.create(new).await?;
/// assert_eq!(endpoint.method, HttpMethod::Get);
/// assert!(!format!("{endpoint:?}").contains("sesame"));
///
/// let patch = EndpointPatch { timeout_ms: 999.into(), ..EndpointPatch::default() };
/// let refused = endpoints.update(endpoint.id, patch).await.unwrap_err();
/// assert_eq!(refused.to_string(), "Endpoint.timeout_ms: must be from 1000 to 30000, not 999");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Endpoints(Repo<Endpoint>);

impl Endpoints {
    pub(crate) fn new(scope: &UserScope) -> Self {
        Self(scope.repo())
    }
}

impl Deref for Endpoints {
    type Target = Repo<Endpoint>;

    fn deref(&self) -> &Repo<Endpoint> {
        &self.0
    }
}
