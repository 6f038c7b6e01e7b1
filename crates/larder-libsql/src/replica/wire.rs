//! gRPC-Web's framing: what a request holds, and what an answer is made of.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use larder_core::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;
use prost::Message;

/// Before each part: a byte that says what it is, four that say how long it is.
const PREFIX: usize = 5;
const MESSAGE: u8 = 0;
const TRAILERS: u8 = 0x80;

/// The largest part that is taken: a batch of a log is at most 1,024 pages of 4 KiB.
const MAX_PART: usize = 64 << 20;

/// The body of a request.
pub(super) fn body(message: &impl Message) -> Bytes {
    let message = message.encode_to_vec();
    let mut body = BytesMut::with_capacity(PREFIX + message.len());
    body.put_u8(MESSAGE);
    // A request is some bytes.
    body.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    body.put_slice(&message);
    body.freeze()
}

/// What of an answer has arrived and was not taken yet.
#[derive(Debug, Default)]
pub(super) struct Parts(BytesMut);

#[derive(Debug, PartialEq)]
pub(super) enum Part {
    Message(Bytes),
    Status(Status),
}

/// How a call ended, by its own account.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Status {
    pub(super) code: u32,
    pub(super) message: String,
}

impl Parts {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.put_slice(bytes);
    }

    /// The next part, when all of it has arrived.
    ///
    /// # Errors
    /// `Database` when it is no part of an answer.
    pub(super) fn next(&mut self) -> Result<Option<Part>> {
        let Some((prefix, rest)) = self.0.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let [kind, length @ ..] = *prefix;
        let length = u32::from_be_bytes(length) as usize;
        if length > MAX_PART {
            return Err(Error::new(ErrorKind::Database, "the server sent what is no part of a log"));
        }
        if rest.len() < length {
            return Ok(None);
        }
        self.0.advance(PREFIX);
        let part = self.0.split_to(length).freeze();
        match kind {
            MESSAGE => Ok(Some(Part::Message(part))),
            TRAILERS => Ok(Some(Part::Status(Status::from_trailers(&part)))),
            _ => Err(Error::new(ErrorKind::Database, "the server sent a part of an unknown kind")),
        }
    }
}

impl Status {
    /// What the two headers, or trailers, say.
    pub(super) fn new(code: &str, message: &str) -> Self {
        /// gRPC's own code for it.
        const UNKNOWN: u32 = 2;
        Self {
            code: code.trim().parse().unwrap_or(UNKNOWN),
            message: percent_decode_str(message.trim()).decode_utf8_lossy().into_owned(),
        }
    }

    fn from_trailers(trailers: &[u8]) -> Self {
        let text = String::from_utf8_lossy(trailers);
        let value = |wanted: &str| {
            let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
            pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted)).map_or("", |(_, value)| value)
        };
        Self::new(value("grpc-status"), value("grpc-message"))
    }
}

#[cfg(test)]
mod tests {
    use libsql_replication::rpc::replication::{HelloRequest, LogOffset};

    use super::*;

    #[test]
    fn a_request_is_a_prefix_and_a_message() {
        assert_eq!(&body(&HelloRequest::new())[..], [0, 0, 0, 0, 2, 8, 1]);
        assert_eq!(&body(&LogOffset { next_offset: 0, wal_flavor: None })[..], [0, 0, 0, 0, 0]);
    }

    #[test]
    fn an_answer_is_taken_apart_however_it_arrives() {
        let mut answer = vec![0, 0, 0, 0, 2, b'o', b'k', 0x80, 0, 0, 0, 47];
        answer.extend(b"grpc-status: 9\r\nGRPC-Message: NEED%20SNAPSHOT\r\n");
        let expected = [
            Part::Message(Bytes::from_static(b"ok")),
            Part::Status(Status { code: 9, message: "NEED SNAPSHOT".to_owned() }),
        ];
        for size in [1, 3, 7, 64] {
            let (mut parts, mut found) = (Parts::default(), Vec::new());
            for piece in answer.chunks(size) {
                parts.push(piece);
                while let Some(part) = parts.next().expect("a part") {
                    found.push(part);
                }
            }
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_answer_is_refused_before_it_fills_the_memory() {
        let mut html = Parts::default();
        html.push(b"<html><body>Welcome</body></html>");
        assert!(html.next().is_err());
        let mut unknown = Parts::default();
        unknown.push(&[7, 0, 0, 0, 0]);
        assert!(unknown.next().is_err());
    }
}
