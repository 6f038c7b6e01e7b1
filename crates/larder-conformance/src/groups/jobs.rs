//! Jobs: due work is claimed once, held under a lease, and booked once.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use larder::{Entity, Error, ErrorKind, Field, Filter, Result, Row, Sql, UserScope, model::*};

use crate::{
    World, beginning,
    entities::{NewNote, Note},
    expect::assert_invalid,
    promptly, together,
};

cases! {
    /// Of many workers on two handles, each due job is claimed by one; and again by one when the leases have
    /// ended, under the next fencing number.
    #[covers(52, 56)]
    async fn each_due_job_is_claimed_once(world: World) {
        let mut due = BTreeSet::new();
        for user in 0..4 {
            let mine = world.user(&format!("user {user}")).await?;
            due.extend(due_jobs(&mine, 25, world.now()).await?);
        }
        let handles = [world.larder().clone(), world.reopen().await?];
        for token in 1..=3 {
            let workers = together(8, |worker| {
                let scheduler = handles[worker % 2].system().jobs();
                async move { claim_until_dry(&scheduler, 7, &format!("worker {worker}")).await }
            });
            let mut claimed = Vec::new();
            for (worker, claims) in workers.await.into_iter().enumerate() {
                for ClaimedJob { job, lease } in claims? {
                    assert_eq!(
                        (job.lock_token, lease.token),
                        (token, token),
                        "a fencing number was left out or used twice"
                    );
                    assert_eq!(job.lock_owner, Some(format!("worker {worker}")));
                    assert_eq!((lease.job_id, lease.locked_until), (job.id, world.now() + LEASE));
                    assert_eq!(job.locked_until, Some(lease.locked_until));
                    claimed.push(job.id);
                }
            }
            assert_eq!(claimed.len(), due.len(), "a job was claimed twice, or not at all");
            assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>(), due);
            world.clock().advance(LEASE);
        }
    }

    /// Of many workers that claim at the same moment and complete what they got, each run is booked once and
    /// none is lost.
    #[covers(52, 61)]
    async fn each_run_of_a_job_is_booked_once(world: World) {
        let mine = world.user("Ada").await?;
        let jobs = due_jobs(&mine, 40, world.now()).await?;
        let handles = [world.larder().clone(), world.reopen().await?];
        let workers = together(8, |worker| {
            let scheduler = handles[worker % 2].system().jobs();
            async move { claim_and_complete(&scheduler).await }
        });
        for result in workers.await {
            result?;
        }
        for id in jobs {
            let job = mine.jobs().get(id).await?.unwrap();
            assert_eq!((job.usage(), job.lock_token, job.next_run_at), (used(1).usage, 1, None));
            assert_eq!((job.locked_until, job.lock_owner), (None, None));
        }
    }

    /// A claim takes as many jobs as its limit says, no more, also when others claim at once; the limit 0
    /// takes none.
    #[covers(53)]
    async fn a_claim_keeps_its_limit(world: World) {
        let mine = world.user("Ada").await?;
        due_jobs(&mine, 60, world.now()).await?;
        let scheduler = world.system().jobs();
        assert_eq!(scheduler.claim_due(claim(0, "worker")).await?, []);
        for limit in [1, 5, 14] {
            assert_eq!(scheduler.claim_due(claim(limit, "worker")).await?.len(), limit as usize);
        }
        let again = world.reopen().await?;
        let workers = together(8, |worker| {
            let scheduler = if worker % 2 == 0 { scheduler.clone() } else { again.system().jobs() };
            async move { scheduler.claim_due(claim(4, "worker")).await }
        });
        for claimed in workers.await {
            assert!(claimed?.len() <= 4);
        }
        assert!(scheduler.claim_due(claim(1_000_000, "worker")).await?.len() <= 60 - 20);
        assert_eq!(scheduler.claim_due(claim(1, "worker")).await?, []);
    }

    /// The limit is also kept when the database evaluates a subquery once for each row of the table: made to
    /// choose nested loops, PostgreSQL takes more than `IN (SELECT … LIMIT … FOR UPDATE SKIP LOCKED)` says.
    #[covers(53)]
    #[needs(Sql)]
    async fn a_claim_keeps_its_limit_under_a_nested_loop(world: World) {
        let mine = world.user("Ada").await?;
        due_jobs(&mine, 200, world.now()).await?;
        world.system().sql(Sql::new(NESTED_LOOPS, "SELECT 1")).await?;
        // The settings are those of connections that are made from now on.
        let again = world.reopen().await?;
        for round in 1..=3 {
            let in_turns = again.system().jobs().claim_due(claim(5, "worker")).await?;
            assert_eq!(in_turns.len(), 5);
            // Without turns the choice comes from an index: cheap enough to be evaluated again and again.
            let due = Job::NEXT_RUN_AT.le(Some(world.now()))?.and(Job::LOCKED_UNTIL.is_null());
            let set = vec![Job::LOCKED_UNTIL.set(Some(world.now() + LEASE))?];
            let by_index = again.system().all_users::<Job>().claim(due, Vec::new(), NO_TURNS, 5, set).await?;
            assert_eq!(by_index.len(), 5);
            assert_eq!(held(&world).await?, 10 * round, "more were changed than answered");
        }
    }

    /// What is not active is never claimed, however long it is due; what is active and has no time is not
    /// due.
    #[covers(54)]
    async fn paused_and_archived_jobs_are_never_claimed(world: World) {
        let mine = world.user("Ada").await?;
        let jobs = due_jobs(&mine, 4, world.now()).await?;
        mine.jobs().pause(jobs[0]).await?;
        mine.jobs().archive(jobs[1]).await?;
        mine.jobs().schedule(jobs[2], None).await?;
        // A new job is paused.
        let new = NewJob { next_run_at: Some(world.now()), ..NewJob::new("never activated") };
        let paused = mine.jobs().create(new).await?;
        world.clock().advance(TimeDelta::days(365));
        let scheduler = world.system().jobs();
        assert_eq!(ids(&scheduler.claim_due(claim(10, "worker")).await?), [jobs[3]]);
        mine.jobs().activate(jobs[0]).await?;
        mine.jobs().activate(paused.id).await?;
        let both = BTreeSet::from([jobs[0], paused.id]);
        assert_eq!(
            ids(&scheduler.claim_due(claim(10, "worker")).await?).into_iter().collect::<BTreeSet<_>>(),
            both
        );
    }

    /// When pausing races claiming, one of the two comes first: a job that was still free when it was paused
    /// is not claimed.
    #[covers(54)]
    async fn a_job_paused_before_it_is_claimed_is_not_claimed(world: World) {
        let mine = world.user("Ada").await?;
        let jobs = due_jobs(&mine, 40, world.now()).await?;
        let again = world.reopen().await?;
        let there = again.user(mine.owner().into());
        let outcomes = together(2 + jobs.len(), |index| {
            let (there, scheduler) =
                (there.clone(), if index == 0 { world.system() } else { again.system() }.jobs());
            let job = index.checked_sub(2).map(|index| jobs[index]);
            async move {
                match job {
                    Some(job) => there.jobs().pause(job).await.map(|paused| (vec![paused], Vec::new())),
                    None => {
                        claim_until_dry(&scheduler, 2, "worker").await.map(|claimed| (Vec::new(), claimed))
                    }
                }
            }
        });
        let (mut held_when_paused, mut claimed) = (BTreeSet::new(), BTreeSet::new());
        for outcome in outcomes.await {
            let (paused, claims) = outcome?;
            held_when_paused.extend(paused.iter().filter(|job| job.lock_token > 0).map(|job| job.id));
            claimed.extend(ids(&claims));
        }
        assert_eq!(claimed, held_when_paused);
    }

    /// A job is due at the very microsecond of its time, and not one before; a lease ends at the very
    /// microsecond too.
    #[covers(55, 56)]
    async fn a_job_is_due_at_its_very_microsecond(world: World) {
        let mine = world.user("Ada").await?;
        let tick = TimeDelta::microseconds(1);
        let job = due_jobs(&mine, 1, world.now() + tick).await?[0];
        let scheduler = world.system().jobs();
        assert_eq!(scheduler.claim_due(claim(1, "early")).await?, []);
        world.clock().advance(tick);
        assert_eq!(ids(&scheduler.claim_due(claim(1, "in time")).await?), [job]);
        world.clock().advance(LEASE - tick);
        assert_eq!(scheduler.claim_due(claim(1, "early")).await?, []);
        world.clock().advance(tick);
        let taken_over = scheduler.claim_due(claim(1, "in time")).await?;
        assert_eq!(ids(&taken_over), [job]);
        assert_eq!(taken_over[0].lease.token, 2);
    }

    /// When a worker dies, its job is taken over within its lease and one poll, by one of those who race for
    /// it, under a higher fencing number.
    #[covers(56, 59)]
    async fn an_expired_lease_is_taken_over_once(world: World) {
        let mine = world.user("Ada").await?;
        let job = due_jobs(&mine, 1, world.now()).await?[0];
        let died_at = world.now();
        let dead = world.system().jobs().claim_due(claim(1, "dead")).await?;
        let handles = [world.larder().clone(), world.reopen().await?];
        let poll = TimeDelta::seconds(7);
        let taken_over = loop {
            world.clock().advance(poll);
            let racers = together(8, |worker| {
                let scheduler = handles[worker % 2].system().jobs();
                async move { scheduler.claim_due(claim(1, &format!("worker {worker}"))).await }
            });
            let claims: Vec<_> =
                racers.await.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
            assert!(claims.len() <= 1, "{} racers took over one job", claims.len());
            if let Some(claim) = claims.into_iter().next() {
                break claim;
            }
            assert!(world.now() < died_at + LEASE + poll, "nobody took the job over");
        };
        assert!(world.now() >= died_at + LEASE, "the job was taken over while it was held");
        assert_eq!(taken_over.lease.token, dead[0].lease.token + 1);
        assert_eq!(taken_over.job.id, job);
    }

    /// A worker whose job was taken over gets `LeaseLost` from whatever it does and changes nothing: while
    /// the other holds the job, after it has completed it, and after a third has claimed it.
    #[covers(57)]
    async fn a_stale_worker_changes_nothing(world: World) {
        let mine = world.user("Ada").await?;
        due_jobs(&mine, 1, world.now()).await?;
        let scheduler = world.system().jobs();
        let stale = scheduler.claim_due(claim(1, "stale")).await?[0].lease;
        world.clock().advance(LEASE);
        let second = scheduler.claim_due(claim(1, "second")).await?[0].lease;
        is_lost(&world, &stale).await?;
        let next = Completion { next_run_at: Some(world.now()), ..used(1) };
        scheduler.complete(&second, next).await?;
        is_lost(&world, &stale).await?;
        scheduler.claim_due(claim(1, "third")).await?;
        is_lost(&world, &stale).await?;
        is_lost(&world, &second).await?;
    }

    /// A lease that never was is `LeaseLost` too: a fencing number that was not given out, that of a job that
    /// nobody holds, and one of another job.
    #[covers(57)]
    async fn a_lease_that_never_was_is_lost(world: World) {
        let mine = world.user("Ada").await?;
        let jobs = due_jobs(&mine, 2, world.now()).await?;
        let until = world.now() + LEASE;
        is_lost(&world, &Lease { job_id: jobs[0], token: 0, locked_until: until }).await?;
        let lease = world.system().jobs().claim_due(claim(1, "worker")).await?[0].lease;
        is_lost(&world, &Lease { token: lease.token + 1, ..lease }).await?;
        is_lost(&world, &Lease { token: 0, ..lease }).await?;
        is_lost(&world, &Lease { job_id: jobs[1], ..lease }).await?;
        world.system().jobs().complete(&lease, used(1)).await?;
    }

    /// A lease that is extended ends that much after now and keeps others away until then; its fencing number
    /// stays.
    #[covers(58)]
    async fn an_extended_lease_ends_later(world: World) {
        let mine = world.user("Ada").await?;
        due_jobs(&mine, 1, world.now()).await?;
        let scheduler = world.system().jobs();
        let lease = scheduler.claim_due(claim(1, "worker")).await?[0].lease;
        world.clock().advance(LEASE - TimeDelta::microseconds(1));
        let extended = scheduler.extend(&lease, LEASE).await?;
        assert_eq!(extended, Lease { locked_until: world.now() + LEASE, ..lease });
        world.clock().advance(LEASE - TimeDelta::microseconds(1));
        assert_eq!(scheduler.claim_due(claim(1, "other")).await?, []);
        let job = scheduler.complete(&extended, used(1)).await?;
        assert_eq!((job.locked_until, job.lock_owner, job.lock_token), (None, None, 1));
    }

    /// A lease that has ended is not brought back by extending it, not even at the microsecond of its end,
    /// and not if nobody has taken the job over; the run may still be completed as long as nobody has.
    #[covers(58)]
    async fn extending_never_brings_an_ended_lease_back(world: World) {
        let mine = world.user("Ada").await?;
        due_jobs(&mine, 1, world.now()).await?;
        let scheduler = world.system().jobs();
        let lease = scheduler.claim_due(claim(1, "slow")).await?[0].lease;
        for passing in [LEASE, TimeDelta::hours(3)] {
            world.clock().advance(passing);
            let before = world.rows(Job::TABLE).await?;
            assert_lost(scheduler.extend(&lease, LEASE).await.map(drop));
            assert_eq!(world.rows(Job::TABLE).await?, before);
        }
        assert_eq!(scheduler.complete(&lease, used(5)).await?.usage(), used(5).usage);
    }

    /// Leases are longer than nothing and at most a day, a worker has a name of 1 to 255 characters; what is
    /// not so is `Invalid`, and claims or changes nothing.
    #[covers(58)]
    async fn a_lease_out_of_range_is_invalid(world: World) {
        let mine = world.user("Ada").await?;
        due_jobs(&mine, 1, world.now()).await?;
        let scheduler = world.system().jobs();
        let before = world.rows(Job::TABLE).await?;
        let tick = TimeDelta::microseconds(1);
        let lengths = [TimeDelta::zero(), -LEASE, TimeDelta::days(1) + tick, TimeDelta::MAX];
        for lease in lengths {
            assert_invalid(scheduler.claim_due(ClaimDue { lease, ..claim(1, "worker") }).await, "lease");
        }
        for worker in [String::new(), "é".repeat(256)] {
            assert_invalid(scheduler.claim_due(claim(1, &worker)).await, "lock_owner");
        }
        assert_eq!(world.rows(Job::TABLE).await?, before);
        let longest = ClaimDue { lease: TimeDelta::days(1), ..claim(1, &"é".repeat(255)) };
        let held = scheduler.claim_due(longest).await?[0].lease;
        let before = world.rows(Job::TABLE).await?;
        for lease in lengths {
            assert_invalid(scheduler.extend(&held, lease).await, "lease");
        }
        assert_eq!(world.rows(Job::TABLE).await?, before);
    }

    /// Users take turns: two thousand overdue jobs of one do not keep another's single job waiting, and what
    /// a user gets is the longest due.
    #[covers(60)]
    async fn a_backlog_of_one_user_does_not_starve_another(world: World) {
        let (ada, bob, eve) = (world.user("Ada").await?, world.user("Bob").await?, world.user("Eve").await?);
        let new = |number: i64| NewJob {
            status: JobStatus::Active,
            next_run_at: Some(world.now() - TimeDelta::minutes(5_000 - number)),
            ..NewJob::new(format!("job {number}"))
        };
        let backlog: Vec<_> = (0..2_000).rev().map(new).collect();
        let mut of_ada: Vec<_> =
            ada.jobs().create_many(backlog).await?.into_iter().map(|job| job.id).collect();
        of_ada.reverse();
        let of_bob = due_jobs(&bob, 1, world.now()).await?[0];
        let of_eve = due_jobs(&eve, 2, world.now() - TimeDelta::minutes(1)).await?;
        let scheduler = world.system().jobs();
        let first = scheduler.claim_due(claim(3, "worker")).await?;
        assert_eq!(
            ids(&first),
            [of_ada[0], of_eve[0], of_bob],
            "each user's longest due job, the longest due first"
        );
        let second = scheduler.claim_due(claim(4, "worker")).await?;
        assert_eq!(ids(&second), [of_ada[1], of_eve[1], of_ada[2], of_ada[3]]);
    }

    /// A completion books its tokens on top of what was booked, sets the next time, and releases the job, all
    /// at once.
    #[covers(61)]
    async fn a_completion_is_booked_as_a_whole(world: World) {
        let mine = world.user("Ada").await?;
        let id = due_jobs(&mine, 1, world.now()).await?[0];
        let scheduler = world.system().jobs();
        for run in 1..=3 {
            let claimed = scheduler.claim_due(claim(1, "worker")).await?.remove(0);
            world.clock().advance(TimeDelta::seconds(1));
            let next_run_at = Some(world.now() + TimeDelta::nanoseconds(999));
            let job = scheduler.complete(&claimed.lease, Completion { next_run_at, ..used(run) }).await?;
            let expected = Job {
                next_run_at: Some(world.now()),
                locked_until: None,
                lock_owner: None,
                updated_at: world.now(),
                ..with_usage(&claimed.job, used(run).usage)
            };
            assert_eq!(job, expected, "run {run}");
            assert_eq!(mine.jobs().get(id).await?, Some(job));
        }
    }

    /// A run is booked once: completing or failing it again is `LeaseLost` and changes nothing.
    #[covers(61)]
    async fn a_run_ends_once(world: World) {
        let mine = world.user("Ada").await?;
        due_jobs(&mine, 2, world.now()).await?;
        let scheduler = world.system().jobs();
        let leases = scheduler.claim_due(claim(2, "worker")).await?;
        scheduler
            .complete(&leases[0].lease, Completion { next_run_at: Some(world.now()), ..used(2) })
            .await?;
        is_lost(&world, &leases[0].lease).await?;
        let failed = scheduler.fail(&leases[1].lease, Some(world.now() + LEASE)).await?;
        assert_eq!((failed.usage(), failed.next_run_at), (TokenUsage::default(), Some(world.now() + LEASE)));
        assert_eq!((failed.locked_until, failed.lock_owner, failed.lock_token), (None, None, 1));
        is_lost(&world, &leases[1].lease).await?;
    }

    /// Of many who complete the same run at once, on two handles, one does.
    #[covers(61)]
    async fn of_many_who_complete_a_run_one_does(world: World) {
        let mine = world.user("Ada").await?;
        let id = due_jobs(&mine, 1, world.now()).await?[0];
        let handles = [world.larder().clone(), world.reopen().await?];
        let lease = world.system().jobs().claim_due(claim(1, "worker")).await?[0].lease;
        let racers = together(16, |racer| {
            let scheduler = handles[racer % 2].system().jobs();
            async move { scheduler.complete(&lease, used(3)).await }
        });
        let (done, lost): (Vec<_>, Vec<_>) = racers.await.into_iter().partition(Result::is_ok);
        assert_eq!(done.len(), 1);
        lost.into_iter().for_each(|result| assert_lost(result.map(drop)));
        assert_eq!(mine.jobs().get(id).await?.map(|job| job.usage()), Some(used(3).usage));
    }

    /// Usage that is negative, or would make a sum too large, is `Invalid` with the field and nothing of the
    /// completion is kept: the worker still holds the job and can complete it.
    #[covers(10, 61)]
    async fn usage_that_cannot_be_booked_changes_nothing(world: World) {
        let mine = world.user("Ada").await?;
        due_jobs(&mine, 1, world.now()).await?;
        let scheduler = world.system().jobs();
        let first = scheduler.claim_due(claim(1, "worker")).await?[0].lease;
        let most = TokenUsage { total: i64::MAX - 1, cached_input: 1, ..TokenUsage::default() };
        scheduler.complete(&first, Completion { usage: most, next_run_at: Some(world.now()) }).await?;
        let lease = scheduler.claim_due(claim(1, "worker")).await?[0].lease;
        let before = world.rows(Job::TABLE).await?;
        let broken = [
            ("input", TokenUsage { input: -1, ..used(1).usage }),
            ("output", TokenUsage { output: i64::MIN, ..used(1).usage }),
            ("reasoning", TokenUsage { reasoning: -1, ..used(1).usage }),
            ("cached_input", TokenUsage { cached_input: i64::MAX, ..TokenUsage::default() }),
            ("total", TokenUsage { total: 2, input: 5, ..TokenUsage::default() }),
            ("total", TokenUsage { total: i64::MAX, ..used(1).usage }),
        ];
        for (field, usage) in broken {
            let refused =
                scheduler.complete(&lease, Completion { usage, next_run_at: None }).await.unwrap_err();
            let ErrorKind::Invalid { field: named, .. } = refused.kind() else {
                panic!("{usage:?}: {refused:?}")
            };
            assert!(named.to_lowercase().contains(field), "{usage:?}: {refused:?}");
            assert_eq!(world.rows(Job::TABLE).await?, before, "{usage:?}");
        }
        let last = TokenUsage { total: 1, input: i64::MAX, ..TokenUsage::default() };
        let job = scheduler.complete(&lease, Completion { usage: last, next_run_at: None }).await?;
        assert_eq!((job.total_tokens, job.input_tokens, job.cached_input_tokens), (i64::MAX, i64::MAX, 1));
    }

    /// When a user is deleted in the middle of a run, whatever the worker does is `NotFound`, nothing of the
    /// user comes back, and the runs of others go on; likewise when the job alone is deleted.
    #[covers(62)]
    async fn deleting_the_user_ends_the_run(world: World) {
        let (ada, bob) = (world.user("Ada").await?, world.user("Bob").await?);
        let of_bob = due_jobs(&bob, 2, world.now()).await?;
        due_jobs(&ada, 2, world.now()).await?;
        let scheduler = world.system().jobs();
        let leases: BTreeMap<_, _> = scheduler
            .claim_due(claim(4, "worker"))
            .await?
            .into_iter()
            .map(|claimed| (claimed.job.id, claimed.lease))
            .collect();
        ada.profile().delete().await?;
        bob.jobs().delete(of_bob[0]).await?;
        let before = world.all_rows().await?;
        for (id, lease) in &leases {
            if *id == of_bob[1] {
                continue;
            }
            let not_found = ErrorKind::NotFound { entity: "Job".into() };
            for result in everything_a_worker_does(&world, lease).await {
                assert_eq!(result.unwrap_err().kind(), &not_found);
            }
        }
        assert_eq!(world.all_rows().await?, before);
        assert_eq!(scheduler.complete(&leases[&of_bob[1]], used(1)).await?.usage(), used(1).usage);
        world.clock().advance(LEASE);
        assert_eq!(scheduler.claim_due(claim(10, "worker")).await?, []);
    }

    /// A user who is deleted while workers claim leaves no job behind, and disturbs nobody.
    #[covers(62)]
    async fn deleting_a_user_races_with_claiming(world: World) {
        let bob = world.user("Bob").await?;
        let again = world.reopen().await?;
        for round in 0..5 {
            let ada = world.user(&format!("Ada {round}")).await?;
            due_jobs(&ada, 20, world.now()).await?;
            let of_bob: BTreeSet<_> = due_jobs(&bob, 20, world.now()).await?.into_iter().collect();
            let tasks = together(5, |index| {
                let scheduler = if index % 2 == 0 { world.system() } else { again.system() }.jobs();
                let ada = ada.clone();
                async move {
                    match index {
                        2 => ada.profile().delete().await.map(|()| Vec::new()),
                        _ => claim_until_dry(&scheduler, 3, "worker").await,
                    }
                }
            });
            let mut claimed = Vec::new();
            for result in promptly("the race", tasks).await {
                let of_bob = result?.into_iter().filter(|claimed| claimed.job.user_id.uuid() == bob.owner());
                claimed.extend(of_bob.map(|claimed| claimed.job.id));
            }
            assert_eq!(claimed.len(), 20, "round {round}: each of Bob's jobs once");
            assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>(), of_bob);
            assert_eq!(ada.jobs().count(Filter::always()).await?, 0);
        }
    }

    /// What the owner does in the middle of a run stays: the pause, the new text; and the worker completes
    /// all the same.
    #[covers(25, 54)]
    async fn the_owner_may_change_a_job_in_mid_run(world: World) {
        let mine = world.user("Ada").await?;
        let id = due_jobs(&mine, 1, world.now()).await?[0];
        let scheduler = world.system().jobs();
        let lease = scheduler.claim_due(claim(1, "worker")).await?[0].lease;
        mine.jobs().pause(id).await?;
        let patch = JobPatch { definition: "something else".to_owned().into(), ..JobPatch::default() };
        let patched = mine.jobs().update(id, patch).await?;
        assert_eq!(
            (patched.lock_token, patched.locked_until),
            (1, Some(lease.locked_until)),
            "the lease is untouched"
        );
        scheduler.complete(&lease, Completion { next_run_at: Some(world.now()), ..used(1) }).await?;
        let job = mine.jobs().get(id).await?.unwrap();
        assert_eq!(
            (job.status, job.definition.as_str(), job.usage()),
            (JobStatus::Paused, "something else", used(1).usage)
        );
        world.clock().advance(TimeDelta::days(1));
        assert_eq!(scheduler.claim_due(claim(1, "worker")).await?, []);
    }

    /// After a downtime a job runs once, not once for each time it missed; the longest due first; and a next
    /// time that is past already makes it due at once, while none makes it rest.
    #[covers(63)]
    async fn after_a_downtime_each_job_runs_once(world: World) {
        let mine = world.user("Ada").await?;
        let mut jobs = Vec::new();
        for days in [1, 3, 2] {
            jobs.extend(due_jobs(&mine, 1, world.now() + TimeDelta::days(days)).await?);
        }
        world.clock().advance(TimeDelta::days(400));
        let scheduler = world.system().jobs();
        let claimed = scheduler.claim_due(claim(10, "worker")).await?;
        assert_eq!(ids(&claimed), [jobs[0], jobs[2], jobs[1]]);
        assert_eq!(scheduler.claim_due(claim(10, "worker")).await?, []);
        let missed = Some(beginning() + TimeDelta::days(300));
        for (claimed, next_run_at) in claimed.iter().zip([None, missed, Some(world.now() + LEASE)]) {
            let completion = Completion { next_run_at, ..Completion::default() };
            assert_eq!(scheduler.complete(&claimed.lease, completion).await?.next_run_at, next_run_at);
        }
        assert_eq!(ids(&scheduler.claim_due(claim(10, "worker")).await?), [jobs[2]]);
        world.clock().advance(LEASE);
        let due_again = ids(&scheduler.claim_due(claim(10, "worker")).await?);
        assert_eq!(due_again, [jobs[2], jobs[1]], "the lease ended; and the third one's time has come");
    }

    /// Time is the injected clock's alone: in 1999 as in 2999 jobs are due, leased and stamped by what it
    /// shows, also when it goes back.
    #[covers(64)]
    async fn time_is_only_ever_the_injected_clock(world: World) {
        let mine = world.user("Ada").await?;
        for year in ["2999", "1999"] {
            let now: DateTime<Utc> = format!("{year}-12-31T23:59:59.999999Z").parse()?;
            world.clock().set(now);
            let tick = TimeDelta::microseconds(1);
            let jobs = [due_jobs(&mine, 1, now).await?, due_jobs(&mine, 1, now + tick).await?].concat();
            let scheduler = world.system().jobs();
            let claimed = scheduler.claim_due(claim(10, "worker")).await?;
            assert_eq!(ids(&claimed), jobs[..1], "in {year}");
            let job = &claimed[0].job;
            assert_eq!((job.created_at, job.locked_until), (now, Some(now + LEASE)));
            assert_eq!(job.updated_at, now + tick, "a second write in one microsecond");
            assert_eq!(scheduler.complete(&claimed[0].lease, used(1)).await?.updated_at, now + tick * 2);
            let note = mine.repo::<Note>().create(NewNote::new(year)).await?;
            assert_eq!((note.created_at, note.updated_at), (now, now));
            world.clock().advance(tick);
            let claimed = scheduler.claim_due(claim(10, "worker")).await?;
            assert_eq!(ids(&claimed), jobs[1..], "in {year}");
            scheduler.fail(&claimed[0].lease, None).await?;
        }
    }

    /// The messages of a job come in the order in which they were added, also within one batch and one
    /// microsecond, alone and with their job.
    #[covers(19)]
    async fn messages_come_in_the_order_in_which_they_were_added(world: World) {
        let mine = world.user("Ada").await?;
        let jobs = due_jobs(&mine, 3, world.now()).await?;
        let mut added: BTreeMap<JobId, Vec<Message>> = BTreeMap::new();
        for round in 0..4 {
            for &job in &jobs[..2] {
                let batch =
                    (0..5).map(|number| NewMessage::new(job, MessageRole::User, format!("{round}.{number}")));
                added.entry(job).or_default().extend(mine.messages().append_many(batch).await?);
                let last = NewMessage::new(job, MessageRole::Assistant, format!("{round} end"));
                added.entry(job).or_default().push(mine.messages().append(last).await?);
            }
            world.clock().advance(TimeDelta::microseconds(round % 2));
        }
        let owner = mine.profile().get().await?;
        for &id in &jobs {
            let of_job = mine.messages().of_job(id).await?;
            assert_eq!(of_job, added.get(&id).cloned().unwrap_or_default());
            let with = mine.jobs().get_with(id, JobRelations::all()).await?.unwrap();
            assert_eq!((&with.loaded.messages, &with.loaded.owner), (&of_job, &owner));
            assert_eq!(Some(with.entity), mine.jobs().get(id).await?);
        }
        let page = mine.jobs().list_with(ListJobs::default(), JobRelations::all()).await?;
        assert_eq!(page.items.len(), 3);
        for with in page.items {
            assert_eq!(with.loaded.messages, added.get(&with.id).cloned().unwrap_or_default());
            assert_eq!(with.loaded.owner, owner);
        }
    }
}

