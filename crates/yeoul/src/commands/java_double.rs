//! Numbers with a point as Java reads and writes them, so that ours say the same.

/// The number of a text, as `Double.parseDouble` has it, hexadecimal ones left out.
pub fn parse_double(text: &str) -> Option<f64> {
    let text = text.trim();
    if matches!(text.trim_start_matches(['+', '-']), "NaN" | "Infinity") {
        return text.parse().ok();
    }
    let number = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    let is_of_a_number = |letter: char| letter.is_ascii_digit() || "+-.eE".contains(letter);
    number.chars().all(is_of_a_number).then(|| number.parse().ok()).flatten()
}

/// The text of a number, as `Double.toString` has it: with an exponent below 0.001 and from ten millions on.
pub fn format_double(number: f64) -> String {
    let (plain, exponential) = (format!("{number:?}"), format!("{number:E}"));
    laid_out(number, plain, exponential, || format!("{number:.1E}"))
}

/// The text of a number of four bytes, as `Float.toString` has it.
pub fn format_float(number: f32) -> String {
    let (plain, exponential) = (format!("{number:?}"), format!("{number:E}"));
    laid_out(number.into(), plain, exponential, || format!("{number:.1E}"))
}

fn laid_out(number: f64, plain: String, exponential: String, two_digits: impl FnOnce() -> String) -> String {
    let size = number.abs();
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if number.is_nan() || size == 0.0 || (1e-3..1e7).contains(&size) {
        return plain;
    }
    // Of a number that has one digit Java tells the next too.
    if exponential.contains('.') { exponential } else { two_digits() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_java_writes_them() {
        // As `kafka-configs` of 4.3.1 told them.
        for (number, text) in [
            (10.0, "10.0"),
            (0.002, "0.002"),
            (1_234_567.125, "1234567.125"),
            (1e7, "1.0E7"),
            (12_345_678_901.0, "1.2345678901E10"),
            (0.0001, "1.0E-4"),
            (-1.5, "-1.5"),
            (0.0, "0.0"),
            (5e-324, "4.9E-324"),
            (-0.0, "-0.0"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(format_double(number), text);
        }
        for (number, text) in [(0.1, "0.1"), (1e10, "1.0E10"), (1e-45, "1.4E-45"), (9e-4, "9.0E-4")] {
            assert_eq!(format_float(number), text);
        }
    }

    #[test]
    fn what_java_reads_is_read_and_nothing_else() {
        for (text, number) in
            [("1", 1.0), (" -1.5e3 ", -1500.0), ("2d", 2.0), (".5F", 0.5), ("+Infinity", f64::INFINITY)]
        {
            assert_eq!(parse_double(text), Some(number), "{text}");
        }
        assert!(parse_double("NaN").is_some_and(f64::is_nan));
        for text in ["", "x", "inf", "nan", "1,5", "--1", ".", "e", "d"] {
            assert_eq!(parse_double(text), None, "{text}");
        }
    }
}
