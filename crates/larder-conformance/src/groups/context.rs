//! Context: what a job remembers, by key.

use chrono::TimeDelta;
use larder::{Entity, ErrorKind, Filter, Result, model::*};

use crate::{expect::assert_invalid_for, together};

cases! {
    /// To put what is there replaces its value and moves `updated_at`; id and `created_at` stay. Another key and another
    /// job are not touched.
    #[covers(2)]
    async fn to_put_again_keeps_id_and_time_of_creation(world: World) {
        let ada = world.user("Ada").await?;
        let (entries, [job, other]) = (ada.context_entries(), two_jobs(&ada).await?);
        let first = entries.put(job, "city", "Oslo").await?;
        let beside = [entries.put(job, "country", "Norway").await?, entries.put(other, "city", "Rome").await?];
        assert_eq!((first.created_at, first.updated_at), (world.now(), world.now()));
        for (step, value) in [(1, "Bergen"), (0, "Bergen"), (0, "")] {
            world.clock().advance(TimeDelta::microseconds(step));
            let before = entries.find(job, "city").await?.unwrap();
            let again = entries.put(job, "city", value).await?;
            assert!(again.updated_at > before.updated_at, "also when the clock stands still");
            let expected = ContextEntry { value: value.into(), updated_at: again.updated_at, ..first.clone() };
            assert_eq!(again, expected);
            assert_eq!(entries.find(job, "city").await?, Some(expected));
        }
        assert_eq!(entries.count(Filter::always()).await?, 3);
        for entry in beside {
            assert_eq!(entries.get(entry.id).await?, Some(entry));
        }
    }

    /// Of 64 callers who put under one key, over two handles, all succeed; there is one entry, with a value that one of
    /// them put.
    #[covers(38)]
    async fn puts_of_one_key_at_once_leave_one_entry(world: World) {
        let ada = world.user("Ada").await?;
        let [job, _] = two_jobs(&ada).await?;
        let both = [ada.context_entries(), world.reopen().await?.user(ada.owner().into()).context_entries()];
        let put = together(64, |number| {
            let entries = both[number % 2].clone();
            async move { entries.put(job, "city", format!("city {number}")).await }
        });
        let put = put.await.into_iter().collect::<Result<Vec<_>>>()?;
        let [there] = &both[1].select(Filter::always(), Vec::new(), None).await?[..] else {
            panic!("there should be one entry");
        };
        for (number, entry) in put.iter().enumerate() {
            assert_eq!((entry.id, entry.created_at), (there.id, there.created_at));
            assert_eq!(entry.value, format!("city {number}"), "a caller is answered what it put");
        }
        assert!(put.contains(there), "the last of them is what is there");
    }

    /// What was put is found under its key, in its job, by its user; what is forgotten is gone, and to forget it again is
    /// `NotFound`. What is put then is another entry.
    #[covers(1)]
    async fn what_is_forgotten_is_not_found(world: World) {
        let ada = world.user("Ada").await?;
        let (entries, [job, other]) = (ada.context_entries(), two_jobs(&ada).await?);
        let put = entries.put(job, "city", "Oslo").await?;
        assert_eq!(entries.find(job, "city").await?.as_ref(), Some(&put));
        for (job, key) in [(other, "city"), (job, "country"), (NO_JOB, "city")] {
            assert_eq!(entries.find(job, key).await?, None);
            assert_not_found(entries.forget(job, key).await);
        }
        entries.forget(job, "city").await?;
        assert_eq!(entries.find(job, "city").await?, None);
        assert_not_found(entries.forget(job, "city").await);
        assert_ne!(entries.put(job, "city", "Oslo").await?.id, put.id);
    }

    /// Of 64 callers who forget one key one does; the others are told that it is not there.
    #[covers(38)]
    async fn of_many_who_forget_a_key_one_does(world: World) {
        let ada = world.user("Ada").await?;
        let [job, _] = two_jobs(&ada).await?;
        let both = [ada.context_entries(), world.reopen().await?.user(ada.owner().into()).context_entries()];
        both[0].put(job, "city", "Oslo").await?;
        let forgot = together(64, |number| {
            let entries = both[number % 2].clone();
            async move { entries.forget(job, "city").await }
        });
        let (forgot, late): (Vec<_>, Vec<_>) = forgot.await.into_iter().partition(Result::is_ok);
        assert_eq!((forgot.len(), late.len()), (1, 63));
        late.into_iter().for_each(assert_not_found);
    }

    /// All that a job remembers is a map in the bytes' order of the keys, of that job alone; of a job that does not exist
    /// it is empty.
    #[covers(11)]
    async fn all_of_a_job_is_a_map_in_order(world: World) {
        let ada = world.user("Ada").await?;
        let (entries, [job, other]) = (ada.context_entries(), two_jobs(&ada).await?);
        assert!(entries.of_job(job).await?.is_empty());
        for key in ["éa", "doc_3", "alt", "doc6", "Apt", "doc-3"] {
            entries.put(job, key, format!("of {key}")).await?;
        }
        entries.put(other, "alt", "of another job").await?;
        let all: Vec<_> = entries.of_job(job).await?.into_iter().collect();
        let expected = ["Apt", "alt", "doc-3", "doc6", "doc_3", "éa"].map(|key| (key.into(), format!("of {key}")));
        assert_eq!(all, expected);
        assert!(entries.of_job(NO_JOB).await?.is_empty());
    }

    /// A key has 1 to 255 characters, and no NUL: to put under any other is `Invalid` for `key`, to look for it finds
    /// nothing, and to forget it is `NotFound`.
    #[covers(4, 6)]
    async fn a_key_that_cannot_be_is_refused_and_never_found(world: World) {
        let ada = world.user("Ada").await?;
        let (entries, [job, _]) = (ada.context_entries(), two_jobs(&ada).await?);
        for key in ["k".to_owned(), "😀".repeat(255)] {
            let put = entries.put(job, key.as_str(), "kept").await?;
            assert_eq!(entries.find(job, &key).await?, Some(put));
        }
        let before = entries.of_job(job).await?;
        for key in [String::new(), "é".repeat(256), "a\0b".to_owned(), "\0".to_owned()] {
            assert_invalid_for(entries.put(job, key.as_str(), "lost").await, "key", &key);
            assert_eq!(entries.find(job, &key).await?, None, "{key:?}");
            assert_not_found(entries.forget(job, &key).await);
        }
        assert_invalid_for(entries.put(job, "nul", "a\0b").await, "value", "a value with NUL");
        assert_eq!(entries.of_job(job).await?, before);
    }

    /// Keys that differ in case, or in Unicode's composed and decomposed forms, are different keys.
    #[covers(6, 12)]
    async fn keys_that_differ_in_case_or_form_are_different(world: World) {
        let ada = world.user("Ada").await?;
        let (entries, [job, _]) = (ada.context_entries(), two_jobs(&ada).await?);
        let keys = ["city", "City", "CITY", "\u{e9}", "e\u{301}", "É", "ss", "ß", "city ", " city"];
        for key in keys {
            entries.put(job, key, format!("of {key}")).await?;
        }
        for key in keys {
            assert_eq!(entries.find(job, key).await?.map(|entry| entry.value), Some(format!("of {key}")));
        }
        assert_eq!(entries.of_job(job).await?.len(), keys.len());
    }

    /// To put into another user's job is a missing parent, whether that job has the key or not: never a conflict, which
    /// would tell what it has; and nothing is changed.
    #[covers(27, 28)]
    async fn another_users_job_is_a_missing_parent_and_no_conflict(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        let [hers, _] = two_jobs(&ada).await?;
        ada.context_entries().put(hers, "city", "Oslo").await?;
        let before = world.rows(ContextEntry::TABLE).await?;
        let missing = ErrorKind::MissingParent { entity: "ContextEntry".into(), parent: "Job".into() };
        let entries = bob.context_entries();
        for (job, key) in [(hers, "city"), (hers, "country"), (NO_JOB, "city")] {
            assert_eq!(entries.put(job, key, "stolen").await.unwrap_err().kind(), &missing, "{key}");
            let created = entries.create(NewContextEntry::new(job, key, "stolen")).await;
            assert_eq!(created.unwrap_err().kind(), &missing, "{key}");
        }
        assert_eq!(world.rows(ContextEntry::TABLE).await?, before);
    }

    /// An entry is found by its key and by its value, without regard to case.
    #[covers(16)]
    async fn entries_are_found_by_key_and_value(world: World) {
        let ada = world.user("Ada").await?;
        let (entries, [job, _]) = (ada.context_entries(), two_jobs(&ada).await?);
        for (key, value) in [("Straße", "a street"), ("city", "STRASSBURG"), ("country", "Norway")] {
            entries.put(job, key, value).await?;
        }
        entries.put(job, "country", "France").await?;
        for (search, found) in [("strass", &["Straße", "city"][..]), ("norway", &[]), ("FRANCE", &["country"])] {
            let list = ListContextEntries {
                search: Some(search.into()),
                sort_by: ContextEntrySort::Key,
                sort_direction: larder::SortDirection::Asc,
                ..ListContextEntries::default()
            };
            let page = entries.list(list).await?;
            assert_eq!(page.items.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), found);
        }
    }
}

/// A job that does not exist.
const NO_JOB: JobId = JobId::from_uuid(uuid::Uuid::from_u128(404));

async fn two_jobs(mine: &larder::UserScope) -> Result<[JobId; 2]> {
    let jobs = mine.jobs().create_many(["Tell me the weather", "Water the plants"].map(NewJob::new)).await?;
    Ok([jobs[0].id, jobs[1].id])
}

#[track_caller]
fn assert_not_found(result: Result<()>) {
    let missing = ErrorKind::NotFound { entity: "ContextEntry".into() };
    assert_eq!(result.unwrap_err().kind(), &missing);
}
