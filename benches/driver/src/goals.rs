//! The goals, and whether they were reached.

use contender::Workload::{
    self, Authenticate, Bulk, Closure, Get, Insert, Mix, Page, Relations, Unit, Update, Work,
};
use serde::Serialize;

use crate::{
    database::Database::{self, Postgres, SqliteFull, SqliteNormal},
    results::{Against, Cell},
    sizes::Cost,
};

/// What is to be reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Bound {
    /// At least.
    AtLeast(f64),
    /// More than.
    MoreThan(f64),
    /// At most.
    AtMost(f64),
    /// Less than.
    LessThan(f64),
}

impl Bound {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::MoreThan(bound) => value > bound,
            Self::AtMost(bound) => value <= bound,
            Self::LessThan(bound) => value < bound,
        }
    }

    /// As it is written in the table.
    pub(crate) fn text(self) -> String {
        match self {
            Self::AtLeast(bound) => format!("≥ {bound}"),
            Self::MoreThan(bound) => format!("> {bound}"),
            Self::AtMost(bound) => format!("≤ {bound}"),
            Self::LessThan(bound) => format!("< {bound}"),
        }
    }

    /// Of two values, the one that is further from being enough.
    fn worse(self, one: f64, other: f64) -> f64 {
        match self {
            Self::AtLeast(_) | Self::MoreThan(_) => one.min(other),
            Self::AtMost(_) | Self::LessThan(_) => one.max(other),
        }
    }
}

/// A goal and what was measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verdict {
    pub(crate) what: String,
    pub(crate) callers: usize,
    pub(crate) goal: Bound,
    /// `None` when it was not measured.
    pub(crate) measured: Option<f64>,
    pub(crate) reached: Option<bool>,
}

/// What is expected of larder against a peer's best way: the ratio of rates with 64 callers and with one.
struct Goal {
    database: Database,
    workload: Workload,
    peer: &'static str,
    many: Option<Bound>,
    one: Option<Bound>,
}

const fn goal(database: Database, workload: Workload, peer: &'static str, many: f64, one: f64) -> Goal {
    let (many, one) = (Some(Bound::AtLeast(many)), Some(Bound::AtLeast(one)));
    Goal { database, workload, peer, many, one }
}

const BY_HAND: &str = "tokio-postgres";
const RUSQLITE: &str = "rusqlite";
const OTHERS: [&str; 4] = ["sqlx", "sea-orm", "diesel-async", "toasty"];

fn goals() -> Vec<Goal> {
    let mut goals = vec![
        goal(Postgres, Get, BY_HAND, 5.0, 0.97),
        goal(Postgres, Authenticate, BY_HAND, 3.0, 0.97),
        goal(Postgres, Insert, BY_HAND, 5.0, 0.97),
        goal(Postgres, Update, BY_HAND, 5.0, 0.97),
        goal(Postgres, Unit, BY_HAND, 6.0, 1.5),
        goal(Postgres, Closure, BY_HAND, 0.9, 0.9),
        goal(Postgres, Mix, BY_HAND, 2.5, 0.95),
        goal(Postgres, Page, BY_HAND, 1.5, 1.0),
        goal(Postgres, Relations, BY_HAND, 1.3, 1.5),
    ];
    let ahead = Some(Bound::MoreThan(1.0));
    for peer in OTHERS {
        for workload in [Get, Insert, Update, Unit, Closure, Mix, Page, Relations] {
            let many = if workload == Get { Some(Bound::AtLeast(6.0)) } else { ahead };
            goals.push(Goal { database: Postgres, workload, peer, many, one: ahead });
        }
    }
    goals.extend([
        goal(Postgres, Work, BY_HAND, 8.0, 1.0),
        Goal {
            database: Postgres,
            workload: Bulk,
            peer: BY_HAND,
            many: None,
            one: Some(Bound::AtLeast(0.9)),
        },
        goal(SqliteFull, Insert, RUSQLITE, 9.0, 0.9),
        goal(SqliteNormal, Insert, RUSQLITE, 1.6, 0.8),
        goal(SqliteNormal, Get, RUSQLITE, 0.95, 0.8),
        goal(SqliteNormal, Authenticate, RUSQLITE, 0.9, 0.9),
        goal(SqliteNormal, Page, RUSQLITE, 0.95, 0.8),
    ]);
    goals
}

/// All goals against what was measured.
pub(crate) fn judge(cells: &[Cell], costs: &[Cost]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let goals = goals();
    for goal in &goals {
        for (callers, bound) in [(64, goal.many), (1, goal.one)] {
            let Some(bound) = bound else { continue };
            let what = format!("{} {} vs {}", goal.database.name(), goal.workload.name(), goal.peer);
            let measured = worst(cells, goal, callers, bound, |against| against.rate.median);
            verdicts.push(verdict(what, callers, bound, measured));
        }
    }
    for goal in &goals {
        for (callers, bound) in [(64, Bound::LessThan(1.0)), (1, Bound::AtMost(1.2))] {
            if callers > 1 && goal.many.is_none() {
                continue;
            }
            let what = format!("p99 of {} {} vs {}", goal.database.name(), goal.workload.name(), goal.peer);
            let measured = worst(cells, goal, callers, bound, |against| against.p99.median);
            verdicts.push(verdict(what, callers, bound, measured));
        }
    }
    verdicts.extend(costs.iter().filter_map(|cost| {
        let what = format!(
            "cost of {} on {}, {} jobs against {}",
            cost.workload.name(),
            cost.database.name(),
            cost.jobs,
            cost.base
        );
        (cost.jobs == 1_000_000).then(|| verdict(what, cost.callers, Bound::AtMost(1.3), cost.ratio))
    }));
    verdicts
}

fn verdict(what: String, callers: usize, goal: Bound, measured: Option<f64>) -> Verdict {
    Verdict { what, callers, goal, measured, reached: measured.map(|value| goal.is_met(value)) }
}

/// Against the way of the peer that larder compares worst with.
fn worst(
    cells: &[Cell],
    goal: &Goal,
    callers: usize,
    bound: Bound,
    of: impl Fn(&Against) -> f64,
) -> Option<f64> {
    let is_it = |cell: &&Cell| {
        (cell.database, cell.workload, cell.callers) == (goal.database, goal.workload, callers)
    };
    let cell = cells.iter().find(is_it)?;
    let ratios = cell.ratios.iter().filter(|against| against.peer == goal.peer).map(of);
    ratios.reduce(|one, other| bound.worse(one, other))
}
