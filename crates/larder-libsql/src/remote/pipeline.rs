//! A request of the Hrana protocol, version 3, over HTTP:
//! <https://github.com/tursodatabase/libsql/blob/main/docs/HRANA_3_SPEC.md>. The messages are `libsql-hrana`'s.

use bytes::Bytes;
use larder_core::{Error, ErrorKind, Result};
use larder_sql::{Dialect, Statements};
use libsql_hrana::proto::{
    Batch, BatchResult, BatchStep, BatchStreamReq, CloseStreamReq, PipelineReqBody, PipelineRespBody, Stmt,
    StreamRequest, StreamResponse, StreamResult, Value,
};
use tokio::time::Instant;

use super::{
    config::RemoteConfig,
    error::{Lost, failure},
    http::Http,
    stall::Stall,
};
use crate::statement::Failure;

/// The server, as lanes and streams share it.
pub(crate) struct Server {
    http: Http,
    pub(crate) config: RemoteConfig,
    pub(crate) statements: Statements,
    pub(crate) stall: Stall,
}

impl Server {
    pub(crate) fn new(config: RemoteConfig) -> Result<Self> {
        let http = Http::new(&config, "/v3/pipeline")?;
        Ok(Self { http, config, statements: Statements::new(Dialect::Sqlite), stall: Stall::default() })
    }

    /// Sends requests on the stream of this baton, or on a new one, and answers their results, as many, with the stream's next
    /// baton. When a request fails, those after it are executed all the same.
    pub(crate) async fn pipeline(
        &self,
        baton: Option<String>,
        requests: Vec<StreamRequest>,
        deadline: Instant,
    ) -> Result<(Option<String>, Vec<StreamResult>), Lost> {
        let expected = requests.len();
        let body = serde_json::to_vec(&PipelineReqBody { baton, requests }).map_err(|error| {
            let context = "a value cannot be written as JSON";
            Lost::refused(Error::new(ErrorKind::Database, context).with_source(error))
        })?;
        let answer = self.http.post(Bytes::from(body), deadline).await?;
        let answer: PipelineRespBody = serde_json::from_slice(&answer).map_err(not_understood)?;
        if answer.results.len() != expected {
            let context = format!("{} answers to {expected} requests", answer.results.len());
            return Err(Lost::unknown(Error::new(ErrorKind::Database, context)));
        }
        Ok((answer.baton, answer.results))
    }

    /// Sends batches on a stream of their own that is closed at their end.
    pub(crate) async fn batches(
        &self,
        batches: Vec<Vec<BatchStep>>,
        deadline: Instant,
    ) -> Result<Vec<Result<BatchResult, Failure>>, Lost> {
        let mut requests: Vec<_> = batches.into_iter().map(batch).collect();
        requests.push(StreamRequest::Close(CloseStreamReq {}));
        let (_, mut results) = self.pipeline(None, requests, deadline).await?;
        results.pop();
        Ok(results.into_iter().map(batch_result).collect())
    }

    /// What the server is, by a round trip to its database.
    pub(crate) async fn version(&self, deadline: Instant) -> Result<String> {
        let query = Stmt::new("SELECT sqlite_version() FROM (SELECT count(*) FROM sqlite_schema)", true);
        let step = BatchStep { condition: None, stmt: query };
        let mut results = self.batches(vec![vec![step]], deadline).await.map_err(|lost| lost.error)?;
        let mut result = results.pop().ok_or_else(nothing)??;
        if let Some(error) = result.step_errors.pop().flatten() {
            return Err(failure(error).into());
        }
        let found = result.step_results.pop().flatten().ok_or_else(nothing)?;
        match found.rows.first().and_then(|row| row.values.first()) {
            Some(Value::Text { value }) => Ok(format!("libSQL server (SQLite {value})")),
            _ => Err(nothing()),
        }
    }
}

/// The error of what has no answer among the answers.
pub(crate) fn nothing() -> Error {
    Error::new(ErrorKind::Database, "the server answered nothing")
}

fn not_understood(error: serde_json::Error) -> Lost {
    let context = "the server's answer is not of the protocol Hrana 3";
    Lost::unknown(Error::new(ErrorKind::Database, context).with_source(error))
}

pub(crate) fn batch(steps: Vec<BatchStep>) -> StreamRequest {
    StreamRequest::Batch(BatchStreamReq { batch: Batch { steps, replication_index: None } })
}

/// What a batch answered.
pub(crate) fn batch_result(result: StreamResult) -> Result<BatchResult, Failure> {
    match response(result)? {
        StreamResponse::Batch(answer) => Ok(answer.result),
        other => Err(unexpected(&other)),
    }
}

/// What a request answered.
pub(crate) fn response(result: StreamResult) -> Result<StreamResponse, Failure> {
    match result {
        StreamResult::Ok { response } => Ok(response),
        StreamResult::Error { error } => Err(failure(error)),
        StreamResult::None => Err(Failure::Other(nothing())),
    }
}

pub(crate) fn unexpected(response: &StreamResponse) -> Failure {
    Failure::Other(Error::new(ErrorKind::Database, format!("an answer to another request: {response:?}")))
}
