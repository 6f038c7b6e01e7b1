//! Every method of every repository, as a table: for the promises that hold for all of them.

use std::{future::Future, pin::Pin};

use chrono::TimeDelta;
use larder::{
    Context, Filter, Larder, Outcome, Result, SortDirection, Unit, UserScope, Verb,
    model::{
        ClaimDue, ClaimedJob, Completion, Job, JobId, JobRelations, JobStatus, ListJobs, Message, MessageId,
        MessageRole, NewJob, NewMessage, NewUser, SystemModel, UserModel, UserPatch,
    },
};

use crate::entities::{NewNote, Note, NoteId, NotePatch};

/// A method of the interface, called in one typical way.
#[derive(Debug)]
pub struct Method {
    /// `Type::method`, as in the source.
    pub name: &'static str,
    /// Calls it; answers the debug form of what it answered.
    pub(crate) call: fn(Caller) -> Answer,
}

pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<String>> + Send>>;

/// Who calls, and on what.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) larder: Larder,
    pub(crate) mine: UserScope,
    pub(crate) target: Target,
}

/// Rows that methods are called on.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) job: JobId,
    pub(crate) message: MessageId,
    pub(crate) note: NoteId,
    /// The note's.
    pub(crate) title: String,
}

impl Target {
    /// Makes a target that belongs to this user; the job is due.
    pub(crate) async fn of(mine: &UserScope, title: &str) -> Result<Self> {
        let new = NewJob {
            status: JobStatus::Active,
            next_run_at: Some(mine.context().now()),
            ..NewJob::new(format!("the job of {title}"))
        };
        let job = mine.jobs().create(new).await?.id;
        let message = mine.messages().append(NewMessage::new(job, MessageRole::User, "hello")).await?.id;
        let note = mine.repo::<Note>().create(NewNote::new(title)).await?.id;
        Ok(Self { job, message, note, title: title.to_owned() })
    }

    /// A target that does not exist; `number` tells it from others.
    pub(crate) fn absent(title: &str, number: u128) -> Self {
        let id = |kind: u128| uuid::Uuid::from_u128(kind << 64 | number);
        Self { job: id(1).into(), message: id(2).into(), note: id(3).into(), title: title.to_owned() }
    }
}

impl Caller {
    fn message(&self) -> NewMessage {
        NewMessage::new(self.target.job, MessageRole::Assistant, "more")
    }

    /// Claims the due jobs and picks the target's.
    async fn claimed(&self) -> Result<ClaimedJob> {
        let claim = ClaimDue { limit: 100, lease: TimeDelta::minutes(1), worker: "worker".into() };
        let claimed = self.larder.system().jobs().claim_due(claim).await?;
        let of_target = claimed.into_iter().find(|claimed| claimed.job.id == self.target.job);
        of_target.ok_or_else(|| larder::Error::not_found("Job"))
    }
}

async fn run(context: &Context, verb: Verb) -> Result<Vec<Outcome>> {
    context.run(Unit::default().then(verb)).await
}

/// The unique key of a note.
const NOTE_TITLE: &[usize] = &[Note::USER_ID.position(), Note::TITLE.position()];

macro_rules! methods {
    ($($name:literal: |$caller:ident| $answer:expr;)+) => {
        &[$(Method {
            name: $name,
            call: |$caller| Box::pin(async move { Ok(format!("{:?}", $answer)) }),
        }),+]
    };
}

