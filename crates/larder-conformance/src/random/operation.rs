//! An operation: a kind and a seed, from which everything else about it follows, so that it can be run on two databases and
//! left out of a list without changing the others.

use fastrand::Rng;
use larder::{
    Error, ErrorKind, Id, ManualClock, Secret, SystemScope, Unit, UserScope,
    model::{ApiKeyId, EndpointId, JobId, Lease, MessageId, TaskId, UserId},
};

use super::values::Values;
use crate::{
    World,
    call::{shown, shown_error},
    entities::{FolderId, NoteId, SpecimenId},
};

mod children;
mod jobs;
mod own;
mod sign_in;
mod users;

/// What can be done; the modules do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Users(users::Do),
    Jobs(jobs::Do),
    Children(children::Do),
    Own(own::Do),
    SignIn(sign_in::Do),
    /// Some operations in a transaction, committed or not.
    Transaction,
    /// Two creations in a unit.
    Unit,
    AdvanceClock,
}

/// How often each is chosen.
const WEIGHTS: &[(u32, Kind)] = &[
    (6, Kind::Users(users::Do::Create)),
    (3, Kind::Users(users::Do::Update)),
    (1, Kind::Users(users::Do::Delete)),
    (2, Kind::Users(users::Do::Find)),
    (3, Kind::Users(users::Do::List)),
    (10, Kind::Jobs(jobs::Do::Create)),
    (5, Kind::Jobs(jobs::Do::Update)),
    (2, Kind::Jobs(jobs::Do::Delete)),
    (6, Kind::Jobs(jobs::Do::SetStatus)),
    (4, Kind::Jobs(jobs::Do::Schedule)),
    (5, Kind::Jobs(jobs::Do::List)),
    (4, Kind::Jobs(jobs::Do::GetWith)),
    (6, Kind::Jobs(jobs::Do::Claim)),
    (3, Kind::Jobs(jobs::Do::Extend)),
    (4, Kind::Jobs(jobs::Do::Complete)),
    (2, Kind::Jobs(jobs::Do::Fail)),
    (6, Kind::Jobs(jobs::Do::Append)),
    (3, Kind::Jobs(jobs::Do::AppendMany)),
    (3, Kind::Jobs(jobs::Do::UpdateMessage)),
    (1, Kind::Jobs(jobs::Do::DeleteMessage)),
    (4, Kind::Jobs(jobs::Do::ListMessages)),
    (5, Kind::Children(children::Do::CreateEndpoint)),
    (3, Kind::Children(children::Do::UpdateEndpoint)),
    (1, Kind::Children(children::Do::DeleteEndpoint)),
    (3, Kind::Children(children::Do::ListEndpoints)),
    (6, Kind::Children(children::Do::Put)),
    (2, Kind::Children(children::Do::CreateEntry)),
    (3, Kind::Children(children::Do::Find)),
    (3, Kind::Children(children::Do::Forget)),
    (3, Kind::Children(children::Do::ListEntries)),
    (5, Kind::Children(children::Do::CreateTask)),
    (4, Kind::Children(children::Do::StartTask)),
    (3, Kind::Children(children::Do::CompleteTask)),
    (2, Kind::Children(children::Do::FailTask)),
    (2, Kind::Children(children::Do::UpdateTask)),
    (1, Kind::Children(children::Do::DeleteTask)),
    (3, Kind::Children(children::Do::ListTasks)),
    (8, Kind::Own(own::Do::Create)),
    (3, Kind::Own(own::Do::CreateMany)),
    (3, Kind::Own(own::Do::Put)),
    (8, Kind::Own(own::Do::Update)),
    (3, Kind::Own(own::Do::Add)),
    (2, Kind::Own(own::Do::Delete)),
    (4, Kind::Own(own::Do::Find)),
    (8, Kind::Own(own::Do::List)),
    (5, Kind::Own(own::Do::Select)),
    (4, Kind::Own(own::Do::Totals)),
    (2, Kind::Own(own::Do::DeleteMany)),
    (4, Kind::Own(own::Do::PutNote)),
    (3, Kind::Own(own::Do::ListNotes)),
    (4, Kind::Own(own::Do::CreateFolder)),
    (2, Kind::Own(own::Do::DeleteFolder)),
    (4, Kind::SignIn(sign_in::Do::Link)),
    (1, Kind::SignIn(sign_in::Do::Unlink)),
    (3, Kind::SignIn(sign_in::Do::FindAccount)),
    (3, Kind::SignIn(sign_in::Do::AddPasskey)),
    (4, Kind::SignIn(sign_in::Do::Count)),
    (1, Kind::SignIn(sign_in::Do::ListPasskeys)),
    (4, Kind::SignIn(sign_in::Do::CreateSession)),
    (4, Kind::SignIn(sign_in::Do::FindSession)),
    (3, Kind::SignIn(sign_in::Do::Extend)),
    (1, Kind::SignIn(sign_in::Do::End)),
    (1, Kind::SignIn(sign_in::Do::EndAll)),
    (4, Kind::SignIn(sign_in::Do::CreateToken)),
    (4, Kind::SignIn(sign_in::Do::UseToken)),
    (2, Kind::SignIn(sign_in::Do::Purge)),
    (4, Kind::SignIn(sign_in::Do::Issue)),
    (6, Kind::SignIn(sign_in::Do::Authenticate)),
    (2, Kind::SignIn(sign_in::Do::Rotate)),
    (1, Kind::SignIn(sign_in::Do::Revoke)),
    (3, Kind::SignIn(sign_in::Do::ListKeys)),
    (2, Kind::SignIn(sign_in::Do::UpdateKey)),
    (1, Kind::SignIn(sign_in::Do::DeleteKey)),
    (8, Kind::Transaction),
    (4, Kind::Unit),
    (6, Kind::AdvanceClock),
];

