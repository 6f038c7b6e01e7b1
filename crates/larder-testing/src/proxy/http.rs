//! What goes through a proxy, read as HTTP/1.1: where a client's requests begin and end.

use httparse::{EMPTY_HEADER, Header, Status};

/// More than a server takes: what has no end by then is something else than HTTP.
const LONGEST_HEAD: usize = 64 * 1024;
const MOST_HEADERS: usize = 128;

/// What is found in a piece of a client's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The head of a request is whole.
    Begun,
    /// So is its body.
    Ended,
}

/// Reads what one client sends, in whatever pieces it comes.
///
/// What is not HTTP/1.1, such as HTTP/2 or another protocol altogether, holds no requests.
#[derive(Debug, Default)]
pub(super) struct Requests {
    expected: Expected,
    /// What has arrived of a head, or of the line that says how long a chunk is.
    unread: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy)]
enum Expected {
    #[default]
    Head,
    /// That many bytes, which end the request.
    Body(u64),
    ChunkSize,
    /// That many bytes, then another size.
    Chunk(u64),
    Trailers,
    /// Nothing more that could be read.
    Nothing,
}

impl Requests {
    pub(super) fn read(&mut self, piece: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        let mut rest = piece;
        while !rest.is_empty() || self.is_at_an_end() {
            rest = match self.expected {
                Expected::Nothing => break,
                Expected::Body(length) => {
                    let (left, rest) = skip(length, rest);
                    self.expected = if left == 0 { Expected::Head } else { Expected::Body(left) };
                    found.extend((left == 0).then_some(Found::Ended));
                    rest
                }
                Expected::Chunk(length) => {
                    let (left, rest) = skip(length, rest);
                    self.expected = if left == 0 { Expected::ChunkSize } else { Expected::Chunk(left) };
                    rest
                }
                Expected::Head | Expected::ChunkSize | Expected::Trailers => {
                    self.read_lines(rest, &mut found)
                }
            };
        }
        found
    }

    /// A body of no bytes ends without any.
    fn is_at_an_end(&self) -> bool {
        matches!(self.expected, Expected::Body(0))
    }

    /// Reads what ends with a line's end; answers what follows it.
    fn read_lines<'a>(&mut self, piece: &'a [u8], found: &mut Vec<Found>) -> &'a [u8] {
        let before = self.unread.len();
        self.unread.extend_from_slice(piece);
        let read = match self.expected {
            Expected::ChunkSize => chunk_size(&self.unread),
            Expected::Trailers => trailers(&self.unread),
            _ => head(&self.unread),
        };
        match read {
            Ok(Status::Complete((length, expected))) => {
                found.extend(matches!(self.expected, Expected::Head).then_some(Found::Begun));
                found.extend(matches!(self.expected, Expected::Trailers).then_some(Found::Ended));
                self.expected = expected;
                self.unread.clear();
                piece.get(length.saturating_sub(before)..).unwrap_or_default()
            }
            Ok(Status::Partial) if self.unread.len() <= LONGEST_HEAD => &[],
            _ => {
                self.expected = Expected::Nothing;
                self.unread.clear();
                &[]
            }
        }
    }
}

/// How many of `length` bytes are not in the piece, and what follows them if all are.
fn skip(length: u64, piece: &[u8]) -> (u64, &[u8]) {
    let here = usize::try_from(length).unwrap_or(usize::MAX).min(piece.len());
    (length - here as u64, piece.get(here..).unwrap_or_default())
}

/// How long it is, and what comes then.
type Read = Result<Status<(usize, Expected)>, httparse::Error>;

fn head(text: &[u8]) -> Read {
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let Status::Complete(length) = request.parse(text)? else { return Ok(Status::Partial) };
    Ok(Status::Complete((length, body(request.headers))))
}

fn body(headers: &[Header<'_>]) -> Expected {
    let value = |name: &str| {
        let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(header.value).trim().to_ascii_lowercase())
    };
    match (value("transfer-encoding"), value("content-length")) {
        (Some(encoding), _) if encoding.ends_with("chunked") => Expected::ChunkSize,
        (Some(_), _) => Expected::Nothing,
        (None, Some(length)) => length.parse().map_or(Expected::Nothing, Expected::Body),
        (None, None) => Expected::Body(0),
    }
}

fn chunk_size(text: &[u8]) -> Read {
    const LINE_END: u64 = 2;
    let size = httparse::parse_chunk_size(text).map_err(|_| httparse::Error::Token)?;
    let Status::Complete((length, size)) = size else { return Ok(Status::Partial) };
    let next = if size == 0 { Expected::Trailers } else { Expected::Chunk(size.saturating_add(LINE_END)) };
    Ok(Status::Complete((length, next)))
}

fn trailers(text: &[u8]) -> Read {
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    let Status::Complete((length, _)) = httparse::parse_headers(text, &mut headers)? else {
        return Ok(Status::Partial);
    };
    Ok(Status::Complete((length, Expected::Head)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "GET /health HTTP/1.1\r\nhost: a\r\n\r\n";
    const LONG: &str = "POST / HTTP/1.1\r\nContent-Length: 20\r\n\r\nGET / HTTP/1.1\r\n\r\n..";
    const CHUNKED: &str = "POST / HTTP/1.1\r\ntransfer-encoding: gzip, Chunked\r\n\r\n\
                           12;x=y\r\nGET / HTTP/1.1\r\n\r\n\r\n1\r\n.\r\n0\r\nlast: 1\r\n\r\n";

    /// Begun and ended, of a stream that comes in pieces of this size.
    fn count(stream: &[u8], size: usize) -> (usize, usize) {
        let mut requests = Requests::default();
        let found: Vec<Found> = stream.chunks(size).flat_map(|piece| requests.read(piece)).collect();
        for (number, found) in found.iter().enumerate() {
            assert_eq!(*found, if number % 2 == 0 { Found::Begun } else { Found::Ended });
        }
        let begun = found.iter().filter(|found| **found == Found::Begun).count();
        (begun, found.len() - begun)
    }

    #[test]
    fn a_request_is_counted_once_whatever_the_pieces() {
        let stream = [PLAIN, LONG, CHUNKED, PLAIN, CHUNKED, LONG, LONG].concat();
        for size in [1, 2, 3, 7, 16, 64, stream.len()] {
            assert_eq!(count(stream.as_bytes(), size), (7, 7), "pieces of {size}");
        }
    }

    #[test]
    fn a_request_has_begun_with_its_head_and_ended_with_its_body() {
        for stream in [LONG, CHUNKED] {
            for size in [1, 9, stream.len()] {
                assert_eq!(count(&stream.as_bytes()[..stream.len() - 1], size), (1, 0));
            }
        }
        assert_eq!(count(&PLAIN.as_bytes()[..PLAIN.len() - 1], 5), (0, 0));
    }

    #[test]
    fn what_is_not_http_1_holds_no_request() {
        let http2 = ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", PLAIN].concat();
        let postgres = [b"\x00\x00\x00\x08\x04\xd2\x16\x2f", PLAIN.as_bytes()].concat();
        let endless =
            ["GET / HTTP/1.1\r\nx: ".as_bytes(), &vec![b'x'; 2 * LONGEST_HEAD], PLAIN.as_bytes()].concat();
        let no_number = ["POST / HTTP/1.1\r\ncontent-length: many\r\n\r\n", PLAIN].concat();
        assert_eq!(count(http2.as_bytes(), 100), (0, 0));
        assert_eq!(count(&postgres, 100), (0, 0));
        assert_eq!(count(&endless, 1024), (0, 0));
        assert_eq!(count(no_number.as_bytes(), 10), (1, 0));
    }
}
