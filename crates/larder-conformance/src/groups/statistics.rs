//! Statistics: counts and sums, of all and by group.

use chrono::{DateTime, TimeDelta};
use larder::{
    Aggregate, ColumnValue, Entity, ErrorKind, Field, Filter, Insert, Outcome, Row, Totals, Unit, Value, Verb,
    model::*,
};

use crate::{
    World,
    entities::{Colour, NewNote, NewSpecimen, Note, Specimen},
    expect::assert_invalid,
};

cases! {
    /// Counts and sums are of a user's own rows that meet the condition; of none, everything is 0.
    #[covers(27)]
    async fn totals_are_of_the_users_own_rows(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        for (mine, views) in [(&ada, [1, 20, 20]), (&bob, [300, 300, 20])] {
            let new = views.iter().enumerate().map(|(number, &views)| {
                NewNote { views, pinned: views == 20, ..NewNote::new(format!("note {number}")) }
            });
            mine.repo::<Note>().create_many(new).await?;
        }
        let notes = ada.repo::<Note>();
        let everything = Filter::always();
        assert_eq!(notes.sums(everything.clone(), [Note::VIEWS]).await?, Totals { count: 3, sums: [41] });
        assert_eq!(notes.sums(Note::VIEWS.gt(1)?, [Note::VIEWS]).await?, Totals { count: 2, sums: [40] });
        assert_eq!(notes.sums(Note::VIEWS.gt(20)?, [Note::VIEWS]).await?, Totals { count: 0, sums: [0] });
        assert_eq!(notes.sums(everything.clone(), []).await?, Totals { count: 3, sums: [] });
        assert_eq!(notes.count_by(Note::VIEWS, everything.clone()).await?, [(1, 1), (20, 2)]);
        assert_eq!(notes.count_by(Note::VIEWS, Note::VIEWS.gt(20)?).await?, []);
        let by_pinned = notes.sums_by(Note::PINNED, everything.clone(), [Note::VIEWS, Note::VIEWS]).await?;
        let expected =
            [(false, Totals { count: 1, sums: [1, 1] }), (true, Totals { count: 2, sums: [40, 40] })];
        assert_eq!(by_pinned, expected);

        let all = world.system().all_users::<Note>();
        assert_eq!(all.sums(everything.clone(), [Note::VIEWS]).await?, Totals { count: 6, sums: [661] });
        assert_eq!(all.count_by(Note::VIEWS, everything.clone()).await?, [(1, 1), (20, 3), (300, 2)]);
        let by_user = all.sums_by(Note::USER_ID, everything, [Note::VIEWS]).await?;
        let of = |mine: &larder::UserScope, sum| (mine.owner().into(), Totals { count: 3, sums: [sum] });
        assert_eq!(by_user, [of(&ada, 41), of(&bob, 620)]);
    }

    /// Groups come in the order of their values, whatever the type; those that hold NULL are one group, the last.
    #[covers(11, 26)]
    async fn groups_come_in_order_and_null_last(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let time = |seconds| DateTime::UNIX_EPOCH + TimeDelta::microseconds(seconds);
        let new = |number: i64, colour, text: &str| NewSpecimen {
            number,
            number_maybe: (number != 0).then_some(number),
            flag_maybe: (number != 1).then_some(number > 1),
            ratio: number as f64 / 4.0,
            ratio_maybe: (number != -2).then_some(number as f64),
            text: text.to_owned(),
            text_maybe: (!text.is_empty()).then(|| text.to_owned()),
            time: time(number),
            time_maybe: (number > 0).then(|| time(-number)),
            uuid_maybe: (number < 0).then(|| uuid::Uuid::from_u128(number as u128)),
            colour,
            colour_maybe: (number >= 0).then_some(colour),
            ..Specimen::plain(format!("{number} {text}"))
        };
        let all = [
            new(-2, Colour::Red, "b"),
            new(0, Colour::Green, "éa"),
            new(1, Colour::Amber, "B"),
            new(3, Colour::Red, ""),
            new(3, Colour::Amber, "a"),
        ];
        specimens.create_many(all).await?;
        let count = async |what: &str, expected: &[(&str, u64)], found: larder::Result<Vec<(String, u64)>>| {
            let expected: Vec<_> = expected.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect();
            assert_eq!(found.unwrap(), expected, "{what}");
        };
        count("enum", &[("Amber", 2), ("Green", 1), ("Red", 2)], by(&world, Specimen::COLOUR).await).await;
        let maybe = by(&world, Specimen::COLOUR_MAYBE).await;
        count("enum?", &[("Some(Amber)", 2), ("Some(Green)", 1), ("Some(Red)", 1), ("None", 1)], maybe).await;
        let maybe = by(&world, Specimen::NUMBER_MAYBE).await;
        count("int?", &[("Some(-2)", 1), ("Some(1)", 1), ("Some(3)", 2), ("None", 1)], maybe).await;
        let maybe = by(&world, Specimen::FLAG_MAYBE).await;
        count("bool?", &[("Some(false)", 2), ("Some(true)", 2), ("None", 1)], maybe).await;
        count("float", &[("-0.5", 1), ("0.0", 1), ("0.25", 1), ("0.75", 2)], by(&world, Specimen::RATIO).await).await;
        let maybe = by(&world, Specimen::RATIO_MAYBE).await;
        count("float?", &[("Some(0.0)", 1), ("Some(1.0)", 1), ("Some(3.0)", 2), ("None", 1)], maybe).await;
        let texts = [(r#""""#, 1), (r#""B""#, 1), (r#""a""#, 1), (r#""b""#, 1), (r#""éa""#, 1)];
        count("text", &texts, by(&world, Specimen::TEXT).await).await;
        let times = by(&world, Specimen::TIME).await.unwrap();
        assert_eq!(times.len(), 4);
        assert!(times[0].0.contains("1969") && times[3].1 == 2, "{times:?}");
        let times = by(&world, Specimen::TIME_MAYBE).await.unwrap();
        assert_eq!(times.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [2, 1, 2], "{times:?}");
        let ids = by(&world, Specimen::UUID_MAYBE).await.unwrap();
        assert_eq!(ids.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1, 4], "{ids:?}");
    }

    /// A sum is exact: what leaves 64 bits on the way and comes back is the sum, in whatever order the rows lie; what is out
    /// of range in the end is `Invalid` with the field, alone and in a group.
    #[covers(10)]
    async fn only_a_sum_that_is_out_of_range_is_refused(world: World) {
        let specimens = world.system().repo::<Specimen>();
        for (round, numbers, sum) in [
            (0, &[i64::MAX, 1, -1][..], Some(i64::MAX)),
            (1, &[i64::MIN, -1, 1], Some(i64::MIN)),
            (2, &[-1, i64::MAX, 1], Some(i64::MAX)),
            (3, &[i64::MAX, i64::MAX, i64::MIN, i64::MIN, 7], Some(5)),
            (4, &[i64::MAX, 1], None),
            (5, &[i64::MIN, -1], None),
            (6, &[i64::MAX, i64::MAX, i64::MAX, i64::MIN], None),
        ] {
            let all = numbers.iter().enumerate().map(|(place, &number)| {
                NewSpecimen { number, level: round, ..Specimen::plain(format!("{round} {place}")) }
            });
            specimens.create_many(all).await?;
            let (this, count) = (Specimen::LEVEL.eq(round)?, numbers.len() as u64);
            let fields = [Specimen::LEVEL, Specimen::NUMBER];
            let all = specimens.sums(this.clone(), fields).await;
            let grouped = specimens.sums_by(Specimen::LEVEL, this, fields).await;
            match sum {
                Some(sum) => {
                    let totals = Totals { count, sums: [round * numbers.len() as i64, sum] };
                    assert_eq!(all?, totals, "{numbers:?}");
                    assert_eq!(grouped?, [(round, totals)]);
                }
                None => {
                    assert_invalid(all, "number");
                    assert_invalid(grouped, "number");
                }
            }
        }
    }

    /// A unit in which a sum is out of range has written nothing, and one in which all sums fit has; each sum is of what the
    /// steps before it left.
    #[covers(10, 33)]
    async fn a_unit_whose_sum_is_out_of_range_writes_nothing(world: World) {
        let specimens = world.system().repo::<Specimen>();
        specimens.create(NewSpecimen { number: i64::MAX, ..Specimen::plain("greatest") }).await?;
        let unit = |label: &str, number| {
            let (_, creation) = specimens.creation(NewSpecimen { number, ..Specimen::plain(label) })?;
            Ok::<_, larder::Error>(Unit::default().then(creation).then(sum_of_numbers(None)))
        };
        let context = world.system().context().clone();
        assert_invalid(context.run(unit("too much", 1)?).await, "number");
        assert_eq!(specimens.count(Filter::always()).await?, 1);
        let row = |values: &[i64]| Row::new(values.iter().copied().map(Value::Int).collect());
        let answers = context.run(unit("less", -7)?).await?;
        assert_eq!(answers, [Outcome::Count(1), Outcome::Rows(vec![row(&[2, i64::MAX - 7])])]);
        let reads = Unit::default().then(sum_of_numbers(None)).then(sum_of_numbers(Some(Specimen::FLAG.position())));
        assert_eq!(context.run(reads).await?.len(), 2);
        let system = world.system();
        let in_transaction = system.transaction(|tx| async move {
            tx.repo::<Specimen>().create(NewSpecimen { number: 100, ..Specimen::plain("too much") }).await?;
            tx.repo::<Specimen>().sums(Filter::always(), [Specimen::NUMBER]).await
        });
        assert_invalid(in_transaction.await, "number");
        assert_eq!(specimens.count(Filter::always()).await?, 2);
    }

    /// NULL adds nothing to a sum; only integers are added up, and what has no order makes no groups.
    #[covers(5)]
    async fn null_adds_nothing_and_other_types_are_refused(world: World) {
        let specimens = world.system().repo::<Specimen>();
        let new = [Some(4), None, Some(-1)].into_iter().enumerate().map(|(place, number_maybe)| {
            NewSpecimen { number_maybe, number: number_maybe.map_or(0, |_| 1), ..Specimen::plain(format!("{place}")) }
        });
        specimens.create_many(new).await?;
        let sums = async |sums: &[usize], group_by: Option<usize>| {
            let (table, sums) = (Specimen::TABLE, sums.to_vec());
            let aggregate = Aggregate { table, owner: None, filter: Filter::always(), group_by, sums };
            world.store().execute(Verb::Aggregate(aggregate)).await
        };
        let rows = |rows: &[&[i64]]| {
            let row = |row: &&[i64]| Row::new(row.iter().copied().map(Value::Int).collect());
            Outcome::Rows(rows.iter().map(row).collect())
        };
        let (number, maybe) = (Specimen::NUMBER.position(), Specimen::NUMBER_MAYBE.position());
        assert_eq!(sums(&[maybe], None).await?, rows(&[&[3, 3]]));
        assert_eq!(sums(&[maybe, number], Some(number)).await?, rows(&[&[0, 1, 0, 0], &[1, 2, 3, 2]]));
        assert_invalid(sums(&[number, Specimen::RATIO.position()], None).await, "ratio");
        assert_invalid(sums(&[Specimen::TEXT.position()], None).await, "text");
        let refused = sums(&[], Some(Specimen::JSON.position())).await.unwrap_err();
        assert_eq!(refused.kind(), &ErrorKind::Unsupported);
    }

    /// Sums of more rows than there are in a batch are as exact as those of few.
    #[covers(10, 13)]
    async fn sums_of_many_rows_are_exact(world: World) {
        let table = Specimen::TABLE;
        let mut rows = Vec::new();
        for number in 0..3_000_i64 {
            let new = NewSpecimen {
                number: (number - 1_400) * 1_234_567_890_123,
                level: number % 3,
                ..Specimen::plain(format!("{number}"))
            };
            let Verb::Insert(insert) = world.system().repo::<Specimen>().creation(new)?.1 else { panic!() };
            rows.extend(insert.rows);
        }
        world.store().execute(Verb::Insert(Insert { table, rows })).await?;
        let levels = world.system().repo::<Specimen>();
        let levels = levels.sums_by(Specimen::LEVEL, Filter::always(), [Specimen::NUMBER]).await?;
        for (level, totals) in levels {
            let expected: i64 =
                (0..3_000).filter(|number| number % 3 == level).map(|number| (number - 1_400) * 1_234_567_890_123).sum();
            assert_eq!(totals, Totals { count: 1_000, sums: [expected] });
        }
    }

    /// A user's jobs are counted by their status, every status named, and their tokens added up; the system has the same for
    /// all users, and tokens by user.
    #[covers(27, 61)]
    async fn jobs_are_counted_and_their_tokens_added_up(world: World) {
        let (ada, bob, eve) = (world.user("Ada").await?, world.user("Bob").await?, world.user("Eve").await?);
        let jobs = world.system().jobs();
        for (mine, number) in [(&ada, 2), (&bob, 1)] {
            for job in 0..number {
                let new = NewJob { status: JobStatus::Active, next_run_at: Some(world.now()), ..NewJob::new(format!("job {job}")) };
                mine.jobs().create(new).await?;
            }
        }
        let claim = ClaimDue { limit: 10, lease: TimeDelta::minutes(1), worker: "worker".into() };
        for claimed in jobs.claim_due(claim).await? {
            let factor = if claimed.job.user_id.uuid() == ada.owner() { 1 } else { 100 };
            let usage = TokenUsage { input: factor, output: 2 * factor, reasoning: 3 * factor, cached_input: 4 * factor, total: 5 * factor };
            jobs.complete(&claimed.lease, Completion { usage, next_run_at: None }).await?;
        }
        ada.jobs().create(NewJob::new("paused")).await?;
        let of_ada = TokenUsage { input: 2, output: 4, reasoning: 6, cached_input: 8, total: 10 };
        let of_bob = TokenUsage { input: 100, output: 200, reasoning: 300, cached_input: 400, total: 500 };
        assert_eq!(ada.jobs().usage().await?, of_ada);
        assert_eq!(bob.jobs().usage().await?, of_bob);
        assert_eq!(eve.jobs().usage().await?, TokenUsage::default());
        assert_eq!(ada.jobs().count_by_status().await?, JobCounts { active: 2, paused: 1, archived: 0 });
        assert_eq!(eve.jobs().count_by_status().await?, JobCounts::default());
        assert_eq!(jobs.count_by_status().await?, JobCounts { active: 3, paused: 1, archived: 0 });
        let users = [eve.owner(), ada.owner()].map(UserId::from);
        let usage = jobs.usage_by_user(users).await?;
        assert_eq!(usage.into_iter().collect::<Vec<_>>(), [(users[1], of_ada), (users[0], TokenUsage::default())]);
        assert_eq!(jobs.usage_by_user([]).await?.len(), 0);
    }
}

/// How many specimens hold each value, as a person reads it.
async fn by<T: ColumnValue + std::fmt::Debug>(
    world: &World,
    field: Field<Specimen, T>,
) -> larder::Result<Vec<(String, u64)>> {
    let groups = world.system().repo::<Specimen>().count_by(field, Filter::always()).await?;
    Ok(groups.into_iter().map(|(value, count)| (format!("{value:?}"), count)).collect())
}

fn sum_of_numbers(group_by: Option<usize>) -> Verb {
    let sums = vec![Specimen::NUMBER.position()];
    Verb::Aggregate(Aggregate { table: Specimen::TABLE, owner: None, filter: Filter::always(), group_by, sums })
}