/// An operation.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    kind: Kind,
    seed: u64,
}

/// The rows that the operations before this one made; some may be gone.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    users: Vec<UserId>,
    jobs: Vec<JobId>,
    messages: Vec<MessageId>,
    leases: Vec<Lease>,
    endpoints: Vec<EndpointId>,
    tasks: Vec<TaskId>,
    specimens: Vec<SpecimenId>,
    notes: Vec<NoteId>,
    folders: Vec<FolderId>,
    api_keys: Vec<ApiKeyId>,
    /// The tokens of the API keys; some are no good any more.
    tokens: Vec<Secret>,
}

/// What an operation did.
#[derive(Debug, Default)]
pub(super) struct Performed {
    /// What was called, as a person reads it.
    pub(super) call: String,
    /// What it answered; the same text when the answers are the same.
    pub(super) answer: String,
    /// What it made.
    pub(super) made: Known,
}

impl Known {
    pub(super) fn learn(&mut self, made: Self) {
        self.users.extend(made.users);
        self.jobs.extend(made.jobs);
        self.messages.extend(made.messages);
        self.leases.extend(made.leases);
        self.endpoints.extend(made.endpoints);
        self.tasks.extend(made.tasks);
        self.specimens.extend(made.specimens);
        self.notes.extend(made.notes);
        self.folders.extend(made.folders);
        self.api_keys.extend(made.api_keys);
        self.tokens.extend(made.tokens);
    }
}

/// One of these ids, mostly a late one; one that does not exist when there is none.
fn one_id<E>(random: &mut Rng, ids: &[Id<E>]) -> Id<E> {
    one(random, ids).copied().unwrap_or(Id::from_uuid(uuid::Uuid::from_u128(404)))
}

/// One of these, mostly a late one. It draws the same numbers however many there are, so that leaving out an operation does
/// not change what the others are about.
fn one<'a, T>(random: &mut Rng, all: &'a [T]) -> Option<&'a T> {
    let (late, back) = (random.bool(), random.usize(..));
    let among = if late { all.len().min(5) } else { all.len() };
    all.len().checked_sub(1 + back.checked_rem(among)?).and_then(|index| all.get(index))
}

