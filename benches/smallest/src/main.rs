//! The smallest program that does something with larder: a user, a job, and the job read again.

use larder::prelude::*;

#[tokio::main(flavor = "current_thread")]
async fn main() -> larder::Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "file:smallest.db".to_owned());
    let larder = Larder::open(&url).await?;
    larder.migrate().await?;
    let user = larder.system().users().create(NewUser::default()).await?;
    let mine = larder.user(user.id);
    let job = mine.jobs().create(NewJob::new("Send me the weather every morning")).await?;
    println!("{:?}", mine.jobs().get(job.id).await?);
    larder.close().await
}
