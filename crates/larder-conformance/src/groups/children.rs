//! Children: what belongs to a job stays with it, and goes with it.

use larder::{Entity, Result, Row, Table, UserScope, Value, With, model::*};
use serde_json::json;

use crate::methods::Target;

cases! {
    /// Deleting a job takes its messages, endpoints, context and tasks, and nothing else: not those of another job, not
    /// those of another user, no row of another table.
    #[covers(29)]
    async fn deleting_a_job_takes_its_children_and_nothing_else(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        let job = Target::of(&ada, "one").await?.job;
        two_of_each(&ada, job).await?;
        let other = ada.jobs().create(NewJob::new("Water the plants")).await?.id;
        two_of_each(&ada, other).await?;
        Target::of(&bob, "his").await?;
        let before = world.all_rows().await?;
        for table in CHILDREN {
            let (_, rows) = before.iter().find(|(name, _)| *name == table.name).unwrap();
            assert!(rows.iter().any(|row| of_job(table, row, job)), "this case must give the job a row in {}", table.name);
        }
        ada.jobs().delete(job).await?;
        for ((name, mut rows), (_, left)) in before.into_iter().zip(world.all_rows().await?) {
            let table = world.tables().iter().find(|table| table.name == name).unwrap();
            rows.retain(|row| !of_job(table, row, job));
            assert_eq!(left, rows, "{name}");
        }
    }

    /// A patch has no field for the job: from JSON it is refused as unknown.
    #[covers(23)]
    async fn a_patch_cannot_move_a_row_to_another_job(world: World) {
        let ada = world.user("Ada").await?;
        let job = Target::of(&ada, "one").await?.job;
        for (entity, refused) in [
            ("Message", refusal::<MessagePatch>(job)),
            ("Endpoint", refusal::<EndpointPatch>(job)),
            ("ContextEntry", refusal::<ContextEntryPatch>(job)),
            ("Task", refusal::<TaskPatch>(job)),
        ] {
            assert!(refused.contains("unknown field `job_id`"), "{entity}: {refused}");
        }
    }

    /// A job is loaded with all that belongs to it: its children in their order, its owner. A page of jobs gives each its
    /// own, and a job without any has none; another user's is not there.
    #[covers(14, 27)]
    async fn a_job_is_loaded_with_what_belongs_to_it(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        let new = ["Tell me the weather", "Water the plants", "Do nothing at all"].map(NewJob::new);
        let jobs: Vec<_> = ada.jobs().create_many(new).await?.into_iter().map(|job| job.id).collect();
        Target::of(&bob, "his").await?;
        let mut expected = Vec::new();
        for &job in &jobs {
            let children = if job == jobs[2] { Children::default() } else { two_of_each(&ada, job).await? };
            let loaded = JobRelations {
                messages: children.messages,
                endpoints: children.endpoints,
                context: children.context,
                tasks: children.tasks,
                owner: ada.profile().get().await?,
            };
            expected.push(With { entity: ada.jobs().get(job).await?.unwrap(), loaded });
        }
        let list = ListJobs { sort_direction: larder::SortDirection::Asc, ..ListJobs::default() };
        assert_eq!(ada.jobs().list_with(list, JobRelations::all()).await?.items, expected);
        for (job, expected) in jobs.iter().zip(expected) {
            assert_eq!(ada.jobs().get_with(*job, JobRelations::all()).await?, Some(expected));
            assert_eq!(bob.jobs().get_with(*job, JobRelations::all()).await?, None);
        }
    }
}

/// The tables of what belongs to a job.
const CHILDREN: [&Table; 4] = [Message::TABLE, Endpoint::TABLE, ContextEntry::TABLE, Task::TABLE];

#[derive(Default)]
struct Children {
    messages: Vec<Message>,
    endpoints: Vec<Endpoint>,
    context: Vec<ContextEntry>,
    tasks: Vec<Task>,
}

/// Gives a job two children of each kind; answers them in their order.
async fn two_of_each(mine: &UserScope, job: JobId) -> Result<Children> {
    let message = |text: &str| NewMessage::new(job, MessageRole::User, text);
    let endpoint = |name: &str| NewEndpoint::new(job, name, "https://example.org/");
    let remembered = mine.context_entries();
    let context = vec![remembered.put(job, "zoo", "1").await?, remembered.put(job, "ant", "2").await?];
    Ok(Children {
        messages: mine.messages().append_many([message("one"), message("two")]).await?,
        endpoints: mine.endpoints().create_many([endpoint("one"), endpoint("two")]).await?,
        context,
        tasks: mine.tasks().create_many([NewTask::new(job, "one"), NewTask::new(job, "two")]).await?,
    })
}

/// Is the row this job, or does it belong to it?
fn of_job(table: &Table, row: &Row, job: JobId) -> bool {
    let column = if table.name == Job::TABLE.name { Some(table.primary_key[0]) } else { table.position("job_id") };
    column.and_then(|column| row.get(column)) == Some(&Value::Uuid(job.uuid()))
}

/// What serde says to a patch that names another job.
fn refusal<P: serde::de::DeserializeOwned + std::fmt::Debug>(job: JobId) -> String {
    serde_json::from_value::<P>(json!({"job_id": job})).unwrap_err().to_string()
}
