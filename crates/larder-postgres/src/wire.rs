//! The connection as messages: what is to be sent is collected, and sent at once; what comes is taken message by message.

use std::{
    fmt,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf as _, BytesMut};
use postgres_protocol::message::{
    backend::{ERROR_RESPONSE_TAG, Header},
    frontend,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

use crate::login::Stream;

/// What the buffers begin with, and shrink to when a large message has passed.
const BUFFER: usize = 16 * 1024;

/// How much room there is for what is read, at least.
const LEAST_READ: usize = BUFFER / 4;

/// A buffer that has grown larger is given back.
const LARGEST_KEPT: usize = 256 * 1024;

/// A message from the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    /// What it is.
    pub(crate) tag: u8,
    /// What it says.
    pub(crate) body: &'a [u8],
    /// Both, and the length between them.
    pub(crate) whole: &'a [u8],
}

/// A connection.
pub(crate) struct Wire<S = Stream> {
    stream: S,
    /// What is to be sent next.
    pub(crate) out: BytesMut,
    input: BytesMut,
    /// Is something on its way that was not flushed?
    unflushed: bool,
    /// Was something of it sent already?
    sending: bool,
    has_ended: bool,
}

impl<S> fmt::Debug for Wire<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("has_ended", &self.has_ended).finish_non_exhaustive()
    }
}