/// How long the leases of these cases are.
const LEASE: TimeDelta = TimeDelta::seconds(60);

/// Makes PostgreSQL choose nested loops, in the connections to this database that are made afterwards.
const NESTED_LOOPS: &str = "DO $$
    DECLARE setting text;
    BEGIN
        FOREACH setting IN ARRAY
            ARRAY['hashjoin', 'mergejoin', 'hashagg', 'material', 'memoize', 'bitmapscan', 'sort']
        LOOP
            EXECUTE format('ALTER DATABASE %I SET enable_%s = off', current_database(), setting);
        END LOOP;
    END $$;
    ANALYZE jobs";

/// Whoever comes first.
const NO_TURNS: Option<Field<Job, UserId>> = None;

/// Active jobs that are due at this time.
async fn due_jobs(mine: &UserScope, count: usize, at: DateTime<Utc>) -> Result<Vec<JobId>> {
    let new = |number| NewJob {
        status: JobStatus::Active,
        next_run_at: Some(at),
        ..NewJob::new(format!("job number {number}"))
    };
    let made = mine.jobs().create_many((0..count).map(new)).await?;
    Ok(made.into_iter().map(|job| job.id).collect())
}

fn claim(limit: u32, worker: &str) -> ClaimDue {
    ClaimDue { limit, lease: LEASE, worker: worker.to_owned() }
}

