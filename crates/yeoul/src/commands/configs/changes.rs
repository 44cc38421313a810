//! What is to change, out of the text of a flag. Pure.

use crate::failure::Failure;

/// What is no pair, in the words of Kafka's tool.
pub const NOT_A_PAIR: &str = "requirement failed: Invalid entity config: all configs to be added must be in the format \"key=val\" or  \
     \"key=[val1,val2]\" to group values which contain commas.";

/// Settings to set, which have a value, and to delete, which have none.
pub type Changes = Vec<(String, Option<String>)>;

/// `a=1,b=[x,y]` as pairs. The last of a key counts.
pub fn parse_additions(text: &str) -> Result<Changes, Failure> {
    let mut pairs = Changes::new();
    // As where the variable of a script is not set.
    if text.is_empty() {
        return Err(Failure::Usage(NOT_A_PAIR.to_owned()));
    }
    for piece in split_outside_brackets(text, ',') {
        if piece.is_empty() {
            continue;
        }
        let [key, value] = split_outside_brackets(piece, '=')[..] else {
            return Err(Failure::Usage(NOT_A_PAIR.to_owned()));
        };
        let key = key.trim().to_owned();
        let value = value.trim().replace(['[', ']'], "");
        pairs.retain(|(known, _)| *known != key);
        pairs.push((key, Some(value)));
    }
    Ok(pairs)
}

/// `a,b` as what is to be deleted.
pub fn parse_deletions(text: &str) -> Changes {
    let keys = text.split(',').map(str::trim).filter(|key| !key.is_empty());
    keys.map(|key| (key.to_owned(), None)).collect()
}

/// The pieces between separators that are not within brackets.
fn split_outside_brackets(text: &str, separator: char) -> Vec<&str> {
    let mut inside = false;
    let is_cut = |letter: char| {
        inside = match letter {
            '[' => true,
            ']' => false,
            _ => inside,
        };
        letter == separator && !inside
    };
    text.split(is_cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_keep_commas_and_equals_signs_together() {
        let set = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
        assert_eq!(
            parse_additions("a=1,b=[x,y=2],c=,"),
            Ok(vec![set("a", "1"), set("b", "x,y=2"), set("c", "")])
        );
        assert_eq!(parse_additions("a=1,a=2"), Ok(vec![set("a", "2")]));
        assert!(parse_additions("a=b=c").is_err() && parse_additions("").is_err());
    }

    #[test]
    fn what_is_to_be_deleted_has_no_value() {
        assert_eq!(parse_deletions("a, b,"), [("a".to_owned(), None), ("b".to_owned(), None)]);
    }
}
