//! The figures of a consumer (pure): those since the last line, and those of all records.

use std::time::Duration;

use serde_json::{Value, json};

use super::{MB, decimal, per_second};

/// What the columns are.
pub const HEADER: &str = "start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, \
                          rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec";
/// What they are where figures are told meanwhile.
pub const HEADER_MEANWHILE: &str = "time, threadId, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, \
                                    rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec";

/// What was read, and how long that took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Consumed {
    pub records: u64,
    pub bytes: u64,
    pub time: Duration,
    /// How much of it went by until the group had given partitions.
    pub rebalancing: Duration,
}

impl Consumed {
    /// What was read since then.
    pub fn since(&self, earlier: &Consumed) -> Consumed {
        Consumed {
            records: self.records - earlier.records,
            bytes: self.bytes - earlier.bytes,
            time: self.time.saturating_sub(earlier.time),
            rebalancing: self.rebalancing.saturating_sub(earlier.rebalancing),
        }
    }

    /// The columns after the first two: what was read altogether, and how fast this was read.
    pub fn columns(&self, altogether: &Consumed) -> String {
        let (time, rebalancing) = (whole_millis(self.time), whole_millis(self.rebalancing));
        let fetching = time.saturating_sub(rebalancing);
        let (mb, records) = (self.bytes as f64 / MB, self.records as f64);
        format!(
            "{:.4}, {}, {}, {}, {}, {}, {}, {}",
            altogether.bytes as f64 / MB,
            decimal(per_second(mb, time), 4),
            altogether.records,
            decimal(per_second(records, time), 4),
            rebalancing.as_millis(),
            fetching.as_millis(),
            decimal(per_second(mb, fetching), 4),
            decimal(per_second(records, fetching), 4),
        )
    }

    /// The same for programs, with the times of the begin and of the end; what is no number is null.
    pub fn json(&self, start: &str, end: &str) -> Value {
        let (time, rebalancing) = (whole_millis(self.time), whole_millis(self.rebalancing));
        let fetching = time.saturating_sub(rebalancing);
        let (mb, records) = (self.bytes as f64 / MB, self.records as f64);
        json!({
            "startTime": start,
            "endTime": end,
            "mb": mb,
            "mbPerSecond": per_second(mb, time),
            "records": self.records,
            "recordsPerSecond": per_second(records, time),
            "rebalanceTimeMs": u64::try_from(rebalancing.as_millis()).unwrap_or(u64::MAX),
            "fetchTimeMs": u64::try_from(fetching.as_millis()).unwrap_or(u64::MAX),
            "fetchMbPerSecond": per_second(mb, fetching),
            "fetchRecordsPerSecond": per_second(records, fetching),
        })
    }
}

/// Times are told in whole milliseconds, and rates are to fit them.
fn whole_millis(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consumed(records: u64, bytes: u64, time: u64, rebalancing: u64) -> Consumed {
        let (time, rebalancing) = (Duration::from_millis(time), Duration::from_millis(rebalancing));
        Consumed { records, bytes, time, rebalancing }
    }

    #[test]
    fn the_columns_are_those_of_kafkas_tool() {
        let all = consumed(290, 2 << 20, 2_000, 1_000);
        assert_eq!(all.columns(&all), "2.0000, 1.0000, 290, 145.0000, 1000, 1000, 2.0000, 290.0000");
        let earlier = consumed(90, 1 << 20, 1_500, 1_000);
        assert_eq!(
            all.since(&earlier).columns(&all),
            "2.0000, 2.0000, 290, 400.0000, 0, 500, 2.0000, 400.0000"
        );
    }

    #[test]
    fn nothing_in_no_time_is_no_number() {
        let none = consumed(0, 0, 1, 1);
        assert_eq!(none.columns(&none), "0.0000, 0.0000, 0, 0.0000, 1, 0, NaN, NaN");
        let json = none.json("a", "b");
        assert_eq!((&json["fetchMbPerSecond"], &json["records"]), (&Value::Null, &json!(0)));
    }
}
