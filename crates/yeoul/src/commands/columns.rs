//! Tables as Kafka's tools lay them out: columns of a least width, one blank between them.

/// The width of most columns where nothing in them is longer.
pub const USUAL_WIDTH: usize = 15;

/// What stands where nothing is known.
pub const MISSING: &str = "-";

/// A line of cells, each filled up with blanks to its column's width. A width of 0 leaves the cell as it is.
pub fn line(cells: &[(&str, usize)]) -> String {
    let filled: Vec<String> = cells.iter().map(|(cell, width)| format!("{cell:<width$}")).collect();
    filled.join(" ")
}

/// The width of a column: that of the longest cell, but at least this.
pub fn width<'a>(cells: impl Iterator<Item = &'a str>, least: usize) -> usize {
    cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(least)
}

/// A value, or what stands where there is none.
pub fn or_missing(value: Option<impl ToString>) -> String {
    value.map_or_else(|| MISSING.to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_as_wide_as_its_column_and_one_without_a_width_as_itself() {
        assert_eq!(line(&[("a", 3), ("", 2), ("wider", 3), ("end", 0)]), "a      wider end");
        assert_eq!(width(["ab", "여울물"].into_iter(), 2), 3);
        assert_eq!(width([].into_iter(), USUAL_WIDTH), 15);
        assert_eq!((or_missing(Some(7)), or_missing(None::<i64>)), ("7".to_owned(), "-".to_owned()));
    }
}
