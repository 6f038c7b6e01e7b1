//! larder, on PostgreSQL and on a libSQL file. The variant is options of the URL, such as `lanes=on`.

use std::process::ExitCode;

use chrono::TimeDelta;
use contender::{
    Authenticated, Claimed, Contender, Failure, Key, LEASE, Listed, Opening, PAGE, Seen, WORKER, Workload,
    serve, text::message,
};
use larder::{Entity, ErrorKind, Filter, Outcome, Unit, prelude::*};
use uuid::Uuid;

fn main() -> ExitCode {
    serve::<Bench>()
}

struct Bench {
    larder: Larder,
    url: String,
    deep: Option<(UserScope, Cursor)>,
}

impl Bench {
    fn user(&self, user: Uuid) -> UserScope {
        self.larder.user(UserId::from_uuid(user))
    }
}

/// The URL with its options.
fn url(opening: &Opening) -> String {
    let url = if opening.url.starts_with("postgres") {
        format!("{}?pool_size={}", opening.url, opening.connections)
    } else {
        format!("file:{}?synchronous={}", opening.url, opening.synchronous)
    };
    if opening.variant.is_empty() { url } else { format!("{url}&{}", opening.variant) }
}

fn page_of(search: Option<&str>) -> ListJobs {
    ListJobs { search: search.map(str::to_owned), page_size: PAGE as u32, ..ListJobs::default() }
}

fn patch(definition: String) -> JobPatch {
    JobPatch { definition: Change::Set(definition), ..JobPatch::default() }
}

fn seen(job: Job) -> Seen {
    Seen { id: job.id.uuid(), definition: job.definition }
}

impl Contender for Bench {
    async fn open(opening: Opening) -> Result<Self, Failure> {
        let url = url(&opening);
        Ok(Self { larder: Larder::open(&url).await?, url, deep: None })
    }

    async fn engine(&self) -> Result<Option<String>, Failure> {
        Ok(Some(self.larder.health().await?.version))
    }

    fn unsupported(&self, workload: Workload) -> Option<&'static str> {
        (workload == Workload::Open && self.url.starts_with("postgres"))
            .then_some("measured for an embedded database")
    }

    async fn get(&self, key: Key) -> Result<Seen, Failure> {
        let job = self.user(key.user).jobs().get(JobId::from_uuid(key.job)).await?;
        job.map(seen).ok_or_else(|| "the job is not there".into())
    }

    async fn authenticate(&self, token: &str) -> Result<Option<Authenticated>, Failure> {
        let found = self.larder.system().api_keys().authenticate(token).await?;
        Ok(found.map(|found| Authenticated { user: found.user_id.uuid(), key: found.key }))
    }

    async fn insert(&self, user: Uuid, definition: String) -> Result<(), Failure> {
        self.user(user).jobs().create(NewJob::new(definition)).await?;
        Ok(())
    }

    async fn update(&self, key: Key, definition: String) -> Result<Seen, Failure> {
        let job = self.user(key.user).jobs().update(JobId::from_uuid(key.job), patch(definition)).await?;
        Ok(seen(job))
    }

    async fn delete(&self, key: Key) -> Result<(), Failure> {
        Ok(self.user(key.user).jobs().delete(JobId::from_uuid(key.job)).await?)
    }

    async fn page(&self, user: Uuid, search: Option<&str>) -> Result<Listed, Failure> {
        let page = self.user(user).jobs().list(page_of(search)).await?;
        Ok(Listed { jobs: page.items.len(), messages: 0, has_next: page.has_next })
    }

    async fn relations(&self, user: Uuid) -> Result<Listed, Failure> {
        let page = self.user(user).jobs().list_with(page_of(None), JobRelations::all()).await?;
        if page.items.iter().any(|job| job.loaded.owner.is_none()) {
            return Err("a job has no owner".into());
        }
        Ok(Listed {
            jobs: page.items.len(),
            messages: page.items.iter().map(|job| job.loaded.messages.len()).sum(),
            has_next: page.has_next,
        })
    }

    async fn transaction(&self, key: Key, definition: String) -> Result<(), Failure> {
        let (mine, definition) = (self.user(key.user), &definition);
        let done = mine.transaction(|tx| async move {
            let id = JobId::from_uuid(key.job);
            let job = tx.jobs().get(id).await?.ok_or_else(|| Error::not_found("Job"))?;
            tx.jobs().update(job.id, patch(definition.clone())).await?;
            tx.messages().append(NewMessage::new(job.id, MessageRole::User, message(0))).await?;
            Ok(())
        });
        Ok(done.await?)
    }

    async fn unit(&self, key: Key, definition: String) -> Result<(), Failure> {
        let mine = self.user(key.user);
        let (jobs, id) = (mine.jobs(), JobId::from_uuid(key.job));
        let (_, message) = mine.messages().creation(NewMessage::new(id, MessageRole::User, message(0)))?;
        let missing = || ErrorKind::NotFound { entity: "Job".into() };
        let unit = Unit::default()
            .then_some(jobs.look_up(id)?, missing())
            .then_some(jobs.modification(id, patch(definition))?, missing())
            .then(message);
        let outcomes = mine.context().run(unit).await?;
        match outcomes.into_iter().next() {
            Some(Outcome::Row(Some(row))) => Job::from_row(row)?,
            _ => return Err("the unit answered no job".into()),
        };
        Ok(())
    }

    async fn claim(&self, limit: u32) -> Result<Vec<Claimed>, Failure> {
        let claim = ClaimDue { limit, lease: TimeDelta::from_std(LEASE)?, worker: WORKER.to_owned() };
        let claimed = self.larder.system().jobs().claim_due(claim).await?;
        Ok(claimed
            .into_iter()
            .map(|claimed| Claimed { job: claimed.job.id.uuid(), token: claimed.lease.token })
            .collect())
    }

    async fn complete(&self, claimed: Claimed) -> Result<(), Failure> {
        let lease = Lease {
            job_id: JobId::from_uuid(claimed.job),
            token: claimed.token,
            locked_until: chrono::Utc::now(), // what completing does not look at
        };
        let usage = TokenUsage { input: 120, output: 30, total: 150, ..TokenUsage::default() };
        self.larder.system().jobs().complete(&lease, Completion { usage, next_run_at: None }).await?;
        Ok(())
    }

    async fn bulk(&self, user: Uuid, definitions: Vec<String>) -> Result<(), Failure> {
        self.user(user).jobs().create_many(definitions.into_iter().map(NewJob::new)).await?;
        Ok(())
    }

    async fn deep_page(&self) -> Result<Listed, Failure> {
        let Some((mine, cursor)) = &self.deep else { return Err("no deep page was looked for".into()) };
        let list = ListJobs { cursor: Some(cursor.clone()), ..page_of(None) };
        let page = mine.jobs().list(list).await?;
        Ok(Listed { jobs: page.items.len(), messages: 0, has_next: page.has_next })
    }

    async fn find_deep_page(&mut self, user: Uuid) -> Result<(), Failure> {
        let mine = self.user(user);
        let pages = mine.jobs().count(Filter::always()).await? / PAGE as u64;
        let deep = ListJobs { page: u32::try_from(pages * 9 / 10)?, ..page_of(None) };
        let cursor = mine.jobs().list(deep).await?.next.ok_or("the list is too short for a deep page")?;
        self.deep = Some((mine, cursor));
        Ok(())
    }

    async fn reopen(&self) -> Result<(), Failure> {
        let larder = Larder::open(&self.url).await?;
        if !larder.migrations().await?.pending.is_empty() {
            return Err("migrations are pending".into());
        }
        Ok(larder.close().await?)
    }
}