impl Operation {
    pub(super) fn random(random: &mut Rng) -> Self {
        Self::one_of(random, WEIGHTS)
    }

    /// One that can stand in a transaction.
    fn inside(random: &mut Rng) -> Self {
        loop {
            let operation = Self::random(random);
            if !matches!(operation.kind, Kind::Transaction | Kind::AdvanceClock) {
                return operation;
            }
        }
    }

    fn one_of(random: &mut Rng, weights: &[(u32, Kind)]) -> Self {
        let mut ticket = random.u32(0..weights.iter().map(|(weight, _)| weight).sum());
        let chosen = weights.iter().find(|(weight, _)| {
            let drawn = ticket < *weight;
            ticket = ticket.saturating_sub(*weight);
            drawn
        });
        Self { kind: chosen.unwrap_or(&weights[0]).1, seed: random.u64(..) }
    }

    /// Does it, on what is known.
    pub(super) async fn perform(&self, world: &World, known: &Known) -> Performed {
        self.perform_in(&world.system(), world.clock(), known).await
    }

    async fn perform_in(&self, system: &SystemScope, clock: &ManualClock, known: &Known) -> Performed {
        let mut random = Rng::with_seed(self.seed);
        let mut on = On { system: system.clone(), known, values: Values(&mut random) };
        match self.kind {
            Kind::Users(what) => on.users(what).await,
            Kind::Jobs(what) => on.jobs(what).await,
            Kind::Children(what) => on.children(what).await,
            Kind::Own(what) => on.own(what).await,
            Kind::SignIn(what) => on.sign_in(what).await,
            Kind::Transaction => transaction(system, clock, known, self.seed).await,
            Kind::Unit => on.unit().await,
            Kind::AdvanceClock => {
                let by = chrono::TimeDelta::microseconds(on.values.one_of(&[1, 999, 30_000_000, 90_000_000]));
                clock.advance(by);
                Performed { call: format!("clock.advance({by})"), ..Performed::default() }
            }
        }
    }
}

async fn transaction(system: &SystemScope, clock: &ManualClock, known: &Known, seed: u64) -> Performed {
    let mut random = Rng::with_seed(seed);
    let operations: Vec<_> = (0..random.usize(1..5)).map(|_| Operation::inside(&mut random)).collect();
    let commits = random.u8(0..4) > 0;
    let all = &operations;
    let result = system.transaction(|tx| async move {
        let (mut known, mut all_made) = (known.clone(), Known::default());
        let (mut call, mut answer) = ("transaction:".to_owned(), String::new());
        for operation in all {
            let done = Box::pin(operation.perform_in(&tx, clock, &known)).await;
            call.push_str(&format!("\n        {}", done.call));
            answer.push_str(&format!("\n        {}", done.answer));
            known.learn(done.made.clone());
            all_made.learn(done.made);
        }
        let done = Performed { call, answer, made: all_made };
        if commits { Ok(done) } else { Err(Error::new(ErrorKind::Application, "rolled back")) }
    });
    match result.await {
        Ok(done) => done,
        Err(error) => {
            let call = format!(
                "transaction of {operations:?}, {}",
                if commits { "committed" } else { "rolled back" }
            );
            Performed { call, answer: shown_error(&error), ..Performed::default() }
        }
    }
}

/// What an operation works with.
struct On<'a> {
    system: SystemScope,
    known: &'a Known,
    values: Values<'a>,
}

impl On<'_> {
    /// The scope of a user: mostly one who is there.
    fn someone(&mut self) -> UserScope {
        self.system.user(one_id(self.values.0, &self.known.users))
    }

    async fn unit(&mut self) -> Performed {
        let specimens = self.system.repo::<crate::entities::Specimen>();
        let (first, second) = (self.new_specimen(), self.new_specimen());
        let call = format!("unit of creating {first:?} and {second:?}");
        let result = async {
            let ((_, first), (_, second)) = (specimens.creation(first)?, specimens.creation(second)?);
            specimens.context().run(Unit::default().then(first).then(second)).await
        };
        Performed { call, answer: shown(&result.await), ..Performed::default() }
    }
}
