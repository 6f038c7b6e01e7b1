//! A plot: a few keys of every kind that no other plot has, and random calls on the rows that may hold them.

use chrono::TimeDelta;
use fastrand::Rng;
use larder::{
    Aggregate, Assign, Claim, Count, Delete, Entity, ErrorKind, Field, Filter, Get, Key, Order, Require,
    Result, Select, SortDirection, Step, Table, Unit, Update, Upsert, UserScope, Value, Verb, model::*,
};
use uuid::Uuid;

use crate::{
    World,
    call::{Call, by_id, with_value},
    entities::{Folder, NewFolder, NewNote, NewSpecimen, Note, Specimen},
};

/// The keys of the rows that calls on this plot touch. Whether they are there, nobody knows: to insert a row may be a
/// conflict, to refer to one may be an error, and to change one may change nothing.
pub(super) struct Plot<'a> {
    number: usize,
    world: &'a World,
}

/// The unique key of a note.
const NOTE_TITLE: &[usize] = &[Note::USER_ID.position(), Note::TITLE.position()];

/// The unique key of a specimen.
const LABEL: &[usize] = &[Specimen::LABEL.position()];

/// What kind of row an id is for.
#[derive(Clone, Copy)]
enum Kind {
    User = 1,
    Note,
    Job,
    Message,
    Specimen,
    Folder,
    Nothing,
}

impl<'a> Plot<'a> {
    /// The plot of this number; the calls' times are those of the world's clock.
    pub(super) fn of(number: usize, world: &'a World) -> Self {
        Self { number, world }
    }

    /// A call on some of its rows.
    pub(super) fn call(&self, random: &mut Rng) -> Result<Call> {
        let verb = match random.u8(0..100) {
            0..8 => self.new_user(random),
            8..10 => Ok(self.delete(random, User::TABLE, Kind::User)),
            10..12 => Ok(self.get_by(User::TABLE, None, User::EMAIL.position(), Value::Text(self.email()))),
            12..14 => Ok(self.rename_user(random)),
            14..27 => self.new_notes(random),
            27..43 => self.change_note(random),
            43..47 => self.put_note(random),
            47..51 => Ok(self.delete(random, Note::TABLE, Kind::Note)),
            51..60 => Ok(self.look_up_note(random)),
            60..63 => Ok(self.notes(random)),
            63..68 => self.new_job(random),
            68..75 => self.change_job(random),
            75..80 => self.claim(),
            80..81 => Ok(self.delete(random, Job::TABLE, Kind::Job)),
            81..86 => self.new_messages(random),
            86..89 => self.specimen(random),
            89..92 => self.folder(random),
            _ => return Ok(Call::Unit(self.unit(random)?)),
        };
        verb.map(Call::Verb)
    }

    fn id(&self, kind: Kind, which: u8) -> Uuid {
        Uuid::from_u128((1 << 120) | (self.number as u128) << 64 | (kind as u128) << 8 | u128::from(which))
    }

    fn some_id(&self, random: &mut Rng, kind: Kind) -> Uuid {
        self.id(kind, random.u8(0..2))
    }

    /// The scope of the first user, whom most rows belong to.
    fn mine(&self) -> UserScope {
        self.world.larder().user(UserId::from_uuid(self.owner()))
    }

    fn owner(&self) -> Uuid {
        self.id(Kind::User, 0)
    }

    /// Mostly the owner, sometimes the other user, sometimes nobody.
    fn maybe_owner(&self, random: &mut Rng) -> Option<Uuid> {
        match random.u8(0..8) {
            0 => None,
            1 => Some(self.id(Kind::User, 1)),
            _ => Some(self.owner()),
        }
    }

    fn email(&self) -> String {
        format!("plot.{}@example.org", self.number)
    }

    fn title(&self, random: &mut Rng) -> String {
        format!("{} of {}", if random.bool() { "one" } else { "other" }, self.number)
    }

    fn rename_user(&self, random: &mut Rng) -> Verb {
        let name = Value::Text(format!("name {}", random.u8(..)));
        let set = vec![(User::NAME.position(), Assign::Set(name))];
        self.update(random, User::TABLE, Kind::User, None, set)
    }

