//! The suite as a test program: names, filters, parallel runs, and a summary for each backend.

use std::{
    collections::BTreeMap,
    fmt,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::{Backend, Case, GROUPS, Verdict, run_case};

/// Runs the suite on these backends as the arguments of the program say, which are those of `cargo test`: a filter,
/// `--exact`, `--skip`, `--list`, `--test-threads`. Tests are named `backend::group::case`. For a test target with
/// `harness = false`:
///
/// ```no_run
/// # fn backends() -> Vec<std::sync::Arc<dyn larder_conformance::Backend>> { Vec::new() }
/// fn main() -> std::process::ExitCode {
///     larder_conformance::main(backends())
/// }
/// ```
pub fn main(backends: Vec<Arc<dyn Backend>>) -> ExitCode {
    let arguments = Arguments::from_args();
    let reports = Arc::new(Mutex::new(BTreeMap::new()));
    let trials = backends.iter().flat_map(|backend| trials(backend, &reports)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        for (backend, report) in reports.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            println!("{backend}: {report}");
        }
    }
    conclusion.exit_code()
}

type Reports = Arc<Mutex<BTreeMap<String, Report>>>;

fn trials(backend: &Arc<dyn Backend>, reports: &Reports) -> Vec<Trial> {
    all_cases().map(|(name, case)| trial(backend, name, case, reports)).collect()
}

fn trial(backend: &Arc<dyn Backend>, name: String, case: &'static Case, reports: &Reports) -> Trial {
    let (backend, reports) = (Arc::clone(backend), Arc::clone(reports));
    let full_name = format!("{}::{name}", backend.name());
    let runner = move || {
        let verdict = run_case(&backend, case);
        let mut reports = reports.lock().unwrap_or_else(PoisonError::into_inner);
        reports.entry(backend.name().to_owned()).or_default().add(name, verdict.clone());
        match verdict {
            Verdict::Passed => Ok(Completion::Completed),
            Verdict::Failed(how) => Err(Failed::from(format!("{}\n\n{how}", promise(case)))),
            Verdict::LeftOut(capability) => Ok(Completion::ignored_with(format!("needs {capability:?}"))),
        }
    };
    let needs: Vec<_> = case.needs.iter().map(|capability| format!("{capability:?}")).collect();
    let kind = if needs.is_empty() { String::new() } else { format!("needs {}", needs.join(", ")) };
    Trial::ignorable_test(full_name, runner).with_kind(kind)
}

/// The names of all tests on these backends, as `--list` shows them.
pub fn names(backends: &[Arc<dyn Backend>]) -> Vec<String> {
    let reports = Reports::default();
    backends
        .iter()
        .flat_map(|backend| trials(backend, &reports))
        .map(|trial| trial.name().to_owned())
        .collect()
}

/// What was promised, as a person reads it.
fn promise(case: &Case) -> String {
    case.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// All cases and their names, `group::case`.
pub fn all_cases() -> impl Iterator<Item = (String, &'static Case)> {
    GROUPS.iter().flat_map(|group| group.cases.iter().map(|case| (group.name_of(case), case)))
}

/// Runs the cases whose name `chosen` accepts, one after the other, without a process of their own: for tests of the
/// suite itself. Blocks; must not be called within a runtime.
pub fn run(backend: &Arc<dyn Backend>, chosen: impl Fn(&str) -> bool) -> Report {
    let mut report = Report::default();
    for (name, case) in all_cases().filter(|(name, _)| chosen(name)) {
        report.add(name, run_case(backend, case));
    }
    report
}

/// How the cases ended on one backend.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Each case by its name, `group::case`, in the order in which they ended.
    pub verdicts: Vec<(String, Verdict)>,
}

impl Report {
    fn add(&mut self, name: String, verdict: Verdict) {
        self.verdicts.push((name, verdict));
    }

    /// The names of the cases that failed.
    pub fn failed(&self) -> Vec<&str> {
        let failed = self.verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Failed(_)));
        failed.map(|(name, _)| name.as_str()).collect()
    }

    /// How often a case ended so.
    fn count(&self, how: impl Fn(&Verdict) -> bool) -> usize {
        self.verdicts.iter().filter(|(_, verdict)| how(verdict)).count()
    }
}

/// `41 passed, 0 failed; left out: 3 need Sql, 1 needs Durable`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passed = self.count(|verdict| *verdict == Verdict::Passed);
        write!(f, "{passed} passed, {} failed", self.failed().len())?;
        let mut separator = "; left out: ";
        for capability in larder::Capability::ALL {
            let left_out = self.count(|verdict| *verdict == Verdict::LeftOut(*capability));
            if left_out > 0 {
                let need = if left_out == 1 { "needs" } else { "need" };
                write!(f, "{separator}{left_out} {need} {capability:?}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}
