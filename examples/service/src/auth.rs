//! Who is calling, and what their key allows.

use std::marker::PhantomData;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header::AUTHORIZATION, request::Parts},
};
use larder::prelude::*;

use crate::{App, error::Problem};

/// All that a key can allow.
pub const SCOPES: [&str; 2] = [Read::NAME, Write::NAME];

/// What a key must allow for a request.
pub(crate) trait Scope: Send {
    const NAME: &'static str;
}

/// To look at jobs and messages.
pub(crate) enum Read {}

impl Scope for Read {
    const NAME: &'static str = "jobs:read";
}

/// To change them.
pub(crate) enum Write {}

impl Scope for Write {
    const NAME: &'static str = "jobs:write";
}

/// A caller whose key is good and allows `S`. A handler that takes one cannot forget to ask.
pub(crate) struct Caller<S> {
    /// What belongs to the caller.
    pub(crate) user: UserScope,
    /// The key that was shown.
    pub(crate) key: ApiKey,
    scope: PhantomData<S>,
}

impl<S: Scope> FromRequestParts<App> for Caller<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = token(&parts.headers).ok_or_else(Problem::unauthorized)?;
        let key = app.larder.system().api_keys().authenticate(token).await?;
        let key = key.ok_or_else(Problem::unauthorized)?;
        if !key.allows([S::NAME]) {
            return Err(Problem::missing_scope(S::NAME));
        }
        Ok(Self { user: app.larder.user(key.user_id), key, scope: PhantomData })
    }
}

/// What follows `Bearer`, in whatever case.
fn token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
