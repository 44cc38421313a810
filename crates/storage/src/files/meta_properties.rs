//! `meta.properties`: which cluster and node a log directory belongs to. Java properties.

use std::fmt::Write;
use std::path::Path;

use host::Disk;
use protocol::Uuid;

use super::{FileError, Malformed, whole};

/// The name of the file.
pub const NAME: &str = "meta.properties";

/// What the file says, in version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// Id of the cluster: any text, by habit a uuid.
    pub cluster_id: String,
    /// Id of the node.
    pub node_id: i32,
    /// Id of the directory (KIP-858); directories of older versions have none.
    pub directory_id: Option<Uuid>,
}

/// The text of the file, with the time of its writing in milliseconds since 1970.
pub fn encode(properties: &MetaProperties, now_ms: i64) -> String {
    let mut text = format!("#\n#{}\n", java_date(now_ms));
    // Writing to a string does not fail. The order is that in which Java's hash table has them.
    let _ = writeln!(text, "node.id={}", properties.node_id);
    if let Some(id) = properties.directory_id {
        let _ = writeln!(text, "directory.id={id}");
    }
    let _ = writeln!(text, "version=1\ncluster.id={}", escape(&properties.cluster_id));
    text
}

/// What the text of the file says.
pub fn decode(text: &str) -> Result<MetaProperties, Malformed> {
    let (mut version, mut cluster_id, mut node_id, mut directory_id) = (None, None, None, None);
    for (key, value) in text.lines().filter_map(property) {
        match key.as_str() {
            "version" => version = Some(value),
            "cluster.id" => cluster_id = Some(value),
            "node.id" => node_id = Some(value),
            "directory.id" => directory_id = Some(value),
            _ => {}
        }
    }
    if version.as_deref() != Some("1") {
        return Err(Malformed::because("the version of meta.properties is not 1"));
    }
    let node_id = node_id.and_then(|id| id.parse().ok());
    let directory_id = directory_id.map(|id| id.parse()).transpose();
    Ok(MetaProperties {
        cluster_id: cluster_id.ok_or(Malformed::because("meta.properties lacks cluster.id"))?,
        node_id: node_id.ok_or(Malformed::because("meta.properties lacks node.id"))?,
        directory_id: directory_id.map_err(|_| Malformed::because("directory.id is not an id"))?,
    })
}

/// Reads the file, if it is there.
pub fn load(disk: &dyn Disk, path: &Path) -> Result<Option<MetaProperties>, FileError> {
    whole::load_text(disk, path, decode)
}

/// Replaces the file; it is on disk when this returns.
pub fn store(
    disk: &dyn Disk,
    path: &Path,
    properties: &MetaProperties,
    now_ms: i64,
) -> Result<(), FileError> {
    whole::store_whole(disk, path, encode(properties, now_ms).as_bytes())
}

/// Key and value of a line, if it is neither empty nor a comment.
fn property(line: &str) -> Option<(String, String)> {
    let line = line.trim_start();
    if line.is_empty() || line.starts_with(['#', '!']) {
        return None;
    }
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (c == '=' || c == ':' || c.is_whitespace());
        escaped = c == '\\' && !escaped;
        ends
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start();
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start();
    Some((unescape(key), unescape(value)))
}

fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for (at, c) in value.chars().enumerate() {
        if matches!(c, '=' | ':' | '#' | '!' | '\\') || (c == ' ' && at == 0) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

fn unescape(value: &str) -> String {
    let mut escaped = false;
    let keep = |c: &char| {
        escaped = *c == '\\' && !escaped;
        !escaped
    };
    value.chars().filter(keep).collect()
}

/// A time in UTC as Java's `Date` prints it: `Tue Nov 24 11:48:54 UTC 2026`.
fn java_date(ms: i64) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = ms.div_euclid(1_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    format!(
        "{} {} {day:02} {:02}:{:02}:{:02} UTC {year}",
        WEEKDAYS[days.rem_euclid(7) as usize],
        MONTHS[month],
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

/// Year, month from 0 and day from 1 of a day counted from 1970-01-01, by walking years that begin in March, so that the
/// leap day comes last.
fn civil(days: i64) -> (i64, usize, i64) {
    const FOUR_CENTURIES: i64 = 146_097;
    let from_march_2000 = days - 11_017;
    let era = from_march_2000.div_euclid(FOUR_CENTURIES);
    let day = from_march_2000.rem_euclid(FOUR_CENTURIES);
    let century = (day / 36_524).min(3);
    let day = day - century * 36_524;
    let four = day / 1_461;
    let day = day - four * 1_461;
    let year = (day / 365).min(3);
    let mut day = day - year * 365;
    let lengths = [31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 29];
    let mut month = 0;
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    let year = 2_000 + era * 400 + century * 100 + four * 4 + year + i64::from(month >= 10);
    (year, (month + 2) % 12, day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_kafka_is_read_and_written_byte_for_byte() {
        let text = include_str!("../../tests/fixtures/stopped/meta.properties");
        let properties = decode(text).unwrap();
        assert_eq!((&*properties.cluster_id, properties.node_id), ("MkU3OEVBNTcwNTJENDM2Qk", 1));
        assert_eq!(encode(&properties, 1_795_520_934_000), text);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (ms, expected) in [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (951_782_400_000, "Tue Feb 29 00:00:00 UTC 2000"),
            (951_868_799_999, "Tue Feb 29 23:59:59 UTC 2000"),
            (951_868_800_000, "Wed Mar 01 00:00:00 UTC 2000"),
            (4_107_542_399_000, "Sun Feb 28 23:59:59 UTC 2100"),
            (4_107_542_400_000, "Mon Mar 01 00:00:00 UTC 2100"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
            (1_767_225_599_000, "Wed Dec 31 23:59:59 UTC 2025"),
        ] {
            assert_eq!(java_date(ms), expected);
        }
    }

    #[test]
    fn a_cluster_id_of_any_text_survives() {
        for cluster_id in ["a b", " x", "k=v:w", "#!\\", "백"] {
            let properties = MetaProperties { cluster_id: cluster_id.into(), node_id: 7, directory_id: None };
            assert_eq!(decode(&encode(&properties, 0)), Ok(properties));
        }
    }

    #[test]
    fn other_spellings_of_java_are_read() {
        let text = "! comment\n  version : 1\r\nnode.id 3\ncluster.id:x\nunknown=1\n\n";
        let expected = MetaProperties { cluster_id: "x".into(), node_id: 3, directory_id: None };
        assert_eq!(decode(text), Ok(expected));
        for bad in
            ["", "version=0\nbroker.id=1", "version=1\nnode.id=x\ncluster.id=y", "version=1\nnode.id=1"]
        {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }
}
