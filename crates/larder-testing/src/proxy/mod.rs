//! A TCP connection that can be made to fail.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use crate::TestingError;

/// Forwards a port on 127.0.0.1 to a server, and fails on demand: for tests of what a driver does then.
///
/// It runs on the runtime that started it. Dropping it cuts every connection.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    line: Arc<Line>,
    /// `None` while new connections are refused.
    acceptor: Mutex<Option<JoinHandle<()>>>,
}

/// What every connection watches.
#[derive(Debug)]
struct Line {
    target: String,
    cuts: watch::Sender<()>,
    frozen: watch::Sender<bool>,
    /// How many pieces are still forwarded before the next one is lost.
    until_cut: std::sync::Mutex<Option<usize>>,
}

impl Line {
    /// Is the piece that has just been read the one that is lost? Then everything is cut.
    fn loses_this(&self) -> bool {
        let mut until_cut = self.until_cut.lock().unwrap_or_else(PoisonError::into_inner);
        match until_cut.as_mut() {
            None => return false,
            Some(0) => *until_cut = None,
            Some(left) => {
                *left -= 1;
                return false;
            }
        }
        self.cuts.send_replace(());
        true
    }
}

impl Proxy {
    /// Listens on a free port and forwards to `target`, written `host:port`.
    ///
    /// # Errors
    /// When no port can be opened. Whether `target` can be reached shows when somebody connects.
    pub async fn start(target: impl Into<String>) -> Result<Self, TestingError> {
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address =
            listener.local_addr().map_err(TestingError::caused("cannot read the proxy's own address"))?;
        let line = Arc::new(Line {
            target: target.into(),
            cuts: watch::Sender::new(()),
            frozen: watch::Sender::new(false),
            until_cut: std::sync::Mutex::new(None),
        });
        let acceptor = tokio::spawn(accept(listener, Arc::clone(&line)));
        Ok(Self { address, line, acceptor: Mutex::new(Some(acceptor)) })
    }

    /// Where to connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resets every open connection; what was on the way is lost. New ones are still accepted.
    pub fn cut(&self) {
        self.line.cuts.send_replace(());
    }

    /// Forwards this many more pieces, in either direction and on whatever connection, then loses the next one and
    /// [cuts](Self::cut). A piece is what arrives at once: a request or an answer, or a part of a long one.
    ///
    /// So a test meets every point of a conversation: with 0 the next request is lost, with 1 its answer, and so on.
    pub fn cut_after(&self, pieces: usize) {
        self.set_until_cut(Some(pieces));
    }

    /// Takes back [`cut_after`](Self::cut_after); false when the cut has happened.
    pub fn spare(&self) -> bool {
        self.set_until_cut(None).is_some()
    }

    fn set_until_cut(&self, pieces: Option<usize>) -> Option<usize> {
        let mut until_cut = self.line.until_cut.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut until_cut, pieces)
    }

    /// While `true`, new connections are refused, as if nothing listened. Open ones go on.
    ///
    /// # Errors
    /// With `false`, when another process has taken the port meanwhile.
    pub async fn refuse(&self, refuse: bool) -> Result<(), TestingError> {
        let mut acceptor = self.acceptor.lock().await;
        match (refuse, acceptor.take()) {
            (true, Some(task)) => {
                task.abort();
                // The listener is closed when the task is gone, not before.
                let _ = task.await;
            }
            (false, None) => {
                let listener = listen(self.address).await?;
                *acceptor = Some(tokio::spawn(accept(listener, Arc::clone(&self.line))));
            }
            (_, unchanged) => *acceptor = unchanged,
        }
        Ok(())
    }

    /// While `true`, connections stay open and are accepted, but nothing is forwarded: a network that swallows.
    /// What was sent meanwhile arrives afterwards.
    pub fn freeze(&self, freeze: bool) {
        self.line.frozen.send_replace(freeze);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(task) = self.acceptor.get_mut().take() {
            task.abort();
        }
        self.cut();
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, TestingError> {
    TcpListener::bind(address).await.map_err(TestingError::caused(format!("cannot listen on {address}")))
}

async fn accept(listener: TcpListener, line: Arc<Line>) {
    // An error of accept concerns the one connection that failed; the listener goes on.
    loop {
        if let Ok((client, _)) = listener.accept().await {
            // Subscribed here, not in the task: a cut that comes before the task runs must reach it.
            let cuts = line.cuts.subscribe();
            let frozen = line.frozen.subscribe();
            tokio::spawn(forward(client, Arc::clone(&line), cuts, frozen));
        }
    }
}

async fn forward(
    mut client: TcpStream,
    line: Arc<Line>,
    mut cuts: watch::Receiver<()>,
    frozen: watch::Receiver<bool>,
) {
    let connected = tokio::select! {
        connected = TcpStream::connect(&line.target) => connected,
        _ = cuts.changed() => return reset(&client),
    };
    let Ok(mut server) = connected else { return reset(&client) };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ended = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let both = async {
            tokio::try_join!(
                pump(from_client, to_server, &line, frozen.clone()),
                pump(from_server, to_client, &line, frozen.clone()),
            )
        };
        tokio::select! {
            ended = both => ended.is_ok(),
            _ = cuts.changed() => false,
        }
    };
    if !ended {
        reset(&client);
        reset(&server);
    }
}

/// One direction, until its sender closes it.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    line: &Line,
    mut frozen: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        // Checked after the read: what arrives while frozen waits here, the end of the stream included.
        if frozen.wait_for(|frozen| !frozen).await.is_err() {
            return Err(std::io::ErrorKind::ConnectionReset.into());
        }
        if length == 0 {
            return to.shutdown().await;
        }
        if line.loses_this() {
            return Err(std::io::ErrorKind::ConnectionReset.into());
        }
        to.write_all(&buffer[..length]).await?;
    }
}

/// Makes the close that follows a reset, not an orderly end.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}