    /// The two users have the same address, sometimes.
    fn new_user(&self, random: &mut Rng) -> Result<Verb> {
        let email = (random.u8(0..3) > 0).then(|| self.email());
        let (_, creation) =
            self.world.system().repo::<User>().creation(NewUser { email, ..NewUser::default() })?;
        Ok(with_value(creation, 0, Value::Uuid(self.some_id(random, Kind::User))))
    }

    /// One note or two, or one that breaks a rule.
    fn new_notes(&self, random: &mut Rng) -> Result<Verb> {
        let mut verb = self.new_note(random, 0)?;
        match random.u8(0..8) {
            0 => verb = with_value(verb, Note::VIEWS.position(), Value::Int(-1)),
            1 => verb = with_value(verb, Note::TITLE.position(), broken_title(random)),
            2 | 3 => {
                let second = self.new_note(random, 1)?;
                if let (Verb::Insert(first), Verb::Insert(second)) = (&mut verb, second) {
                    first.rows.extend(second.rows);
                }
            }
            4 => verb = with_value(verb, 0, Value::Uuid(self.id(Kind::Note, 1))),
            _ => {}
        }
        Ok(verb)
    }

    fn new_note(&self, random: &mut Rng, which: u8) -> Result<Verb> {
        let views = if random.u8(0..8) == 0 { i64::MAX - 1 } else { random.i64(0..5) };
        let new = NewNote { views, ..NewNote::new(self.title(random)) };
        let (_, creation) = self.mine().repo::<Note>().creation(new)?;
        Ok(with_value(creation, 0, Value::Uuid(self.id(Kind::Note, which))))
    }

    /// Sets or adds, with a guard or without, and sometimes what a note must not hold.
    fn change_note(&self, random: &mut Rng) -> Result<Verb> {
        let views = Note::VIEWS.position();
        let title = Note::TITLE.position();
        let set = match random.u8(0..10) {
            0 => (title, Assign::Set(broken_title(random))),
            1 | 2 => (title, Assign::Set(Value::Text(self.title(random)))),
            3 => (views, Assign::Set(Value::Int(random.i64(-1..5)))),
            4 => (views, Assign::Set(Value::Int(i64::MAX - 1))),
            5 => (Note::PINNED.position(), Assign::Set(Value::Bool(random.bool()))),
            _ => (views, Assign::Add(random.i64(-2..4))),
        };
        let owner = self.maybe_owner(random);
        let mut verb = self.update(random, Note::TABLE, Kind::Note, owner, vec![set]);
        if let Verb::Update(update) = &mut verb {
            match random.u8(0..6) {
                0 => update.filter = Note::VIEWS.lt(3)?,
                1 => update.key = Some(self.title_key(random)),
                _ => {}
            }
        }
        Ok(verb)
    }

    fn put_note(&self, random: &mut Rng) -> Result<Verb> {
        let which = random.u8(0..2);
        let Verb::Insert(mut insert) = self.new_note(random, which)? else { return self.new_notes(random) };
        let set = vec![Note::VIEWS.add(1), Note::UPDATED_AT.advance(self.world.now())];
        let conflict = if random.bool() { NOTE_TITLE } else { Note::TABLE.primary_key };
        Ok(Verb::Upsert(Upsert { table: Note::TABLE, row: insert.rows.remove(0), conflict, set }))
    }

    fn title_key(&self, random: &mut Rng) -> Key {
        let values = vec![Value::Uuid(self.owner()), Value::Text(self.title(random))];
        Key { columns: NOTE_TITLE, values }
    }

    fn look_up_note(&self, random: &mut Rng) -> Verb {
        let key =
            if random.bool() { by_id(self.some_id(random, Kind::Note)) } else { self.title_key(random) };
        Verb::Get(Get { table: Note::TABLE, owner: self.maybe_owner(random), key })
    }

    /// All notes of the owner, or how many there are and what they come to.
    fn notes(&self, random: &mut Rng) -> Verb {
        let (table, owner, filter) = (Note::TABLE, Some(self.owner()), Filter::always());
        match random.u8(0..4) {
            0 => return Verb::Count(Count { table, owner, filter }),
            1 => {
                let (group_by, sums) = (Some(Note::PINNED.position()), vec![Note::VIEWS.position()]);
                return Verb::Aggregate(Aggregate { table, owner, filter, group_by, sums });
            }
            _ => {}
        }
        let order = vec![Note::ID.order(SortDirection::Asc)];
        Verb::Select(Select { table, owner, filter, order, after: None, offset: 0, limit: None })
    }

