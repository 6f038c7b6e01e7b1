//! Jobs with what belongs to them, without a query for each.

use std::collections::HashMap;

use larder_core::{
    Entity, Error, Filter, Outcome, Page, Repo, Result, SortDirection, SystemScope, Unit, UserScope, Verb,
};
use serde::Serialize;

use crate::{Job, JobId, Message, User, UserId};

/// What to load with a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobRelations {
    /// Its messages, in order.
    pub messages: bool,
    /// Its owner.
    pub owner: bool,
}

impl JobRelations {
    /// All of them.
    pub const ALL: Self = Self { messages: true, owner: true };
}

/// A job and what was loaded with it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobWith {
    /// The job.
    pub job: Job,
    /// Its messages in order, when they were asked for.
    pub messages: Option<Vec<Message>>,
    /// Its owner, when asked for.
    pub owner: Option<User>,
}

/// One job and its relations, in one unit: one trip, one state of the database.
pub(crate) async fn of_one(
    jobs: &Repo<Job>,
    scope: &UserScope,
    id: JobId,
    relations: JobRelations,
) -> Result<Option<JobWith>> {
    let unit = Unit::default().then(jobs.look_up(id)?);
    let unit = with_relations(unit, scope, Message::JOB_ID.eq(id)?, relations)?;
    let mut outcomes = jobs.context().run(unit).await?.into_iter();
    let Some(Outcome::Row(Some(row))) = outcomes.next() else { return Ok(None) };
    let mut found = Found::read(outcomes, relations)?;
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
    let of_these = Message::JOB_ID.is_in(page.items.iter().map(|job| job.id))?;
    let unit = with_relations(Unit::default(), scope, of_these, relations)?;
    let mut found = Found::read(scope.context().run(unit).await?.into_iter(), relations)?;
    Ok(page.map(|job| found.attach(job)))
}

fn with_relations(unit: Unit, scope: &UserScope, messages: Filter, relations: JobRelations) -> Result<Unit> {
    let mut unit = unit;
    if relations.messages {
        let order =
            vec![Message::CREATED_AT.order(SortDirection::Asc), Message::ID.order(SortDirection::Asc)];
        unit = unit.then(scope.repo::<Message>().selection(messages, order, None));
    }
    if relations.owner {
        unit = unit.then(owner_of(scope)?);
    }
    Ok(unit)
}

fn owner_of(scope: &UserScope) -> Result<Verb> {
    let users = SystemScope::new(scope.context().clone()).repo::<User>();
    users.look_up(UserId::from_uuid(scope.owner()))
}

/// What the relations' verbs answered.
#[derive(Default)]
struct Found {
    messages: Option<HashMap<JobId, Vec<Message>>>,
    owner: Option<User>,
}

impl Found {
    fn read(mut outcomes: impl Iterator<Item = Outcome>, relations: JobRelations) -> Result<Self> {
        let mut found = Self::default();
        if relations.messages {
            let Some(Outcome::Rows(rows)) = outcomes.next() else { return Err(incomplete()) };
            let messages = found.messages.insert(HashMap::new());
            for row in rows {
                let message = Message::from_row(row)?;
                messages.entry(message.job_id).or_default().push(message);
            }
        }
        if relations.owner {
            let Some(Outcome::Row(row)) = outcomes.next() else { return Err(incomplete()) };
            found.owner = row.map(User::from_row).transpose()?;
        }
        Ok(found)
    }

    fn attach(&mut self, job: Job) -> JobWith {
        let messages = self.messages.as_mut().map(|of| of.remove(&job.id).unwrap_or_default());
        JobWith { job, messages, owner: self.owner.clone() }
    }
}

fn incomplete() -> Error {
    Error::corrupt("Store", "outcome").with_context("the store did not answer every step of a unit")
}
