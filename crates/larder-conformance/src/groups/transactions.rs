//! Transactions: all or nothing, as if one after the other, and clean when they are left half-way.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::Poll,
};

use larder::{
    Begin, Entity, Error, ErrorKind, Filter, Id, Require, Result, Step as UnitStep, Unit, UserScope, Verb,
    model::*,
};

use crate::{
    World,
    entities::{NewNote, Note, NoteId, NotePatch},
    history::{Step::*, check},
    methods::{Caller, OF_THE_SYSTEM, SCOPED, Target},
    promptly, together,
};

cases! {
    /// What a transaction wrote is there once it has committed, also for another handle.
    #[covers(33)]
    async fn what_is_committed_stays(world: World) {
        let ada = world.user("Ada").await?;
        let note =
            ada.transaction(|tx| async move { tx.repo::<Note>().create(NewNote::new("one")).await }).await?;
        let again = world.reopen().await?.user(ada.owner().into());
        assert_eq!(again.repo::<Note>().get(note.id).await?, Some(note));
    }

    /// When the closure answers an error nothing of the transaction is written, and that error is the answer.
    #[covers(33)]
    async fn an_error_rolls_back(world: World) {
        let ada = world.user("Ada").await?;
        let failed = ada.transaction(|tx| async move {
            tx.repo::<Note>().create(NewNote::new("one")).await?;
            Err::<(), _>(Error::new(ErrorKind::Application, "changed my mind"))
        });
        assert_eq!(failed.await.unwrap_err().kind(), &ErrorKind::Application);
        assert_eq!(ada.repo::<Note>().count(Filter::always()).await?, 0);
    }

    /// A panic in the closure leaves nothing written and no lock held.
    #[covers(33)]
    async fn a_panic_rolls_back(world: World) {
        let ada = world.user("Ada").await?;
        let mine = ada.clone();
        let task = tokio::spawn(async move {
            mine.transaction(|tx| async move {
                tx.repo::<Note>().create(NewNote::new("one")).await?;
                std::panic::resume_unwind(Box::new("out of the closure"));
                #[allow(unreachable_code)] // gives the closure its type
                Ok(())
            })
            .await
        });
        assert!(task.await.unwrap_err().is_panic());
        writes_go_on(&ada, "after the panic").await?;
        assert_eq!(ada.repo::<Note>().count(Filter::always()).await?, 1);
    }

    /// A transaction that is dropped is undone, and holds nobody back.
    #[covers(33, 41)]
    async fn a_dropped_transaction_is_undone(world: World) {
        let ada = world.user("Ada").await?;
        let (_, creation) = ada.repo::<Note>().creation(NewNote::new("dropped"))?;
        let mut transaction = world.store().begin(Begin::Serializable).await?;
        transaction.execute(creation).await?;
        drop(transaction);
        writes_go_on(&ada, "after the drop").await?;
        let notes = ada.repo::<Note>().select(Filter::always(), Vec::new(), None).await?;
        assert_eq!(notes.iter().map(|note| note.title.as_str()).collect::<Vec<_>>(), ["after the drop"]);
    }

    /// Rolling back undoes everything, and is done when it answers.
    #[covers(33)]
    async fn what_is_rolled_back_never_was(world: World) {
        let ada = world.user("Ada").await?;
        let kept = ada.repo::<Note>().create(NewNote::new("kept")).await?;
        let before = world.all_rows().await?;
        let mut transaction = world.store().begin(Begin::Serializable).await?;
        transaction.execute(ada.repo::<Note>().creation(NewNote::new("new"))?.1).await?;
        let key = larder::Key { columns: &[0], values: vec![larder::Value::Uuid(kept.id.uuid())] };
        let table = Note::TABLE;
        let filter = Filter::always();
        let delete =
            larder::Delete { table, owner: None, key: Some(key), filter, limit: None, returning: false };
        assert_eq!(transaction.execute(Verb::Delete(delete)).await?.rows(), 1);
        transaction.rollback().await?;
        assert_eq!(world.all_rows().await?, before);
    }

    /// A transaction sees what it wrote itself.
    #[covers(34)]
    async fn own_writes_are_seen_inside(world: World) {
        let ada = world.user("Ada").await?;
        let seen = ada.transaction(|tx| async move {
            let notes = tx.repo::<Note>();
            let note = notes.create(NewNote::new("one")).await?;
            notes.update(note.id, NotePatch { views: 3.into(), ..NotePatch::default() }).await?;
            let views = notes.get(note.id).await?.map(|note| note.views);
            notes.delete(note.id).await?;
            Ok((views, notes.count(Filter::always()).await?))
        });
        assert_eq!(seen.await?, (Some(3), 0));
    }

    /// Nobody else sees what a transaction wrote before it has committed, and everybody does afterwards.
    #[covers(34)]
    #[needs(ReadsDuringTransaction)]
    async fn writes_are_not_seen_outside_before_the_commit(world: World) {
        let ada = world.user("Ada").await?;
        let again = world.reopen().await?.user(ada.owner().into());
        let (note, creation) = ada.repo::<Note>().creation(NewNote::new("one"))?;
        let mut transaction = world.store().begin(Begin::Serializable).await?;
        transaction.execute(creation).await?;
        for outside in [&ada, &again] {
            assert_eq!(promptly("a read", outside.repo::<Note>().get(note.id)).await?, None);
        }
        transaction.commit().await?;
        for outside in [&ada, &again] {
            assert_eq!(outside.repo::<Note>().get(note.id).await?.as_ref(), Some(&note));
        }
    }

    /// After a `Conflict` a transaction goes on, and what it wrote besides is committed.
    #[covers(35)]
    async fn a_conflict_does_not_poison_a_transaction(world: World) {
        let ada = world.user("Ada").await?;
        ada.repo::<Note>().create(NewNote::new("taken")).await?;
        let titles = ada.transaction(|tx| async move {
            let notes = tx.repo::<Note>();
            let first = notes.create(NewNote::new("first")).await?;
            let refused = notes.create_many(["second", "taken"].map(NewNote::new)).await.unwrap_err();
            assert!(matches!(refused.kind(), ErrorKind::Conflict { .. }), "{refused:?}");
            let renamed = NotePatch { title: "taken".to_owned().into(), ..NotePatch::default() };
            let refused = notes.update(first.id, renamed).await.unwrap_err();
            assert!(matches!(refused.kind(), ErrorKind::Conflict { .. }), "{refused:?}");
            notes.create(NewNote::new("third")).await?;
            Ok(())
        });
        titles.await?;
        assert_eq!(sorted_titles(&ada).await?, ["first", "taken", "third"]);
    }

    /// After any other error of a verb a transaction is aborted: every further call answers `TransactionAborted`, and it
    /// cannot be committed even when the closure swallows the error.
    #[covers(35)]
    async fn any_other_error_poisons_a_transaction(world: World) {
        let ada = world.user("Ada").await?;
        let poisoned = ada.transaction(|tx| async move {
            tx.repo::<Note>().create(NewNote::new("one")).await?;
            let orphan =
                NewMessage::new(Id::from_uuid(uuid::Uuid::from_u128(5)), MessageRole::User, "of no job");
            let refused = tx.messages().append(orphan).await.unwrap_err();
            assert!(matches!(refused.kind(), ErrorKind::MissingParent { .. }), "{refused:?}");
            let aborted = tx.repo::<Note>().count(Filter::always()).await.unwrap_err();
            assert_eq!(aborted.kind(), &ErrorKind::TransactionAborted);
            Ok(())
        });
        assert_eq!(poisoned.await.unwrap_err().kind(), &ErrorKind::TransactionAborted);
        assert_eq!(ada.repo::<Note>().count(Filter::always()).await?, 0);
    }

    /// A transaction inside a transaction is refused; a scope used after its transaction has ended answers `Closed`.
    #[covers(33)]
    async fn a_scope_is_good_for_one_transaction(world: World) {
        let ada = world.user("Ada").await?;
        let kept = ada.transaction(|tx| async move {
            let nested = tx.transaction(|_| async { Ok(()) }).await.unwrap_err();
            assert_eq!(nested.kind(), &ErrorKind::Unsupported);
            Ok(tx)
        });
        let late = kept.await?.repo::<Note>().create(NewNote::new("late")).await.unwrap_err();
        assert_eq!(late.kind(), &ErrorKind::Closed);
    }

    /// The steps of a unit see what those before them wrote, and when one fails nothing of the unit is written.
    #[covers(13, 33)]
    async fn a_unit_is_all_or_nothing(world: World) {
        let notes = world.user("Ada").await?.repo::<Note>();
        let (first, creation) = notes.creation(NewNote::new("first"))?;
        let unit = Unit::default().then(creation).then(notes.look_up(first.id)?);
        let outcomes = notes.context().run(unit).await?;
        assert_eq!(outcomes[1].rows(), 1, "the second step must see what the first wrote");

        let before = world.all_rows().await?;
        let (_, second) = notes.creation(NewNote::new("second"))?;
        let (_, duplicate) = notes.creation(NewNote::new("first"))?;
        let error =
            notes.context().run(Unit::default().then(second.clone()).then(duplicate)).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Conflict { .. }), "{error:?}");
        let absent = notes.look_up(Id::from_uuid(uuid::Uuid::from_u128(9)))?;
        let unit =
            Unit::default().then(second).then_some(absent, ErrorKind::NotFound { entity: "Note".into() });
        let error = notes.context().run(unit).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::NotFound { entity: "Note".into() });
        assert_eq!(world.all_rows().await?, before);
    }

    /// A requirement that no row is there fails the unit with the error that it names; the empty unit answers nothing.
    #[covers(33)]
    async fn a_requirement_fails_its_unit_with_its_own_error(world: World) {
        let notes = world.user("Ada").await?.repo::<Note>();
        let there = notes.create(NewNote::new("there")).await?;
        let otherwise = ErrorKind::Application;
        let step = UnitStep { verb: notes.look_up(there.id)?, require: Require::NoRow { otherwise } };
        let unit = Unit { steps: vec![step] };
        assert_eq!(notes.context().run(unit).await.unwrap_err().kind(), &ErrorKind::Application);
        assert_eq!(notes.context().run(Unit::default()).await?, []);
    }

    /// Hermitage G0: two transactions that write the same rows do not mix.
    #[covers(36)]
    async fn g0_dirty_writes_are_prevented(world: World) {
        let history =
            [(0, Set(1, 11)), (1, Set(1, 12)), (0, Set(2, 21)), (0, Commit), (1, Set(2, 22)), (1, Commit)];
        check(&world, &TWO, &history).await?;
    }

    /// Hermitage G1a: nobody reads what is rolled back later.
    #[covers(36)]
    async fn g1a_aborted_reads_are_prevented(world: World) {
        let history = [(0, Set(1, 101)), (1, AtLeast(0)), (0, RollBack), (1, AtLeast(0)), (1, Commit)];
        check(&world, &TWO, &history).await?;
    }

    /// Hermitage G1b: nobody reads what its transaction writes over later.
    #[covers(36)]
    async fn g1b_intermediate_reads_are_prevented(world: World) {
        let history =
            [(0, Set(1, 101)), (1, AtLeast(0)), (0, Set(1, 11)), (0, Commit), (1, AtLeast(0)), (1, Commit)];
        check(&world, &TWO, &history).await?;
    }

    /// Hermitage G1c: two transactions do not each read what the other wrote.
    #[covers(36)]
    async fn g1c_circular_information_flow_is_prevented(world: World) {
        let history = [(0, Set(1, 11)), (1, Set(2, 22)), (0, Get(2)), (1, Get(1)), (0, Commit), (1, Commit)];
        check(&world, &TWO, &history).await?;
    }

    /// Hermitage OTV: what a transaction was seen to have written does not vanish for the one that saw it.
    #[covers(36)]
    async fn otv_observed_transactions_do_not_vanish(world: World) {
        let history = [
            (0, Set(1, 11)),
            (0, Set(2, 19)),
            (1, Set(1, 12)),
            (0, Commit),
            (2, Get(1)),
            (1, Set(2, 18)),
            (2, Get(2)),
            (1, Commit),
            (2, Get(2)),
            (2, Get(1)),
            (2, Commit),
        ];
        check(&world, &TWO, &history).await?;
    }

    /// Hermitage PMP: rows that meet a condition do not appear in the middle of a transaction that read by it.
    #[covers(36)]
    async fn pmp_phantoms_are_prevented(world: World) {
        let history = [(0, AtLeast(30)), (1, Insert(3, 30)), (1, Commit), (0, AtLeast(25)), (0, Commit)];
        check(&world, &TWO, &history).await?;
    }

    /// Hermitage PMP for writes: a delete by a condition and an update of what it is about do not miss each other.
    #[covers(36)]
    async fn pmp_phantoms_of_writes_are_prevented(world: World) {
        let history = [
            (0, Move { from: 20, to: 30 }),
            (0, Move { from: 10, to: 20 }),
            (1, Delete(20)),
            (0, Commit),
            (1, Commit),
        ];
        check(&world, &TWO, &history).await?;
    }

    /// Hermitage P4: of two transactions that read a row and then write it, none overwrites what it did not see.
    #[covers(36)]
    async fn p4_lost_updates_are_prevented(world: World) {
        let history = [(0, Get(1)), (1, Get(1)), (0, Set(1, 11)), (1, Set(1, 12)), (0, Commit), (1, Commit)];
        check(&world, &TWO, &history).await?;
    }

    /// Hermitage G-single: a transaction does not read one row from before and another from after a concurrent one.
    #[covers(36)]
    async fn g_single_read_skew_is_prevented(world: World) {
        let history = [
            (0, Get(1)),
            (1, Get(1)),
            (1, Get(2)),
            (1, Set(1, 12)),
            (1, Set(2, 18)),
            (1, Commit),
            (0, Get(2)),
            (0, Commit),
        ];
        check(&world, &TWO, &history).await?;
    }

    /// Hermitage G-single, with conditions, and with a write at the end that depends on what was read.
    #[covers(36)]
    async fn g_single_read_skew_by_conditions_is_prevented(world: World) {
        let history = [
            (0, Get(1)),
            (1, AtLeast(0)),
            (1, Set(1, 12)),
            (1, Set(2, 18)),
            (1, Commit),
            (0, Delete(20)),
            (0, Commit),
        ];
        check(&world, &TWO, &history).await?;
    }

    /// Hermitage G2-item: two transactions that read two rows and write one each do not both commit (write skew).
    #[covers(36)]
    async fn g2_item_write_skew_is_prevented(world: World) {
        let history = [
            (0, Get(1)),
            (0, Get(2)),
            (1, Get(1)),
            (1, Get(2)),
            (0, Set(1, 11)),
            (1, Set(2, 21)),
            (0, Commit),
            (1, Commit),
        ];
        check(&world, &TWO, &history).await?;
    }

    /// Hermitage G2: the same by conditions: each inserts a row that the other's condition should have found.
    #[covers(36)]
    async fn g2_anti_dependency_cycles_are_prevented(world: World) {
        let history = [
            (0, AtLeast(30)),
            (1, AtLeast(30)),
            (0, Insert(3, 30)),
            (1, Insert(4, 42)),
            (0, Commit),
            (1, Commit),
        ];
        check(&world, &TWO, &history).await?;
    }

    /// Hermitage G2 with three transactions (Fekete's example): a reader between two writers sees no state that no order
    /// of the three would show.
    #[covers(36)]
    async fn g2_read_only_anomaly_is_prevented(world: World) {
        let history = [
            (0, AtLeast(0)),
            (1, Set(2, 25)),
            (1, Commit),
            (2, AtLeast(0)),
            (2, Commit),
            (0, Set(1, 0)),
            (0, Commit),
        ];
        check(&world, &TWO, &history).await?;
    }

    /// A hundred concurrent transactions that read a number and write one more end at a hundred.
    #[covers(37)]
    async fn a_hundred_concurrent_increments_end_at_a_hundred(world: World) {
        let (note, handles) = contended_note(&world).await?;
        let increments = together(100, |index| {
            let mine = handles[index % 2].clone();
            async move { mine.transaction(|tx| increment(tx, note)).await }
        });
        for result in increments.await {
            result?;
        }
        assert_eq!(handles[0].repo::<Note>().get(note).await?.map(|note| note.views), Some(100));
    }

    /// A hundred concurrent additions in the database end at a hundred.
    #[covers(37)]
    async fn a_hundred_concurrent_additions_end_at_a_hundred(world: World) {
        let (note, handles) = contended_note(&world).await?;
        let additions = together(100, |index| {
            let mine = handles[index % 2].clone();
            async move { mine.repo::<Note>().update_if(note, Filter::always(), vec![Note::VIEWS.add(1)]).await }
        });
        for result in additions.await {
            assert!(result?.is_some());
        }
        assert_eq!(handles[0].repo::<Note>().get(note).await?.map(|note| note.views), Some(100));
    }

    /// 64 writers of one row all succeed; the row is as one of them left it.
    #[covers(38)]
    async fn sixty_four_writers_of_one_row_all_succeed(world: World) {
        let (note, handles) = contended_note(&world).await?;
        let writers = together(64, |index| {
            let mine = handles[index % 2].clone();
            let patch = NotePatch { views: (index as i64 + 1).into(), ..NotePatch::default() };
            async move { mine.repo::<Note>().update(note, patch).await }
        });
        for (index, result) in writers.await.into_iter().enumerate() {
            assert_eq!(result?.views, index as i64 + 1, "each writer gets the row as it left it");
        }
        let views = handles[1].repo::<Note>().get(note).await?.map(|note| note.views);
        assert!((1..=64).contains(&views.unwrap()), "{views:?}");
    }

    /// Two transactions that write the same two rows in opposite order both succeed in the end.
    #[covers(39)]
    async fn a_deadlocking_pair_resolves(world: World) {
        let (first, handles) = contended_note(&world).await?;
        let second = handles[0].repo::<Note>().create(NewNote::new("second")).await?.id;
        for _ in 0..3 {
            let pair = together(2, |index| {
                let mine = handles[index].clone();
                let order = if index == 0 { [first, second] } else { [second, first] };
                async move {
                    mine.transaction(|tx| async move {
                        for note in order {
                            increment(tx.clone(), note).await?;
                        }
                        Ok(())
                    })
                    .await
                }
            });
            for result in promptly("the pair", pair).await {
                result?;
            }
        }
        for note in [first, second] {
            assert_eq!(handles[0].repo::<Note>().get(note).await?.map(|note| note.views), Some(6));
        }
    }

    /// A transaction that lost is run again from the beginning, with nothing left of the first attempt; one that failed for
    /// another reason is not.
    #[covers(40)]
    async fn only_what_lost_is_run_again(world: World) {
        let ada = world.user("Ada").await?;
        for (kind, expected) in
            [(ErrorKind::Contention, 3), (ErrorKind::Busy, 3), (ErrorKind::Application, 1)]
        {
            let attempts = Arc::new(AtomicU32::new(0));
            let result = ada.transaction(|tx| {
                let (attempts, kind) = (Arc::clone(&attempts), kind.clone());
                async move {
                    tx.repo::<Note>().create(NewNote::new("once")).await?;
                    match attempts.fetch_add(1, Ordering::SeqCst) {
                        2 => Ok(()),
                        _ => Err(Error::new(kind, "")),
                    }
                }
            });
            assert_eq!(result.await.is_ok(), expected == 3, "{kind}");
            assert_eq!(attempts.load(Ordering::SeqCst), expected, "{kind}");
            let notes = ada.repo::<Note>();
            assert_eq!(notes.count(Filter::always()).await?, u64::from(expected == 3), "{kind}");
            for note in notes.select(Filter::always(), Vec::new(), None).await? {
                notes.delete(note.id).await?;
            }
        }
    }

    /// A call that is dropped at any of its await points has happened wholly or not at all, and leaves a store in which the
    /// next call is served at once: for every method.
    #[covers(41)]
    async fn a_call_dropped_at_any_point_leaves_the_store_usable(world: World) {
        for method in SCOPED.iter().chain(OF_THE_SYSTEM) {
            for polls in 0.. {
                assert!(polls < 200, "{} does not end", method.name);
                let mine = world.user("Ada").await?;
                let target = Target::of(&mine, "target").await?;
                let caller = Caller { larder: world.larder().clone(), mine: mine.clone(), target };
                let ended = promptly(method.name, polled((method.call)(caller), polls)).await;
                if let Some(result) = ended {
                    result.map_err(|error| format!("{}: {error:?}", method.name))?;
                    break;
                }
                let fresh = world.user("Bob").await?;
                promptly(method.name, writes_go_on(&fresh, "after the drop")).await?;
                // Messages are written two at a time by the methods that write several.
                let messages = mine.repo::<Message>().count(Filter::always()).await?;
                let wrote_many = method.name.ends_with("_many");
                assert!(
                    !wrote_many || messages != 2,
                    "{} dropped after {polls} polls wrote half",
                    method.name
                );
                world
                    .larder()
                    .user(mine.owner().into())
                    .profile()
                    .delete()
                    .await
                    .or_else(not_found_is_fine)?;
                fresh.profile().delete().await?;
            }
        }
    }

    /// A transaction that is dropped at any of its await points, from its beginning to its commit, is undone or committed
    /// as a whole and holds nobody back.
    #[covers(41)]
    async fn a_transaction_dropped_at_any_point_is_whole(world: World) {
        for polls in 0.. {
            assert!(polls < 200, "does not end");
            let ada = world.user("Ada").await?;
            let mine = ada.clone();
            let work = async move {
                mine.transaction(|tx| async move {
                    for title in ["one", "two", "three"] {
                        tx.repo::<Note>().create(NewNote::new(title)).await?;
                    }
                    Ok(())
                })
                .await
            };
            let ended = promptly("the transaction", polled(Box::pin(work), polls)).await;
            promptly("a write", writes_go_on(&ada, "after the drop")).await?;
            let titles = sorted_titles(&ada).await?;
            let whole = titles == ["after the drop"] || titles == ["after the drop", "one", "three", "two"];
            assert!(whole, "dropped after {polls} polls it left {titles:?}");
            if let Some(result) = ended {
                result?;
                assert_eq!(titles.len(), 4, "it ended, so it is committed");
                break;
            }
        }
    }

    /// Two transactions are open at once, and what they write besides each other both commit.
    #[covers(36)]
    #[needs(ConcurrentTransactions)]
    async fn transactions_that_do_not_touch_run_at_once(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        let mut first = world.store().begin(Begin::Serializable).await?;
        let mut second = promptly("the second transaction", world.store().begin(Begin::Serializable)).await?;
        for (mine, transaction) in [(&ada, &mut first), (&bob, &mut second)] {
            let (_, creation) = mine.repo::<Note>().creation(NewNote::new("one"))?;
            promptly("a write", transaction.execute(creation)).await?;
        }
        first.commit().await?;
        second.commit().await?;
        assert_eq!(world.system().all_users::<Note>().count(Filter::always()).await?, 2);
    }
}

