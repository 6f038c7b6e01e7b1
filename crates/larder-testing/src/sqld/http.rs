//! One HTTP request to a server of ours.

use std::error::Error;
use std::net::SocketAddr;

use http_body_util::BodyExt;
use hyper::client::conn::http1::handshake;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::supervisor::PATIENCE;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Where a request goes, and the key that sqld wants to see there.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) address: SocketAddr,
    pub(super) key: String,
}

impl Api {
    /// Sends a request, with an empty JSON object for a body, on a connection of its own.
    ///
    /// An answer that is no success is an error, with the server's text.
    pub(super) async fn call(&self, method: Method, path: &str) -> Result<()> {
        let (status, text) = timeout(PATIENCE, self.exchange(method, path)).await??;
        if status.is_success() { Ok(()) } else { Err(format!("sqld answered {status}: {text}").into()) }
    }

    async fn exchange(&self, method: Method, path: &str) -> Result<(StatusCode, String)> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(AUTHORIZATION, format!("basic {}", self.key))
            .header(CONTENT_TYPE, "application/json")
            .body("{}".to_owned())?;
        let exchange = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            Ok((status, String::from_utf8_lossy(&body).into_owned()))
        };
        tokio::pin!(connection);
        tokio::select! {
            done = exchange => done,
            // It ends before the exchange only when it fails, or when the server closes it: then the exchange knows.
            Err(error) = &mut connection => Err(error.into()),
        }
    }
}
