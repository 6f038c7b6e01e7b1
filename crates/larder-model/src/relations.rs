//! Jobs with what belongs to them, without a query for each.

use std::collections::HashMap;

use larder_core::{
    Entity, Error, Field, Filter, Order, Outcome, Owned, Page, Repo, Result, SortDirection, SystemScope,
    Unit, UserScope, Verb,
};
use serde::Serialize;

use crate::{ContextEntry, Endpoint, Job, JobId, Message, Task, User, UserId};

/// What to load with a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobRelations {
    /// Its messages, in the order in which they were added.
    pub messages: bool,
    /// Its endpoints, in the order in which they were created.
    pub endpoints: bool,
    /// What it remembers, in the order of the keys.
    pub context_entries: bool,
    /// Its tasks, in the order in which they were created.
    pub tasks: bool,
    /// Its owner.
    pub owner: bool,
}

impl JobRelations {
    /// All of them.
    pub const ALL: Self =
        Self { messages: true, endpoints: true, context_entries: true, tasks: true, owner: true };
}

/// A job and what was loaded with it; `None` for what was not asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobWith {
    /// The job.
    pub job: Job,
    /// Its messages, in the order in which they were added.
    pub messages: Option<Vec<Message>>,
    /// Its endpoints, in the order in which they were created.
    pub endpoints: Option<Vec<Endpoint>>,
    /// What it remembers, in the order of the keys.
    pub context_entries: Option<Vec<ContextEntry>>,
    /// Its tasks, in the order in which they were created.
    pub tasks: Option<Vec<Task>>,
    /// Its owner.
    pub owner: Option<User>,
}

/// One job and its relations, in one unit: one trip, one state of the database.
pub(crate) async fn of_one(
    jobs: &Repo<Job>,
    scope: &UserScope,
    id: JobId,
    relations: JobRelations,
) -> Result<Option<JobWith>> {
    let unit = with_relations(Unit::default().then(jobs.look_up(id)?), scope, &[id], relations)?;
    let mut outcomes = jobs.context().run(unit).await?.into_iter();
    let Some(Outcome::Row(Some(row))) = outcomes.next() else { return Ok(None) };
    let mut found = Found::read(&mut outcomes, relations)?;
    Ok(Some(found.attach(Job::from_row(row)?)))
}

/// The relations of a page of jobs, in one unit.
pub(crate) async fn of_page(
    scope: &UserScope,
    page: Page<Job>,
    relations: JobRelations,
) -> Result<Page<JobWith>> {
    if page.items.is_empty() || relations == JobRelations::default() {
        return Ok(page.map(|job| Found::default().attach(job)));
    }
    let these: Vec<_> = page.items.iter().map(|job| job.id).collect();
    let unit = with_relations(Unit::default(), scope, &these, relations)?;
    let mut found = Found::read(&mut scope.context().run(unit).await?.into_iter(), relations)?;
    Ok(page.map(|job| found.attach(job)))
}

/// An entity whose rows belong to jobs.
trait OfJob: Entity<Ownership = Owned> {
    /// The field that says to which.
    const JOB: Field<Self, JobId>;

    /// To which job this one belongs.
    fn job(&self) -> JobId;

    /// The order within a job.
    fn order() -> Vec<Order>;
}

macro_rules! of_job {
    ($($entity:ident in the order of $($field:ident),+;)+) => {
        $(impl OfJob for $entity {
            const JOB: Field<Self, JobId> = Self::JOB_ID;

            fn job(&self) -> JobId {
                self.job_id
            }

            fn order() -> Vec<Order> {
                vec![$(Self::$field.order(SortDirection::Asc)),+]
            }
        })+
    };
}

of_job! {
    Message in the order of CREATED_AT, ID;
    Endpoint in the order of CREATED_AT, ID;
    ContextEntry in the order of KEY;
    Task in the order of CREATED_AT, ID;
}

/// Adds the verbs of the relations that are asked for; [`Found::read`] reads their answers, in the same order.
fn with_relations(
    mut unit: Unit,
    scope: &UserScope,
    jobs: &[JobId],
    relations: JobRelations,
) -> Result<Unit> {
    if relations.messages {
        unit = unit.then(children::<Message>(scope, jobs)?);
    }
    if relations.endpoints {
        unit = unit.then(children::<Endpoint>(scope, jobs)?);
    }
    if relations.context_entries {
        unit = unit.then(children::<ContextEntry>(scope, jobs)?);
    }
    if relations.tasks {
        unit = unit.then(children::<Task>(scope, jobs)?);
    }
    if relations.owner {
        unit = unit.then(owner_of(scope)?);
    }
    Ok(unit)
}

fn children<E: OfJob>(scope: &UserScope, jobs: &[JobId]) -> Result<Verb> {
    let of_these: Filter = match jobs {
        [job] => E::JOB.eq(*job)?,
        jobs => E::JOB.is_in(jobs.iter().copied())?,
    };
    Ok(scope.repo::<E>().selection(of_these, E::order(), None))
}

fn owner_of(scope: &UserScope) -> Result<Verb> {
    let users = SystemScope::new(scope.context().clone()).repo::<User>();
    users.look_up(UserId::from_uuid(scope.owner()))
}

/// Rows by the job that they belong to.
type ByJob<E> = HashMap<JobId, Vec<E>>;

/// What the relations' verbs answered.
#[derive(Default)]
struct Found {
    messages: Option<ByJob<Message>>,
    endpoints: Option<ByJob<Endpoint>>,
    context_entries: Option<ByJob<ContextEntry>>,
    tasks: Option<ByJob<Task>>,
    owner: Option<User>,
}

impl Found {
    fn read(outcomes: &mut impl Iterator<Item = Outcome>, relations: JobRelations) -> Result<Self> {
        Ok(Self {
            messages: by_job(relations.messages, outcomes)?,
            endpoints: by_job(relations.endpoints, outcomes)?,
            context_entries: by_job(relations.context_entries, outcomes)?,
            tasks: by_job(relations.tasks, outcomes)?,
            owner: owner(relations.owner, outcomes)?,
        })
    }

    fn attach(&mut self, job: Job) -> JobWith {
        JobWith {
            messages: of(&mut self.messages, job.id),
            endpoints: of(&mut self.endpoints, job.id),
            context_entries: of(&mut self.context_entries, job.id),
            tasks: of(&mut self.tasks, job.id),
            owner: self.owner.clone(),
            job,
        }
    }
}

fn by_job<E: OfJob>(asked: bool, outcomes: &mut impl Iterator<Item = Outcome>) -> Result<Option<ByJob<E>>> {
    if !asked {
        return Ok(None);
    }
    let Some(Outcome::Rows(rows)) = outcomes.next() else { return Err(incomplete()) };
    let mut found = ByJob::new();
    for row in rows {
        let child = E::from_row(row)?;
        found.entry(child.job()).or_default().push(child);
    }
    Ok(Some(found))
}

fn owner(asked: bool, outcomes: &mut impl Iterator<Item = Outcome>) -> Result<Option<User>> {
    if !asked {
        return Ok(None);
    }
    let Some(Outcome::Row(row)) = outcomes.next() else { return Err(incomplete()) };
    row.map(User::from_row).transpose()
}

fn of<E>(found: &mut Option<ByJob<E>>, job: JobId) -> Option<Vec<E>> {
    found.as_mut().map(|found| found.remove(&job).unwrap_or_default())
}

fn incomplete() -> Error {
    Error::corrupt("Store", "outcome").with_context("the store did not answer every step of a unit")
}
