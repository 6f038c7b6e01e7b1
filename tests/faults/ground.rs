//! What is written while things fail, and the question whether it is as the writers were told.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::AddAssign,
};

use larder::{
    Assign, Entity as _, ErrorKind, Filter, Key, Larder, Result, Unit, Update, UserScope, Verb,
    model::{Job, JobId, Message, MessageContent, MessageRole, NewJob, NewMessage, NewUser, UserId},
    prelude::{SortDirection, SystemModel as _, UserModel as _},
};

/// How many write at once.
pub(crate) const WRITERS: usize = 64;

/// How many counters there are: each is several writers'.
const COUNTERS: usize = 16;

/// What a writer was told of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// It is done.
    Done,
    /// It was not done.
    NotDone,
    /// It may have been done, or the writer was told nothing at all.
    Unclear,
}

impl Told {
    /// What an answer says.
    ///
    /// # Panics
    /// When it is an error that no fault of these tests should cause.
    pub(crate) fn by(answer: Result<()>) -> Self {
        let Err(error) = answer else { return Self::Done };
        match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Busy | ErrorKind::Contention => Self::NotDone,
            ErrorKind::Ambiguous | ErrorKind::Timeout => Self::Unclear,
            _ => panic!("an error that does not fit: {error:?}"),
        }
    }
}

/// How often writers were told what.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) done: usize,
    pub(crate) not_done: usize,
    pub(crate) unclear: usize,
    /// How many of the unclear writes were done.
    unclear_and_done: usize,
}

impl Counts {
    fn add(&mut self, told: Told) {
        *match told {
            Told::Done => &mut self.done,
            Told::NotDone => &mut self.not_done,
            Told::Unclear => &mut self.unclear,
        } += 1;
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.done += other.done;
        self.not_done += other.not_done;
        self.unclear += other.unclear;
        self.unclear_and_done += other.unclear_and_done;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, not_done, unclear, unclear_and_done } = self;
        write!(
            f,
            "{done} writes acknowledged, {unclear} unclear ({unclear_and_done} of them done), {not_done} refused"
        )
    }
}

/// A user's rows that nobody else writes.
///
/// The write of a writer with a number is, by turns, an insert of a message that names both, an addition to a counter, or
/// both in a unit. So it can be told of each write whether it is there, and how often.
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    mine: UserScope,
    /// Each has two counters: `total_tokens` of additions, `input_tokens` of units.
    jobs: Vec<JobId>,
}

impl Ground {
    /// A new one.
    pub(crate) async fn make(larder: &Larder) -> Result<Self> {
        let owner = larder.system().users().create(NewUser::default()).await?.id;
        let jobs = (0..COUNTERS).map(|number| NewJob::new(format!("counter {number:02}")));
        larder.user(owner).jobs().create_many(jobs).await?;
        Self::find(larder, owner).await
    }

    /// The same one, by another handle.
    pub(crate) async fn find(larder: &Larder, owner: UserId) -> Result<Self> {
        let mine = larder.user(owner);
        let order = vec![Job::DEFINITION.order(SortDirection::Asc)];
        let jobs = mine.jobs().select(Filter::always(), order, None).await?;
        Ok(Self { mine, jobs: jobs.into_iter().map(|job| job.id).collect() })
    }

    /// Whose it is.
    pub(crate) fn owner(&self) -> UserId {
        self.mine.owner().into()
    }

    /// Does a write.
    pub(crate) async fn write(&self, writer: usize, number: usize) -> Result<()> {
        let context = self.mine.context();
        match kind(writer, number) {
            Kind::Insert => context.execute(self.message(writer, number)?).await.map(drop),
            Kind::Addition => {
                let outcome = context.execute(self.addition(Job::TOTAL_TOKENS.add(1), writer)).await?;
                assert_eq!(outcome.rows(), 1, "the counter is there");
                Ok(())
            }
            Kind::Unit => {
                let unit = Unit::default().then(self.message(writer, number)?);
                let unit = unit.then(self.addition(Job::INPUT_TOKENS.add(1), writer));
                context.run(unit).await.map(drop)
            }
        }
    }

    /// Reads something.
    pub(crate) async fn read(&self, writer: usize) -> Result<()> {
        let found = self.mine.jobs().get(self.jobs[writer % COUNTERS]).await?;
        assert!(found.is_some(), "the counter is there");
        Ok(())
    }

