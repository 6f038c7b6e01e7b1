//! The primary's log, as libSQL's replicator reads it: from where the file is to where the primary is.

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, stream};
use larder_core::{Error, ErrorKind};
use libsql_replication::{
    frame::{FrameBorrowed, FrameNo},
    meta::{Error as MetaError, WalIndexMeta},
    replicator::{Error as LogError, ReplicatorClient},
    rpc::replication::{Frame, Frames, HelloRequest, HelloResponse, LogOffset, verify_session_token},
};
use prost::Message;

use super::{
    place::Place,
    primary::{Answer, Primary},
};

/// A reader of the log. It knows how far the file is, on the disk too, so that the next process goes on from there.
///
/// A log has an identity, and its frames have numbers, from 0. A primary that was killed begins a new log, whose first
/// transaction is the whole database: the numbers of one log say nothing about another.
pub(super) struct Log {
    primary: Primary,
    meta: WalIndexMeta,
    /// Nobody else gets the file while something is written to it.
    _place: Arc<Place>,
    session: Option<Bytes>,
    /// The frame that was received last, committed or not.
    received: Option<FrameNo>,
    /// The last frame of the primary's log when it was greeted last; none when it is empty.
    end: Option<FrameNo>,
}

impl Log {
    /// The log that the file follows.
    pub(super) async fn open(primary: Primary, place: Arc<Place>) -> Result<Self, MetaError> {
        let meta = WalIndexMeta::open_prefixed(place.path()).await?;
        let received = meta.current_frame_no();
        Ok(Self { primary, meta, _place: place, session: None, received, end: None })
    }

    /// The last frame that the file holds.
    pub(super) fn committed(&self) -> Option<FrameNo> {
        self.meta.current_frame_no()
    }

    /// The last frame that the primary held when it was greeted last.
    pub(super) fn end(&self) -> Option<FrameNo> {
        self.end
    }

    /// The last frame that was received.
    pub(super) fn received(&self) -> Option<FrameNo> {
        self.received
    }

    fn greeted(&mut self, hello: HelloResponse) -> Result<(), LogError> {
        verify_session_token(&hello.session_token).map_err(LogError::Fatal)?;
        self.session = Some(hello.session_token.clone());
        self.end = hello.current_replication_index;
        match self.meta.init_from_hello(hello.clone()) {
            Ok(()) if self.committed() > self.end => Err(fell_back()),
            Ok(()) => Ok(()),
            // The old log's place stays on the disk until the first transaction of the new one is in the file.
            Err(MetaError::LogIncompatible) => {
                tracing::info!("the primary has a new log: the replica begins anew");
                self.meta.reset();
                self.received = None;
                Ok(self.meta.init_from_hello(hello)?)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn next_offset(&self) -> LogOffset {
        LogOffset { next_offset: self.received.map_or(0, |last| last + 1), wal_flavor: None }
    }
}

#[async_trait::async_trait]
impl ReplicatorClient for Log {
    type FrameStream = Pin<Box<dyn Stream<Item = Result<Frame, LogError>> + Send>>;

    async fn handshake(&mut self) -> Result<(), LogError> {
        let hello = self.primary.ask("Hello", &HelloRequest::new(), None).await?;
        self.greeted(hello)
    }

    async fn next_frames(&mut self) -> Result<Self::FrameStream, LogError> {
        let from = self.next_offset();
        let Frames { frames } = self.primary.ask("BatchLogEntries", &from, self.session.as_ref()).await?;
        if let [first, ..] = &frames[..] {
            let last = frames.last().map_or(Ok(0), number)?;
            // A gap would leave the file with pages of different times.
            if number(first)? != from.next_offset || last + 1 - from.next_offset != frames.len() as u64 {
                return Err(no_frame());
            }
            self.received = Some(last);
        }
        Ok(Box::pin(stream::iter(frames.into_iter().map(Ok))))
    }

    async fn snapshot(&mut self) -> Result<Self::FrameStream, LogError> {
        let from = self.next_offset();
        let mut answer = self.primary.call("Snapshot", &from, self.session.as_ref()).await?;
        // The newest frame comes first.
        let first = next_frame(&mut answer).await?;
        if let Some(first) = &first {
            self.received = Some(number(first)?);
        }
        let rest = stream::try_unfold(answer, async |mut answer| {
            Ok(next_frame(&mut answer).await?.map(|frame| (frame, answer)))
        });
        Ok(Box::pin(stream::StreamExt::chain(stream::iter(first.map(Ok)), rest)))
    }

    async fn commit_frame_no(&mut self, frame: FrameNo) -> Result<(), LogError> {
        Ok(self.meta.set_commit_frame_no(frame).await?)
    }

    fn committed_frame_no(&self) -> Option<FrameNo> {
        self.committed()
    }

    fn rollback(&mut self) {
        self.received = self.committed();
    }
}

async fn next_frame(answer: &mut Answer) -> Result<Option<Frame>, LogError> {
    match answer.next().await? {
        Some(message) => Frame::decode(message).map(Some).map_err(|_| no_frame()),
        None => Ok(None),
    }
}

/// The number of a frame, which is a whole one: what fills the file is looked at first.
fn number(frame: &Frame) -> Result<FrameNo, LogError> {
    libsql_replication::frame::Frame::try_from(&frame.data[..])
        .map(|frame| FrameBorrowed::header(&frame).frame_no.get())
        .map_err(|_| no_frame())
}

fn no_frame() -> LogError {
    LogError::Fatal(Box::new(Error::new(ErrorKind::Database, "the primary's log holds what is no frame")))
}

fn fell_back() -> LogError {
    LogError::Fatal(Box::new(Error::new(
        ErrorKind::Database,
        "the primary's log ends before what this replica holds: was an older state of it restored? Delete the replica",
    )))
}