/// Claims until there is nothing left.
async fn claim_until_dry(scheduler: &Scheduler, limit: u32, worker: &str) -> Result<Vec<ClaimedJob>> {
    let mut all = Vec::new();
    loop {
        let claimed = scheduler.claim_due(claim(limit, worker)).await?;
        if claimed.is_empty() {
            return Ok(all);
        }
        all.extend(claimed);
    }
}

/// Claims and completes until there is nothing left.
async fn claim_and_complete(scheduler: &Scheduler) -> Result<()> {
    loop {
        let claimed = scheduler.claim_due(claim(3, "worker")).await?;
        if claimed.is_empty() {
            return Ok(());
        }
        for ClaimedJob { lease, .. } in claimed {
            scheduler.complete(&lease, used(1)).await?;
        }
    }
}

fn ids(claimed: &[ClaimedJob]) -> Vec<JobId> {
    claimed.iter().map(|claimed| claimed.job.id).collect()
}

/// A completion with another count of each kind of tokens.
fn used(tokens: i64) -> Completion {
    let (input, output, reasoning) = (tokens, tokens * 10, tokens * 100);
    let usage = TokenUsage { input, output, reasoning, cached_input: tokens * 1000, total: tokens * 10_000 };
    Completion { usage, next_run_at: None }
}

