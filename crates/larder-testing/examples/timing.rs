use std::time::Instant;
use larder_testing::*; use sqlx::Connection;
#[tokio::main(flavor = "current_thread")]
async fn main() {
    for durable in [false, true] {
        let t = Instant::now();
        let s = Postgres::builder().durable(durable).start().await.unwrap();
        println!("durable={durable} start {:?}", t.elapsed());
        s.database().await.unwrap();
        let mut v: Vec<_> = vec![]; let mut k = vec![];
        for _ in 0..60 { let t = Instant::now(); k.push(s.database().await.unwrap()); v.push(t.elapsed()); }
        v.sort(); println!("database() p50 {:?} min {:?} max {:?}", v[30], v[0], v[59]);
        let t = Instant::now(); sqlx::PgConnection::connect(k[0].url()).await.unwrap(); println!("connect {:?}", t.elapsed());
        let t = Instant::now();
        let a = async { for _ in 0..15 { s.database().await.unwrap(); } };
        let b = async { for _ in 0..15 { s.database().await.unwrap(); } };
        let c = async { for _ in 0..15 { s.database().await.unwrap(); } };
        let d = async { for _ in 0..15 { s.database().await.unwrap(); } };
        tokio::join!(a,b,c,d); println!("4 at once, created and dropped, per db {:?}", t.elapsed()/60);
        let t = Instant::now(); s.restart().await.unwrap(); println!("restart {:?}", t.elapsed());
        drop(k); let t = Instant::now(); drop(s); println!("end {:?}", t.elapsed());
    }
}
