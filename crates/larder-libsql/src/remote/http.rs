//! One request, one answer.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    HeaderMap, Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    http::uri::InvalidUri,
};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use larder_core::{Error, ErrorKind, Result};
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

use super::{
    config::RemoteConfig,
    connect::Connector,
    error::{Fate, Lost},
    token::Tokens,
};
use crate::config::config;

/// How long a connection is kept that nobody uses. What stands between here and the server closes idle ones without a word,
/// seldom before a minute.
const IDLE: Duration = Duration::from_secs(20);

/// The largest answer that is read; servers stop before.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Posts to one path of a server, with the token that it asks for.
pub(crate) struct Http {
    client: Client<Connector, Full<Bytes>>,
    uri: Uri,
    tokens: Tokens,
}

impl Http {
    pub(crate) fn new(config: &RemoteConfig, path: &str) -> Result<Self> {
        let uri = format!("{}{path}", config.endpoint);
        let uri: Uri = uri.parse().map_err(|error: InvalidUri| wrong_url().with_source(error))?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(Connector::new(config)?);
        Ok(Self { client, uri, tokens: Tokens::new(config.token.clone()) })
    }

    /// Posts JSON and answers what came back. A token that is refused is renewed once.
    pub(crate) async fn post(&self, body: Bytes, deadline: Instant) -> Result<Bytes, Lost> {
        let posted = timeout_at(deadline, self.post_with_token(body)).await;
        posted.unwrap_or_else(|_| {
            let context = "the server did not answer in time";
            Err(Lost::unknown(Error::new(ErrorKind::Timeout, context)))
        })
    }

    async fn post_with_token(&self, body: Bytes) -> Result<Bytes, Lost> {
        let token = self.tokens.header().await.map_err(Lost::refused)?;
        let response = self.send(body.clone(), token.as_ref()).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return answer(response, token.is_some()).await;
        }
        if !self.tokens.renew(token.as_ref()).await.map_err(Lost::refused)? {
            return answer(response, token.is_some()).await;
        }
        let token = self.tokens.header().await.map_err(Lost::refused)?;
        answer(self.send(body, token.as_ref()).await?, token.is_some()).await
    }

    async fn send(&self, body: Bytes, token: Option<&SecretString>) -> Result<Response<Incoming>, Lost> {
        let mut request = Request::post(&self.uri).header(CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token.expose_secret())
                .map_err(|_| Lost::refused(Error::new(ErrorKind::Denied, "the token is none")))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request =
            request.body(Full::new(body)).map_err(|error| Lost::refused(wrong_url().with_source(error)))?;
        self.client.request(request).await.map_err(|error| {
            let fate = if error.is_connect() { Fate::NotSent } else { Fate::Unknown };
            Lost { error: Error::new(ErrorKind::Unavailable, "").with_source(error), fate }
        })
    }
}

fn wrong_url() -> Error {
    config("the URL makes no HTTP request")
}

/// The body of a success; what else a server answers is an error.
async fn answer(response: Response<Incoming>, had_token: bool) -> Result<Bytes, Lost> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MOST_BYTES).collect().await;
    let cut_off = |error: Box<dyn std::error::Error + Send + Sync>| {
        let context = "the answer was cut off";
        Lost::unknown(Error::new(ErrorKind::Unavailable, context).with_source(Cause(error.to_string())))
    };
    let body = body.map_err(cut_off)?.to_bytes();
    let is_json = is_json(&head.headers);
    if head.status.is_success() && is_json {
        return Ok(body);
    }
    Err(refusal(head.status, is_json.then_some(&body), had_token))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/json"))
}

/// What is known of a cause that larder has no type for.
#[derive(Debug)]
struct Cause(String);

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Cause {}

fn refusal(status: StatusCode, json: Option<&Bytes>, had_token: bool) -> Lost {
    let said = json.map(|json| words(json));
    let with_words = |kind: ErrorKind, context: &'static str| {
        let cause = Cause(format!("HTTP status {status}: {}", said.as_deref().unwrap_or("no JSON")));
        Error::new(kind, context).with_source(cause)
    };
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if had_token => Lost::refused(with_words(
            ErrorKind::Denied,
            "the server refuses the token: it is not valid (any more), or not for this database",
        )),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Lost::refused(with_words(
            ErrorKind::Denied,
            "the server asks for a token and none is given: set LIBSQL_AUTH_TOKEN, or the option token_env or token_file",
        )),
        StatusCode::TOO_MANY_REQUESTS => {
            Lost::not_sent(with_words(ErrorKind::Busy, "the server takes no more requests at the moment"))
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            Lost::not_sent(with_words(ErrorKind::Unavailable, "the server is not ready"))
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            Lost::refused(with_words(ErrorKind::TooLarge, "the request is larger than the server takes"))
        }
        StatusCode::NOT_FOUND if said.as_deref().is_some_and(|said| said.starts_with("Namespace")) => {
            Lost::refused(with_words(ErrorKind::Config, "the server has no database of this name"))
        }
        _ if status.is_server_error() => {
            Lost::unknown(with_words(ErrorKind::Unavailable, "the server failed, or a gateway before it"))
        }
        StatusCode::BAD_REQUEST if json.is_some() => Lost::refused(bad_request(json, &with_words)),
        _ => Lost::refused(with_words(
            ErrorKind::Config,
            "what answers at this URL is no libSQL server, or one that does not know SQL over HTTP (Hrana 3)",
        )),
    }
}

/// A stream that has expired is answered so, with a code.
fn bad_request(json: Option<&Bytes>, with_words: &dyn Fn(ErrorKind, &'static str) -> Error) -> Error {
    match json.and_then(|json| serde_json::from_slice(json).ok()) {
        Some(error) => super::error::failure(error).into(),
        None => with_words(ErrorKind::Database, "the server refuses the request"),
    }
}

/// `{"error": "…"}` or `{"message": "…"}`.
fn words(json: &[u8]) -> String {
    let json: serde_json::Value = serde_json::from_slice(json).unwrap_or_default();
    let said = json.get("error").or_else(|| json.get("message")).and_then(|said| said.as_str());
    said.unwrap_or("no words").to_owned()
}
