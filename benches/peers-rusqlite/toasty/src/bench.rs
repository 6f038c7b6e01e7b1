//! The operations, the same on both databases but for what the crate's root says.

use contender::{
    Claimed, Contender, Failure, Key, Listed, Opening, PAGE, Seen, Workload,
    text::{message, pattern},
};
use toasty::{Db, Executor};
use uuid::Uuid;

use crate::{
    Message, ROWS, begin, content,
    models::{Job, Role},
    now, open,
};

pub(crate) struct Bench {
    reader: Db,
    writer: Db,
}

/// Toasty's query language has no `SKIP LOCKED`, and what raw SQL answers does not become a model.
const NO_CLAIMS: &str = "no SKIP LOCKED in its query language";

fn seen(job: Job) -> Seen {
    Seen { id: job.id, definition: job.definition }
}

async fn get(db: &mut dyn Executor, key: Key) -> Result<Job, Failure> {
    let found = Job::filter_by_id(key.job).filter(Job::fields().user_id().eq(key.user)).first();
    found.exec(db).await?.ok_or_else(|| "the job is not there".into())
}

async fn update(db: &mut dyn Executor, job: &mut Job, definition: String) -> Result<(), Failure> {
    let search = definition.to_lowercase();
    let changed = job.update().definition(definition).definition_search(search).updated_at(now());
    Ok(changed.exec(db).await?)
}

fn listed(mut jobs: Vec<Job>, messages: impl Fn(&Job) -> usize) -> Listed {
    let has_next = jobs.len() > PAGE;
    jobs.truncate(PAGE);
    Listed { jobs: jobs.len(), messages: jobs.iter().map(messages).sum(), has_next }
}

impl Contender for Bench {
    async fn open(opening: Opening) -> Result<Self, Failure> {
        let (reader, writer) = open(&opening).await?;
        Ok(Self { reader, writer })
    }

    fn unsupported(&self, workload: Workload) -> Option<&'static str> {
        match workload {
            Workload::Claim1 | Workload::Claim32 | Workload::Work => Some(NO_CLAIMS),
            _ => workload.not_for_libraries(),
        }
    }

    async fn get(&self, key: Key) -> Result<Seen, Failure> {
        Ok(seen(get(&mut self.reader.clone(), key).await?))
    }

    async fn insert(&self, user: Uuid, definition: String) -> Result<(), Failure> {
        let (now, search) = (now(), definition.to_lowercase());
        let new = toasty::create!(Job {
            id: Uuid::now_v7(),
            user_id: user,
            definition: definition,
            created_at: now,
            updated_at: now,
            definition_search: search,
        });
        new.exec(&mut self.writer.clone()).await?;
        Ok(())
    }

    /// An update changes a model that was read.
    async fn update(&self, key: Key, definition: String) -> Result<Seen, Failure> {
        let db = &mut self.writer.clone();
        let mut job = get(db, key).await?;
        update(db, &mut job, definition).await?;
        Ok(seen(job))
    }

    async fn delete(&self, key: Key) -> Result<(), Failure> {
        let found = Job::filter_by_id(key.job).filter(Job::fields().user_id().eq(key.user));
        found.delete().exec(&mut self.writer.clone()).await?;
        Ok(())
    }

    async fn page(&self, user: Uuid, search: Option<&str>) -> Result<Listed, Failure> {
        let mut found = Job::filter_by_user_id(user);
        if let Some(search) = search {
            found = found.filter(Job::fields().definition_search().like_with_escape(pattern(search), '\\'));
        }
        let newest = (Job::fields().created_at().desc(), Job::fields().id().desc());
        let jobs = found.order_by(newest).limit(PAGE + 1).exec(&mut self.reader.clone()).await?;
        Ok(listed(jobs, |_| 0))
    }

    async fn relations(&self, user: Uuid) -> Result<Listed, Failure> {
        let newest = (Job::fields().created_at().desc(), Job::fields().id().desc());
        let found = Job::filter_by_user_id(user).order_by(newest).limit(PAGE + 1);
        let found = found.include(Job::fields().messages()).include(Job::fields().user());
        let jobs = found.exec(&mut self.reader.clone()).await?;
        Ok(listed(jobs, |job| {
            // What is included comes in no order.
            let mut messages: Vec<_> = job.messages.get().iter().collect();
            messages.sort_by_key(|message| (message.created_at, message.id));
            messages.len()
        }))
    }

    async fn transaction(&self, key: Key, definition: String) -> Result<(), Failure> {
        let mut db = self.writer.clone();
        let mut transaction = begin(&mut db).await?;
        let mut job = get(&mut transaction, key).await?;
        update(&mut transaction, &mut job, definition).await?;
        let (now, text) = (now(), message(0));
        let new = toasty::create!(Message {
            id: Uuid::now_v7(),
            user_id: key.user,
            job_id: job.id,
            role: Role::User,
            content: content(&text),
            created_at: now,
            updated_at: now,
            content_search: text.to_lowercase(),
        });
        new.exec(&mut transaction).await?;
        Ok(transaction.commit().await?)
    }

    async fn claim(&self, _: u32) -> Result<Vec<Claimed>, Failure> {
        Err(NO_CLAIMS.into())
    }

    async fn complete(&self, _: Claimed) -> Result<(), Failure> {
        Err(NO_CLAIMS.into())
    }

    async fn bulk(&self, user: Uuid, definitions: Vec<String>) -> Result<(), Failure> {
        let mut db = self.writer.clone();
        let mut transaction = begin(&mut db).await?;
        for rows in definitions.chunks(ROWS) {
            let mut new = Job::create_many();
            for definition in rows {
                let now = now();
                new = new.item(
                    Job::create()
                        .id(Uuid::now_v7())
                        .user_id(user)
                        .definition(definition.clone())
                        .created_at(now)
                        .updated_at(now)
                        .definition_search(definition.to_lowercase()),
                );
            }
            new.exec(&mut transaction).await?;
        }
        Ok(transaction.commit().await?)
    }
}
