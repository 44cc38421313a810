//! The power goes while a log is cleaned, at every change of the disk: the log is whole afterwards.

#[path = "compaction_support/mod.rs"]
mod compaction_support;
#[path = "log_dir_support/mod.rs"]
mod support;

use compaction_support::*;
use host::sim::{SeededRandom, SimDisk};
use protocol::compression::Compression;
use support::*;

/// Several segments over a few keys, some of which are deleted, all of it on disk; cleaned once and dirty again.
fn dirty_log(disk: &SimDisk) -> Keys {
    let mut keys = Keys::default();
    let life = Life::begin(disk, 1, NOW_MS, settings(false));
    for round in 0..2_u64 {
        for number in 0..40_u64 {
            let row = |index: u64| {
                let key = (number * 7 + index * 3 + round) % 9;
                let value =
                    (key != number % 9).then(|| format!("{round}/{number}/{index}{}", "x".repeat(80)));
                (format!("k{key}"), value)
            };
            let rows: Vec<_> = (0..3).map(row).collect();
            life.append(&mut keys, Compression::ALL[number as usize % 5], &rows);
        }
        life.dir.checkpoint().expect("room");
        if round == 0 {
            assert_eq!(life.clean_all().len(), 1);
        }
    }
    life.cleaner.stop();
    life.dir.close().expect("room");
    keys
}

fn check_settled(disk: &SimDisk, context: &str) {
    let names = file_names(disk);
    let left = |suffix: &str| names.iter().any(|name| name.ends_with(suffix));
    assert!(!left(".cleaned") && !left(".swap") && !left(".deleted"), "{context}: {names:?}");
}

/// Cleans until the power goes after so many changes, and says whether it went.
fn clean_and_crash(changes: u64, seed: u64, kill: bool, direct: bool) -> bool {
    let context = format!("{changes} changes, seed {seed}, kill {kill}, direct {direct}");
    let disk = SimDisk::new();
    let keys = dirty_log(&disk);
    let life = Life::begin(&disk, seed, NOW_MS + 3 * 24 * 60 * 60 * 1000, settings(direct));
    disk.cut_power_after(changes, seed as usize * 700);
    life.clean_all();
    life.cleaner.stop();
    let cut = disk.is_off();
    if kill {
        disk.kill()
    } else {
        disk.lose_power(&SeededRandom::new(seed))
    }
    drop(life);
    // Recovery may be cut short as well.
    disk.cut_power_after(seed * 3, 0);
    drop(Life::try_begin(&disk, seed + 1, NOW_MS, settings(direct)));
    disk.lose_power(&SeededRandom::new(seed + 2));
    let life = Life::begin(&disk, seed + 3, NOW_MS, settings(direct));
    check_settled(&disk, &context);
    keys.check(&life.log, &context);
    assert_eq!(life.log.log_end_offset(), 240, "{context}");
    life.clean_all();
    life.cleaner.stop();
    keys.check(&life.log, &context);
    life.dir.close().expect("room");
    drop(life);
    let life = Life::begin(&disk, seed + 4, NOW_MS, settings(direct));
    check_settled(&disk, &context);
    keys.check(&life.log, &context);
    cut
}

#[test]
fn a_power_cut_at_any_change_of_the_disk_leaves_a_whole_log() {
    for changes in 0.. {
        let mut cut = false;
        for seed in 0..4 {
            cut |= clean_and_crash(changes, seed, seed == 3, seed == 1);
        }
        if !cut {
            assert!(changes > 25, "{changes} changes are few for an exchange");
            return;
        }
    }
}
