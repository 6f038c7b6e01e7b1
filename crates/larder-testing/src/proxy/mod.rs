//! A TCP connection that can be made to fail.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use crate::TestingError;

mod http;

use http::{Found, Requests};

/// Forwards a port on 127.0.0.1 to a server, and fails on demand: for tests of what a driver does then.
///
/// It forwards whatever is sent. What [counts](Self::requests) requests or [drops an answer](Self::drop_answer_after)
/// concerns HTTP/1.1 alone. It runs on the runtime that started it. Dropping it cuts every connection.
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
    delay: watch::Sender<Duration>,
    /// Pieces that are still forwarded before the next one is lost.
    until_cut: Countdown,
    /// Requests that are still answered before the next one's answer is dropped.
    until_dropped: Countdown,
    requests: AtomicU64,
}

impl Line {
    fn new(target: String) -> Self {
        Self {
            target,
            cuts: watch::Sender::new(()),
            frozen: watch::Sender::new(false),
            delay: watch::Sender::new(Duration::ZERO),
            until_cut: Countdown::default(),
            until_dropped: Countdown::default(),
            requests: AtomicU64::new(0),
        }
    }

    /// Is the piece that has just been read the one that is lost? Then everything is cut.
    fn loses_this(&self) -> bool {
        let lost = self.until_cut.is_now();
        if lost {
            self.cuts.send_replace(());
        }
        lost
    }
}

/// Of the things that happen, which one is the one; none, until it is set.
#[derive(Debug, Default)]
struct Countdown(std::sync::Mutex<Option<usize>>);

impl Countdown {
    /// Answers what was left, if it was set.
    fn set(&self, left: Option<usize>) -> Option<usize> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), left)
    }

    /// One has happened: was it the one? Then no other will be.
    fn is_now(&self) -> bool {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = *left == Some(0);
        *left = left.and_then(|left| left.checked_sub(1));
        now
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
        let line = Arc::new(Line::new(target.into()));
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
        self.line.until_cut.set(Some(pieces));
    }

    /// Takes back [`cut_after`](Self::cut_after); false when the cut has happened.
    pub fn spare(&self) -> bool {
        self.line.until_cut.set(None).is_some()
    }

    /// How many requests of HTTP/1.1 have come from clients since the start, on all connections: those whose head is
    /// whole, whether they were forwarded or not.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.line.requests.load(Ordering::SeqCst)
    }

    /// Lets this many more requests be answered, on whatever connection, then drops the answer to the next: that request
    /// is forwarded whole, and when the server begins to answer, its connection is reset, without a byte of the answer.
    /// Other connections go on. With 0 it is the next request's.
    ///
    /// For clients that await an answer before they send the next request on the same connection.
    pub fn drop_answer_after(&self, requests: usize) {
        self.line.until_dropped.set(Some(requests));
    }

    /// Holds each piece back for this long before it is forwarded, in either direction: a slow network. A piece is what
    /// arrives at once, and the next one waits behind it. Zero, as at the start, ends that for what arrives later.
    pub fn delay(&self, delay: Duration) {
        self.line.delay.send_replace(delay);
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
        let mut conversation = Conversation::default();
        let (asking, answering) = conversation.sides(&line);
        let both = async {
            tokio::try_join!(
                pump(from_client, to_server, &line, frozen.clone(), asking),
                pump(from_server, to_client, &line, frozen.clone(), answering),
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

/// The requests and answers of one connection.
#[derive(Default)]
struct Conversation {
    requests: Requests,
    /// The request whose answer is dropped has begun.
    is_marked: bool,
    /// It is whole: what the server says from now on is its answer.
    drops: AtomicBool,
}

impl Conversation {
    /// What looks at the pieces from the client, and at those from the server: does the piece go on?
    fn sides<'a>(
        &'a mut self,
        line: &'a Line,
    ) -> (impl FnMut(&[u8]) -> bool + 'a, impl FnMut(&[u8]) -> bool + 'a) {
        let Self { requests, is_marked, drops } = self;
        let drops = &*drops;
        let asking = |piece: &[u8]| {
            for found in requests.read(piece) {
                match found {
                    Found::Begun => {
                        line.requests.fetch_add(1, Ordering::SeqCst);
                        *is_marked |= line.until_dropped.is_now();
                    }
                    // Before the piece is forwarded: the answer cannot be here yet.
                    Found::Ended => drops.store(*is_marked, Ordering::SeqCst),
                }
            }
            true
        };
        (asking, |_: &[u8]| !drops.load(Ordering::SeqCst))
    }
}

/// One direction, until its sender closes it, or a piece does not go on.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    line: &Line,
    mut frozen: watch::Receiver<bool>,
    mut goes_on: impl FnMut(&[u8]) -> bool,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        let piece = buffer.get(..length).unwrap_or_default();
        let goes_on = goes_on(piece);
        let delay = *line.delay.borrow();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        // Checked after the read: what arrives while frozen waits here, the end of the stream included.
        if frozen.wait_for(|frozen| !frozen).await.is_err() {
            return Err(std::io::ErrorKind::ConnectionReset.into());
        }
        if length == 0 {
            return to.shutdown().await;
        }
        if line.loses_this() || !goes_on {
            return Err(std::io::ErrorKind::ConnectionReset.into());
        }
        to.write_all(piece).await?;
    }
}

/// Makes the close that follows a reset, not an orderly end.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}
