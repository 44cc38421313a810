//! `--watch`: how fast records arrive and are consumed, and when a group will have caught up. Pure.

use serde_json::{Value, json};

use super::describe::Progress;
use crate::commands::columns::{MISSING, USUAL_WIDTH, line, or_missing, width};

/// What happened in a partition between two looks at it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Records that came, a second.
    pub arriving: f64,
    /// Records that the group has committed, a second.
    pub consumed: f64,
    /// In how many seconds nothing is left to read, if both go on like this; none if that is never.
    pub caught_up_in: Option<f64>,
}

/// The pace between two looks that lie so many seconds apart; none where one of them lacks an offset, or the group was moved back.
pub fn pace(before: &Progress, now: &Progress, seconds: f64) -> Option<Pace> {
    let arrived = now.end? - before.end?;
    let consumed = now.committed?.offset - before.committed?.offset;
    if consumed < 0 || seconds <= 0.0 {
        return None;
    }
    let (arriving, consumed) = (arrived as f64 / seconds, consumed as f64 / seconds);
    let caught_up_in = match now.lag()? {
        ..=0 => Some(0.0),
        lag if consumed > arriving => Some(lag as f64 / (consumed - arriving)),
        _ => None,
    };
    Some(Pace { arriving, consumed, caught_up_in })
}

/// What is told of a partition of a group.
#[derive(Debug)]
pub struct Row<'a> {
    /// The group.
    pub group: &'a str,
    /// How far it is.
    pub now: &'a Progress,
    /// How that came.
    pub pace: Option<Pace>,
}

/// The table of all partitions, from its title on.
pub fn table(rows: &[Row<'_>]) -> Vec<String> {
    let group_width = width(rows.iter().map(|row| row.group), USUAL_WIDTH);
    let topic_width = width(rows.iter().map(|row| row.now.place.0.as_str()), USUAL_WIDTH);
    let of = |cells: [&str; 7]| {
        let [group, topic, partition, lag, arriving, consumed, caught_up] = cells;
        line(&[
            (group, group_width),
            (topic, topic_width),
            (partition, 10),
            (lag, USUAL_WIDTH),
            (arriving, USUAL_WIDTH),
            (consumed, USUAL_WIDTH),
            (caught_up, 0),
        ])
    };
    let title = of(["GROUP", "TOPIC", "PARTITION", "LAG", "ARRIVING/S", "CONSUMED/S", "CAUGHT-UP-IN"]);
    let row = |row: &Row<'_>| {
        let rate = |rate: f64| format!("{rate:.1}");
        of([
            row.group,
            &row.now.place.0,
            &row.now.place.1.to_string(),
            &or_missing(row.now.lag()),
            &or_missing(row.pace.map(|pace| rate(pace.arriving))),
            &or_missing(row.pace.map(|pace| rate(pace.consumed))),
            &row.pace.map_or(MISSING.to_owned(), |pace| pace.caught_up_in.map_or("never".to_owned(), span)),
        ])
    };
    std::iter::once(title).chain(rows.iter().map(row)).collect()
}

/// The same for programs.
pub fn json(rows: &[Row<'_>]) -> Value {
    let row = |row: &Row<'_>| {
        json!({
            "group": row.group,
            "topic": row.now.place.0,
            "partition": row.now.place.1,
            "lag": row.now.lag(),
            "arrivingPerSecond": row.pace.map(|pace| pace.arriving),
            "consumedPerSecond": row.pace.map(|pace| pace.consumed),
            "caughtUpInSeconds": row.pace.and_then(|pace| pace.caught_up_in),
        })
    };
    rows.iter().map(row).collect()
}

/// A time span in at most two units: `1h05m`, `3.2s`.
pub fn span(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1}s"),
        60..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        3600..86_400 => format!("{}h{:02}m", whole / 3600, whole % 3600 / 60),
        _ => format!("{}d{:02}h", whole / 86_400, whole % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use client::CommittedOffset;

    use super::*;

    fn progress(committed: i64, end: i64) -> Progress {
        Progress {
            place: ("t".to_owned(), 0),
            committed: Some(CommittedOffset { offset: committed, leader_epoch: None }),
            end: Some(end),
            ..Progress::default()
        }
    }

    #[test]
    fn who_reads_faster_than_records_arrive_catches_up() {
        let pace = pace(&progress(0, 100), &progress(60, 120), 2.0).unwrap();
        assert_eq!(pace, Pace { arriving: 10.0, consumed: 30.0, caught_up_in: Some(3.0) });
    }

    #[test]
    fn who_does_not_never_does_and_who_has_is_there() {
        assert_eq!(pace(&progress(0, 100), &progress(10, 120), 1.0).unwrap().caught_up_in, None);
        assert_eq!(pace(&progress(0, 100), &progress(120, 120), 1.0).unwrap().caught_up_in, Some(0.0));
    }

    #[test]
    fn nothing_is_said_of_a_group_that_is_nowhere_or_was_moved_back() {
        assert_eq!(pace(&progress(50, 100), &progress(10, 100), 1.0), None);
        let nowhere = Progress { committed: None, ..progress(0, 100) };
        assert_eq!(pace(&nowhere, &progress(10, 100), 1.0), None);
    }

    #[test]
    fn a_table_tells_the_pace_of_each_partition() {
        let now = progress(60, 120);
        let pace = pace(&progress(0, 100), &now, 2.0);
        let lines = table(&[Row { group: "g", now: &now, pace }, Row { group: "g", now: &now, pace: None }]);
        assert_eq!(
            lines,
            [
                "GROUP           TOPIC           PARTITION  LAG             ARRIVING/S      CONSUMED/S      CAUGHT-UP-IN",
                "g               t               0          60              10.0            30.0            3.0s",
                "g               t               0          60              -               -               -",
            ]
        );
    }

    #[test]
    fn a_span_has_the_units_that_matter() {
        for (seconds, text) in
            [(0.0, "0.0s"), (3.24, "3.2s"), (65.0, "1m05s"), (3_900.0, "1h05m"), (180_000.0, "2d02h")]
        {
            assert_eq!(span(seconds), text);
        }
    }
}
