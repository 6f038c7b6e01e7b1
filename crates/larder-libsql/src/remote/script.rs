//! Statements with conditions, so that the server goes through them alone.

use larder_sql::Rendered;
use libsql_hrana::proto::{BatchCond, BatchCondList, BatchResult, BatchStep, Error, Stmt, StmtResult};

use super::wire::{bare, statement};

/// Steps of a batch, written in the order in which they run. Each runs only when all is well so far: when no step has failed
/// that had to succeed, and, inside a transaction, when that is still open.
#[derive(Default)]
pub(crate) struct Script {
    steps: Vec<BatchStep>,
    /// What is true as long as all is well; nothing at the beginning.
    gate: Option<BatchCond>,
    in_transaction: bool,
}

/// Fails when its condition is not met, which no other expression of SQLite does by itself: `json` refuses what is no JSON. The
/// condition stands inside of it, so that the text is not evaluated before.
fn guard(condition: &str) -> String {
    format!("SELECT json(CASE WHEN {condition} THEN 'true' ELSE 'not met' END)")
}

impl Script {
    /// A script that is sent to where a transaction is open.
    pub(crate) fn inside() -> Self {
        Self { steps: Vec::new(), gate: Some(is_open()), in_transaction: true }
    }

    /// The position of the next step.
    fn next(&self) -> u32 {
        self.steps.len() as u32
    }

    fn push(&mut self, condition: Option<BatchCond>, stmt: Stmt) -> u32 {
        let step = self.next();
        self.steps.push(BatchStep { condition, stmt });
        step
    }

    /// A statement that has to succeed.
    pub(crate) fn must(&mut self, rendered: &Rendered) -> u32 {
        let step = self.push(self.gate.clone(), statement(rendered));
        self.gate_on(ok(step));
        step
    }

    /// A condition that has to be met, over the values of `rendered`, whose text it holds.
    pub(crate) fn must_hold(&mut self, condition: &str, rendered: Option<&Rendered>) -> u32 {
        let mut stmt = rendered.map_or_else(|| bare("", true), statement);
        stmt.sql = Some(guard(condition));
        stmt.want_rows = Some(false);
        let step = self.push(self.gate.clone(), stmt);
        self.gate_on(ok(step));
        step
    }

    /// One of two statements, which has to succeed, by the answer to a question that is 1 or not.
    pub(crate) fn either(&mut self, question: &Rendered, yes: &Rendered, no: &Rendered) -> (u32, u32) {
        let mut stmt = statement(question);
        stmt.sql = Some(guard(&format!("({}) = 1", question.text)));
        let asked = self.push(self.gate.clone(), stmt);
        let yes = self.push(Some(all(self.gate.clone(), ok(asked))), statement(yes));
        let no = self.push(Some(all(self.gate.clone(), failed(asked))), statement(no));
        self.gate_on(BatchCond::Or(BatchCondList { conds: vec![ok(yes), ok(no)] }));
        (yes, no)
    }

    /// A statement that runs when that step has failed.
    pub(crate) fn if_failed(&mut self, step: u32, rendered: &Rendered) -> u32 {
        self.push(Some(failed(step)), statement(rendered))
    }

    /// `BEGIN …`: what follows runs inside.
    pub(crate) fn begin(&mut self, text: &str) -> u32 {
        let step = self.push(None, bare(text, false));
        self.in_transaction = true;
        self.gate_on(ok(step));
        step
    }

    /// `COMMIT` when the transaction is still open; what could not be committed is rolled back.
    pub(crate) fn commit(&mut self) -> u32 {
        let step = self.push(Some(is_open()), bare("COMMIT", false));
        self.push(Some(is_open()), bare("ROLLBACK", false));
        step
    }

    /// As [`Script::commit`] when all is well, else `ROLLBACK`.
    pub(crate) fn commit_if_well(&mut self) -> u32 {
        let step = self.push(self.gate.clone(), bare("COMMIT", false));
        self.push(Some(is_open()), bare("ROLLBACK", false));
        step
    }

    /// What `write` writes happens as a whole or not at all, and the steps after it run in either case.
    pub(crate) fn apart<T>(&mut self, write: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.gate.clone();
        let savepoint = self.push(before.clone(), bare("SAVEPOINT caller", false));
        self.gate_on(ok(savepoint));
        let written = write(self);
        let undo =
            all(Some(all(Some(ok(savepoint)), is_open())), not(self.gate.take().unwrap_or_else(is_open)));
        self.push(Some(undo), bare("ROLLBACK TO caller", false));
        self.push(Some(all(Some(ok(savepoint)), is_open())), bare("RELEASE caller", false));
        self.gate = before;
        written
    }

    /// As [`Script::apart`], for a statement that undoes itself when it fails.
    pub(crate) fn alone<T>(&mut self, write: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.gate.clone();
        let written = write(self);
        self.gate = before;
        written
    }

    fn gate_on(&mut self, condition: BatchCond) {
        self.gate = Some(if self.in_transaction { all(Some(condition), is_open()) } else { condition });
    }

    pub(crate) fn into_steps(self) -> Vec<BatchStep> {
        self.steps
    }
}

fn ok(step: u32) -> BatchCond {
    BatchCond::Ok { step }
}

fn failed(step: u32) -> BatchCond {
    BatchCond::Error { step }
}

fn not(cond: BatchCond) -> BatchCond {
    BatchCond::Not { cond: Box::new(cond) }
}

/// A transaction is open.
fn is_open() -> BatchCond {
    not(BatchCond::IsAutocommit {})
}

fn all(one: Option<BatchCond>, other: BatchCond) -> BatchCond {
    match one {
        Some(one) => BatchCond::And(BatchCondList { conds: vec![one, other] }),
        None => other,
    }
}

/// What the steps of a script answered.
pub(crate) struct Answers(BatchResult);

/// What a step answered.
pub(crate) enum Answer {
    Ok(StmtResult),
    Err(Error),
    /// Its condition was not met.
    NotRun,
}

impl Answers {
    pub(crate) fn new(result: BatchResult) -> Self {
        Self(result)
    }

    /// Takes a step's answer.
    pub(crate) fn take(&mut self, step: u32) -> Answer {
        let place = step as usize;
        let result = self.0.step_results.get_mut(place).and_then(Option::take);
        let error = self.0.step_errors.get_mut(place).and_then(Option::take);
        match (result, error) {
            (_, Some(error)) => Answer::Err(error),
            (Some(result), None) => Answer::Ok(result),
            (None, None) => Answer::NotRun,
        }
    }
}
