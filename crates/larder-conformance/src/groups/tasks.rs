//! Tasks: how far a step of a job has come.

use chrono::TimeDelta;
use larder::{Result, model::*};

use crate::{World, expect::assert_invalid_for, together};

cases! {
    /// A pending task starts, a running one is completed or fails; anything else is `Invalid` for `status`, and the task
    /// stays as it was. No method leads back.
    #[covers(4)]
    async fn a_task_only_goes_forward(world: World) {
        let (tasks, job) = tasks_of_a_job(&world).await?;
        for from in STATUSES {
            for (to, allowed_from) in MOVES {
                let before = task_that_is(&tasks, job, from).await?;
                let moved = go(&tasks, before.id, to).await;
                if from == allowed_from {
                    let after = moved?;
                    assert_eq!(after.status, to);
                    assert_eq!(tasks.get(before.id).await?, Some(after), "{from} to {to}");
                } else {
                    assert_invalid_for(moved, "status", format!("{from} to {to}"));
                    assert_eq!(tasks.get(before.id).await?, Some(before), "{from} to {to}");
                }
            }
        }
    }

    /// A task that does not exist is `NotFound`, whichever way it should go.
    #[covers(1)]
    async fn a_task_that_is_gone_is_not_found(world: World) {
        let (tasks, job) = tasks_of_a_job(&world).await?;
        let gone = task_that_is(&tasks, job, TaskStatus::Running).await?;
        tasks.delete(gone.id).await?;
        for (to, _) in MOVES {
            let refused = go(&tasks, gone.id, to).await.unwrap_err();
            assert_eq!(refused.kind(), larder::Error::not_found("Task").kind(), "{to}");
        }
    }

    /// Of 64 callers who start a task, over two handles, one does; the others are told what it is.
    #[covers(38)]
    async fn of_many_who_start_a_task_one_does(world: World) {
        let (tasks, job) = tasks_of_a_job(&world).await?;
        let task = tasks.create(NewTask::new(job, "look out of the window")).await?;
        let both = [tasks.clone(), again(&world, &tasks).await?];
        let started = together(64, |number| {
            let tasks = both[number % 2].clone();
            async move { tasks.start(task.id).await }
        });
        let won = the_one_that_won(started.await);
        assert_eq!(won.status, TaskStatus::Running);
        assert_eq!(tasks.get(task.id).await?, Some(won));
    }

    /// Of 64 callers of whom half complete a task and half let it fail one ends it, and it is as that one left it.
    #[covers(38)]
    async fn of_many_who_end_a_task_one_does(world: World) {
        let (tasks, job) = tasks_of_a_job(&world).await?;
        let task = task_that_is(&tasks, job, TaskStatus::Running).await?;
        let both = [tasks.clone(), again(&world, &tasks).await?];
        let ended = together(64, |number| {
            let tasks = both[number % 2].clone();
            async move {
                match number % 4 {
                    0 | 1 => tasks.complete(task.id).await,
                    _ => tasks.fail(task.id, format!("caller {number}")).await,
                }
            }
        });
        let won = the_one_that_won(ended.await);
        assert_eq!(won.error.is_some(), won.status == TaskStatus::Failed);
        assert_eq!(tasks.get(task.id).await?, Some(won));
    }

    /// A task starts and ends when the injected clock says so, and is untouched before.
    #[covers(64)]
    async fn a_task_starts_and_ends_when_the_clock_says_so(world: World) {
        let (tasks, job) = tasks_of_a_job(&world).await?;
        for end in [TaskStatus::Completed, TaskStatus::Failed] {
            let new = tasks.create(NewTask::new(job, "look out of the window")).await?;
            assert_eq!((new.status, new.created_at), (TaskStatus::Pending, world.now()));
            assert_eq!((new.started_at, new.finished_at, &new.error), (None, None, &None));
            world.clock().advance(TimeDelta::microseconds(1));
            let begun = world.now();
            let started = tasks.start(new.id).await?;
            assert_eq!((started.started_at, started.finished_at), (Some(begun), None));
            assert_eq!(started.updated_at, begun);
            world.clock().advance(TimeDelta::days(400));
            let ended = go(&tasks, new.id, end).await?;
            assert_eq!((ended.started_at, ended.finished_at), (Some(begun), Some(world.now())));
            assert_eq!((ended.created_at, ended.updated_at), (new.created_at, world.now()));
        }
    }

    /// Why a task failed is text of at most 10,000 characters; a longer one, or one with NUL in it, is `Invalid` for
    /// `error`, and the task still runs.
    #[covers(4)]
    async fn why_a_task_failed_is_told_in_ten_thousand_characters(world: World) {
        let (tasks, job) = tasks_of_a_job(&world).await?;
        for error in [String::new(), "😀".repeat(10_000)] {
            let running = task_that_is(&tasks, job, TaskStatus::Running).await?;
            let failed = tasks.fail(running.id, error.as_str()).await?;
            assert_eq!((failed.status, failed.error), (TaskStatus::Failed, Some(error)));
        }
        for error in ["é".repeat(10_001), "a\0b".to_owned()] {
            let running = task_that_is(&tasks, job, TaskStatus::Running).await?;
            assert_invalid_for(tasks.fail(running.id, error).await, "error", "an error that cannot be kept");
            assert_eq!(tasks.get(running.id).await?, Some(running));
        }
    }
}

const STATUSES: [TaskStatus; 4] =
    [TaskStatus::Pending, TaskStatus::Running, TaskStatus::Completed, TaskStatus::Failed];

/// What a task can become, and what it must be for that. Nothing becomes pending again.
const MOVES: [(TaskStatus, TaskStatus); 3] = [
    (TaskStatus::Running, TaskStatus::Pending),
    (TaskStatus::Completed, TaskStatus::Running),
    (TaskStatus::Failed, TaskStatus::Running),
];

async fn tasks_of_a_job(world: &World) -> Result<(Tasks, JobId)> {
    let ada = world.user("Ada").await?;
    let job = ada.jobs().create(NewJob::new("Tell me the weather")).await?.id;
    Ok((ada.tasks(), job))
}

/// A new task that has come so far.
async fn task_that_is(tasks: &Tasks, job: JobId, status: TaskStatus) -> Result<Task> {
    let task = tasks.create(NewTask::new(job, "look out of the window")).await?;
    match status {
        TaskStatus::Pending => Ok(task),
        TaskStatus::Running => tasks.start(task.id).await,
        TaskStatus::Completed | TaskStatus::Failed => {
            tasks.start(task.id).await?;
            go(tasks, task.id, status).await
        }
    }
}

/// Calls the method that leads there.
async fn go(tasks: &Tasks, id: TaskId, to: TaskStatus) -> Result<Task> {
    match to {
        TaskStatus::Completed => tasks.complete(id).await,
        TaskStatus::Failed => tasks.fail(id, "no answer").await,
        _ => tasks.start(id).await,
    }
}

/// The same user's tasks, by a handle of their own.
async fn again(world: &World, tasks: &Tasks) -> Result<Tasks, crate::Failure> {
    let owner = tasks.owner().unwrap_or_default();
    Ok(world.reopen().await?.user(UserId::from_uuid(owner)).tasks())
}

/// The answer of the one caller that was not refused.
fn the_one_that_won(answers: Vec<Result<Task>>) -> Task {
    let (mut won, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), refused.len()), (1, 63));
    for answer in refused {
        assert_invalid_for(answer, "status", "a caller that came too late");
    }
    won.remove(0).unwrap()
}
