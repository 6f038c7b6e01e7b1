//! What was measured, and what is made of it.

use contender::{Workload, protocol::Measured};
use serde::Serialize;

use crate::{contenders::LARDER, database::Database};

/// A round of a contender.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Round {
    /// Which lap it was part of, from 1: rounds of one lap are neighbours.
    pub(crate) lap: usize,
    /// Operations in a second.
    pub(crate) rate: f64,
    /// Latencies in microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
    /// Processor time of an operation in the contender, in microseconds.
    pub(crate) client_cpu: f64,
    /// In the server, if there is one.
    pub(crate) server_cpu: Option<f64>,
    pub(crate) operations: u64,
    pub(crate) seconds: f64,
}

impl Round {
    pub(crate) fn new(lap: usize, measured: Measured, server: Option<f64>) -> Self {
        let operations = measured.operations.max(1) as f64;
        let of_operation = |seconds: f64| seconds * 1e6 / operations;
        Self {
            lap,
            rate: measured.operations as f64 / measured.seconds,
            p50: measured.p50,
            p99: measured.p99,
            max: measured.max,
            client_cpu: of_operation(measured.cpu),
            server_cpu: server.map(of_operation),
            operations: measured.operations,
            seconds: measured.seconds,
        }
    }
}

/// What came of a contender in a cell.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub(crate) enum Outcome {
    Measured { rounds: Vec<Round> },
    Unsupported { reason: String },
    Failed { error: String },
}

/// A contender in a cell.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    pub(crate) contender: String,
    /// What it is a way of using.
    pub(crate) peer: String,
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
}

impl Entry {
    pub(crate) fn rounds(&self) -> &[Round] {
        match &self.outcome {
            Outcome::Measured { rounds } => rounds,
            _ => &[],
        }
    }

    /// The median over its rounds.
    pub(crate) fn median(&self, of: impl Fn(&Round) -> f64) -> Option<f64> {
        median(self.rounds().iter().map(of).collect())
    }
}

/// The median, the least and the greatest of the ratios of neighbouring rounds, larder's by the peer's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) greatest: f64,
}

impl Ratio {
    pub(crate) fn of(mut ratios: Vec<f64>) -> Option<Self> {
        ratios.sort_by(f64::total_cmp);
        let (least, greatest) = (*ratios.first()?, *ratios.last()?);
        Some(Self { median: median(ratios)?, least, greatest })
    }
}

/// How larder compares with one contender.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Against {
    pub(crate) contender: String,
    pub(crate) peer: String,
    /// Of operations per second: more than 1 is better for larder.
    pub(crate) rate: Ratio,
    /// Of the 99th percentiles of latency: less than 1 is better for larder.
    pub(crate) p99: Ratio,
}

/// One workload with so many callers on one database.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cell {
    pub(crate) database: Database,
    pub(crate) workload: Workload,
    pub(crate) callers: usize,
    pub(crate) entries: Vec<Entry>,
    pub(crate) ratios: Vec<Against>,
}

impl Cell {
    pub(crate) fn new(database: Database, workload: Workload, callers: usize, entries: Vec<Entry>) -> Self {
        let larder = entries.iter().find(|entry| entry.contender == LARDER);
        let ratios = entries
            .iter()
            .filter(|entry| entry.peer != LARDER)
            .filter_map(|entry| against(larder?, entry))
            .collect();
        Self { database, workload, callers, entries, ratios }
    }

    /// One line about it.
    pub(crate) fn line(&self) -> String {
        let entries = self.entries.iter().map(|entry| {
            let ratio = self.ratios.iter().find(|ratio| ratio.contender == entry.contender);
            match (&entry.outcome, entry.median(|round| round.rate), ratio) {
                (_, Some(rate), Some(ratio)) => {
                    format!("{} {rate:.0} ({:.2})", entry.contender, ratio.rate.median)
                }
                (_, Some(rate), None) => format!("{} {rate:.0}", entry.contender),
                (Outcome::Failed { error }, ..) => format!("{} FAILED: {error}", entry.contender),
                _ => format!("{} –", entry.contender),
            }
        });
        let entries: Vec<_> = entries.collect();
        format!(
            "{} {} × {}: {}",
            self.database.name(),
            self.workload.name(),
            self.callers,
            entries.join(", ")
        )
    }
}

fn against(larder: &Entry, entry: &Entry) -> Option<Against> {
    let ratios = |of: fn(&Round) -> f64| {
        let neighbours = larder.rounds().iter().filter_map(|own| {
            let other = entry.rounds().iter().find(|round| round.lap == own.lap)?;
            Some(of(own) / of(other))
        });
        Ratio::of(neighbours.filter(|ratio| ratio.is_finite()).collect())
    };
    let (rate, p99) = (ratios(|round| round.rate)?, ratios(|round| round.p99)?);
    Some(Against { contender: entry.contender.clone(), peer: entry.peer.clone(), rate, p99 })
}

/// The engine of a database: a server's, or the one in a contender.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Engine {
    pub(crate) database: Database,
    pub(crate) contender: Option<String>,
    pub(crate) version: String,
}

/// The median; of an even number, the mean of the middle two.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 0 => Some((values[middle - 1] + values[middle]) / 2.0),
        _ => Some(values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(contender: &str, rates: &[(usize, f64)]) -> Entry {
        let round = |&(lap, rate): &(usize, f64)| {
            let measured =
                Measured { operations: rate as u64, seconds: 1.0, p99: 1.0, ..Measured::default() };
            Round::new(lap, measured, None)
        };
        let rounds = rates.iter().map(round).collect();
        Entry {
            contender: contender.to_owned(),
            peer: contender.to_owned(),
            outcome: Outcome::Measured { rounds },
        }
    }

    #[test]
    fn ratios_are_of_rounds_of_one_lap() {
        let larder = entry(LARDER, &[(1, 100.0), (2, 300.0), (3, 90.0)]);
        let peer = entry("peer", &[(1, 50.0), (3, 90.0)]);
        let cell = Cell::new(Database::Postgres, Workload::Get, 1, vec![larder, peer]);
        let [against] = &cell.ratios[..] else { panic!("one peer, one ratio") };
        assert_eq!(against.rate, Ratio { median: 1.5, least: 1.0, greatest: 2.0 });
    }

    #[test]
    fn what_failed_has_no_ratio() {
        let larder = entry(LARDER, &[(1, 100.0)]);
        let outcome = Outcome::Failed { error: "gone".to_owned() };
        let peer = Entry { contender: "peer".to_owned(), peer: "peer".to_owned(), outcome };
        let cell = Cell::new(Database::Postgres, Workload::Get, 1, vec![larder, peer]);
        assert!(cell.ratios.is_empty());
    }
}
