//! Tasks: the steps of a job, and how far each has come.

use std::ops::Deref;

use chrono::{DateTime, Utc};
use larder_core::{Assign, Error, Repo, Result, UserScope};
use larder_derive::{Entity, EnumText};
use serde::Serialize;

use crate::{JobId, UserId};

/// How far a task has come. It only goes forward: pending, running, then completed or failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumText)]
#[entity(name = "task_status", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskStatus {
    /// It waits.
    Pending,
    /// It runs.
    Running,
    /// It ended as it should.
    Completed,
    /// It ended with an error.
    Failed,
}

/// A step of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Entity)]
#[entity(table = "tasks", index = [job_id, status])]
pub struct Task {
    /// The id.
    pub id: TaskId,
    /// Whose it is.
    #[entity(owner)]
    pub user_id: UserId,
    /// Which job it belongs to.
    #[entity(parent)]
    pub job_id: JobId,
    /// What is to be done.
    #[entity(length(1, 500), sort, search)]
    pub name: String,
    /// How far it has come.
    #[entity(managed, default = TaskStatus::Pending, sort, filter)]
    pub status: TaskStatus,
    /// When it was started.
    #[entity(managed)]
    pub started_at: Option<DateTime<Utc>>,
    /// When it was completed, or failed.
    #[entity(managed)]
    pub finished_at: Option<DateTime<Utc>>,
    /// Why it failed.
    #[entity(managed, length(0, 10_000))]
    pub error: Option<String>,
    /// When it was created.
    #[entity(sort)]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[entity(sort)]
    pub updated_at: DateTime<Utc>,
}

/// The tasks of a user's jobs. It is a [`Repo`] of [`Task`] and more.
///
/// ```
/// use larder::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// # let larder = Larder::open("memory:").await?;
/// # larder.migrate().await?;
/// # let ada = larder.system().users().create(NewUser::new()).await?;
/// # let mine = larder.user(ada.id);
/// # let job = mine.jobs().create(NewJob::new("Send me the weather every morning")).await?;
/// let tasks = mine.tasks();
/// let task = tasks.create(NewTask::new(job.id, "Look out of the window")).await?;
/// tasks.start(task.id).await?;
/// let task = tasks.fail(task.id, "it is dark").await?;
/// assert_eq!((task.status, task.error.as_deref()), (TaskStatus::Failed, Some("it is dark")));
///
/// // It only goes forward.
/// let refused = tasks.start(task.id).await.unwrap_err();
/// assert_eq!(
///     refused.to_string(),
///     "Task.status: goes from PENDING to RUNNING, and this one is FAILED"
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Tasks(Repo<Task>);

impl Tasks {
    pub(crate) fn new(scope: &UserScope) -> Self {
        Self(scope.repo())
    }

    /// A pending task runs from now on. Of concurrent callers one starts it.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for `status` when it is not pending.
    pub async fn start(&self, id: TaskId) -> Result<Task> {
        let set = vec![Task::STARTED_AT.set(Some(self.context().now()))?];
        self.advance(id, TaskStatus::Pending, TaskStatus::Running, set).await
    }

    /// A running task has ended as it should.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for `status` when it is not running.
    pub async fn complete(&self, id: TaskId) -> Result<Task> {
        let set = vec![Task::FINISHED_AT.set(Some(self.context().now()))?];
        self.advance(id, TaskStatus::Running, TaskStatus::Completed, set).await
    }

    /// A running task has ended with an error.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for `status` when it is not running, and for `error` when that has more than 10,000
    /// characters.
    pub async fn fail(&self, id: TaskId, error: impl Into<String>) -> Result<Task> {
        let now = self.context().now();
        let set = vec![Task::FINISHED_AT.set(Some(now))?, Task::ERROR.set(Some(error.into()))?];
        self.advance(id, TaskStatus::Running, TaskStatus::Failed, set).await
    }

    async fn advance(
        &self,
        id: TaskId,
        from: TaskStatus,
        to: TaskStatus,
        mut set: Vec<(usize, Assign)>,
    ) -> Result<Task> {
        set.push(Task::STATUS.set(to)?);
        if let Some(task) = self.update_if(id, Task::STATUS.eq(from)?, set).await? {
            return Ok(task);
        }
        match self.get(id).await? {
            Some(task) => {
                let reason = format!("goes from {from} to {to}, and this one is {}", task.status);
                Err(Error::invalid("Task", "status", reason))
            }
            None => Err(Error::not_found("Task")),
        }
    }
}

impl Deref for Tasks {
    type Target = Repo<Task>;

    fn deref(&self) -> &Repo<Task> {
        &self.0
    }
}
