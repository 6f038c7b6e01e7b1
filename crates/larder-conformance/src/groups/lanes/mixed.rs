//! A batch of sixty-four calls of every kind, twenty of which are refused, each for its own reason.

use std::{fmt::Debug, future::Future, pin::Pin};

use chrono::TimeDelta;
use larder::{
    Assign, Entity, ErrorKind, Field, Filter, Id, Repo, Result, Unit, Update, UserScope, Value, Verb,
    model::*,
};
use uuid::Uuid;

use super::NOTE_TITLE;
use crate::{
    World,
    call::{by_id, setting, with_value},
    entities::{ListNotes, NewNote, Note, NoteId, NotePatch, Specimen},
};

/// A call of a batch.
pub(super) struct Asked {
    /// What it is, for people.
    pub(super) what: String,
    /// The error that it gets, as `shown_error` shows it.
    pub(super) refused: Option<String>,
    /// Sends it.
    pub(super) call: Box<dyn Fn(World) -> Answer + Send + Sync>,
}

type Answer = Pin<Box<dyn Future<Output = Result<String>> + Send>>;

/// Makes the rows that the calls are about, the same in every world, and the calls. No call touches a row that another
/// one changes: whatever their order, the answers are the same.
pub(super) async fn batch(world: &World) -> Result<Vec<Asked>> {
    let rows = Rows::make(world).await?;
    let mut batch = Vec::new();
    batch.extend(rows.notes_written()?);
    batch.extend(rows.reads());
    batch.extend(rows.runs_ended());
    batch.extend(rows.claims());
    batch.extend(rows.messages_and_units()?);
    batch.extend(rows.keys_taken()?);
    batch.extend(rows.parents_missing()?);
    batch.extend(rows.rules_broken()?);
    batch.extend(rows.nothing_found()?);
    batch.extend(rows.sums_too_large());
    Ok(batch)
}

fn asked<T, F, Fut>(what: impl Into<String>, call: F) -> Asked
where
    T: Debug,
    F: Fn(World) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T>> + Send + 'static,
{
    let call = move |world: World| {
        let answer = call(world);
        Box::pin(async move { Ok(format!("{:?}", answer.await?)) }) as Answer
    };
    Asked { what: what.into(), refused: None, call: Box::new(call) }
}

fn verb(what: impl Into<String>, verb: Verb) -> Asked {
    asked(what, move |world| {
        let (store, verb) = (world.store(), verb.clone());
        async move { store.execute(verb).await }
    })
}

fn unit(what: impl Into<String>, unit: Unit) -> Asked {
    asked(what, move |world| {
        let (store, unit) = (world.store(), unit.clone());
        async move { store.run(unit).await }
    })
}

impl Asked {
    fn refused(self, error: &str) -> Self {
        Self { refused: Some(error.to_owned()), ..self }
    }
}

const NOWHERE: Uuid = Uuid::from_u128(404);
const TITLE_TAKEN: &str = r#"Conflict { entity: "Note", field: "user_id, title" }"#;
const JOB_MISSING: &str = r#"MissingParent { entity: "Message", parent: "Job" }"#;

/// What the calls are about.
struct Rows {
    ada: UserScope,
    bob: UserScope,
    /// Users with due jobs that nobody holds.
    with_due_jobs: Vec<UserId>,
    /// Ada's. The calls on them each take some; [`Rows::KEPT`] changes in none.
    notes: Vec<Note>,
    bobs_note: NoteId,
    bobs_job: JobId,
    /// Of a lease that was taken over.
    stale: Lease,
    /// Of Ada's jobs.
    leases: Vec<Lease>,
    world: World,
}

impl Rows {
    /// The note whose title and id others want.
    const KEPT: usize = 21;

