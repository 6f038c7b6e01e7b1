//! Reaching a host: TCP, and TLS over it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::Uri;
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use larder_core::{Error, ErrorKind, Result};
use larder_tls::{Check, client_config};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream, rustls::pki_types::ServerName};

use super::config::{Endpoint, RemoteConfig};

/// Connects to one endpoint, whatever URI it is asked for.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Target>);

struct Target {
    endpoint: Endpoint,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    timeout: Duration,
}

impl Connector {
    /// # Errors
    /// `Config` when the authorities' certificates cannot be used, or the host's name cannot be certified.
    pub(crate) fn new(config: &RemoteConfig) -> Result<Self> {
        let endpoint = config.endpoint.clone();
        let tls = match endpoint.tls {
            true => Some(tls(config)?),
            false => None,
        };
        Ok(Self(Arc::new(Target { endpoint, tls, timeout: config.connect_timeout })))
    }

    /// A new connection.
    ///
    /// # Errors
    /// When there is none after the time that the configuration gives, or before; nothing was sent then.
    pub(crate) async fn connect(&self) -> io::Result<Stream> {
        let connected = timeout(self.0.timeout, self.0.connect()).await;
        connected.unwrap_or_else(|_| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "no connection was made in time"))
        })
    }
}

fn tls(config: &RemoteConfig) -> Result<(TlsConnector, ServerName<'static>)> {
    let unusable = |what: String| Error::new(ErrorKind::Config, what);
    let client = client_config(Check::AuthorityAndHost, config.root_cert.as_deref())
        .map_err(|error| unusable(error.what.clone()).with_source(error))?;
    let host = config.endpoint.host.trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host)
        .map_err(|error| unusable("the host has no name that TLS can check".to_owned()).with_source(error))?;
    Ok((TlsConnector::from(Arc::new(client)), name))
}

impl Target {
    async fn connect(&self) -> io::Result<Stream> {
        let tcp = self.reach().await?;
        tcp.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Stream::Plain(tcp)),
            Some((connector, name)) => {
                let encrypted = connector.connect(name.clone(), tcp).await?;
                Ok(Stream::Encrypted(Box::new(encrypted)))
            }
        }
    }

    async fn reach(&self) -> io::Result<TcpStream> {
        let Endpoint { host, port, .. } = &self.endpoint;
        if host.ends_with(".localhost") {
            return TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, *port))).await;
        }
        TcpStream::connect((host.trim_matches(['[', ']']), *port)).await
    }
}

/// As the HTTP client asks for connections.
impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Stream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect().await.map(TokioIo::new) })
    }
}

/// A connection to the host.
pub(crate) enum Stream {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Encrypted(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Encrypted(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Encrypted(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Encrypted(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
