//! URLs at which there is no libSQL server.

use larder::{ErrorKind, Larder};
use larder_testing::Sqld;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

async fn kind(url: &str) -> ErrorKind {
    let options = "retry=0s&timeout=2s";
    let url = format!("{url}?{options}");
    Larder::open(&url).await.expect_err("there is no server").kind().clone()
}

#[tokio::test]
async fn a_host_that_does_not_exist_or_listen_is_unavailable() {
    assert_eq!(kind("http://does-not-exist.invalid").await, ErrorKind::Unavailable);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert_eq!(kind(&format!("http://{address}")).await, ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    assert_eq!(kind(&url).await, ErrorKind::Timeout);
}

#[tokio::test]
async fn a_web_page_is_no_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>";
            let _ = stream.write_all(page.as_bytes()).await;
        }
    });
    assert_eq!(kind(&url).await, ErrorKind::Config);
}

#[tokio::test]
async fn a_database_that_the_server_does_not_have_is_a_wrong_configuration() {
    let server = Sqld::shared().await.unwrap();
    let (_, port) = server
        .host_and_port()
        .rsplit_once(':')
        .map(|(host, port)| (host.to_owned(), port.to_owned()))
        .unwrap();
    assert_eq!(kind(&format!("http://no-such-database.localhost:{port}")).await, ErrorKind::Config);
}