    async fn make(world: &World) -> Result<Self> {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        let new = (0..24).map(|number| NewNote::new(format!("note {number}")));
        let notes = ada.repo::<Note>().create_many(new).await?;
        let greatest = setting(Note::TABLE, notes[23].id.uuid(), Note::VIEWS.position(), Value::Int(i64::MAX));
        world.store().execute(greatest).await?;
        let bobs_note = bob.repo::<Note>().create(NewNote::new("Bob's")).await?.id;
        let bobs_job = bob.jobs().create(NewJob::new("Bob's job")).await?.id;
        world.system().repo::<Specimen>().create(Specimen::plain("taken")).await?;
        let email = Some("taken@example.org".to_owned());
        world.system().users().create(NewUser { email, ..NewUser::default() }).await?;

        let stale = leases(world, &ada, 1).await?.remove(0);
        world.clock().advance(TimeDelta::hours(2));
        claimed(world).await?;
        let leases = leases(world, &ada, 10).await?;
        let full = leases[5].job_id.uuid();
        let total = Job::TOTAL_TOKENS.position();
        world.store().execute(setting(Job::TABLE, full, total, Value::Int(i64::MAX - 1))).await?;
        let mut with_due_jobs = Vec::new();
        for name in ["Carol", "Dave"] {
            let user = world.user(name).await?;
            due_jobs(world, &user, 3).await?;
            with_due_jobs.push(user.owner().into());
        }
        let (ada, world) = (ada.clone(), world.clone());
        Ok(Self { ada, bob, with_due_jobs, notes, bobs_note, bobs_job, stale, leases, world })
    }

    fn creation(&self, title: impl Into<String>) -> Result<Verb> {
        Ok(self.ada.repo::<Note>().creation(NewNote::new(title.into()))?.1)
    }

    fn message(&self, job: JobId) -> Result<Verb> {
        Ok(self.ada.repo::<Message>().creation(NewMessage::new(job, MessageRole::User, "hello"))?.1)
    }