    /// Verbs that lock all counters and change nothing.
    pub(crate) fn additions_of_nothing(&self) -> Vec<Verb> {
        (0..COUNTERS).map(|counter| self.addition(Job::TOTAL_TOKENS.add(0), counter)).collect()
    }

    /// What this writer is told before its next write is an addition, when it writes nothing before.
    pub(crate) fn nothing_before_an_addition(writer: usize) -> Vec<Told> {
        let others = (0..).take_while(|number| kind(writer, *number) != Kind::Addition);
        others.map(|_| Told::NotDone).collect()
    }

    fn message(&self, writer: usize, number: usize) -> Result<Verb> {
        let job = self.jobs[writer % COUNTERS];
        let new = NewMessage::new(job, MessageRole::User, format!("{writer} {number}"));
        Ok(self.mine.repo::<Message>().creation(new)?.1)
    }

    fn addition(&self, add: (usize, Assign), writer: usize) -> Verb {
        let values = vec![larder::Value::Uuid(self.jobs[writer % COUNTERS].uuid())];
        Verb::Update(Update {
            table: Job::TABLE,
            owner: Some(self.mine.owner()),
            key: Some(Key { columns: Job::TABLE.primary_key, values }),
            filter: Filter::always(),
            set: vec![add],
            returning: false,
        })
    }

    /// Checks that what is there is what the writers were told, write by write; `told[writer][number]`. Nobody may be
    /// writing any more.
    pub(crate) async fn check(&self, told: &[Vec<Told>]) -> Result<Counts> {
        let mut there = BTreeSet::new();
        let mut units = BTreeMap::new();
        for message in self.mine.messages().select(Filter::always(), Vec::new(), None).await? {
            let (writer, number) = written_by(&message.content);
            assert!(there.insert((writer, number)), "writer {writer}'s write {number} was done twice");
            let is_unit = kind(writer, number) == Kind::Unit;
            *units.entry(message.job_id).or_insert(0) += i64::from(is_unit);
        }
        let mut counts = Counts::default();
        let mut additions: BTreeMap<JobId, [i64; 2]> = BTreeMap::new();
        for (writer, number, told) in each(told) {
            counts.add(told);
            if kind(writer, number) == Kind::Addition {
                let [least, unclear] = additions.entry(self.jobs[writer % COUNTERS]).or_default();
                *least += i64::from(told == Told::Done);
                *unclear += i64::from(told == Told::Unclear);
                continue;
            }
            let was_done = there.remove(&(writer, number));
            let is_true = told == Told::Unclear || was_done == (told == Told::Done);
            assert!(is_true, "writer {writer} was told {told:?} of write {number}; done: {was_done}");
            counts.unclear_and_done += usize::from(told == Told::Unclear && was_done);
        }
        assert_eq!(there, BTreeSet::new(), "nobody wrote these");
        for job in self.mine.jobs().select(Filter::always(), Vec::new(), None).await? {
            let counted = units.get(&job.id).copied().unwrap_or(0);
            assert_eq!(job.input_tokens, counted, "a unit was done by half or twice");
            let [least, unclear] = additions.get(&job.id).copied().unwrap_or_default();
            let beyond = job.total_tokens - least;
            assert!(
                (0..=unclear).contains(&beyond),
                "{least} were added and perhaps {unclear} more; the sum is {}",
                job.total_tokens
            );
            counts.unclear_and_done += usize::try_from(beyond).unwrap_or_default();
        }
        Ok(counts)
    }
}

/// Each write: its writer, its number, and what the writer was told.
fn each(told: &[Vec<Told>]) -> impl Iterator<Item = (usize, usize, Told)> {
    let of_writer = |(writer, told): (usize, &'_ Vec<Told>)| {
        let told = told.clone();
        told.into_iter().enumerate().map(move |(number, told)| (writer, number, told))
    };
    told.iter().enumerate().flat_map(of_writer)
}

/// What a write is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Insert,
    Addition,
    Unit,
}

/// A writer's writes take turns, and so do those of the writers at one time.
fn kind(writer: usize, number: usize) -> Kind {
    [Kind::Insert, Kind::Addition, Kind::Unit][(writer + number) % 3]
}

fn written_by(content: &MessageContent) -> (usize, usize) {
    let MessageContent::Text(text) = content else { panic!("another content: {content:?}") };
    let (writer, number) = text.split_once(' ').unwrap();
    (writer.parse().unwrap(), number.parse().unwrap())
}