    fn get_by(&self, table: &'static Table, owner: Option<Uuid>, column: usize, value: Value) -> Verb {
        let columns = table.key(&[column]).unwrap_or(table.primary_key);
        Verb::Get(Get { table, owner, key: Key { columns, values: vec![value] } })
    }

    fn update(
        &self,
        random: &mut Rng,
        table: &'static Table,
        kind: Kind,
        owner: Option<Uuid>,
        mut set: Vec<(usize, Assign)>,
    ) -> Verb {
        set.extend(table.updated_at.map(|column| (column, Assign::Advance(self.world.now()))));
        let key = Some(by_id(self.some_id(random, kind)));
        Verb::Update(Update { table, owner, key, filter: Filter::always(), set, returning: random.bool() })
    }

    fn delete(&self, random: &mut Rng, table: &'static Table, kind: Kind) -> Verb {
        let owner = table.owner.and_then(|_| self.maybe_owner(random));
        let (key, filter) = (Some(by_id(self.some_id(random, kind))), Filter::always());
        Verb::Delete(Delete { table, owner, key, filter, limit: None, returning: random.bool() })
    }

    fn new_job(&self, random: &mut Rng) -> Result<Verb> {
        let due = self.world.now() + TimeDelta::seconds(random.i64(-60..60));
        let status = if random.u8(0..4) > 0 { JobStatus::Active } else { JobStatus::Paused };
        let new = NewJob { status, next_run_at: Some(due), ..NewJob::new(format!("job {}", self.number)) };
        let (_, creation) = self.mine().repo::<Job>().creation(new)?;
        Ok(with_value(creation, 0, Value::Uuid(self.some_id(random, Kind::Job))))
    }

    /// As a worker ends a run, under the right fencing number or another one; or as a user pauses and resumes.
    fn change_job(&self, random: &mut Rng) -> Result<Verb> {
        let now = self.world.now();
        if random.u8(0..3) == 0 {
            let status = if random.bool() { JobStatus::Active } else { JobStatus::Paused };
            let owner = self.maybe_owner(random);
            return Ok(self.update(random, Job::TABLE, Kind::Job, owner, vec![Job::STATUS.set(status)?]));
        }
        let tokens = if random.u8(0..4) == 0 { i64::MAX - 10 } else { random.i64(0..9) };
        let set = vec![
            Job::TOTAL_TOKENS.add(tokens),
            Job::NEXT_RUN_AT.set(Some(now + TimeDelta::seconds(random.i64(0..60))))?,
            Job::LOCKED_UNTIL.set(None)?,
            Job::LOCK_OWNER.set(None)?,
        ];
        let mut verb = self.update(random, Job::TABLE, Kind::Job, None, set);
        if let Verb::Update(update) = &mut verb
            && random.bool()
        {
            let held = Job::LOCK_TOKEN.eq(random.i64(1..4))?;
            update.filter = held.and(Job::LOCKED_UNTIL.is_not_null());
        }
        Ok(verb)
    }

    /// The due jobs of this plot's owner.
    fn claim(&self) -> Result<Verb> {
        let now = self.world.now();
        let free = Job::LOCKED_UNTIL.is_null().or(Job::LOCKED_UNTIL.le(Some(now))?);
        let due = Job::STATUS.eq(JobStatus::Active)?.and(Job::NEXT_RUN_AT.le(Some(now))?).and(free);
        let set = vec![
            Job::LOCKED_UNTIL.set(Some(now + TimeDelta::seconds(30)))?,
            Job::LOCK_OWNER.set(Some(format!("worker {}", self.number)))?,
            Job::LOCK_TOKEN.add(1),
            Job::UPDATED_AT.advance(now),
        ];
        Ok(Verb::Claim(Claim {
            table: Job::TABLE,
            filter: Job::USER_ID.eq(self.owner().into())?.and(due),
            order: ascending(&[Job::NEXT_RUN_AT.position(), Job::ID.position()]),
            fair_by: None,
            limit: 1,
            set,
        }))
    }

