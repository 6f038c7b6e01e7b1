//! Logging in: a byte stream to the server, encrypted and authenticated.
//!
//! How encryption is agreed on and who somebody is are the business of tokio-postgres, which borrows the stream for it.
//! Afterwards the stream is the session's own: no task stands between a call and its socket.

use std::{
    io,
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use larder_tls::MakeRustlsConnect;
use postgres_protocol::message::backend::READY_FOR_QUERY_TAG;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};
use tokio_postgres::{
    NoTls,
    config::SslMode as Encryption,
    tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream},
};
use tokio_util::either::Either;

use crate::PostgresConfig;

/// The stream to a server, before anything is agreed on.
type Plain = Either<TcpStream, UnixStream>;

/// The same, encrypted.
type Encrypted = <MakeRustlsConnect as MakeTlsConnect<Plain>>::Stream;

/// The stream to a server.
pub(crate) type Stream = Either<Plain, Box<Encrypted>>;

/// Why there is no stream.
#[derive(Debug)]
pub(crate) enum LoginError {
    /// The server cannot be reached.
    Network(io::Error),
    /// It, or the way to it, is not as configured.
    Refused(tokio_postgres::Error),
}

/// Connects and logs in.
///
/// # Errors
/// [`LoginError`].
pub(crate) async fn log_in(
    config: &PostgresConfig,
    driver: &tokio_postgres::Config,
    tls: Option<&MakeRustlsConnect>,
) -> Result<Stream, LoginError> {
    let stream = connect(&config.host, config.port).await.map_err(LoginError::Network)?;
    let asks_for_tls = driver.get_ssl_mode() != Encryption::Disable;
    let plain = Owner::of(stream);
    let encrypted = Owner::default();
    let lent = Lent::new(&plain, usize::from(asks_for_tls));
    match tls {
        Some(tls) => {
            let Ok(connector) = MakeTlsConnect::<Plain>::make_tls_connect(&mut tls.clone(), &config.host);
            let lending = Lending { connector, encrypted: encrypted.clone() };
            driver.connect_raw(lent, lending).await.map(drop)
        }
        None => driver.connect_raw(lent, NoTls).await.map(drop),
    }
    .map_err(LoginError::Refused)?;
    let encrypted = encrypted.lock().take().map(|stream| Either::Right(Box::new(stream)));
    let stream = encrypted.or_else(|| plain.lock().take().map(Either::Left));
    stream.ok_or_else(|| LoginError::Network(ended()))
}

async fn connect(host: &str, port: u16) -> io::Result<Plain> {
    // As libpq has it: a path is the directory of the server's sockets.
    if host.starts_with('/') {
        let socket = Path::new(host).join(format!(".s.PGSQL.{port}"));
        return Ok(Either::Right(UnixStream::connect(socket).await?));
    }
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(Either::Left(stream))
}

fn ended() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

/// Who a lent stream goes back to.
struct Owner<S>(Arc<Mutex<Option<S>>>);

impl<S> Owner<S> {
    fn of(stream: S) -> Self {
        Self(Arc::new(Mutex::new(Some(stream))))
    }

    fn lock(&self) -> MutexGuard<'_, Option<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Default for Owner<S> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<S> Clone for Owner<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A stream that is lent until the server is ready for queries. It hands out one message at a time, so that nothing is read
/// by the borrower that is meant for who has the stream after it.
struct Lent<S> {
    owner: Owner<S>,
    frame: Frame,
}

impl<S> Lent<S> {
    /// The first bytes are an answer without a frame.
    fn new(owner: &Owner<S>, unframed: usize) -> Self {
        Self { owner: owner.clone(), frame: Frame { rest: unframed, ..Frame::default() } }
    }
}

/// Where in the server's messages a reader is. Each has a tag and its length, which counts itself.
#[derive(Debug, Default)]
struct Frame {
    header: Vec<u8>,
    /// Bytes still to come of the message, or of what has no frame.
    rest: usize,
}

/// A message's tag and length.
const HEADER: usize = 5;

impl Frame {
    /// How many bytes may be read without reading into what belongs to the next reader.
    fn may_read(&self) -> usize {
        match self.rest {
            0 if self.is_ready_for_query() => 0,
            0 => HEADER - self.header.len() % HEADER,
            rest => rest,
        }
    }

    fn is_ready_for_query(&self) -> bool {
        self.header.len() == HEADER && self.header[0] == READY_FOR_QUERY_TAG
    }

    /// Notes what was read, no more than [`Frame::may_read`].
    fn read(&mut self, bytes: &[u8]) {
        if self.rest > 0 {
            self.rest -= bytes.len();
            return;
        }
        if self.header.len() == HEADER {
            self.header.clear();
        }
        self.header.extend_from_slice(bytes);
        if let [_, length @ ..] = self.header.as_slice()
            && let Ok(length) = length.try_into().map(u32::from_be_bytes)
        {
            self.rest = (length as usize).saturating_sub(size_of::<u32>());
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lent<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { owner, frame } = &mut *self;
        let may_read = frame.may_read().min(buffer.remaining());
        if may_read == 0 {
            return Poll::Ready(Ok(()));
        }
        let mut lent = owner.lock();
        let stream = lent.as_mut().ok_or_else(ended)?;
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(may_read));
        ready!(Pin::new(stream).poll_read(context, &mut part))?;
        let read = part.filled();
        frame.read(read);
        let length = read.len();
        buffer.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lent<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.owner.lock().as_mut().ok_or_else(ended)?).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.owner.lock().as_mut().ok_or_else(ended)?).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.owner.lock().as_mut().ok_or_else(ended)?).poll_shutdown(context)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Lent<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.owner.lock().as_ref().map_or_else(ChannelBinding::none, TlsStream::channel_binding)
    }
}

/// Encrypts the stream that was lent, and lends the encrypted one.
struct Lending<T: TlsConnect<Plain>> {
    connector: T,
    encrypted: Owner<T::Stream>,
}

impl<T> TlsConnect<Lent<Plain>> for Lending<T>
where
    T: TlsConnect<Plain, Error = io::Error, Future: Send> + Send + 'static,
    T::Stream: Send,
{
    type Stream = Lent<T::Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Stream>> + Send>>;

    fn connect(self, lent: Lent<Plain>) -> Self::Future {
        Box::pin(async move {
            let plain = lent.owner.lock().take().ok_or_else(ended)?;
            let encrypted = self.connector.connect(plain).await?;
            *self.encrypted.lock() = Some(encrypted);
            Ok(Lent::new(&self.encrypted, 0))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of these bytes when the reader asks for as much as it may, up to `most` at a time.
    fn read(mut frame: Frame, bytes: &[u8], most: usize) -> usize {
        let mut read = 0;
        while frame.may_read() > 0 && read < bytes.len() {
            let next = frame.may_read().min(most).min(bytes.len() - read);
            frame.read(&bytes[read..read + next]);
            read += next;
        }
        read
    }

    #[test]
    fn reading_ends_behind_the_message_that_is_ready_for_query() {
        let login = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x08a\0b\0N\0\0\0\x04Z\0\0\0\x05I";
        let all = [login.as_slice(), b"N\0\0\0\x04"].concat();
        for most in 1..all.len() {
            assert_eq!(read(Frame::default(), &all, most), login.len(), "{most} at a time");
        }
    }

    #[test]
    fn the_answer_to_the_question_for_tls_has_no_frame() {
        let all = b"NZ\0\0\0\x05IN";
        let frame = Frame { rest: 1, ..Frame::default() };
        assert_eq!(read(frame, all, 100), all.len() - 1);
    }
}
