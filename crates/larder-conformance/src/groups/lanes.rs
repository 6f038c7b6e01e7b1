//! Lanes: calls that arrive together answer as if each had been sent alone, whether they travel together or not.

mod mixed;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use larder::{
    Capability, Entity, Error, ErrorKind, Filter, Larder, MAX_VALUE_BYTES, Result, Unit,
    UserScope, Value, Verb, model::*,
};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    Failure,
    call::{by_id, shown_error, with_value},
    entities::{NewNote, Note, NoteId, Specimen},
    promptly,
    random::{agree, batches, seed},
    together::{dropped_after, together},
};

cases! {
    /// Sixty-four calls of every kind at once, some of which break a key, a parent, a rule, find nothing, have lost their
    /// lease or overflow a sum: each gets the answer that it gets when it is sent alone, in whatever order they arrive, and
    /// the same rows are there afterwards.
    #[covers(2, 3, 4, 10, 57, 71)]
    async fn each_of_a_mixed_batch_is_answered_as_if_it_were_alone(world: World) {
        let mut alone = Vec::new();
        for asked in mixed::batch(&world).await? {
            let answer = (asked.call)(world.clone()).await;
            assert_eq!(answer.as_ref().err().map(shown_error), asked.refused, "{}: {answer:?}", asked.what);
            alone.push(answer.map_err(|error| shown_error(&error)));
        }
        assert_eq!(alone.len(), 64);
        let rows = world.all_rows().await?;
        for order_of in 0..4 {
            let world = world.another().await?;
            let batch = mixed::batch(&world).await?;
            let mut order: Vec<_> = (0..batch.len()).collect();
            fastrand::Rng::with_seed(order_of).shuffle(&mut order);
            let answers = together(order.len(), |index| (batch[order[index]].call)(world.clone())).await;
            for (index, answer) in order.into_iter().zip(answers) {
                let answer = answer.map_err(|error| shown_error(&error));
                assert_eq!(answer, alone[index], "{}, in order {order_of}", batch[index].what);
            }
            assert_eq!(world.all_rows().await?, rows, "in order {order_of}");
            world.larder().close().await?;
        }
    }

    /// Ten thousand random batches of 2 to 64 calls at once get the answers that the same calls get from `MemoryStore`, one
    /// by one, and leave the same rows. `LARDER_BATCHES` makes them fewer or more, `LARDER_SEED` repeats a run.
    #[covers(71, 80)]
    async fn ten_thousand_random_batches_agree_with_the_reference(world: World) {
        agree(&world, seed()?, batches(world.backend())?).await?;
    }

    /// Sixty-four callers change one row at once: all succeed, each gets the row as it left it, and what they add adds up.
    #[covers(37, 38)]
    async fn changes_of_one_row_at_once_add_up(world: World) {
        let notes = world.user("Ada").await?.repo::<Note>();
        let note = notes.create(NewNote::new("contended")).await?.id;
        for round in 0..5 {
            let changes = together(64, |index| {
                let notes = notes.clone();
                let set = match index % 2 {
                    0 => Ok(Note::VIEWS.add(1)),
                    _ => Note::BODY.set(Some(format!("by {index}"))),
                };
                async move { notes.update_if(note, Filter::always(), vec![set?]).await }
            });
            let mut sums = BTreeSet::new();
            for (index, changed) in promptly("the changes", changes).await.into_iter().enumerate() {
                let changed = changed?.ok_or("the row is there")?;
                match index % 2 {
                    0 => assert!(sums.insert(changed.views), "two left the row with {} views", changed.views),
                    _ => assert_eq!(changed.body, Some(format!("by {index}"))),
                }
            }
            assert_eq!(sums, (round * 32 + 1..=round * 32 + 32).collect());
        }
        assert_eq!(notes.get(note).await?.map(|note| note.views), Some(160));
    }

    /// Of callers that insert one key at once exactly one succeeds, and the others get a `Conflict` that names the key;
    /// those beside them who insert other keys all succeed.
    #[covers(2)]
    async fn of_equal_keys_inserted_at_once_one_wins(world: World) {
        let notes = world.user("Ada").await?.repo::<Note>();
        for (round, field) in ["id", "user_id, title"].into_iter().cycle().take(10).enumerate() {
            let same_id = Value::Uuid(Uuid::from_u128(500 + round as u128));
            let insertions = together(64, |index| {
                let title = match (index % 2, field) {
                    (0, "user_id, title") => format!("{round}, the same"),
                    _ => format!("{round}, {index}"),
                };
                let creation = notes.creation(NewNote::new(title)).map(|(_, verb)| match (index % 2, field) {
                    (0, "id") => with_value(verb, 0, same_id.clone()),
                    _ => verb,
                });
                let store = world.store();
                async move { store.execute(creation?).await }
            });
            let (mut won, conflict) = (0, Error::conflict("Note", field));
            for (index, answer) in promptly("the insertions", insertions).await.into_iter().enumerate() {
                match answer {
                    Ok(_) => won += usize::from(index % 2 == 0),
                    Err(error) => {
                        assert_eq!((error.kind(), index % 2), (conflict.kind(), 0), "caller {index}");
                    }
                }
            }
            assert_eq!(won, 1, "round {round}, {field}");
            assert_eq!(notes.count(Filter::always()).await?, 33 * (round as u64 + 1));
        }
    }

    /// Callers that put one key at once all succeed, and one row is there, which each of them was given.
    #[covers(2, 38)]
    async fn puts_of_one_key_at_once_all_succeed(world: World) {
        let notes = world.user("Ada").await?.repo::<Note>();
        for round in 0..5 {
            let puts = together(64, |index| {
                let notes = notes.clone();
                let new = NewNote { views: index as i64, ..NewNote::new(format!("put {round}")) };
                async move { notes.put(new, NOTE_TITLE).await }
            });
            let mut ids = BTreeSet::new();
            for (index, put) in promptly("the puts", puts).await.into_iter().enumerate() {
                let put = put?;
                assert_eq!(put.views, index as i64, "each gets the row as it left it");
                ids.insert(put.id.uuid());
            }
            assert_eq!((ids.len(), notes.count(Filter::always()).await?), (1, round + 1));
        }
    }

    /// An insert and a delete of one key at once happen one after the other, in some order: what they answer and what is
    /// there afterwards fit together, whether the key was there before or not.
    #[covers(1, 2)]
    async fn an_insert_and_a_delete_of_one_key_at_once_have_an_order(world: World) {
        let notes = world.user("Ada").await?.repo::<Note>();
        for round in 0..10 {
            let before = notes_by_id(&notes).await?;
            let answers = together(64, |index| {
                let id = Uuid::from_u128(500 + index as u128 / 2);
                let new = NewNote::new(format!("{round}, {index}"));
                let creation = notes.creation(new).map(|(_, verb)| with_value(verb, 0, Value::Uuid(id)));
                let notes = notes.clone();
                async move {
                    match index % 2 {
                        0 => notes.context().execute(creation?).await.map(drop),
                        _ => notes.delete(id.into()).await,
                    }
                }
            });
            let answers = promptly("the pairs", answers).await;
            let after = notes_by_id(&notes).await?;
            for (pair, answers) in answers.chunks(2).enumerate() {
                let id = Uuid::from_u128(500 + pair as u128);
                let (was, is) = (before.contains_key(&id), after.contains_key(&id));
                let kinds: Vec<_> = answers.iter().map(|answer| answer.as_ref().err().map(Error::kind)).collect();
                let conflict = ErrorKind::Conflict { entity: "Note".into(), field: "id".into() };
                let not_found = ErrorKind::NotFound { entity: "Note".into() };
                let fits = match (kinds[0], kinds[1]) {
                    // The delete came last when nothing is left. It found a row in any case when one was there before.
                    (None, None) => was || !is,
                    (None, Some(kind)) => *kind == not_found && !was && is,
                    (Some(kind), None) => *kind == conflict && was && !is,
                    (Some(_), Some(_)) => false,
                };
                assert!(fits, "there before: {was}, afterwards: {is}, the answers: {answers:?}");
            }
        }
    }

    /// A parent and its child inserted at once: the child is there if it was accepted, and else its parent is missing.
    #[covers(3, 30)]
    async fn a_child_inserted_with_its_parent_is_there_or_refused(world: World) {
        let ada = world.user("Ada").await?;
        for round in 0..5 {
            let (mut calls, mut messages) = (Vec::new(), Vec::new());
            for number in 0..32 {
                let (job, creation) =
                    ada.repo::<Job>().creation(NewJob::new(format!("job {round}, {number}")))?;
                let new = NewMessage::new(job.id, MessageRole::User, "at once");
                let (message, child) = ada.repo::<Message>().creation(new)?;
                calls.extend(if number % 2 == 0 { [creation, child] } else { [child, creation] });
                messages.push((number % 2, message.id));
            }
            let answers = together(64, |index| {
                let (store, call) = (world.store(), calls[index].clone());
                async move { store.execute(call).await }
            });
            let answers = promptly("the pairs", answers).await;
            for (pair, (position, message)) in answers.chunks(2).zip(messages) {
                let (job, child) = (&pair[position], &pair[1 - position]);
                assert!(job.is_ok(), "{job:?}");
                let missing = Error::missing_parent("Message", "Job");
                let refused = child.as_ref().err().map(Error::kind);
                assert!(refused.is_none_or(|kind| kind == missing.kind()), "{child:?}");
                assert_eq!(ada.messages().get(message).await?.is_some(), refused.is_none());
            }
        }
    }

    /// A value of several MiB in the middle of sixty-four calls, and one that is larger than any may be, succeed and fail
    /// for themselves; so do sixty-four that are too large for one batch together.
    #[covers(9)]
    #[needs(LargeValues)]
    async fn a_large_value_among_small_ones_succeeds_or_fails_alone(world: World) {
        let specimens = world.system().repo::<Specimen>();
        for (round, usual) in [10, 150 * 1024].into_iter().enumerate() {
            let size = |index| match index {
                21 => 3 * 1024 * 1024,
                42 => MAX_VALUE_BYTES + 1,
                50 => 9 * 1024 * 1024,
                _ => usual,
            };
            let mut calls = Vec::new();
            for index in 0..64 {
                let (specimen, creation) = specimens.creation(Specimen::plain(format!("{round}, {index}")))?;
                let text = Value::Text("é".repeat(size(index) / 2));
                let text = if index == 42 { Value::Text("x".repeat(size(index))) } else { text };
                calls.push((specimen.id, with_value(creation, Specimen::TEXT.position(), text)));
            }
            let answers = together(64, |index| {
                let (store, call) = (world.store(), calls[index].1.clone());
                async move { store.execute(call).await }
            });
            for (index, answer) in answers.await.into_iter().enumerate() {
                let refused = answer.as_ref().err().map(shown_error);
                let expected = (index == 42).then(|| "Invalid Specimen.text".to_owned());
                assert_eq!(refused, expected, "call {index}");
                let found = specimens.get(calls[index].0).await?.map(|specimen| specimen.text.len());
                assert_eq!(found, (index != 42).then(|| size(index)), "call {index}");
            }
        }
    }

    /// What a caller among many was told is there, is there: it is found on another handle as soon as the answer has come.
    #[covers(33)]
    async fn what_is_answered_is_there_for_everybody(world: World) {
        let (ada, again) = (world.user("Ada").await?, world.reopen().await?);
        let elsewhere = again.user(ada.owner().into()).repo::<Note>();
        for round in 0..5 {
            let callers = together(64, |index| {
                let (notes, elsewhere) = (ada.repo::<Note>(), elsewhere.clone());
                async move {
                    let note = notes.create(NewNote::new(format!("{round}, {index}"))).await?;
                    assert_eq!(elsewhere.get(note.id).await?.as_ref(), Some(&note), "after the insert");
                    let changed = notes.update_if(note.id, Filter::always(), vec![Note::VIEWS.add(1)]).await?;
                    assert_eq!(elsewhere.get(note.id).await?, changed, "after the update");
                    let (second, creation) = notes.creation(NewNote::new(format!("{round}, {index} too")))?;
                    notes.context().run(Unit::default().then(creation)).await?;
                    assert_eq!(elsewhere.get(second.id).await?, Some(second), "after the unit");
                    notes.delete(note.id).await?;
                    assert_eq!(elsewhere.get(note.id).await?, None, "after the delete");
                    Result::Ok(())
                }
            });
            promptly("the callers", callers).await.into_iter().collect::<Result<()>>()?;
        }
    }

    /// Half of sixty-four callers are dropped, after as many polls as there are points at which they can be: what they
    /// asked for has happened wholly or not at all, and each of the other half gets its answer.
    #[covers(41)]
    async fn callers_dropped_at_any_point_harm_nobody(world: World) {
        let ada = world.user("Ada").await?;
        let counter = ada.repo::<Note>().create(NewNote::new("counter")).await?.id;
        let (mut polls, mut round, mut all_ended) = (0, 0, false);
        while !all_ended {
            assert!(polls < 1_000_000, "the calls do not end");
            let callers = together(64, |index| {
                let call = pair_of_writes(ada.clone(), counter, format!("{round}, {index}"), index);
                let polls = if index % 2 == 0 { usize::MAX } else { polls };
                dropped_after(polls, call)
            });
            let answers = promptly("those who wait", callers).await;
            all_ended = answers.iter().all(Option::is_some);
            let ended: Vec<_> = answers.iter().map(Option::is_some).collect();
            answers.into_iter().flatten().collect::<Result<()>>()?;
            all_or_nothing(&ada, counter, &format!("{round}, "), &ended).await?;
            (polls, round) = (polls + polls / 2 + 1, round + 1);
        }
    }

    /// Closing a store while hundreds of calls wait finishes each of them or refuses it with `Closed`: what was answered is
    /// there, what was refused is not, and nobody waits for ever.
    #[covers(79)]
    async fn closing_finishes_or_refuses_every_call_that_waits(world: World) {
        for closed_after in [0, 1, 20, 100, 200, 299] {
            let world = world.another().await?;
            let ada = world.user("Ada").await?;
            let handle = world.reopen().await?;
            let answers = promptly("the calls", calls_while_closing(&handle, ada.owner(), closed_after)).await?;
            let finished = answers.iter().filter(|(_, finished)| *finished).count();
            assert!(finished >= closed_after, "{finished} were answered before the end");
            if world.store().supports(Capability::Durable) {
                for (note, finished) in answers {
                    assert_eq!(ada.repo::<Note>().get(note).await?.is_some(), finished);
                }
            }
            world.larder().close().await?;
        }
    }
}