/// The rows that the histories begin with.
const TWO: [(i64, i64); 2] = [(1, 10), (2, 20)];

/// A user's note, and the user's scope on two handles.
async fn contended_note(world: &World) -> Result<(NoteId, [UserScope; 2]), crate::Failure> {
    let ada = world.user("Ada").await?;
    let note = ada.repo::<Note>().create(NewNote::new("contended")).await?;
    let again = world.reopen().await?.user(ada.owner().into());
    Ok((note.id, [ada, again]))
}

/// Reads the number of views and writes one more.
async fn increment(tx: UserScope, note: NoteId) -> Result<()> {
    let notes = tx.repo::<Note>();
    let views = notes.get(note).await?.map_or(0, |note| note.views);
    notes.update(note, NotePatch { views: (views + 1).into(), ..NotePatch::default() }).await?;
    Ok(())
}

/// A write and a transaction succeed.
async fn writes_go_on(mine: &UserScope, title: &str) -> Result<()> {
    let note = mine.repo::<Note>().create(NewNote::new(title)).await?;
    mine.transaction(|tx| increment(tx, note.id)).await
}

async fn sorted_titles(mine: &UserScope) -> Result<Vec<String>> {
    let order = vec![Note::TITLE.order(larder::SortDirection::Asc)];
    let notes = mine.repo::<Note>().select(Filter::always(), order, None).await?;
    Ok(notes.into_iter().map(|note| note.title).collect())
}

/// Polls a future at most `polls` times, then drops it; what it answered, if it did.
async fn polled<T>(mut future: Pin<Box<dyn Future<Output = T> + Send>>, polls: usize) -> Option<T> {
    let mut left = polls;
    std::future::poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

fn not_found_is_fine(error: Error) -> Result<()> {
    match error.kind() {
        ErrorKind::NotFound { .. } => Ok(()),
        _ => Err(error),
    }
}