/// The job with this usage added to its own.
fn with_usage(job: &Job, usage: TokenUsage) -> Job {
    Job {
        input_tokens: job.input_tokens + usage.input,
        output_tokens: job.output_tokens + usage.output,
        reasoning_tokens: job.reasoning_tokens + usage.reasoning,
        cached_input_tokens: job.cached_input_tokens + usage.cached_input,
        total_tokens: job.total_tokens + usage.total,
        ..job.clone()
    }
}

/// How many jobs are held.
async fn held(world: &World) -> Result<u64> {
    world.system().all_users::<Job>().count(Job::LOCKED_UNTIL.is_not_null()).await
}

async fn everything_a_worker_does(world: &World, lease: &Lease) -> [Result<()>; 3] {
    let scheduler = world.system().jobs();
    let next_run_at = Some(world.now());
    [
        scheduler.extend(lease, TimeDelta::hours(1)).await.map(drop),
        scheduler.complete(lease, Completion { next_run_at, ..used(7) }).await.map(drop),
        scheduler.fail(lease, next_run_at).await.map(drop),
    ]
}

/// Whatever is done with this lease is `LeaseLost` and changes nothing.
async fn is_lost(world: &World, lease: &Lease) -> Result<()> {
    let before: Vec<Row> = world.rows(Job::TABLE).await?;
    for result in everything_a_worker_does(world, lease).await {
        assert_lost(result);
    }
    assert_eq!(world.rows(Job::TABLE).await?, before);
    Ok(())
}

fn assert_lost(result: Result<()>) {
    let error: Error = result.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::LeaseLost { entity: "Job".into() });
}