/// The methods that a user reaches: everything public in `Repo`, `Jobs`, `Messages` and `Account` that asks the database.
pub const SCOPED: &[Method] = methods! {
    "Repo::create": |by| by.mine.repo::<Message>().create(by.message()).await?;
    "Repo::create_many": |by| by.mine.repo::<Message>().create_many([by.message(), by.message()]).await?;
    "Repo::creation": |by| run(by.mine.context(), by.mine.repo::<Message>().creation(by.message())?.1).await?;
    "Repo::put": |by| by.mine.repo::<Note>().put(NewNote::new(by.target.title.as_str()), NOTE_TITLE).await?;
    "Repo::get": |by| by.mine.repo::<Note>().get(by.target.note).await?;
    "Repo::get_by": |by| by.mine.repo::<Message>().get_by(Message::ID, by.target.message).await?;
    "Repo::list": |by| by.mine.jobs().list(ListJobs::default()).await?;
    "Repo::get_with": |by| {
        let job = by.mine.jobs().get_with(by.target.job, JobRelations::all()).await?;
        let of_message = (Message::JOB_ID.parent(), Message::USER_ID.parent());
        (job, by.mine.messages().get_with(by.target.message, of_message).await?)
    };
    "Repo::list_with": |by| by.mine.jobs().list_with(ListJobs::default(), JobRelations::all()).await?;
    "Repo::select": |by| {
        let order = vec![Note::ID.order(SortDirection::Asc)];
        by.mine.repo::<Note>().select(Note::ID.eq(by.target.note)?, order, None).await?
    };
    "Repo::selection": |by| {
        let everything = by.mine.repo::<Note>().selection(Filter::always(), Vec::new(), None);
        run(by.mine.context(), everything).await?
    };
    "Repo::look_up": |by| run(by.mine.context(), by.mine.repo::<Note>().look_up(by.target.note)?).await?;
    "Repo::count": |by| by.mine.repo::<Note>().count(Note::ID.eq(by.target.note)?).await?;
    "Repo::update": |by| {
        let patch = NotePatch { views: 5.into(), ..NotePatch::default() };
        by.mine.repo::<Note>().update(by.target.note, patch).await?
    };
    "Repo::update_if": |by| {
        let set = vec![Note::VIEWS.add(1)];
        by.mine.repo::<Note>().update_if(by.target.note, Filter::always(), set).await?
    };
    "Repo::modification": |by| {
        let patch = NotePatch { views: 6.into(), ..NotePatch::default() };
        run(by.mine.context(), by.mine.repo::<Note>().modification(by.target.note, patch)?).await?
    };
    "Repo::delete": |by| by.mine.repo::<Note>().delete(by.target.note).await?;
    "Repo::removal": |by| run(by.mine.context(), by.mine.repo::<Note>().removal(by.target.note)?).await?;
    "Jobs::activate": |by| by.mine.jobs().activate(by.target.job).await?;
    "Jobs::pause": |by| by.mine.jobs().pause(by.target.job).await?;
    "Jobs::archive": |by| by.mine.jobs().archive(by.target.job).await?;
    "Jobs::schedule": |by| by.mine.jobs().schedule(by.target.job, None).await?;
    "Messages::append": |by| by.mine.messages().append(by.message()).await?;
    "Messages::append_many": |by| by.mine.messages().append_many([by.message(), by.message()]).await?;
    "Messages::of_job": |by| by.mine.messages().of_job(by.target.job).await?;
    "Account::get": |by| by.mine.account().get().await?;
    "Account::update": |by| {
        let name = Some("another name".to_owned());
        by.mine.account().update(UserPatch { name: name.into(), ..UserPatch::default() }).await?
    };
    "Account::delete": |by| by.mine.account().delete().await?;
};

/// The methods that are the system's: everything public in `Users`, `Scheduler` and `Unscoped` that asks the database, and
/// transactions.
pub const OF_THE_SYSTEM: &[Method] = methods! {
    "Users::find_by_email": |by| by.larder.system().users().find_by_email("ada@example.org").await?;
    "Scheduler::claim_due": |by| by.claimed().await?;
    "Scheduler::extend": |by| {
        let lease = by.claimed().await?.lease;
        by.larder.system().jobs().extend(&lease, TimeDelta::minutes(2)).await?
    };
    "Scheduler::complete": |by| {
        let lease = by.claimed().await?.lease;
        by.larder.system().jobs().complete(&lease, Completion::default()).await?
    };
    "Scheduler::fail": |by| {
        let lease = by.claimed().await?.lease;
        by.larder.system().jobs().fail(&lease, None).await?
    };
    "Unscoped::get": |by| by.larder.system().all_users::<Job>().get(by.target.job).await?;
    "Unscoped::update_if": |by| {
        let set = vec![Job::NEXT_RUN_AT.set(None)?];
        by.larder.system().all_users::<Job>().update_if(by.target.job, Filter::always(), set).await?
    };
    "Unscoped::claim": |by| {
        let set = vec![Job::NEXT_RUN_AT.set(None)?];
        let due = Job::NEXT_RUN_AT.is_not_null();
        by.larder.system().all_users::<Job>().claim(due, Vec::new(), Some(Job::USER_ID), 1, set).await?
    };
    "Unscoped::count": |by| by.larder.system().all_users::<Job>().count(Filter::always()).await?;
    "Unscoped::explain": |by| {
        let error = larder::Error::lease_lost("Job");
        by.larder.system().all_users::<Job>().explain(by.target.job, error).await?
    };
    "UserScope::transaction": |by| {
        let target = by.target.clone();
        by.mine.transaction(|tx| {
            let target = target.clone();
            async move {
                tx.repo::<Note>().delete(target.note).await?;
                tx.messages().append(NewMessage::new(target.job, MessageRole::User, "in it")).await?;
                tx.jobs().pause(target.job).await
            }
        })
        .await?
    };
    "SystemScope::transaction": |by| {
        let name = Some(by.target.title.clone());
        by.larder.system().transaction(|tx| {
            let new = NewUser { name: name.clone(), ..NewUser::default() };
            async move { tx.users().create(new).await }
        })
        .await?
    };
};