/// The unique key of a note.
const NOTE_TITLE: &[usize] = &[Note::USER_ID.position(), Note::TITLE.position()];

async fn notes_by_id(notes: &larder::Repo<Note>) -> Result<BTreeMap<Uuid, Note>> {
    let all = notes.select(Filter::always(), Vec::new(), None).await?;
    Ok(all.into_iter().map(|note| (note.id.uuid(), note)).collect())
}

/// Writes two notes, in one verb; or one, and adds to the counter in the same unit.
async fn pair_of_writes(ada: UserScope, counter: NoteId, title: String, index: usize) -> Result<()> {
    let notes = ada.repo::<Note>();
    if index % 4 < 2 {
        return notes.create_many(["a", "b"].map(|end| NewNote::new(format!("{title} {end}")))).await.map(drop);
    }
    let (_, creation) = notes.creation(NewNote::new(format!("{title} counted")))?;
    let add = larder::Update {
        table: Note::TABLE,
        owner: Some(ada.owner()),
        key: Some(by_id(counter.uuid())),
        filter: Filter::always(),
        set: vec![Note::VIEWS.add(1)],
        returning: false,
    };
    notes.context().run(Unit::default().then(creation).then(Verb::Update(add))).await.map(drop)
}

/// Each pair of a round is there or not, those that `ended` are, and as many notes are counted as the counter says. Then
/// the notes of the round are deleted; a call that was dropped may still be on its way.
async fn all_or_nothing(ada: &UserScope, counter: NoteId, round: &str, ended: &[bool]) -> Result<(), Failure> {
    let notes = ada.repo::<Note>();
    let everything = notes.selection(Filter::always(), Vec::new(), None);
    let read = Unit::default().then(everything).then(notes.look_up(counter)?);
    let answers = notes.context().run(read).await?;
    let [larder::Outcome::Rows(rows), larder::Outcome::Row(Some(counting))] = &answers[..] else {
        return Err(format!("answered {answers:?}").into());
    };
    let titles = rows.iter().map(|row| Note::from_row(row.clone()).map(|note| note.title));
    let titles = titles.collect::<Result<BTreeSet<_>>>()?;
    let counted = titles.iter().filter(|title| title.ends_with(" counted")).count();
    assert_eq!(Note::from_row(counting.clone())?.views, counted as i64, "a unit was done by half");
    for (index, ended) in ended.iter().enumerate() {
        let is_there = |end: &str| titles.contains(&format!("{round}{index} {end}"));
        if index % 4 < 2 {
            assert_eq!(is_there("a"), is_there("b"), "{round}{index} was written by half");
        }
        assert!(!ended || is_there("a") || is_there("counted"), "{round}{index} was answered and is not there");
    }
    Ok(())
}

/// Three hundred inserts at once, and a close when this many of them were answered. Gives for each note whether its insert
/// was finished; what was not was refused with `Closed`.
async fn calls_while_closing(
    handle: &Larder,
    owner: Uuid,
    closed_after: usize,
) -> Result<Vec<(NoteId, bool)>, Failure> {
    let (answered, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let notes = handle.user(owner.into()).repo::<Note>();
    let mut calls = Vec::new();
    for number in 0..300 {
        let (note, creation) = notes.creation(NewNote::new(format!("note {number}")))?;
        let (store, answered, enough) = (Arc::clone(handle.store()), Arc::clone(&answered), Arc::clone(&enough));
        let call = tokio::spawn(async move {
            let answer = store.execute(creation).await;
            if answered.fetch_add(1, Ordering::SeqCst) + 1 == closed_after {
                enough.notify_one();
            }
            answer
        });
        calls.push((note.id, call));
    }
    if closed_after > 0 {
        enough.notified().await;
    }
    handle.close().await?;
    let mut answers = Vec::new();
    for (note, call) in calls {
        match call.await? {
            Ok(_) => answers.push((note, true)),
            Err(error) if *error.kind() == ErrorKind::Closed => answers.push((note, false)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(answers)
}
