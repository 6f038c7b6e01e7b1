//! Bulk: many rows deleted at once or in batches, and tables read from end to end.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{StreamExt, TryStreamExt};
use larder::{Delete, Entity, ErrorKind, Filter, Select, SortDirection, Verb};

use crate::{
    entities::{Folder, NewFolder, NewNote, NewTally, Note, NotePatch, Specimen, Tally},
    methods::NOTE_TITLE,
    observed::Observed,
    together,
};

/// The most rows that a batch deletes and a page holds.
const BATCH: u64 = 1_000;

cases! {
    /// What meets a condition is deleted at once, with all that belongs to it, and counted; what doesn't stays, and so
    /// does what belongs to others.
    #[covers(13)]
    async fn many_are_deleted_at_once(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        let folders = ada.repo::<Folder>();
        bob.repo::<Folder>().create(NewFolder::new("old")).await?;
        let kept = folders.create(NewFolder::new("kept")).await?;
        for parent_id in [None, Some(kept.id)] {
            let old = folders.create(NewFolder { parent_id, ..NewFolder::new("old") }).await?;
            folders.create(NewFolder { parent_id: Some(old.id), ..NewFolder::new("in it") }).await?;
        }
        assert_eq!(folders.delete_many(Folder::NAME.eq("gone".into())?).await?, 0);
        assert_eq!(folders.count(Filter::always()).await?, 5);
        assert_eq!(folders.delete_many(Folder::NAME.eq("old".into())?).await?, 2);
        assert_eq!(folders.select(Filter::always(), Vec::new(), None).await?, [kept]);
        assert_eq!(bob.repo::<Folder>().count(Filter::always()).await?, 1);
    }

    /// What a program needs to find is seeded at every start, here by 16 at once over two handles, twice: each is there
    /// once. What a user has made of it, and its id and times, stay; another user's is another one.
    #[covers(70)]
    async fn a_seed_is_sown_once_and_keeps_what_users_made_of_it(world: World) {
        let (ada, bob, again) = (world.user("Ada").await?, world.user("Bob").await?, world.reopen().await?);
        let there = again.user(ada.owner().into());
        let sow = |index: usize| {
            let mine = if index.is_multiple_of(2) { ada.clone() } else { there.clone() };
            async move {
                let seed = NewNote { body: Some(format!("by {index}")), ..NewNote::new("welcome") };
                mine.repo::<Note>().ensure(seed, NOTE_TITLE).await
            }
        };
        let first: Vec<_> = together(16, sow).await.into_iter().collect::<Result<_, _>>()?;
        assert!(first.iter().all(|note| *note == first[0]), "all find the one that was sown: {first:?}");

        let patch = NotePatch { body: Some("my own words".to_owned()).into(), ..NotePatch::default() };
        let edited = ada.repo::<Note>().update(first[0].id, patch).await?;
        world.clock().advance(chrono::TimeDelta::days(1));
        for sown in together(16, sow).await {
            assert_eq!(sown?, edited);
        }
        let all = ada.repo::<Note>().select(Filter::always(), Vec::new(), None).await?;
        assert_eq!(all, std::slice::from_ref(&edited));
        let other = bob.repo::<Note>().ensure(NewNote::new("welcome"), NOTE_TITLE).await?;
        assert_ne!(other.id, edited.id);
        let wrong = ada.repo::<Note>().ensure(NewNote::new("welcome"), &[Note::TITLE.position()]).await;
        assert_eq!(*wrong.unwrap_err().kind(), ErrorKind::Unsupported);
    }

    /// A row that goes with another one is counted like any other when it meets the condition itself, whether all are
    /// deleted at once or in batches.
    #[covers(13)]
    async fn a_row_that_goes_with_another_is_counted(world: World) {
        let ada = world.user("Ada").await?;
        let folders = ada.repo::<Folder>();
        for in_batches in [false, true] {
            let mut parent_id = None;
            for _ in 0..5 {
                parent_id = Some(folders.create(NewFolder { parent_id, ..NewFolder::new("old") }).await?.id);
            }
            let all = Filter::always();
            let deleted = if in_batches { folders.purge(all).await? } else { folders.delete_many(all).await? };
            assert_eq!(deleted, 5, "in batches: {in_batches}");
            assert_eq!(folders.count(Filter::always()).await?, 0);
        }
        let top = folders.create(NewFolder::new("top")).await?;
        let in_it = NewFolder { parent_id: Some(top.id), ..NewFolder::new("in it") };
        let below = NewFolder { parent_id: Some(folders.create(in_it).await?.id), ..NewFolder::new("below") };
        folders.create(below).await?;
        let delete = Delete {
            table: Folder::TABLE,
            owner: Some(ada.owner()),
            key: None,
            filter: Folder::NAME.ne("in it".into())?,
            limit: Some(3),
            returning: true,
        };
        let answer = world.store().execute(Verb::Delete(delete)).await?;
        assert_eq!(answer.rows(), 2, "{answer:?}");
        assert_eq!(folders.count(Filter::always()).await?, 0);
    }

    /// Twenty thousand rows are deleted at once.
    #[covers(13)]
    async fn twenty_thousand_rows_are_deleted_at_once(world: World) {
        let ada = world.user("Ada").await?;
        let notes = ada.repo::<Note>();
        notes.create_many((0..20_001).map(|number| NewNote { views: number, ..note(number) })).await?;
        assert_eq!(notes.delete_many(Note::VIEWS.lt(20_000)?).await?, 20_000);
        assert_eq!(notes.count(Filter::always()).await?, 1);
    }

    /// A purge deletes in batches, each of which lasts by itself: when the third one fails, what the first two deleted stays
    /// deleted, and a second purge deletes the rest.
    #[covers(13)]
    async fn a_purge_is_done_in_batches(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        for mine in [&ada, &bob] {
            mine.repo::<Note>().create_many((0..3_500).map(note)).await?;
        }
        let batches = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&batches);
        let failing = Observed::new(world.store(), move |verbs| {
            let [Verb::Delete(delete)] = verbs else { return Ok(()) };
            assert!(delete.limit.is_some_and(|limit| limit <= BATCH), "no batch: {delete:?}");
            match seen.fetch_add(1, Ordering::SeqCst) {
                2 => Err(larder::Error::new(ErrorKind::Timeout, "the third batch")),
                _ => Ok(()),
            }
        });
        let notes = world.over(Arc::new(failing)).user(ada.owner().into()).repo::<Note>();
        let failed = notes.purge(Filter::always()).await.unwrap_err();
        assert_eq!(failed.kind(), &ErrorKind::Timeout);
        assert_eq!(batches.load(Ordering::SeqCst), 3);
        assert_eq!(notes.count(Filter::always()).await?, 3_500 - 2 * BATCH);
        assert_eq!(notes.purge(Filter::always()).await?, 3_500 - 2 * BATCH);
        assert_eq!(notes.count(Filter::always()).await?, 0);
        assert_eq!(bob.repo::<Note>().count(Filter::always()).await?, 3_500);
    }

    /// In a transaction that is rolled back a purge has deleted nothing.
    #[covers(33)]
    async fn a_purge_in_a_transaction_is_part_of_it(world: World) {
        let ada = world.user("Ada").await?;
        let notes = ada.repo::<Note>();
        notes.create_many((0..2_500).map(note)).await?;
        let undone = ada.transaction(|tx| async move {
            let notes = tx.repo::<Note>();
            assert_eq!(notes.purge(Filter::always()).await?, 2_500);
            assert_eq!(notes.count(Filter::always()).await?, 0);
            Err::<(), _>(larder::Error::new(ErrorKind::Application, ""))
        });
        assert_eq!(undone.await.unwrap_err().kind(), &ErrorKind::Application);
        assert_eq!(notes.count(Filter::always()).await?, 2_500);
    }

    /// The system purges what meets a condition, whoever's it is, and finds a row by a unique field.
    #[covers(13, 27)]
    async fn the_system_purges_and_finds_for_all_users(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        for mine in [&ada, &bob] {
            mine.repo::<Note>().create_many((0..3).map(|views| NewNote { views, ..note(views) })).await?;
        }
        let all = world.system().all_users::<Note>();
        let of_bob = bob.repo::<Note>().select(Filter::always(), Vec::new(), Some(1)).await?.remove(0);
        assert_eq!(all.get_by(Note::ID, of_bob.id).await?, Some(of_bob.clone()));
        assert_eq!(ada.repo::<Note>().get_by(Note::ID, of_bob.id).await?, None);
        assert_eq!(all.purge(Note::VIEWS.ge(1)?).await?, 4);
        for mine in [&ada, &bob] {
            assert_eq!(mine.repo::<Note>().count(Filter::always()).await?, 1);
        }
        assert_eq!(all.get_by(Note::ID, larder::Id::from_uuid(uuid::Uuid::from_u128(404))).await?, None);
    }

    /// Twenty thousand rows come as a stream, each once and in the order of the key, by pages of a bounded size that are
    /// read when they are asked for; another user's are not among them.
    #[covers(13, 27)]
    async fn a_stream_reads_twenty_thousand_rows_by_pages(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        ada.repo::<Note>().create_many((0..20_000).map(note)).await?;
        bob.repo::<Note>().create(NewNote::new("his")).await?;
        let pages = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&pages);
        let counting = Observed::new(world.store(), move |verbs| {
            let [Verb::Select(Select { limit, offset: 0, .. })] = verbs else { panic!("no page: {verbs:?}") };
            assert!(limit.is_some_and(|limit| limit <= BATCH), "no bounded page: {verbs:?}");
            seen.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
        let larder = world.over(Arc::new(counting));
        let order = vec![Note::ID.order(SortDirection::Asc)];
        let all = ada.repo::<Note>().select(Filter::always(), order, None).await?;
        let mut stream = pin!(larder.user(ada.owner().into()).repo::<Note>().stream(Filter::always()));
        assert_eq!(pages.load(Ordering::SeqCst), 0, "nobody has asked for a row");
        let first = stream.try_next().await?;
        assert_eq!(pages.load(Ordering::SeqCst), 1, "one page is enough for the first row");
        let mut streamed: Vec<_> = first.into_iter().collect();
        streamed.extend(stream.try_collect::<Vec<_>>().await?);
        assert!(streamed == all, "{} were streamed, {} are there, or they differ", streamed.len(), all.len());
        let all_users = larder.system().all_users::<Note>().stream(Filter::always());
        assert_eq!(all_users.try_fold(0, async |count, _| Ok(count + 1)).await?, 20_001);
    }

    /// While rows are made and deleted, before and behind the place where a stream is, those that are there throughout come
    /// exactly once, and none comes twice; a filter holds on every page.
    #[covers(20)]
    async fn a_stream_goes_on_among_writes(world: World) {
        let ada = world.user("Ada").await?;
        let notes = ada.repo::<Note>();
        let new = (0..3_500).map(|number| NewNote { views: number, pinned: number % 7 > 0, ..note(number) });
        let made = notes.create_many(new).await?;
        let mut stream = pin!(notes.stream(Note::PINNED.eq(true)?));
        let (mut streamed, mut deleted) = (Vec::new(), Vec::new());
        while let Some(note) = stream.try_next().await? {
            streamed.push(note.id);
            if streamed.len() % 500 == 0 {
                let at = streamed.len();
                for gone in [at / 2, made.len() - at / 2] {
                    deleted.push(made[gone].id);
                    notes.delete(made[gone].id).await?;
                }
                notes.create(NewNote { pinned: true, ..NewNote::new(format!("made at {at}")) }).await?;
            }
        }
        let mut once = streamed.clone();
        once.dedup();
        assert_eq!(once, streamed, "none comes twice");
        assert!(streamed.is_sorted());
        for note in made {
            let came = streamed.contains(&note.id);
            assert!(came == note.pinned || deleted.contains(&note.id), "{note:?} came: {came}");
        }
    }

    /// A table whose key has several columns is streamed like any other, across its pages too.
    #[covers(13, 18)]
    async fn a_stream_walks_a_key_of_several_columns(world: World) {
        let tallies = world.system().repo::<Tally>();
        let new = (0..2_100).map(|number| NewTally { count: number, ..NewTally::new(format!("day {}", number % 3), number) });
        tallies.create_many(new).await?;
        let by = |column: &usize| larder::Order { column: *column, direction: SortDirection::Asc };
        let order = Tally::TABLE.primary_key.iter().map(by).collect();
        let all = tallies.select(Filter::always(), order, None).await?;
        assert_eq!(all.len(), 2_100);
        let streamed: Vec<_> = tallies.stream(Filter::always()).try_collect().await?;
        assert!(streamed == all, "{} were streamed, or they differ", streamed.len());
    }

    /// A stream in a transaction sees what the transaction wrote; it ends with the error that it meets.
    #[covers(34)]
    async fn a_stream_sees_what_its_transaction_wrote(world: World) {
        let ada = world.user("Ada").await?;
        ada.repo::<Note>().create_many((0..1_200).map(note)).await?;
        let seen = ada.transaction(|tx| async move {
            tx.repo::<Note>().create(NewNote::new("in it")).await?;
            tx.repo::<Note>().stream(Filter::always()).try_fold(0, async |count, _| Ok(count + 1)).await
        });
        assert_eq!(seen.await?, 1_201);
        let pages = AtomicU64::new(0);
        let failing = Observed::new(world.store(), move |_| match pages.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(()),
            _ => Err(larder::Error::new(ErrorKind::Timeout, "the second page")),
        });
        let notes = world.over(Arc::new(failing)).user(ada.owner().into()).repo::<Note>();
        let came: Vec<_> = notes.stream(Filter::always()).collect().await;
        assert_eq!(came.len() as u64, BATCH + 1, "a page, and the error that ends it");
        assert_eq!(came.last().unwrap().as_ref().unwrap_err().kind(), &ErrorKind::Timeout);
        assert_eq!(world.system().repo::<Specimen>().stream(Filter::always()).count().await, 0);
    }
}

fn note(number: i64) -> NewNote {
    NewNote::new(format!("note {number}"))
}