/// The connection failed.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) cause: io::Error,
    /// Was nothing sent of what was to be sent?
    pub(crate) nothing_sent: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            out: BytesMut::with_capacity(BUFFER),
            input: BytesMut::with_capacity(BUFFER),
            unflushed: false,
            sending: false,
            has_ended: false,
        }
    }

    /// Sends what is to be sent, and hands over every message that comes until `take` says that it was the last. It reads
    /// while it writes, so that neither side waits for the other with its buffers full.
    ///
    /// # Errors
    /// [`Broken`], also when `take` cannot make sense of a message. Nothing more can be done on the connection then, nor when
    /// the call is dropped before it is ready.
    pub(crate) async fn exchange(
        &mut self,
        mut take: impl FnMut(Message<'_>) -> io::Result<bool>,
    ) -> Result<(), Broken> {
        self.sending = false;
        let done = poll_fn(|context| self.poll_exchange(context, &mut take)).await;
        self.has_ended |= done.is_err();
        shrink(&mut self.input);
        shrink(&mut self.out);
        done.map_err(|cause| Broken { cause, nothing_sent: !self.sending })
    }

    /// Sends as much of what is to be sent as the connection takes without waiting. What fails, fails again in
    /// [`Wire::exchange`].
    pub(crate) async fn send_ahead(&mut self) {
        poll_fn(|context| {
            let _ = self.poll_write(context);
            Poll::Ready(())
        })
        .await;
    }

    /// Has the connection ended while nothing was asked of it? It looks at what is there and does not wait.
    pub(crate) fn has_ended(&mut self) -> bool {
        let mut ended_by_server = false;
        let context = &mut Context::from_waker(Waker::noop());
        let read = self.poll_messages(context, &mut |message| {
            // Everything else that comes unasked is news. An error is the reason why the server hangs up.
            ended_by_server |= message.tag == ERROR_RESPONSE_TAG;
            Ok(false)
        });
        self.has_ended |= ended_by_server || read.is_ready();
        self.has_ended
    }

    /// Says goodbye, and waits until the server has hung up.
    pub(crate) async fn close(mut self) {
        frontend::terminate(&mut self.out);
        // It ends with the end of the connection, which is no error here.
        let _ = self.exchange(|_| Ok(false)).await;
    }

    fn poll_exchange(
        &mut self,
        context: &mut Context<'_>,
        take: &mut impl FnMut(Message<'_>) -> io::Result<bool>,
    ) -> Poll<io::Result<()>> {
        let written = self.poll_write(context)?;
        // What is not written yet wakes this task too.
        match self.poll_messages(context, take) {
            Poll::Ready(Ok(())) if written.is_pending() && !self.out.is_empty() => {
                Poll::Ready(Err(breach("it was not told everything")))
            }
            polled => polled,
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &self.out))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sending = true;
            self.unflushed = true;
            self.out.advance(written);
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_messages(
        &mut self,
        context: &mut Context<'_>,
        take: &mut impl FnMut(Message<'_>) -> io::Result<bool>,
    ) -> Poll<io::Result<()>> {
        loop {
            while let Some(length) = message_length(&self.input)? {
                let Some(whole) = self.input.get(..length) else {
                    self.input.reserve(length - self.input.len());
                    break;
                };
                let is_last = take(Message { tag: whole[0], body: &whole[5..], whole });
                self.input.advance(length);
                if is_last? {
                    return Poll::Ready(Ok(()));
                }
            }
            self.input.reserve(LEAST_READ);
            let read = ready!(pin!(self.stream.read_buf(&mut self.input)).poll(context))?;
            if read == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}

/// A message that does not belong where it came.
pub(crate) fn breach(what: impl fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server answers what it was not asked: {what}"))
}

/// How long the message is that the input begins with, if that much of it is there.
fn message_length(input: &[u8]) -> io::Result<Option<usize>> {
    let Some(header) = Header::parse(input)? else { return Ok(None) };
    usize::try_from(header.len()).map(|length| Some(1 + length)).map_err(io::Error::other)
}

fn shrink(buffer: &mut BytesMut) {
    if buffer.is_empty() && buffer.capacity() > LARGEST_KEPT {
        *buffer = BytesMut::with_capacity(BUFFER);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncWriteExt as _, DuplexStream, duplex},
        time::timeout,
    };

    use super::*;

    /// A wire over a stream that holds so many bytes in each direction, and the server's end.
    fn wire(holds: usize) -> (Wire<DuplexStream>, DuplexStream) {
        let (own, servers) = duplex(holds);
        (Wire::new(own), servers)
    }

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("a short message");
        [&[tag], length.to_be_bytes().as_slice(), body].concat()
    }

    /// Takes messages until one with the tag `Z`.
    fn collect(taken: &mut Vec<(u8, Vec<u8>)>) -> impl FnMut(Message<'_>) -> io::Result<bool> + '_ {
        |message| {
            taken.push((message.tag, message.body.to_vec()));
            Ok(message.tag == b'Z')
        }
    }

    async fn in_time<T>(future: impl Future<Output = T>) -> T {
        timeout(Duration::from_secs(10), future).await.expect("neither side waits for the other")
    }

    #[tokio::test]
    async fn messages_are_whole_however_they_arrive() {
        let sent = [(b'D', vec![7; 100]), (b'C', Vec::new()), (b'Z', vec![b'I'])];
        let bytes: Vec<u8> = sent.iter().flat_map(|(tag, body)| message(*tag, body)).collect();
        for piece in [1, 4, 5, 6, 105, 106, 1000] {
            let (mut wire, mut server) = wire(piece);
            let mut taken = Vec::new();
            let serve = async { server.write_all(&bytes).await.expect("the wire reads") };
            let (exchanged, ()) =
                in_time(async { tokio::join!(wire.exchange(collect(&mut taken)), serve) }).await;
            exchanged.expect("an exchange");
            assert_eq!(taken, sent, "in pieces of {piece}");
        }
    }

    #[tokio::test]
    async fn it_reads_while_it_writes() {
        let (mut wire, mut server) = wire(64);
        wire.out.extend_from_slice(&vec![1; 300_000]);
        let rows = message(b'D', &vec![2; 200_000]);
        let serve = async {
            // A server that says all it has to say before it listens.
            server.write_all(&rows).await.expect("the wire reads");
            server.read_exact(&mut vec![0; 300_000]).await.expect("the wire writes");
            server.write_all(&message(b'Z', b"I")).await.expect("the wire reads");
        };
        let mut taken = Vec::new();
        let (exchanged, ()) =
            in_time(async { tokio::join!(wire.exchange(collect(&mut taken)), serve) }).await;
        exchanged.expect("an exchange");
        assert_eq!(taken.len(), 2);
        assert!(wire.input.capacity() <= LARGEST_KEPT && wire.out.capacity() <= LARGEST_KEPT);
    }

    #[tokio::test]
    async fn a_cut_connection_says_whether_anything_was_sent() {
        let (mut unsent, server) = wire(64);
        drop(server);
        unsent.out.extend_from_slice(b"something");
        let broken = in_time(unsent.exchange(|_| Ok(false))).await.expect_err("nobody is there");
        assert!(broken.nothing_sent && unsent.has_ended());

        let (mut sent, mut server) = wire(64);
        sent.out.extend_from_slice(b"something");
        let cut = async move {
            server.read_exact(&mut [0; 4]).await.expect("the wire writes");
            server.write_all(&message(b'Z', b"I")[..3]).await.expect("the wire reads");
        };
        let (exchanged, ()) = in_time(async { tokio::join!(sent.exchange(|_| Ok(false)), cut) }).await;
        let broken = exchanged.expect_err("the answer is cut off");
        assert_eq!((broken.cause.kind(), broken.nothing_sent), (io::ErrorKind::UnexpectedEof, false));
    }

    #[tokio::test]
    async fn an_idle_connection_is_known_to_have_ended() {
        let (mut idle, mut server) = wire(64);
        assert!(!idle.has_ended());
        server.write_all(&message(b'N', b"news\0")).await.expect("room");
        assert!(!idle.has_ended(), "news are no end");
        server.write_all(&message(b'E', b"SFATAL\0\0")).await.expect("room");
        assert!(idle.has_ended(), "the server says why it hangs up");

        let (mut cut, server) = wire(64);
        drop(server);
        assert!(cut.has_ended());
    }

    #[tokio::test]
    async fn a_message_of_an_impossible_length_breaks_the_connection() {
        let (mut wire, mut server) = wire(64);
        server.write_all(&[b'D', 0, 0, 0, 3]).await.expect("room");
        let broken = in_time(wire.exchange(|_| Ok(false))).await.expect_err("no such message");
        assert_eq!(broken.cause.kind(), io::ErrorKind::InvalidData);
    }
}
