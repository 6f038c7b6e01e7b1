//! The primary, asked for its log: one request at a time, each with a deadline.

use std::{io, net::IpAddr, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, StatusCode, body::Incoming, header::HeaderValue};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use larder_core::{Error, ErrorKind, Result};
use libsql_replication::{
    replicator::Error as LogError,
    rpc::replication::{
        NAMESPACE_DOESNT_EXIST, NAMESPACE_METADATA_KEY, NEED_SNAPSHOT_ERROR_MSG, NO_HELLO_ERROR_MSG,
        SESSION_TOKEN_KEY,
    },
};
use prost::Message;
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::watch, time::timeout};

use super::wire::{Part, Parts, Status, body};
use crate::{
    call::closed,
    remote::{Connector, Endpoint, RemoteConfig, Tokens},
};

/// How long the primary may be silent, before its answer and in the middle of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client of the service that hands out the log.
pub(super) struct Primary {
    client: Client<Connector, Full<Bytes>>,
    endpoint: Endpoint,
    tokens: Tokens,
    patience: Patience,
}

/// When to stop waiting for the primary.
#[derive(Clone)]
struct Patience(watch::Receiver<bool>);

/// An answer of any number of messages, as they arrive.
pub(super) struct Answer {
    body: Incoming,
    patience: Patience,
    parts: Parts,
    ended: bool,
}

impl Primary {
    /// A client of this server, which is not asked anything. It answers `Closed` as soon as `ended` says so.
    ///
    /// # Errors
    /// `Config` when the configuration cannot be used.
    pub(super) fn new(config: &RemoteConfig, ended: watch::Receiver<bool>) -> Result<Self> {
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(Connector::new(config)?),
            endpoint: config.endpoint.clone(),
            tokens: Tokens::new(config.token.clone()),
            patience: Patience(ended),
        })
    }

    /// Calls a method that answers one message.
    pub(super) async fn ask<A: Message + Default>(
        &self,
        method: &str,
        message: &impl Message,
        session: Option<&Bytes>,
    ) -> Result<A, LogError> {
        let mut answer = self.call(method, message, session).await?;
        let message = answer.next().await?.ok_or_else(|| wrong_answer("nothing"))?;
        // To its end, so that the connection can be used again.
        while answer.next().await?.is_some() {}
        A::decode(message).map_err(|_| wrong_answer("what is no message of a log"))
    }

    /// Calls a method. A token that is refused is renewed once.
    pub(super) async fn call(
        &self,
        method: &str,
        message: &impl Message,
        session: Option<&Bytes>,
    ) -> Result<Answer, LogError> {
        let body = body(message);
        let mut patience = self.patience.clone();
        let token = patience.wait(self.tokens.header()).await?.map_err(failed)?;
        let refused = match self.send(method, body.clone(), session, token.as_ref()).await {
            Err(LogError::Fatal(error)) if is_denied(&*error) => LogError::Fatal(error),
            answer => return answer,
        };
        if !patience.wait(self.tokens.renew(token.as_ref())).await?.map_err(failed)? {
            return Err(refused);
        }
        let token = patience.wait(self.tokens.header()).await?.map_err(failed)?;
        self.send(method, body, session, token.as_ref()).await
    }

    async fn send(
        &self,
        method: &str,
        body: Bytes,
        session: Option<&Bytes>,
        token: Option<&SecretString>,
    ) -> Result<Answer, LogError> {
        let request = self.request(method, body, session, token).map_err(failed)?;
        let mut patience = self.patience.clone();
        let response = patience.wait(self.client.request(request)).await?.map_err(|error| {
            let context = format!("the primary {} cannot be reached", self.endpoint);
            failed(Error::new(ErrorKind::Unavailable, context).with_source(error))
        })?;
        answer_of(response, patience)
    }

    fn request(
        &self,
        method: &str,
        body: Bytes,
        session: Option<&Bytes>,
        token: Option<&SecretString>,
    ) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::post(format!("{}/wal_log.ReplicationLog/{method}", self.endpoint))
            .header("content-type", "application/grpc-web+proto")
            .header("x-grpc-web", "1")
            .header(NAMESPACE_METADATA_KEY, STANDARD_NO_PAD.encode(namespace(&self.endpoint.host)));
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token.expose_secret())
                .map_err(|_| Error::new(ErrorKind::Denied, "the token is none"))?;
            value.set_sensitive(true);
            request = request.header("x-authorization", value);
        }
        if let Some(session) = session {
            request = request.header(SESSION_TOKEN_KEY, &session[..]);
        }
        request.body(Full::new(body)).map_err(|error| {
            Error::new(ErrorKind::Config, "the URL makes no HTTP request").with_source(error)
        })
    }
}

/// The database that a server of several is asked for: the first part of its name, as the server itself reads it when SQL is
/// sent to it.
fn namespace(host: &str) -> &str {
    match host.split_once('.') {
        Some((first, _)) if !first.is_empty() && host.parse::<IpAddr>().is_err() => first,
        _ => "default",
    }
}

