//! Features and their levels, as several tools take and tell them. Pure.

use metadata::{
    KRAFT_VERSION, METADATA_VERSION, MetadataVersion, default_levels, needed_metadata_version,
    supported_features,
};

use serde_json::json;

use super::table::{Output, Table};
use crate::failure::Failure;

/// The order in which Kafka's tools tell of features.
const ORDER: [&str; 6] = [
    KRAFT_VERSION,
    "transaction.version",
    "group.version",
    metadata::ELIGIBLE_LEADER_REPLICAS,
    "share.version",
    "streams.version",
];

/// `feature=level` as the two.
pub fn parse_level(text: &str) -> Result<(String, i16), Failure> {
    let cannot = |why: &str| Failure::Failed(format!("Can't parse feature=level string {text}: {why}"));
    let (name, level) = text.split_once('=').ok_or_else(|| cannot("equals sign not found."))?;
    let level = level.trim().parse().map_err(|_| cannot(&format!("unable to parse {level} as a short.")))?;
    Ok((name.trim().to_owned(), level))
}

/// The `metadata.version` of a release, as `4.3` or `4.0-IV1`.
pub fn parse_release(name: &str) -> Result<MetadataVersion, Failure> {
    MetadataVersion::parse(name).ok_or_else(|| {
        let known = MetadataVersion::MINIMUM.0..=MetadataVersion::LATEST.0;
        let names: Vec<&str> = known.filter_map(|level| MetadataVersion(level).name()).collect();
        let names = names.join(", ");
        Failure::Failed(format!("Unknown metadata.version '{name}'. Supported metadata.version are: {names}"))
    })
}

/// The levels that a release comes with, `metadata.version` first. Without a release, those of the newest.
pub fn version_mapping(release: Option<&str>, output: Output) -> Result<String, Failure> {
    let newest = MetadataVersion::LATEST.name().unwrap_or_default();
    let label = release.unwrap_or(newest);
    let version = parse_release(label)?;
    let own = (METADATA_VERSION, version.0, Some(label));
    let others = levels_of(version).map(|(name, level)| (name, level, None));
    let levels = std::iter::once(own).chain(others);
    let line = |(name, level, label): (&str, i16, Option<&str>)| {
        let label = label.map_or_else(String::new, |label| format!(" ({label})"));
        format!("{name}={level}{label}\n")
    };
    let mut table = Table::new(&["Feature", "Level", "Release"]);
    Ok(match output {
        Output::Text => levels.map(line).collect(),
        Output::Json => {
            levels.for_each(|(name, level, label)| table.add([json!(name), json!(level), json!(label)]));
            table.show(output)
        }
    })
}

/// The levels that a release comes with, `metadata.version` left out, in Kafka's order.
pub fn levels_of(version: MetadataVersion) -> impl Iterator<Item = (&'static str, i16)> {
    ORDER.into_iter().filter_map(move |name| default_levels(version).find(|(known, _)| *known == name))
}

/// What levels need.
pub fn dependencies(features: &[String], output: Output) -> Result<String, Failure> {
    let mut table = Table::new(&["Feature", "Level", "Requires"]);
    let mut text = String::new();
    for feature in features {
        let (name, level) = parse_level(feature)?;
        refuse_unknown(&name, level)?;
        let needed = needed_metadata_version(&name, level).map(|version| version.0);
        let label = label(&name, level);
        text += &match needed {
            None => format!("{label} has no dependencies.\n"),
            Some(needed) => format!("{label} requires:\n    {}\n", self::label(METADATA_VERSION, needed)),
        };
        let needed = needed.map(|level| json!({"feature": METADATA_VERSION, "level": level}));
        table.add([json!(name), json!(level), json!(needed.as_slice())]);
    }
    Ok(if output == Output::Text { text } else { table.show(output) })
}

fn refuse_unknown(name: &str, level: i16) -> Result<(), Failure> {
    let known = supported_features().find(|(known, ..)| *known == name);
    match known {
        None => Err(Failure::Failed(format!("Unknown feature: {name}"))),
        Some((_, min, max)) if (min..=max).contains(&level) => Ok(()),
        Some(_) if name == METADATA_VERSION => {
            Err(Failure::Failed(format!("Unknown metadata.version {level}")))
        }
        Some(_) => Err(Failure::Failed(format!("No feature:{name} with feature level {level}"))),
    }
}

/// A feature at a level; that of `metadata.version` has a name too.
fn label(name: &str, level: i16) -> String {
    match MetadataVersion(level).name().filter(|_| name == METADATA_VERSION) {
        Some(release) => format!("{name}={level} ({release})"),
        None => format!("{name}={level}"),
    }
}

/// A level as people know it: that of `metadata.version` by its name.
pub fn level_name(feature: &str, level: i16) -> String {
    let name = MetadataVersion(level).name().filter(|_| feature == METADATA_VERSION);
    name.map_or_else(|| level.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_told_with_the_levels_that_it_comes_with() {
        let text = version_mapping(Some("3.9"), Output::Text).unwrap();
        assert_eq!(
            text,
            "metadata.version=21 (3.9)\nkraft.version=1\ntransaction.version=0\ngroup.version=0\n\
             eligible.leader.replicas.version=0\nshare.version=0\nstreams.version=0\n"
        );
        assert!(version_mapping(None, Output::Text).unwrap().starts_with("metadata.version=30 (4.3-IV0)\n"));
        assert!(version_mapping(Some("nope"), Output::Text).is_err());
        let json = version_mapping(Some("3.9"), Output::Json).unwrap();
        let first =
            r#"[{"feature":"metadata.version","level":21,"release":"3.9"},{"feature":"kraft.version","#;
        assert!(json.starts_with(first), "{json}");
    }

    #[test]
    fn what_a_level_needs_is_told() {
        let tell = |feature: &str| dependencies(&[feature.to_owned()], Output::Text);
        let failed = |words: &str| Err(Failure::Failed(words.to_owned()));
        assert_eq!(
            tell("transaction.version=2"),
            Ok("transaction.version=2 has no dependencies.\n".to_owned())
        );
        assert_eq!(
            tell("eligible.leader.replicas.version=1"),
            Ok("eligible.leader.replicas.version=1 requires:\n    metadata.version=23 (4.0-IV1)\n"
                .to_owned())
        );
        let json = dependencies(&["eligible.leader.replicas.version=1".to_owned()], Output::Json).unwrap();
        assert!(json.contains(r#""requires":[{"feature":"metadata.version","level":23}]"#), "{json}");
        assert_eq!(tell("nope=2"), failed("Unknown feature: nope"));
        assert_eq!(tell("metadata.version=5"), failed("Unknown metadata.version 5"));
        assert_eq!(tell("group.version=7"), failed("No feature:group.version with feature level 7"));
        assert_eq!(
            tell("group.version"),
            failed("Can't parse feature=level string group.version: equals sign not found.")
        );
    }
}
