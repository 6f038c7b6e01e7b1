//! The suite is tested: each store that breaks a promise is caught by the case that names it.

use std::{collections::BTreeSet, sync::Arc};

use larder_conformance::{Backend, GROUPS, MemoryBackend, Verdict, broken::Fault, run};

fn is_caught(fault: Fault) {
    let sound: Arc<dyn Backend> = Arc::new(MemoryBackend);
    let chosen = |name: &str| name == fault.caught_by();
    let on_sound = run(&sound, chosen);
    assert_eq!(on_sound.verdicts.len(), 1, "there is no case {}", fault.caught_by());
    assert_eq!(on_sound.failed(), [""; 0], "the case must pass on a sound store");
    assert_eq!(
        run(&fault.in_backend(sound), chosen).failed(),
        [fault.caught_by()],
        "{fault:?} was not caught"
    );
}

macro_rules! caught {
    ($($test:ident: $fault:ident;)+) => {
        $(#[test] fn $test() { is_caught(Fault::$fault); })+

        #[test]
        fn every_fault_is_tested() {
            assert_eq!(Fault::ALL, [$(Fault::$fault),+]);
        }
    };
}

caught! {
    a_store_that_forgets_the_owner_is_caught: ForgetsOwner;
    a_store_that_claims_in_two_steps_is_caught: ClaimsInTwoSteps;
    a_store_that_shares_deletes_is_caught: SharesDeletes;
    a_store_that_serves_stale_look_ups_is_caught: ServesStaleLookUps;
    a_store_that_forgets_guards_is_caught: ForgetsGuards;
    a_store_that_commits_on_drop_is_caught: CommitsOnDrop;
    a_store_that_loses_a_column_is_caught: LosesColumn;
    a_store_that_cuts_time_to_milliseconds_is_caught: CutsTimeToMilliseconds;
    a_store_that_calls_busy_a_conflict_is_caught: CallsBusyConflict;
    a_store_that_swallows_a_conflict_is_caught: SwallowsConflict;
    a_store_that_reads_null_as_empty_is_caught: ReadsNullAsEmpty;
    a_store_that_shares_errors_is_caught: SharesErrors;
    a_store_that_answers_before_it_commits_is_caught: AnswersBeforeCommit;
    a_store_that_writes_batches_in_part_is_caught: WritesBatchesInPart;
    a_store_that_takes_percent_for_a_wildcard_is_caught: TakesPercentForWildcard;
    a_store_that_loses_ties_is_caught: LosesTies;
    a_store_that_keeps_updated_at_is_caught: KeepsUpdatedAt;
    a_store_that_writes_whole_rows_is_caught: WritesWholeRows;
    a_store_that_loses_an_assignment_is_caught: LosesAssignment;
    a_store_that_deletes_a_thousand_is_caught: DeletesAThousand;
    a_store_that_adds_up_everybody_is_caught: AddsUpEverybody;
    a_store_that_reverses_order_is_caught: ReversesOrder;
    a_store_that_deletes_all_of_an_owner_is_caught: DeletesAllOfAnOwner;
    a_store_that_puts_a_new_id_is_caught: PutsANewId;
    a_store_that_empties_objects_is_caught: EmptiesObjects;
    a_store_that_forgets_a_status_is_caught: ForgetsStatus;
}

/// A group that catches nothing may prove nothing. What random operations catch is tested below.
#[test]
fn every_group_catches_a_fault() {
    let catching = Fault::ALL.iter().filter_map(|fault| fault.caught_by().split_once("::"));
    let catching: BTreeSet<_> = catching.map(|(group, _)| group).chain(["model_based"]).collect();
    assert_eq!(catching, GROUPS.iter().map(|group| group.name).collect());
}

/// Random operations catch a fault that no case looks for, and come down to the few that show it.
#[test]
fn random_operations_come_down_to_the_few_that_matter() {
    let backend = Fault::CutsTimeToMilliseconds.in_backend(Arc::new(MemoryBackend));
    let report = run(&backend, |name| name.starts_with("model_based::"));
    let [(_, Verdict::Failed(story))] = &report.verdicts[..] else { panic!("not caught: {report}") };
    assert!(story.contains("LARDER_SEED="), "{story}");
    assert!(story.contains("these 1 operations"), "one operation is enough: {story}");
}
