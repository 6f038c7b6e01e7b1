//! Values that break a rule: the field is named, nothing is written.

use chrono::TimeDelta;
use larder::{Change, Cursor, model::Part, prelude::*};

use crate::databases::{Database, assert_invalid, on_both, user};

on_both!(
    a_broken_rule_names_the_field_and_writes_nothing,
    one_bad_row_of_many_writes_none,
    a_patch_that_breaks_a_rule_changes_nothing,
    an_empty_patch,
    nul_in_text,
    an_email_that_is_none,
    a_cursor_of_another_list,
    a_page_out_of_range,
    a_claim_out_of_range,
);

async fn a_broken_rule_names_the_field_and_writes_nothing(database: Database) {
    let larder = database.migrated().await;
    let jobs = user(&larder).await.jobs();
    for definition in ["four".to_owned(), "é".repeat(1001), String::new()] {
        assert_invalid(jobs.create(NewJob::new(definition)).await, "Job", "definition");
    }
    assert_eq!(jobs.count(larder::Filter::always()).await.unwrap(), 0);
    // Characters count, not bytes.
    jobs.create(NewJob::new("é".repeat(1000))).await.unwrap();
}

async fn one_bad_row_of_many_writes_none(database: Database) {
    let larder = database.migrated().await;
    let jobs = user(&larder).await.jobs();
    let many = ["Water the plants", "four", "Feed the cat"].map(NewJob::new);
    assert_invalid(jobs.create_many(many).await, "Job", "definition");
    assert_eq!(jobs.count(larder::Filter::always()).await.unwrap(), 0);
}

async fn a_patch_that_breaks_a_rule_changes_nothing(database: Database) {
    let larder = database.migrated().await;
    let jobs = user(&larder).await.jobs();
    let job = jobs.create(NewJob::new("Water the plants")).await.unwrap();
    let patch = JobPatch {
        definition: Change::Set("four".to_owned()),
        status: Change::Set(JobStatus::Active),
        ..JobPatch::default()
    };
    assert_invalid(jobs.update(job.id, patch).await, "Job", "definition");
    assert_eq!(jobs.get(job.id).await.unwrap(), Some(job));
}

async fn an_empty_patch(database: Database) {
    let larder = database.migrated().await;
    let jobs = user(&larder).await.jobs();
    let job = jobs.create(NewJob::new("Water the plants")).await.unwrap();
    assert_invalid(jobs.update(job.id, JobPatch::default()).await, "Job", "patch");
    assert_eq!(jobs.get(job.id).await.unwrap(), Some(job));
}

async fn nul_in_text(database: Database) {
    let larder = database.migrated().await;
    let users = larder.system().users();
    let named = NewUser { name: Some("Ada\0Lovelace".to_owned()), ..NewUser::default() };
    assert_invalid(users.create(named).await, "User", "name");
    assert!(users.list(ListUsers::default()).await.unwrap().items.is_empty());

    let mine = user(&larder).await;
    assert_invalid(mine.jobs().create(NewJob::new("Water\0the plants")).await, "Job", "definition");
    let job = mine.jobs().create(NewJob::new("Water the plants")).await.unwrap();
    let patch = JobPatch { definition: Change::Set("Water the plants\0".to_owned()), ..JobPatch::default() };
    assert_invalid(mine.jobs().update(job.id, patch).await, "Job", "definition");
    for content in [MessageContent::from("\0"), vec![Part::text("a\0b")].into()] {
        let message = NewMessage::new(job.id, MessageRole::User, content);
        assert_invalid(mine.messages().append(message).await, "Message", "content");
    }
    let list = ListJobs { search: Some("plants\0".to_owned()), ..ListJobs::default() };
    assert_invalid(mine.jobs().list(list).await, "list of jobs", "search");
    assert_eq!(mine.jobs().get(job.id).await.unwrap(), Some(job.clone()));
    assert!(mine.messages().of_job(job.id).await.unwrap().is_empty());
}