    /// A call on Ada's notes.
    fn on_notes<T, F, Fut>(&self, what: impl Into<String>, call: F) -> Asked
    where
        T: Debug,
        F: Fn(Repo<Note>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T>> + Send + 'static,
    {
        let owner = self.ada.owner();
        asked(what, move |world| call(world.larder().user(owner.into()).repo::<Note>()))
    }

    /// 8 created, 5 renamed, 4 deleted, 4 added to, 3 put.
    fn notes_written(&self) -> Result<Vec<Asked>> {
        let mut calls = Vec::new();
        for number in 0..8 {
            calls.push(verb("a new note", self.creation(format!("new {number}"))?));
        }
        for note in &self.notes[0..5] {
            let (id, title) = (note.id, format!("{}, renamed", note.title));
            calls.push(self.on_notes("a new title", move |notes| {
                let patch = NotePatch { title: title.clone().into(), ..NotePatch::default() };
                async move { notes.update(id, patch).await }
            }));
        }
        for id in self.notes[5..9].iter().map(|note| note.id) {
            calls.push(self.on_notes("a delete", move |notes| async move { notes.delete(id).await }));
        }
        for id in self.notes[9..13].iter().map(|note| note.id) {
            calls.push(self.on_notes("an addition", move |notes| async move {
                notes.update_if(id, Note::VIEWS.lt(5)?, vec![Note::VIEWS.add(3)]).await
            }));
        }
        for note in &self.notes[13..16] {
            let new = NewNote { views: 9, pinned: true, ..NewNote::new(note.title.as_str()) };
            calls.push(self.on_notes("a put", move |notes| {
                let new = new.clone();
                async move { notes.put(new, NOTE_TITLE).await }
            }));
        }
        Ok(calls)
    }

    /// 5 that find something or nothing.
    fn reads(&self) -> Vec<Asked> {
        let gets = [("there", self.notes[16].id), ("nowhere", Id::from_uuid(NOWHERE)), ("Bob's", self.bobs_note)];
        let gets = gets.into_iter().map(|(what, id)| {
            self.on_notes(format!("a look-up of what is {what}"), move |notes| async move { notes.get(id).await })
        });
        let owner = self.bob.owner();
        let bobs = move |world: World| world.larder().user(owner.into()).repo::<Note>();
        let list = asked("a page of Bob's", move |world| {
            let notes = bobs(world);
            async move { notes.list(ListNotes::default()).await }
        });
        let count = asked("a count of Bob's", move |world| {
            let notes = bobs(world);
            async move { notes.count(Filter::always()).await }
        });
        gets.chain([list, count]).collect()
    }

    /// 3 completed, 1 extended, 1 failed; 2 whose lease was lost.
    fn runs_ended(&self) -> Vec<Asked> {
        let mut calls: Vec<_> = self.leases[0..3].iter().map(|lease| complete(*lease, 7)).collect();
        let extended = self.leases[3];
        calls.push(asked("an extension", move |world| async move {
            world.system().jobs().extend(&extended, TimeDelta::hours(3)).await
        }));
        let fail = |lease: Lease| {
            asked("a failure", move |world| async move {
                world.system().jobs().fail(&lease, Some(world.now())).await
            })
        };
        calls.push(fail(self.leases[4]));
        let lost = r#"LeaseLost { entity: "Job" }"#;
        calls.extend([complete(self.stale, 1).refused(lost), fail(self.stale).refused(lost)]);
        calls
    }

    /// 2, each of the due jobs of one user.
    fn claims(&self) -> Vec<Asked> {
        let claim = |user: UserId| {
            asked("a claim", move |world| async move {
                let free = Job::LOCKED_UNTIL.is_null().and(Job::USER_ID.eq(user)?);
                let set = vec![
                    Job::LOCKED_UNTIL.set(Some(world.now() + TimeDelta::hours(1)))?,
                    Job::LOCK_OWNER.set(Some("worker".to_owned()))?,
                    Job::LOCK_TOKEN.add(1),
                ];
                let whoever: Option<Field<Job, UserId>> = None;
                world.system().all_users::<Job>().claim(free, Vec::new(), whoever, 2, set).await
            })
        };
        self.with_due_jobs.iter().copied().map(claim).collect()
    }

    /// 4 messages, 4 units of a look-up, a message and an addition.
    fn messages_and_units(&self) -> Result<Vec<Asked>> {
        let mut calls = Vec::new();
        for (lease, note) in self.leases[6..10].iter().zip(&self.notes[17..21]) {
            let job = lease.job_id;
            calls.push(verb("a message", self.message(job)?));
            let there = self.ada.repo::<Job>().look_up(job)?;
            let add = add(note.id, 1);
            let steps = Unit::default().then_some(there, ErrorKind::NotFound { entity: "Job".into() });
            calls.push(unit("a unit", steps.then(self.message(job)?).then(add)));
        }
        Ok(calls)
    }

    /// 5 that want a key that another row has, and 1 unit of which the last step does.
    fn keys_taken(&self) -> Result<Vec<Asked>> {
        let kept = &self.notes[Self::KEPT];
        let title = || Value::Text(kept.title.clone());
        let renamed = setting(Note::TABLE, self.notes[22].id.uuid(), Note::TITLE.position(), title());
        let same_id = with_value(self.creation("another title")?, 0, Value::Uuid(kept.id.uuid()));
        let (_, specimen) = self.world.system().repo::<Specimen>().creation(Specimen::plain("taken"))?;
        let email = Some("Taken@Example.org".to_owned());
        let (_, user) = self.world.system().repo::<User>().creation(NewUser { email, ..NewUser::default() })?;
        let undone = Unit::default().then(self.message(self.leases[6].job_id)?);
        Ok(vec![
            verb("a taken title", self.creation(kept.title.as_str())?).refused(TITLE_TAKEN),
            verb("a change to a taken title", renamed).refused(TITLE_TAKEN),
            verb("a taken id", same_id).refused(r#"Conflict { entity: "Note", field: "id" }"#),
            verb("a taken label", specimen).refused(r#"Conflict { entity: "Specimen", field: "label" }"#),
            verb("a taken address", user).refused(r#"Conflict { entity: "User", field: "email" }"#),
            unit("a unit with a taken title", undone.then(self.creation(kept.title.as_str())?))
                .refused(TITLE_TAKEN),
        ])
    }

    /// 3 that refer to what is not there, or not theirs.
    fn parents_missing(&self) -> Result<Vec<Asked>> {
        let owner = Note::USER_ID.position();
        let of_nobody = with_value(self.creation("of nobody")?, owner, Value::Uuid(NOWHERE));
        let user_missing = r#"MissingParent { entity: "Note", parent: "User" }"#;
        Ok(vec![
            verb("a message of no job", self.message(Id::from_uuid(NOWHERE))?).refused(JOB_MISSING),
            verb("a message of Bob's job", self.message(self.bobs_job)?).refused(JOB_MISSING),
            verb("a note of nobody", of_nobody).refused(user_missing),
        ])
    }

    /// 4 that core would have refused.
    fn rules_broken(&self) -> Result<Vec<Asked>> {
        let title = Note::TITLE.position();
        let negative = with_value(self.creation("negative")?, Note::VIEWS.position(), Value::Int(-1));
        let untitled = with_value(self.creation("untitled")?, title, Value::Null);
        let long = setting(Note::TABLE, self.notes[22].id.uuid(), title, Value::Text("é".repeat(201)));
        let (_, specimen) = self.world.system().repo::<Specimen>().creation(Specimen::plain("out of range"))?;
        let out_of_range = with_value(specimen, Specimen::LEVEL.position(), Value::Int(101));
        Ok(vec![
            verb("a negative number of views", negative).refused("Invalid Note.views"),
            verb("no title", untitled).refused("Invalid Note.title"),
            verb("a title that is too long", long).refused("Invalid Note.title"),
            verb("a level out of range", out_of_range).refused("Invalid Specimen.level"),
        ])
    }

    /// 2 on what does not exist, or not for this user; 1 unit that finds nothing first and would be refused later.
    fn nothing_found(&self) -> Result<Vec<Asked>> {
        let not_found = r#"NotFound { entity: "Note" }"#;
        let bobs = self.bobs_note;
        let update = self.on_notes("a change of nothing", |notes| async move {
            let patch = NotePatch { views: 5.into(), ..NotePatch::default() };
            notes.update(Id::from_uuid(NOWHERE), patch).await
        });
        let delete = self.on_notes("a delete of Bob's", move |notes| async move { notes.delete(bobs).await });
        let nowhere = Id::from_uuid(NOWHERE);
        let there = self.ada.repo::<Job>().look_up(nowhere)?;
        let steps = Unit::default().then_some(there, ErrorKind::NotFound { entity: "Job".into() });
        let first_of_two = unit("a unit that finds nothing", steps.then(self.message(nowhere)?))
            .refused(r#"NotFound { entity: "Job" }"#);
        Ok(vec![update.refused(not_found), delete.refused(not_found), first_of_two])
    }

    /// 2 sums that are no 64-bit integer.
    fn sums_too_large(&self) -> Vec<Asked> {
        vec![
            complete(self.leases[5], 2).refused("Invalid Job.total_tokens"),
            verb("a sum too large", add(self.notes[23].id, 1)).refused("Invalid Note.views"),
        ]
    }
}

fn add(note: NoteId, views: i64) -> Verb {
    Verb::Update(Update {
        table: Note::TABLE,
        owner: None,
        key: Some(by_id(note.uuid())),
        filter: Filter::always(),
        set: vec![(Note::VIEWS.position(), Assign::Add(views))],
        returning: true,
    })
}

fn complete(lease: Lease, tokens: i64) -> Asked {
    let usage = TokenUsage { total: tokens, ..TokenUsage::default() };
    asked("a completion", move |world| async move {
        world.system().jobs().complete(&lease, Completion { usage, next_run_at: None }).await
    })
}

async fn due_jobs(world: &World, user: &UserScope, count: usize) -> Result<()> {
    let new = |number| NewJob {
        status: JobStatus::Active,
        next_run_at: Some(world.now()),
        ..NewJob::new(format!("job {number}"))
    };
    user.jobs().create_many((0..count).map(new)).await.map(drop)
}

/// Leases on new jobs of this user, which are the only ones that are due.
async fn leases(world: &World, user: &UserScope, count: usize) -> Result<Vec<Lease>> {
    due_jobs(world, user, count).await?;
    claimed(world).await
}

/// Everything that is due, claimed for an hour.
async fn claimed(world: &World) -> Result<Vec<Lease>> {
    let claim = ClaimDue { limit: 100, lease: TimeDelta::hours(1), worker: "worker".to_owned() };
    let claimed = world.system().jobs().claim_due(claim).await?;
    Ok(claimed.into_iter().map(|claimed| claimed.lease).collect())
}
