//! The view of a broker's caches as tables. Pure.

use serde::Deserialize;
use serde_json::Value;

/// What the broker answers, as far as the tables show it.
#[derive(Debug, Deserialize)]
pub struct View {
    window_seconds: u64,
    partitions: Vec<Partition>,
    readers: Vec<Reader>,
}

#[derive(Debug, Deserialize)]
struct Partition {
    topic: String,
    partition: i32,
    bytes: u64,
    tail_bytes: u64,
    page_cache_bytes: Option<u64>,
    disk_only_bytes: Option<u64>,
    recent: Sources,
}

#[derive(Debug, Deserialize)]
struct Reader {
    client_id: String,
    address: Option<String>,
    groups: Vec<String>,
    recent: Sources,
    partitions: Vec<ReadPartition>,
}

#[derive(Debug, Deserialize)]
struct ReadPartition {
    topic: String,
    partition: i32,
    recent: Sources,
}

#[derive(Debug, Deserialize)]
struct Sources {
    tail_bytes: u64,
    page_cache_bytes: u64,
    disk_bytes: u64,
    disk_wait_us: u64,
    answers: u64,
}

impl View {
    /// From the broker's JSON.
    pub fn deserialize_from(view: Value) -> Result<View, serde_json::Error> {
        serde_json::from_value(view)
    }
}

/// Partitions, then readers, then what each reads of which partition.
pub fn tables(view: &View) -> String {
    let seconds = view.window_seconds;
    let partitions = view.partitions.iter().map(Partition::row);
    let readers = view.readers.iter().map(Reader::row);
    let read = view.readers.iter().flat_map(Reader::rows_of_partitions);
    format!(
        "Where the bytes are, and where those were found that were read in the last {seconds} s:\n{}\n\
         Who read in the last {seconds} s:\n{}\n\
         Who read what in the last {seconds} s:\n{}",
        table(&["TOPIC", "PARTITION", "BYTES", "TAIL", "PAGE-CACHE", "DISK-ONLY"], partitions),
        table(&["CLIENT", "ADDRESS", "GROUPS", "ANSWERS"], readers),
        table(&["TOPIC", "PARTITION", "CLIENT", "ADDRESS", "ANSWERS"], read),
    )
}

impl Partition {
    fn row(&self) -> Vec<String> {
        let where_it_is = [
            self.topic.clone(),
            self.partition.to_string(),
            size(self.bytes),
            size(self.tail_bytes),
            known(self.page_cache_bytes),
            known(self.disk_only_bytes),
        ];
        where_it_is.into_iter().chain(sources(&self.recent)).collect()
    }
}

impl Reader {
    fn client(&self) -> String {
        if self.client_id.is_empty() { "-".to_owned() } else { self.client_id.clone() }
    }

    fn address(&self) -> String {
        self.address.clone().unwrap_or_else(|| "others".to_owned())
    }

    fn row(&self) -> Vec<String> {
        let groups = if self.groups.is_empty() { "-".to_owned() } else { self.groups.join(",") };
        let who = [self.client(), self.address(), groups, self.recent.answers.to_string()];
        who.into_iter().chain(sources(&self.recent)).collect()
    }

    fn rows_of_partitions(&self) -> impl Iterator<Item = Vec<String>> {
        let read = self.partitions.iter().filter(|read| read.recent.answers > 0);
        read.map(|read| {
            let what = [
                read.topic.clone(),
                read.partition.to_string(),
                self.client(),
                self.address(),
                read.recent.answers.to_string(),
            ];
            what.into_iter().chain(sources(&read.recent)).collect()
        })
    }
}

/// The last columns of every table.
const SOURCES: [&str; 4] = ["FROM-TAIL", "FROM-CACHE", "FROM-DISK", "DISK-WAIT"];

fn sources(recent: &Sources) -> [String; 4] {
    let wait = format!("{:.1}ms", recent.disk_wait_us as f64 / 1e3);
    [size(recent.tail_bytes), size(recent.page_cache_bytes), size(recent.disk_bytes), wait]
}

fn known(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "?".to_owned(), size)
}

/// Three or four digits and a unit.
fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes}B") } else { format!("{value:.1}{}", units[unit]) }
}

/// Columns as wide as what is in them; the last are those of the sources.
fn table(titles: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let titles = titles.iter().chain(&SOURCES).map(|title| (*title).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(titles).chain(rows).collect();
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_stand_below_their_titles() {
        let sources = json!({
            "tail_bytes": 2048, "page_cache_bytes": 0, "disk_bytes": 1_500_000, "disk_wait_us": 1500, "answers": 3,
        });
        let view = json!({
            "window_seconds": 60,
            "partitions": [{
                "topic": "flights", "partition": 1, "bytes": 3000, "tail_bytes": 512, "page_cache_bytes": null,
                "disk_only_bytes": null, "recent": sources,
            }],
            "readers": [{
                "client_id": "", "address": "::1", "groups": ["a", "b"], "recent": sources,
                "partitions": [{"topic": "flights", "partition": 1, "recent": sources}],
            }],
        });
        let text = tables(&View::deserialize_from(view).unwrap());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[2],
            "flights  1          2.9KiB  512B  ?           ?          2.0KiB     0B          1.4MiB     1.5ms"
        );
        assert_eq!(lines[1].find("FROM-DISK"), lines[2].find("1.4MiB"));
        assert_eq!(lines[6], "-       ::1      a,b     3        2.0KiB     0B          1.4MiB     1.5ms");
        assert_eq!(
            lines[10],
            "flights  1          -       ::1      3        2.0KiB     0B          1.4MiB     1.5ms"
        );
    }
}
