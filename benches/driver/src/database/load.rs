//! The rows, written through larder.

use std::sync::Arc;

use chrono::TimeDelta;
use contender::{
    Failure, Key,
    text::{definition, message},
    token::{Token, hash},
};
use larder::{Assign, Entity, Insert, NewEntity, Secret, Stamp, Value, Verb, prelude::*};

/// How many rows there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Jobs of all users together; each user has a hundred.
    pub(crate) jobs: usize,
    /// Messages of each job.
    pub(crate) messages: usize,
    /// Whether an API key of its owner comes with each job.
    pub(crate) api_keys: bool,
    /// Jobs of one more user, who has many.
    pub(crate) long_list: usize,
}

const JOBS_OF_USER: usize = 100;
/// A list is loaded in steps of this many jobs.
const STEP: usize = 10_000;
/// How many users are loaded at once.
const LOADERS: usize = 8;

/// Migrates and loads; answers the keys of all jobs, those of the long list last.
pub(crate) async fn load(larder: &Larder, size: Size) -> Result<Vec<Key>, Failure> {
    larder.migrate().await?;
    let users = size.jobs.div_ceil(JOBS_OF_USER);
    let new = |number: usize| NewUser {
        name: Some(format!("User {number}")),
        email: Some(format!("user{number}@bench.example")),
        ..NewUser::default()
    };
    let users = larder.system().users().create_many((0..users).map(new)).await?;
    let users: Arc<[UserId]> = users.iter().map(|user| user.id).collect();
    let loaders: Vec<_> = (0..LOADERS)
        .map(|loader| tokio::spawn(load_users(larder.clone(), Arc::clone(&users), loader, size)))
        .collect();
    let mut keys = Vec::new();
    for loader in loaders {
        keys.extend(loader.await??);
    }
    if size.long_list > 0 {
        let user = larder.system().users().create(NewUser::default()).await?;
        keys.extend(load_jobs(&larder.user(user.id), 0..size.long_list, 0).await?);
    }
    Ok(keys)
}

/// Every so many-th user's jobs.
async fn load_users(
    larder: Larder,
    users: Arc<[UserId]>,
    loader: usize,
    size: Size,
) -> Result<Vec<Key>, Failure> {
    let mut keys = Vec::new();
    for (number, user) in users.iter().enumerate().skip(loader).step_by(LOADERS) {
        let first = number * JOBS_OF_USER;
        let jobs = first..(first + JOBS_OF_USER).min(size.jobs);
        let mine = larder.user(*user);
        let loaded = load_jobs(&mine, jobs, size.messages).await?;
        if size.api_keys {
            load_api_keys(&mine, &loaded).await?;
        }
        keys.extend(loaded);
    }
    Ok(keys)
}

async fn load_jobs(
    mine: &UserScope,
    numbers: std::ops::Range<usize>,
    messages: usize,
) -> Result<Vec<Key>, Failure> {
    let mut keys = Vec::with_capacity(numbers.len());
    for first in numbers.clone().step_by(STEP) {
        let step = first..(first + STEP).min(numbers.end);
        let jobs = mine.jobs().create_many(step.map(|number| NewJob::new(definition(number)))).await?;
        let new = |job: &Job, number| NewMessage::new(job.id, MessageRole::User, message(number));
        let said = jobs.iter().flat_map(|job| (0..messages).map(move |number| new(job, number)));
        mine.messages().append_many(said).await?;
        keys.extend(jobs.iter().map(|job| Key { user: mine.owner(), job: job.id.uuid() }));
    }
    Ok(keys)
}

/// The keys whose tokens follow from these jobs. Issuing them one by one would draw tokens that nobody here knows.
async fn load_api_keys(mine: &UserScope, jobs: &[Key]) -> Result<(), Failure> {
    let row = |key: &Key| api_key(&Token::of(key.job), &mine.context().stamp(Some(mine.owner())));
    let rows = jobs.iter().map(row).collect::<Result<_, _>>()?;
    mine.context().execute(Verb::Insert(Insert { table: ApiKey::TABLE, rows })).await?;
    Ok(())
}

fn api_key(token: &Token, stamp: &Stamp) -> Result<Vec<Value>, Failure> {
    let new = NewApiKey {
        scopes: vec!["jobs:read".to_owned(), "jobs:write".to_owned()],
        expires_at: Some(stamp.now + TimeDelta::days(365)),
        ..NewApiKey::new(format!("Key {}", token.key))
    };
    let salt = fastrand::u128(..).to_le_bytes();
    let set = [
        ApiKey::KEY.set(token.key.clone())?,
        ApiKey::SECRET_HASH.set(Secret::new(hash(&salt, &token.secret).to_vec()))?,
        ApiKey::SECRET_SALT.set(Secret::new(salt.to_vec()))?,
        // So that no call is the one in a minute that writes it down, however long the rounds take.
        ApiKey::LAST_USED_AT.set(Some(stamp.now + TimeDelta::days(1)))?,
    ];
    let mut row = new.into_values(stamp)?;
    for (column, assign) in set {
        if let Assign::Set(value) = assign {
            row[column] = value;
        }
    }
    Ok(row)
}
