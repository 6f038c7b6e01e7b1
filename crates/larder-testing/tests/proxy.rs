//! What a proxy does to the connections that go through it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use larder_testing::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);

/// Sends back what it gets, and ends when its peer has ended.
async fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
                let _ = to.shutdown().await;
            });
        }
    });
    address
}

async fn through(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

async fn answer(stream: &mut TcpStream, question: &[u8]) -> Vec<u8> {
    stream.write_all(question).await.unwrap();
    let mut answer = vec![0; question.len()];
    timeout(SOON, stream.read_exact(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn it_forwards_both_ways_and_the_end() {
    let proxy = Proxy::start(echo().await).await.unwrap();
    let mut stream = through(&proxy).await;
    let long = vec![7; 100_000];
    let (mut from, mut to) = stream.split();
    let mut got = Vec::new();
    let (sent, received) = tokio::join!(
        async {
            to.write_all(&long).await?;
            to.shutdown().await
        },
        timeout(SOON, from.read_to_end(&mut got))
    );
    sent.unwrap();
    received.unwrap().unwrap();
    assert!(got == long);
}

#[tokio::test]
async fn a_cut_resets_open_connections_and_takes_new_ones() {
    let proxy = Proxy::start(echo().await).await.unwrap();
    let mut stream = through(&proxy).await;
    assert_eq!(answer(&mut stream, b"before").await, b"before");
    proxy.cut();
    let error = timeout(SOON, stream.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(answer(&mut through(&proxy).await, b"after").await, b"after");
}

#[tokio::test]
async fn a_cut_can_lose_a_request_or_its_answer() {
    let proxy = Proxy::start(echo().await).await.unwrap();
    for pieces in 0..4 {
        let (mut stream, mut bystander) = (through(&proxy).await, through(&proxy).await);
        assert_eq!(answer(&mut bystander, b"before").await, b"before");
        proxy.cut_after(pieces);
        for _ in 0..pieces / 2 {
            assert_eq!(answer(&mut stream, b"whole").await, b"whole");
        }
        stream.write_all(b"half").await.unwrap();
        for stream in [&mut stream, &mut bystander] {
            let error = timeout(SOON, stream.read_u8()).await.unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        assert!(!proxy.spare(), "it was cut");
        assert_eq!(answer(&mut through(&proxy).await, b"after").await, b"after");
    }
}

#[tokio::test]
async fn what_was_spared_is_not_cut() {
    let proxy = Proxy::start(echo().await).await.unwrap();
    let mut stream = through(&proxy).await;
    proxy.cut_after(2);
    assert_eq!(answer(&mut stream, b"one").await, b"one");
    assert!(proxy.spare(), "it was not cut");
    assert_eq!(answer(&mut stream, b"two").await, b"two");
}

#[tokio::test]
async fn refusing_concerns_new_connections_alone() {
    let proxy = Proxy::start(echo().await).await.unwrap();
    let mut stream = through(&proxy).await;
    assert_eq!(answer(&mut stream, b"before").await, b"before");
    proxy.refuse(true).await.unwrap();
    proxy.refuse(true).await.unwrap();
    let error = TcpStream::connect(proxy.address()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(answer(&mut stream, b"still").await, b"still");
    proxy.refuse(false).await.unwrap();
    proxy.refuse(false).await.unwrap();
    assert_eq!(answer(&mut through(&proxy).await, b"again").await, b"again");
}

#[tokio::test]
async fn what_was_sent_while_frozen_arrives_afterwards() {
    let proxy = Proxy::start(echo().await).await.unwrap();
    let mut stream = through(&proxy).await;
    assert_eq!(answer(&mut stream, b"before").await, b"before");
    proxy.freeze(true);
    stream.write_all(b"x").await.unwrap();
    assert!(timeout(Duration::from_millis(100), stream.read_u8()).await.is_err());
    proxy.freeze(false);
    assert_eq!(timeout(SOON, stream.read_u8()).await.unwrap().unwrap(), b'x');
}

#[tokio::test]
async fn a_dropped_proxy_cuts_its_connections() {
    let proxy = Proxy::start(echo().await).await.unwrap();
    let mut stream = through(&proxy).await;
    assert_eq!(answer(&mut stream, b"before").await, b"before");
    drop(proxy);
    assert!(timeout(SOON, stream.read_u8()).await.unwrap().is_err());
}

#[tokio::test]
async fn a_target_that_is_not_there_ends_the_connection() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = Proxy::start(gone.to_string()).await.unwrap();
    assert!(timeout(SOON, through(&proxy).await.read_u8()).await.unwrap().is_err());
}

const REQUEST: &[u8] =
    b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 30\r\n\r\nGET / HTTP/1.1\r\n\r\n............";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// Answers each whole [`REQUEST`], and counts what it answers.
async fn http() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answered = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&answered);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counter = Arc::clone(&counter);
            tokio::spawn(async move {
                let mut request = vec![0; REQUEST.len()];
                while stream.read_exact(&mut request).await.is_ok() {
                    counter.fetch_add(1, Ordering::SeqCst);
                    if stream.write_all(ANSWER).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (address, answered)
}

/// Sends a request in two parts, and reads its answer.
async fn request(stream: &mut TcpStream) -> std::io::Result<()> {
    let (first, second) = REQUEST.split_at(REQUEST.len() - 25);
    stream.write_all(first).await?;
    tokio::task::yield_now().await;
    stream.write_all(second).await?;
    let mut answer = vec![0; ANSWER.len()];
    timeout(SOON, stream.read_exact(&mut answer)).await.unwrap()?;
    assert_eq!(answer, ANSWER);
    Ok(())
}

#[tokio::test]
async fn requests_are_counted_on_all_connections() {
    let proxy = Proxy::start(http().await.0).await.unwrap();
    assert_eq!(proxy.requests(), 0);
    let (mut one, mut two) = (through(&proxy).await, through(&proxy).await);
    assert_eq!(proxy.requests(), 0, "a connection is no request");
    for number in 1..=5 {
        request(&mut one).await.unwrap();
        assert_eq!(proxy.requests(), 2 * number - 1);
        request(&mut two).await.unwrap();
        assert_eq!(proxy.requests(), 2 * number);
    }
    proxy.cut_after(0);
    request(&mut one).await.unwrap_err();
    assert_eq!(proxy.requests(), 11, "a lost one was sent all the same");
}

#[tokio::test]
async fn what_is_no_http_is_forwarded_and_not_counted() {
    let proxy = Proxy::start(echo().await).await.unwrap();
    let mut stream = through(&proxy).await;
    assert_eq!(answer(&mut stream, b"\0\0\0\x08").await, b"\0\0\0\x08");
    assert_eq!(answer(&mut stream, REQUEST).await, REQUEST);
    assert_eq!(proxy.requests(), 0);
}

#[tokio::test]
async fn an_answer_is_dropped_after_the_server_has_acted() {
    let (target, answered) = http().await;
    let proxy = Proxy::start(target).await.unwrap();
    let mut bystander = through(&proxy).await;
    request(&mut bystander).await.unwrap();
    for before in 0..3 {
        let mut stream = through(&proxy).await;
        let already = answered.load(Ordering::SeqCst);
        proxy.drop_answer_after(before);
        for _ in 0..before {
            request(&mut stream).await.unwrap();
        }
        assert_eq!(request(&mut stream).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(answered.load(Ordering::SeqCst), already + before + 1);
        request(&mut bystander).await.unwrap();
        request(&mut through(&proxy).await).await.unwrap();
    }
}

#[tokio::test]
async fn a_delay_holds_for_each_direction_until_it_is_taken_back() {
    const DELAY: Duration = Duration::from_millis(50);
    let proxy = Proxy::start(echo().await).await.unwrap();
    let mut stream = through(&proxy).await;
    proxy.delay(DELAY);
    let begun = Instant::now();
    assert_eq!(answer(&mut stream, b"slow").await, b"slow");
    assert!(begun.elapsed() >= 2 * DELAY, "{:?}", begun.elapsed());
    proxy.delay(SOON * 2);
    proxy.delay(Duration::ZERO);
    assert_eq!(answer(&mut stream, b"fast").await, b"fast");
}
