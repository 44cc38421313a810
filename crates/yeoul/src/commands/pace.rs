//! At which pace a tool sends.

use std::time::Duration;

/// How long after the first a record is sent, at so many a second; at once if none.
pub fn due(number: u64, throughput: i64) -> Option<Duration> {
    let throughput = u64::try_from(throughput).ok().filter(|throughput| *throughput > 0)?;
    Some(Duration::from_secs_f64(number as f64 / throughput as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_due_by_its_number_and_at_once_without_a_pace() {
        assert_eq!(due(50, 100), Some(Duration::from_millis(500)));
        assert_eq!(due(50, -1), None);
    }
}
