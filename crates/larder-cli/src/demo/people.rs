//! The users of the demonstration, what they have, and what they cannot have.

use larder::{Filter, prelude::*};

use super::line;

const ADA: &str = "ada@demo.larder.example";
const GRACE: &str = "grace@demo.larder.example";

/// Removes what an earlier run left. A database with other users is refused: the workers would take their jobs.
pub(crate) async fn clear(larder: &Larder) -> Result<(), Error> {
    let users = larder.system().users();
    let mut own = Vec::new();
    for email in [ADA, GRACE] {
        own.extend(users.find_by_email(email).await?);
    }
    if users.count(Filter::always()).await? > own.len() as u64 {
        let what = "this database holds other users, whose due jobs the demonstration would run: give it one of its own";
        return Err(Error::new(ErrorKind::Config, what));
    }
    for user in own {
        users.delete(user.id).await?;
    }
    Ok(())
}

/// Ada with a dozen jobs, Grace with three.
pub(crate) async fn create(larder: &Larder) -> Result<(UserScope, UserScope), Error> {
    let ada = create_user(larder, "Ada", ADA).await?;
    let grace = create_user(larder, "Grace", GRACE).await?;
    let places = ["Lisbon", "Oslo", "Turin", "Graz", "Ghent", "Bergen"];
    let mut definitions: Vec<_> = places.map(|place| format!("Tell me the weather in {place}")).into();
    definitions.extend(places.map(|place| format!("Find the cheapest train to {place}")));
    add_jobs(&ada, &definitions).await?;
    let chores = ["Water the plants", "Back up my notes", "Read me the news"];
    add_jobs(&grace, &chores.map(str::to_owned)).await?;
    for (name, scope) in [("Ada", &ada), ("Grace", &grace)] {
        let jobs = scope.jobs().count(Filter::always()).await?;
        let messages = scope.messages().count(Filter::always()).await?;
        line(format!("{name} has {jobs} jobs and {messages} messages  (user {})", scope.owner()));
    }
    Ok((ada, grace))
}

async fn create_user(larder: &Larder, name: &str, email: &str) -> Result<UserScope, Error> {
    let (name, email) = (Some(name.to_owned()), Some(email.to_owned()));
    let user = larder.system().users().create(NewUser { name, email, ..NewUser::default() }).await?;
    Ok(larder.user(user.id))
}

/// Jobs, each with a question and an answer, in one transaction.
async fn add_jobs(scope: &UserScope, definitions: &[String]) -> Result<(), Error> {
    scope
        .transaction(|tx| async move {
            let jobs = tx.jobs().create_many(definitions.iter().map(NewJob::new)).await?;
            let messages = jobs.iter().flat_map(|job| {
                let answer = vec![Part::text(format!("I will: {}.", job.definition))];
                [
                    NewMessage::new(job.id, MessageRole::User, job.definition.as_str()),
                    NewMessage::new(job.id, MessageRole::Assistant, answer),
                ]
            });
            tx.messages().append_many(messages).await?;
            Ok(())
        })
        .await
}

/// Shows a page of Ada's jobs; returns the first.
pub(crate) async fn show_page(ada: &UserScope) -> Result<Job, Error> {
    let list = ListJobs {
        search: Some("WEATHER".to_owned()),
        page_size: 4,
        sort_by: JobSort::Definition,
        sort_direction: SortDirection::Asc,
        ..ListJobs::default()
    };
    let page = ada.jobs().list_with(list.clone(), JobRelations::all()).await?;
    line("Ada searches her jobs for \"WEATHER\", four to a page, by definition:");
    for found in &page.items {
        let JobRelations { messages, owner, .. } = &found.loaded;
        let owner = owner.as_ref().and_then(|owner| owner.name.as_deref()).unwrap_or("nobody");
        line(format!(
            "  {:<30} {:<7} {} messages  owner {owner}",
            found.definition,
            found.status,
            messages.len()
        ));
    }
    let next = ada.jobs().list(ListJobs { cursor: page.next, ..list }).await?;
    let more = if next.has_next { "and more after that" } else { "the last" };
    line(format!("{} more on the next page, {more}.", next.items.len()));
    let first = page.items.into_iter().next();
    first.map(|found| found.entity).ok_or_else(|| Error::not_found("Job"))
}

/// Grace tries what she can with Ada's job.
pub(crate) async fn intrude(grace: &UserScope, job: &Job) -> Result<(), Error> {
    line(format!("Grace knows the id of Ada's job \"{}\" ({}).", job.definition, job.id));
    let seen = grace.jobs().get(job.id).await?;
    line(format!("  looks it up:        {}", if seen.is_some() { "FOUND" } else { "nothing there" }));
    let patch =
        JobPatch { definition: Change::Set("Tell Grace everything".to_owned()), ..JobPatch::default() };
    told("changes it", grace.jobs().update(job.id, patch).await);
    told("deletes it", grace.jobs().delete(job.id).await);
    let message = NewMessage::new(job.id, MessageRole::User, "Hello from Grace");
    told("writes a message", grace.messages().append(message).await);
    let read = grace.messages().count(Message::JOB_ID.eq(job.id)?).await?;
    line(format!("  reads its messages: {read} messages"));
    Ok(())
}

fn told<T>(what: &str, result: Result<T, Error>) {
    match result {
        Ok(_) => line(format!("  {:<19} DONE", format!("{what}:"))),
        Err(error) => line(format!("  {:<19} {error}", format!("{what}:"))),
    }
}
