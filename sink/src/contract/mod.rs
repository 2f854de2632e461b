//! What every store must do for the sink: one list of laws, run on memory, a local folder, the Azurite emulator, and an
//! S3-compatible server if there is one.
//!
//! The sink under test may only read, list and create in datasets ([`rights`]): no law needs more.
//!
//! The emulator is where `ATALAIA_TEST_AZURITE` says; without it those runs are skipped in sight, or fail if
//! `ATALAIA_TEST_REQUIRED` is set.

mod batch;
mod claims;
mod faults;
mod faulty;
mod fixture;
mod hostile;
mod laws;
mod readers;
mod refusals;
mod rights;
mod sweep;

use fixture::{Bench, Stage};

const LAWS: &[fn(&Stage)] = &[
    laws::a_fresh_partition_holds_nothing,
    laws::a_log_begins_with_a_genesis_and_a_marker,
    laws::what_was_committed_is_recovered,
    laws::records_are_dense_and_name_the_one_before,
    laws::only_finished_files_are_ever_seen,
    laws::the_same_commit_has_the_same_files,
    laws::partitions_do_not_meet,
    laws::commits_out_of_turn_are_refused,
    laws::a_state_is_kept_as_long_as_a_record_refers_to_it,
    laws::readers_are_told_how_far_results_are_final,
    claims::the_owner_before_is_fenced_at_its_next_commit,
    claims::the_head_is_published_by_whoever_takes_over,
    claims::claims_in_vain_are_counted,
    claims::a_release_ends_the_counting,
    claims::partitions_that_came_later_are_told,
    refusals::a_log_that_is_gone_is_not_begun_anew,
    refusals::a_log_that_was_put_back_is_told,
    refusals::a_damaged_head_is_refused_and_never_skipped,
    refusals::what_belongs_to_others_is_refused,
    refusals::a_state_that_is_gone_is_told,
    refusals::no_record_names_a_file_of_another,
];

fn every_law(bench: &Bench) {
    for law in LAWS {
        law(&bench.anew());
    }
}

#[test]
fn memory_keeps_every_law() {
    every_law(&Bench::memory());
}

#[test]
fn local_folders_keep_every_law() {
    let folder = tempfile::tempdir().expect("temp folder");
    every_law(&Bench::local(folder.path()));
}

#[test]
fn azurite_keeps_every_law() {
    if let Some(bench) = Bench::azurite() {
        every_law(&bench);
    }
}

#[test]
fn s3_keeps_every_law() {
    if let Some(bench) = Bench::s3() {
        every_law(&bench);
    }
}
