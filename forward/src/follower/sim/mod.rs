//! Follower against world: a log that grows and is swept, owners that die and double, answers that fail or are lost, all from a seed.
//!
//! What must hold: every anomaly from the begin on is acknowledged at least once; nothing else is ever sent; what is repeated is equal to
//! the byte. Each step of the follower that could be taken for superfluous is taken away once, and that must be noticed.

mod world;

use rand::RngExt;
use tokio::time::advance;

use super::{Follower, Guards, Settings};
use crate::{Begin, Turn};
use world::{Handle, World};

const STEPS: u32 = 60;

type Process = Follower<Handle, Handle, Handle>;

fn start(world: &World, from: Begin, guards: Guards) -> Process {
    let handle = world.process();
    let settings = Settings { pipeline: "p".into(), from, now: || 0, seed: 7, guards };
    Follower::new(handle.clone(), handle.clone(), handle, settings)
}

/// None if the process died in it.
async fn turn(world: &World, process: &mut Process) -> Option<Turn> {
    let heads = world.heads();
    tokio::select! {
        biased;
        turn = process.turn(&heads) => Some(turn),
        () = world.crash() => None,
    }
}

/// What was wrong after a run of this seed, if anything.
async fn run(seed: u64, guards: Guards) -> Result<(), String> {
    let world = World::new(seed);
    let from = if seed.is_multiple_of(2) { Begin::Earliest } else { Begin::Latest };
    world.commit(None);
    let mut owners: Vec<Process> = vec![start(&world, from, guards)];
    for _ in 0..STEPS {
        let chance: u32 = world.rng(|rng| rng.random_range(0..100));
        let index = world.rng(|rng| rng.random_range(0..owners.len()));
        match chance {
            0..30 => world.commit(Some(owners[index].receiver())),
            30..36 => world.sweep(),
            // A second owner, or the end of one.
            36..39 if owners.len() == 1 => owners.push(start(&world, from, guards)),
            36..39 => {
                owners.remove(index);
            }
            39..55 => advance(std::time::Duration::from_secs(1)).await,
            55..57 => advance(std::time::Duration::from_secs(400)).await,
            57..65 => {
                world.crash_soon();
                if turn(&world, &mut owners[index]).await.is_none() {
                    owners[index] = start(&world, from, guards);
                }
                world.crash_never();
            }
            _ => {
                turn(&world, &mut owners[index]).await;
            }
        }
    }
    world.heal();
    for _ in 0..1000 {
        advance(std::time::Duration::from_secs(700)).await;
        let left = turn(&world, &mut owners[0]).await.ok_or("it died of nothing")?;
        if left == Turn::default() {
            return world.judge(from);
        }
    }
    Err("it does not come to an end".to_owned())
}

fn search(seeds: std::ops::Range<u64>, guards: Guards) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    for seed in seeds {
        runtime.block_on(run(seed, guards)).map_err(|wrong| format!("seed {seed}: {wrong}"))?;
    }
    Ok(())
}

#[test]
fn every_anomaly_is_acknowledged_and_nothing_else_is_sent() {
    let seeds = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(400);
    search(0..seeds, Guards::default()).unwrap();
}

#[test]
fn a_step_that_is_taken_away_is_noticed() {
    let whole = Guards::default();
    for (name, mutant) in [
        ("acknowledged", Guards { acknowledged: false, ..whole }),
        ("again", Guards { again: false, ..whole }),
        ("unlogged", Guards { unlogged: false, ..whole }),
    ] {
        let found = search(0..200, mutant).expect_err(name);
        assert!(found.contains("was never acknowledged"), "{name}: {found}");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    for seed in 0..4 {
        let told = |_| runtime.block_on(run(seed, Guards { again: false, ..Guards::default() }));
        assert_eq!(told(0), told(1));
    }
}
