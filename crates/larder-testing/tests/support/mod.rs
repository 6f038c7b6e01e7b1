//! SQL over HTTP, as simple as it can be: a connection for each statement.

use http_body_util::BodyExt;
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

pub(crate) type Answer = Result<(u16, String), Box<dyn std::error::Error + Send + Sync>>;

/// Runs a statement in the database that `url` names, and answers the status and the server's text.
pub(crate) async fn ask(url: &str, token: Option<&str>, sql: &str) -> Answer {
    let url = url::Url::parse(url)?;
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let stream = TcpStream::connect(("127.0.0.1", url.port().unwrap())).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut request = Request::post("/v3/pipeline").header("host", host);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let body =
        format!(r#"{{"requests":[{{"type":"execute","stmt":{{"sql":"{sql}"}}}},{{"type":"close"}}]}}"#);
    let answer = sender.send_request(request.body(body)?).await?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8(body.to_vec())?))
}

/// The one value that a query answers, or the server's text.
pub(crate) async fn run_at(url: &str, sql: &str) -> String {
    let (status, text) = ask(url, None, sql).await.unwrap();
    assert!(status == 200 && !text.contains(r#""type":"error""#), "{sql}: {status} {text}");
    let value = text.split_once(r#""value":""#).and_then(|(_, rest)| rest.split_once('"'));
    value.map_or(text.clone(), |(value, _)| value.to_owned())
}
