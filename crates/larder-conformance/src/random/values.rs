//! Random values, mostly those that databases disagree about.

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use larder::Change;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Texts that meet each other: in searches, in sorting, in folding.
const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "A",
    "Apt",
    "alt",
    "doc-3",
    "doc_3",
    "doc6",
    "éa",
    "e\u{301}a",
    "É",
    "ß",
    "SS",
    "ss",
    "Σ",
    "ς",
    "σ",
    "İ",
    "i",
    "ı",
    "100%",
    "%",
    "_",
    "\\",
    "\\%",
    "a_b",
    "'",
    "\"",
    "'; DROP TABLE jobs; --",
    "😀",
    "👩‍👩‍👧",
    "שלום",
    "\u{FFFF}",
    "\u{10FFFF}",
    "line\nbreak",
    "tab\t",
    "NULL",
    "true",
    "0",
    "1e3",
];

/// Makes values.
pub(super) struct Values<'a>(pub(super) &'a mut Rng);

impl Values<'_> {
    pub(super) fn chance(&mut self, percent: u8) -> bool {
        self.0.u8(0..100) < percent
    }

    pub(super) fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.0.usize(0..choices.len())].clone()
    }

    /// A value in most cases, else `None`.
    pub(super) fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.chance(70) { Some(make(self)) } else { None }
    }

    /// A change in some cases.
    pub(super) fn change<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Change<T> {
        if self.chance(25) { Change::Set(make(self)) } else { Change::Leave }
    }

    pub(super) fn text(&mut self) -> String {
        let words = self.0.usize(0..3);
        (0..=words).map(|_| self.one_of(TEXTS)).collect()
    }

    /// A text that is now and then too long or too short for a length rule.
    pub(super) fn text_within(&mut self, min: usize, max: usize) -> String {
        let text = self.text();
        match self.0.u8(0..20) {
            0 => "é".repeat(max + 1),
            1 => "é".repeat(max),
            2 => text,
            _ => {
                let missing = min.saturating_sub(text.chars().count());
                text + &"x".repeat(missing)
            }
        }
    }

    pub(super) fn int(&mut self) -> i64 {
        match self.0.u8(0..6) {
            0 => self.one_of(&[i64::MIN, i64::MAX, 0, -1, 1 << 53, (1 << 53) + 1]),
            1 => self.0.i64(..),
            _ => self.0.i64(-5..20),
        }
    }

    pub(super) fn float(&mut self) -> f64 {
        match self.0.u8(0..3) {
            0 => self.one_of(&[
                0.0,
                -0.0,
                0.1,
                -1.5,
                1e300,
                -1e-300,
                f64::MAX,
                f64::MIN_POSITIVE,
                5e-324,
                9_007_199_254_740_993.0,
            ]),
            1 => (self.0.f64() - 0.5) * 1e6,
            _ => f64::from(self.0.i8(-3..4)),
        }
    }

    pub(super) fn bytes(&mut self) -> Vec<u8> {
        let length = self.0.usize(0..5);
        (0..length).map(|_| self.one_of(&[0, 1, b'\'', b'\\', 0x7f, 0x80, 0xff])).collect()
    }

    pub(super) fn json(&mut self) -> Json {
        match self.0.u8(0..8) {
            0 => json!(null),
            1 => json!({"b": 1, "a": [true, null, {"deep": "é"}], "": self.text()}),
            2 => json!([9_007_199_254_740_993_i64, 1.0, 1, 0.1, -0.0, 1e2, u64::MAX]),
            3 => json!(self.float()),
            4 => json!(self.int()),
            5 => json!([]),
            6 => json!({}),
            _ => json!(self.text()),
        }
    }

    /// A time from the year 1 to the year 9999, below microseconds now and then.
    pub(super) fn time(&mut self) -> DateTime<Utc> {
        let micros = match self.0.u8(0..4) {
            0 => self.one_of(&[
                -62_135_596_800_000_000,
                253_402_300_799_999_999,
                0,
                -1,
                1,
                951_782_400_000_000,
            ]),
            1 => self.0.i64(-62_135_596_800_000_000..=253_402_300_799_999_999),
            _ => 1_767_323_045_000_000 + self.0.i64(-50..50),
        };
        let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
        if self.chance(20) { time + TimeDelta::nanoseconds(self.0.i64(0..1000)) } else { time }
    }

    pub(super) fn uuid(&mut self) -> Uuid {
        match self.0.u8(0..4) {
            0 => self.one_of(&[Uuid::nil(), Uuid::max()]),
            _ => Uuid::from_u128(self.0.u128(..)),
        }
    }
}
