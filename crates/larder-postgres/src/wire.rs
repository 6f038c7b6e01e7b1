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
use tokio::io::{AsyncReadExt as _, AsyncWrite as _};

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
pub(crate) struct Wire {
    stream: Stream,
    /// What is to be sent next.
    pub(crate) out: BytesMut,
    input: BytesMut,
    /// Is something on its way that was not flushed?
    unflushed: bool,
    /// Was something of it sent already?
    sending: bool,
    has_ended: bool,
}

impl fmt::Debug for Wire {
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

impl Wire {
    pub(crate) fn new(stream: Stream) -> Self {
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
