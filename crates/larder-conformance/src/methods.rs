//! Every method of every repository, as a table: for the promises that hold for all of them.

use std::{future::Future, pin::Pin};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::TryStreamExt;
use larder::{
    Context, Filter, Larder, Outcome, Result, Secret, SortDirection, Unit, UserScope, Verb, model::*,
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
    pub(crate) task: TaskId,
    pub(crate) api_key: ApiKeyId,
    /// The API key's token.
    pub(crate) token: Secret,
    /// The token of the session, the key of the context entry, the credential's id, and the account's id at its provider.
    pub(crate) name: String,
}

/// The provider of the targets' accounts.
const PROVIDER: &str = "github";

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
        let task = mine.tasks().create(NewTask::new(job, "a task")).await?.id;
        mine.endpoints().create(NewEndpoint::new(job, "an endpoint", "https://example.org/")).await?;
        let name = format!("of {}", mine.owner());
        mine.context_entries().put(job, name.as_str(), "remembered").await?;
        mine.accounts().link(NewAccount::new(AccountKind::Oauth, PROVIDER, name.as_str())).await?;
        mine.sessions().create(NewSession::new(name.as_str(), an_hour_from(mine.context()))).await?;
        mine.authenticators().create(passkey(&name)).await?;
        let issued = mine.api_keys().issue(NewApiKey::new(title)).await?;
        let (api_key, token) = (issued.api_key.id, issued.token);
        Ok(Self { job, message, note, title: title.to_owned(), task, api_key, token, name })
    }

    /// A target that does not exist; `number` tells it from others.
    pub(crate) fn absent(title: &str, number: u128) -> Self {
        let id = |kind: u128| uuid::Uuid::from_u128(kind << 64 | number);
        Self {
            job: id(1).into(),
            message: id(2).into(),
            note: id(3).into(),
            title: title.to_owned(),
            task: id(4).into(),
            api_key: id(5).into(),
            token: Secret::new(format!("{}.{}", "x".repeat(24), "y".repeat(32))),
            name: format!("of {}", id(6)),
        }
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

fn an_hour_from(context: &Context) -> DateTime<Utc> {
    context.now() + TimeDelta::hours(1)
}

fn passkey(credential_id: &str) -> NewAuthenticator {
    NewAuthenticator::new(credential_id, "an account", "a public key", 1, "singleDevice", false)
}

async fn run(context: &Context, verb: Verb) -> Result<Vec<Outcome>> {
    context.run(Unit::default().then(verb)).await
}

/// The unique key of a note.
pub(crate) const NOTE_TITLE: &[usize] = &[Note::USER_ID.position(), Note::TITLE.position()];

macro_rules! methods {
    ($($name:literal: |$caller:ident| $answer:expr;)+) => {
        &[$(Method {
            name: $name,
            call: |$caller| Box::pin(async move { Ok(format!("{:?}", $answer)) }),
        }),+]
    };
}

/// The methods that a user reaches: everything public in `Repo` and the model's repositories of a user that asks the database.
pub const SCOPED: &[Method] = methods! {
    "Repo::create": |by| by.mine.repo::<Message>().create(by.message()).await?;
    "Repo::create_with": |by| {
        let set = vec![Note::PINNED.set(true)?];
        by.mine.repo::<Note>().create_with(NewNote::new("another note"), set).await?
    };
    "Repo::create_many": |by| by.mine.repo::<Message>().create_many([by.message(), by.message()]).await?;
    "Repo::creation": |by| run(by.mine.context(), by.mine.repo::<Message>().creation(by.message())?.1).await?;
    "Repo::put": |by| by.mine.repo::<Note>().put(NewNote::new(by.target.title.as_str()), NOTE_TITLE).await?;
    "Repo::ensure": |by| by.mine.repo::<Note>().ensure(NewNote::new(by.target.title.as_str()), NOTE_TITLE).await?;
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
    "Repo::take": |by| by.mine.repo::<Note>().take(by.target.note).await?;
    "Repo::removal": |by| run(by.mine.context(), by.mine.repo::<Note>().removal(by.target.note)?).await?;
    "Repo::sums": |by| by.mine.repo::<Note>().sums(Note::ID.eq(by.target.note)?, [Note::VIEWS]).await?;
    "Repo::count_by": |by| {
        by.mine.repo::<Note>().count_by(Note::TITLE, Note::ID.eq(by.target.note)?).await?
    };
    "Repo::sums_by": |by| {
        let filter = Note::ID.eq(by.target.note)?;
        by.mine.repo::<Note>().sums_by(Note::TITLE, filter, [Note::VIEWS]).await?
    };
    "Repo::stream": |by| {
        by.mine.repo::<Note>().stream(Note::ID.eq(by.target.note)?).try_collect::<Vec<_>>().await?
    };
    "Repo::delete_many": |by| by.mine.repo::<Note>().delete_many(Note::ID.eq(by.target.note)?).await?;
    "Repo::purge": |by| by.mine.repo::<Note>().purge(Note::ID.eq(by.target.note)?).await?;
    "Jobs::activate": |by| by.mine.jobs().activate(by.target.job).await?;
    "Jobs::pause": |by| by.mine.jobs().pause(by.target.job).await?;
    "Jobs::archive": |by| by.mine.jobs().archive(by.target.job).await?;
    "Jobs::schedule": |by| by.mine.jobs().schedule(by.target.job, None).await?;
    "Jobs::count_by_status": |by| by.mine.jobs().count_by_status().await?;
    "Jobs::usage": |by| by.mine.jobs().usage().await?;
    "Messages::append": |by| by.mine.messages().append(by.message()).await?;
    "Messages::append_many": |by| by.mine.messages().append_many([by.message(), by.message()]).await?;
    "Messages::of_job": |by| by.mine.messages().of_job(by.target.job).await?;
    "ContextEntries::put": |by| by.mine.context_entries().put(by.target.job, by.target.name, "changed").await?;
    "ContextEntries::find": |by| by.mine.context_entries().find(by.target.job, &by.target.name).await?;
    "ContextEntries::forget": |by| by.mine.context_entries().forget(by.target.job, &by.target.name).await?;
    "ContextEntries::of_job": |by| by.mine.context_entries().of_job(by.target.job).await?;
    "Tasks::start": |by| by.mine.tasks().start(by.target.task).await?;
    "Tasks::complete": |by| {
        by.mine.tasks().start(by.target.task).await?;
        by.mine.tasks().complete(by.target.task).await?
    };
    "Tasks::fail": |by| {
        by.mine.tasks().start(by.target.task).await?;
        by.mine.tasks().fail(by.target.task, "no answer").await?
    };
    "Accounts::link": |by| {
        let account = NewAccount::new(AccountKind::Oidc, "another provider", by.target.name);
        by.mine.accounts().link(account).await?
    };
    "Accounts::unlink": |by| by.mine.accounts().unlink(PROVIDER, by.target.name).await?;
    "Sessions::end_all": |by| by.mine.sessions().end_all().await?;
    "Authenticators::all": |by| by.mine.authenticators().all().await?;
    "ApiKeys::issue": |by| by.mine.api_keys().issue(NewApiKey::new("another key")).await?.api_key.name;
    "ApiKeys::rotate": |by| by.mine.api_keys().rotate(by.target.api_key).await?;
    "ApiKeys::revoke": |by| by.mine.api_keys().revoke(by.target.api_key).await?;
    "Profile::get": |by| by.mine.profile().get().await?;
    "Profile::update": |by| {
        let name = Some("another name".to_owned());
        by.mine.profile().update(UserPatch { name: name.into(), ..UserPatch::default() }).await?
    };
    "Profile::delete": |by| by.mine.profile().delete().await?;
};

/// The methods that are the system's: everything public in `Unscoped` and the model's repositories of the system that asks the
/// database, and transactions.
pub const OF_THE_SYSTEM: &[Method] = methods! {
    "Users::find_by_email": |by| by.larder.system().users().find_by_email("ada@example.org").await?;
    "Users::find_by_account": |by| {
        by.larder.system().users().find_by_account(PROVIDER, by.target.name).await?
    };
    "AllAccounts::find": |by| by.larder.system().accounts().find(PROVIDER, by.target.name).await?;
    "AllSessions::find_with_user": |by| {
        by.larder.system().sessions().find_with_user(by.target.name).await?
    };
    "AllSessions::extend": |by| {
        let system = by.larder.system();
        system.sessions().extend(by.target.name, an_hour_from(system.context())).await?
    };
    "AllSessions::end": |by| by.larder.system().sessions().end(by.target.name).await?;
    "AllSessions::purge_expired": |by| by.larder.system().sessions().purge_expired().await?;
    "VerificationTokens::use_once": |by| {
        let tokens = by.larder.system().verification_tokens();
        let end = an_hour_from(tokens.context());
        tokens.create(NewVerificationToken::new("ada@example.org", by.target.name.as_str(), end)).await?;
        tokens.use_once("ada@example.org", by.target.name).await?
    };
    "VerificationTokens::purge_expired": |by| {
        by.larder.system().verification_tokens().purge_expired().await?
    };
    "AllAuthenticators::find": |by| by.larder.system().authenticators().find(&by.target.name).await?;
    "AllAuthenticators::count": |by| by.larder.system().authenticators().count(&by.target.name, 7).await?;
    "AllApiKeys::authenticate": |by| {
        by.larder.system().api_keys().authenticate(by.target.token.expose()).await?
    };
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
    "Scheduler::count_by_status": |by| by.larder.system().jobs().count_by_status().await?;
    "Scheduler::usage_by_user": |by| {
        by.larder.system().jobs().usage_by_user([by.mine.owner().into()]).await?
    };
    "Unscoped::get": |by| by.larder.system().all_users::<Job>().get(by.target.job).await?;
    "Unscoped::get_by": |by| {
        by.larder.system().all_users::<Message>().get_by(Message::ID, by.target.message).await?
    };
    "Unscoped::delete": |by| by.larder.system().all_users::<Job>().delete(by.target.job).await?;
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
    "Unscoped::sums": |by| {
        by.larder.system().all_users::<Job>().sums(Filter::always(), [Job::TOTAL_TOKENS]).await?
    };
    "Unscoped::count_by": |by| {
        by.larder.system().all_users::<Job>().count_by(Job::USER_ID, Filter::always()).await?
    };
    "Unscoped::sums_by": |by| {
        let tokens = [Job::TOTAL_TOKENS];
        by.larder.system().all_users::<Job>().sums_by(Job::USER_ID, Filter::always(), tokens).await?
    };
    "Unscoped::stream": |by| {
        by.larder.system().all_users::<Job>().stream(Filter::always()).try_collect::<Vec<_>>().await?
    };
    "Unscoped::purge": |by| {
        by.larder.system().all_users::<Note>().purge(Note::ID.eq(by.target.note)?).await?
    };
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