async fn an_email_that_is_none(database: Database) {
    let larder = database.migrated().await;
    let users = larder.system().users();
    for email in ["", "ada", "ada@", "@example.org", "ada@example.org\0", "a b@example.org"] {
        let new = NewUser { email: Some(email.to_owned()), ..NewUser::default() };
        assert_invalid(users.create(new).await, "User", "email");
        assert_invalid(users.find_by_email(email).await, "User", "email");
    }
    assert!(users.list(ListUsers::default()).await.unwrap().items.is_empty());
}

async fn a_cursor_of_another_list(database: Database) {
    let larder = database.migrated().await;
    let (mine, others) = (user(&larder).await, user(&larder).await);
    let mut cursors = Vec::new();
    for scope in [&mine, &others] {
        let many = ["Water the plants", "Feed the cat", "Call the plumber"].map(NewJob::new);
        let job = scope.jobs().create_many(many).await.unwrap()[0].id;
        let messages = ["one", "two", "three"].map(|text| NewMessage::new(job, MessageRole::User, text));
        scope.messages().append_many(messages).await.unwrap();
    }
    let list = || ListJobs { page_size: 2, ..ListJobs::default() };
    let next = |page: larder::Page<Job>| page.next.unwrap();
    let good = next(mine.jobs().list(list()).await.unwrap());
    // Another user's, another entity's, another sort's, another direction's, another search's.
    cursors.push(next(others.jobs().list(list()).await.unwrap()));
    let messages =
        mine.messages().list(ListMessages { page_size: 2, ..ListMessages::default() }).await.unwrap();
    cursors.push(messages.next.unwrap());
    let other = ListJobs { sort_by: JobSort::Definition, ..list() };
    cursors.push(next(mine.jobs().list(other).await.unwrap()));
    let other = ListJobs { sort_direction: SortDirection::Asc, ..list() };
    cursors.push(next(mine.jobs().list(other).await.unwrap()));
    let other = ListJobs { search: Some("e".to_owned()), ..list() };
    cursors.push(next(mine.jobs().list(other).await.unwrap()));
    // And what is none at all.
    let cut = &good.as_str()[..good.as_str().len() - 1];
    cursors.extend(["", "nonsense", "AAAA", "\0", cut].map(Cursor::new));
    for cursor in cursors {
        let list = ListJobs { cursor: Some(cursor), ..list() };
        assert_invalid(mine.jobs().list(list).await, "list of jobs", "cursor");
    }
    let rest = mine.jobs().list(ListJobs { cursor: Some(good), ..list() }).await.unwrap();
    assert_eq!((rest.items.len(), rest.has_next), (1, false));
}

async fn a_page_out_of_range(database: Database) {
    let larder = database.migrated().await;
    let jobs = user(&larder).await.jobs();
    for (page, page_size, field) in
        [(0, 10, "page"), (1, 0, "page_size"), (1, 101, "page_size"), (1, u32::MAX, "page_size")]
    {
        let list = ListJobs { page, page_size, ..ListJobs::default() };
        assert_invalid(jobs.list(list).await, "list of jobs", field);
    }
    let both = ListJobs { page: 2, cursor: Some(Cursor::new("")), ..ListJobs::default() };
    assert_invalid(jobs.list(both).await, "list of jobs", "page");
    let last = ListJobs { page: u32::MAX, page_size: 100, ..ListJobs::default() };
    assert!(jobs.list(last).await.unwrap().items.is_empty());
}

async fn a_claim_out_of_range(database: Database) {
    let larder = database.migrated().await;
    let scheduler = larder.system().jobs();
    let claim =
        |lease, worker: &str| scheduler.claim_due(ClaimDue { limit: 1, lease, worker: worker.to_owned() });
    let minute = TimeDelta::minutes(1);
    for lease in [TimeDelta::zero(), -minute, TimeDelta::days(1) + minute, TimeDelta::MAX] {
        assert_invalid(claim(lease, "worker").await, "Lease", "lease");
    }
    assert_invalid(claim(minute, "").await, "Job", "lock_owner");
    assert_invalid(claim(minute, &"w".repeat(256)).await, "Job", "lock_owner");
    assert_invalid(claim(minute, "w\0").await, "Job", "lock_owner");
    assert!(claim(minute, "worker").await.unwrap().is_empty());
}