impl Patience {
    /// Waits for the primary, as long as it makes sense.
    async fn wait<T>(&mut self, what: impl Future<Output = T>) -> Result<T, LogError> {
        tokio::select! {
            answer = timeout(PATIENCE, what) => answer.map_err(|_| failed(silent())),
            // An error means the same.
            _ = self.0.wait_for(|ended| *ended) => Err(failed(closed())),
        }
    }
}

impl Answer {
    /// The next message; `None` when there are no more.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, LogError> {
        loop {
            match self.parts.next().map_err(failed)? {
                Some(Part::Message(message)) => return Ok(Some(message)),
                Some(Part::Status(status)) => {
                    self.ended = true;
                    check(&status)?;
                }
                None if self.receive().await? => {}
                None if self.ended => return Ok(None),
                None => return Err(wrong_answer("half an answer")),
            }
        }
    }

    /// Waits for more; `false` when there is none.
    async fn receive(&mut self) -> Result<bool, LogError> {
        let Some(frame) = self.patience.wait(self.body.frame()).await? else { return Ok(false) };
        if let Ok(data) = frame.map_err(cut_off)?.into_data() {
            self.parts.push(&data);
        }
        Ok(true)
    }
}

fn answer_of(response: Response<Incoming>, patience: Patience) -> Result<Answer, LogError> {
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(code) = header("grpc-status") {
        check(&Status::new(code, header("grpc-message").unwrap_or_default()))?;
    }
    let is_log = header("content-type").is_some_and(|kind| kind.starts_with("application/grpc-web"));
    match response.status() {
        StatusCode::OK if is_log => {
            Ok(Answer { body: response.into_body(), patience, parts: Parts::default(), ended: false })
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(failed(denied())),
        status if status.is_server_error() => Err(failed(Error::new(
            ErrorKind::Unavailable,
            format!("the server failed, or a gateway before it: HTTP status {}", status.as_u16()),
        ))),
        status => Err(failed(Error::new(
            ErrorKind::Config,
            format!(
                "what answers at this URL is no libSQL server for replicas: HTTP status {}",
                status.as_u16()
            ),
        ))),
    }
}

/// An error unless the call succeeded.
fn check(status: &Status) -> Result<(), LogError> {
    const OK: u32 = 0;
    const PERMISSION_DENIED: u32 = 7;
    const FAILED_PRECONDITION: u32 = 9;
    const UNIMPLEMENTED: u32 = 12;
    const INTERNAL: u32 = 13;
    const UNAVAILABLE: u32 = 14;
    const UNAUTHENTICATED: u32 = 16;
    let (kind, context) = match (status.code, status.message.as_str()) {
        (OK, _) => return Ok(()),
        (FAILED_PRECONDITION, NEED_SNAPSHOT_ERROR_MSG) => return Err(LogError::NeedSnapshot),
        (FAILED_PRECONDITION, NO_HELLO_ERROR_MSG) => return Err(LogError::NoHandshake),
        (FAILED_PRECONDITION, NAMESPACE_DOESNT_EXIST) => {
            (ErrorKind::Config, "the server has no database of this name")
        }
        (UNAUTHENTICATED | PERMISSION_DENIED, _) => return Err(failed(denied())),
        // What a server says that was sent no token.
        (INTERNAL, message) if message.contains("auth header") => return Err(failed(denied())),
        (UNAVAILABLE, _) => (ErrorKind::Unavailable, "the primary cannot give its log now"),
        (UNIMPLEMENTED, _) => (ErrorKind::Unsupported, "this server has no log for replicas"),
        _ => (ErrorKind::Database, "the primary did not give its log"),
    };
    Err(failed(Error::new(kind, context).with_source(io::Error::other(status.message.clone()))))
}

/// As the replicator takes it: an error that it does not try again by itself.
fn failed(error: Error) -> LogError {
    LogError::Fatal(Box::new(error))
}

fn denied() -> Error {
    let context = "the server refuses the token, or asks for one: set LIBSQL_AUTH_TOKEN, or the option token_env or token_file";
    Error::new(ErrorKind::Denied, context)
}

fn is_denied(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error.downcast_ref::<Error>().is_some_and(|error| *error.kind() == ErrorKind::Denied)
}

fn silent() -> Error {
    Error::new(ErrorKind::Timeout, format!("the primary was silent for {PATIENCE:?}"))
}

fn cut_off(error: hyper::Error) -> LogError {
    let context = "the primary went away in the middle of its log";
    failed(Error::new(ErrorKind::Unavailable, context).with_source(error))
}

fn wrong_answer(what: &str) -> LogError {
    let context = format!("the primary answered {what} when it was asked for its log");
    failed(Error::new(ErrorKind::Database, context))
}

#[cfg(test)]
mod tests {
    use super::namespace;

    #[test]
    fn the_first_part_of_a_name_is_the_database() {
        assert_eq!(namespace("app-me.turso.io"), "app-me");
        assert_eq!(namespace("a1.localhost"), "a1");
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            assert_eq!(namespace(host), "default");
        }
    }
}