    fn new_message(&self, random: &mut Rng, which: u8) -> Result<Verb> {
        let job = JobId::from_uuid(self.some_id(random, Kind::Job));
        let text = format!("said in {} {}", self.number, random.u8(..));
        let (_, creation) =
            self.mine().repo::<Message>().creation(NewMessage::new(job, MessageRole::User, text))?;
        Ok(with_value(creation, 0, Value::Uuid(self.id(Kind::Message, which))))
    }

    /// A message, or two of which one may be refused.
    fn new_messages(&self, random: &mut Rng) -> Result<Verb> {
        let which = random.u8(0..4);
        let mut verb = self.new_message(random, which)?;
        if random.u8(0..3) == 0 {
            let second = self.new_message(random, which ^ 1)?;
            if let (Verb::Insert(first), Verb::Insert(second)) = (&mut verb, second) {
                first.rows.extend(second.rows);
            }
        }
        Ok(verb)
    }

    /// Written, put by its label, or looked up.
    fn specimen(&self, random: &mut Rng) -> Result<Verb> {
        let label = format!("specimen {}", self.number);
        if random.u8(0..4) == 0 {
            let column = Specimen::LABEL.position();
            return Ok(self.get_by(Specimen::TABLE, None, column, Value::Text(label)));
        }
        let new = NewSpecimen { number: random.i64(..), ..Specimen::plain(label) };
        let (_, creation) = self.world.system().repo::<Specimen>().creation(new)?;
        let creation = with_value(creation, 0, Value::Uuid(self.some_id(random, Kind::Specimen)));
        match (random.u8(0..3), creation) {
            (0, Verb::Insert(mut insert)) => {
                let row = insert.rows.remove(0);
                let set = vec![Specimen::LEVEL.add(random.i64(-20..40))];
                Ok(Verb::Upsert(Upsert { table: Specimen::TABLE, row, conflict: LABEL, set }))
            }
            (1, creation) => {
                Ok(with_value(creation, Specimen::LEVEL.position(), Value::Int(random.i64(95..106))))
            }
            (_, creation) => Ok(creation),
        }
    }

    /// A folder on top or in another one, which may be missing; or one is deleted with all in it.
    fn folder(&self, random: &mut Rng) -> Result<Verb> {
        if random.u8(0..4) == 0 {
            return Ok(self.delete(random, Folder::TABLE, Kind::Folder));
        }
        let which = random.u8(0..2);
        let parent = if which == 0 { None } else { Some(self.id(Kind::Folder, 0).into()) };
        let new = NewFolder { parent_id: parent, ..NewFolder::new("folder") };
        let (_, creation) = self.mine().repo::<Folder>().creation(new)?;
        Ok(with_value(creation, 0, Value::Uuid(self.id(Kind::Folder, which))))
    }

    /// Two or three steps; the first may be one that must find a row, or must not.
    fn unit(&self, random: &mut Rng) -> Result<Unit> {
        let otherwise = ErrorKind::NotFound { entity: "Plot".into() };
        let require = match random.u8(0..4) {
            0 => Require::NoRow { otherwise },
            1 | 2 => Require::Row { otherwise },
            _ => Require::Anything,
        };
        let look_up: Field<Job, JobId> = Job::ID;
        let job = Value::Uuid(self.some_id(random, Kind::Job));
        let verb = self.get_by(Job::TABLE, self.maybe_owner(random), look_up.position(), job);
        let mut unit = Unit { steps: vec![Step { verb, require }] };
        for _ in 0..random.usize(1..3) {
            unit = unit.then(match random.u8(0..4) {
                0 => self.new_notes(random)?,
                1 => self.change_note(random)?,
                2 => self.change_job(random)?,
                _ => self.new_messages(random)?,
            });
        }
        if random.u8(0..4) == 0 {
            let nothing = by_id(self.id(Kind::Nothing, 0));
            let absent = Verb::Get(Get { table: Note::TABLE, owner: None, key: nothing });
            unit = unit.then_some(absent, ErrorKind::LeaseLost { entity: "Plot".into() });
        }
        Ok(unit)
    }
}

fn broken_title(random: &mut Rng) -> Value {
    match random.u8(0..3) {
        0 => Value::Null,
        1 => Value::Text(String::new()),
        _ => Value::Text("x".repeat(201)),
    }
}

fn ascending(columns: &[usize]) -> Vec<Order> {
    columns.iter().map(|&column| Order { column, direction: SortDirection::Asc }).collect()
}
