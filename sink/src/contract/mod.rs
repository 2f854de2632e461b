//! What every store must do for the sink: one list of laws, run on memory, a local folder and the Azurite emulator.
//!
//! The emulator is where `ATALAIA_TEST_AZURITE` says; without it those runs are skipped in sight, or fail if
//! `ATALAIA_TEST_REQUIRED` is set.

mod faults;
mod faulty;
mod fixture;
mod laws;
mod readers;

use fixture::Bench;

fn every_law(bench: &Bench) {
    laws::a_fresh_partition_holds_nothing(&bench.anew());
    laws::what_was_committed_is_recovered(&bench.anew());
    laws::only_finished_files_are_ever_seen(&bench.anew());
    laws::the_same_commit_has_the_same_bytes(&bench.anew());
    laws::no_owner_reuses_a_name_of_the_owner_before(&bench.anew());
    laws::the_second_of_two_owners_is_fenced(&bench.anew());
    laws::partitions_do_not_meet(&bench.anew());
    laws::state_that_is_not_ours_is_refused(&bench.anew());
    laws::commits_out_of_turn_are_refused(&bench.anew());
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
