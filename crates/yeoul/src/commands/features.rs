//! `yeoul features`: levels of features of the cluster, as with `kafka-features`.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use client::{ClientError, DescribedFeatures, UpgradeType};
use metadata::METADATA_VERSION;
use serde_json::json;

use super::HELP;
use super::cluster::{Nodes, block_on};
use super::feature_levels::{self, level_name, parse_level, parse_release};
use super::table::{Form, Output, Table};
use crate::failure::Failure;

const EXAMPLES: &str = "\
  yeoul features --bootstrap-server 127.0.0.1:9092 describe
  yeoul features --bootstrap-server 127.0.0.1:9092 upgrade --release-version 4.3 --dry-run
  yeoul features --bootstrap-server 127.0.0.1:9092 downgrade --feature transaction.version=1
  yeoul features version-mapping --release-version 4.0";

/// Tells the levels of the cluster's features, and changes them.
#[derive(Args, Debug)]
#[command(help_template = HELP, before_help = EXAMPLES)]
pub struct FeaturesArgs {
    #[command(flatten)]
    nodes: Nodes,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Tell the levels that there are, and those that could be
    #[command(help_template = HELP, before_help = "yeoul features --bootstrap-server 127.0.0.1:9092 describe")]
    Describe(Form),
    /// Raise levels
    #[command(help_template = HELP, before_help = "yeoul features --bootstrap-server 127.0.0.1:9092 upgrade --release-version 4.3 --dry-run")]
    Upgrade(Levels),
    /// Lower levels
    #[command(help_template = HELP, before_help = "yeoul features --bootstrap-server 127.0.0.1:9092 downgrade --feature transaction.version=1")]
    Downgrade {
        #[command(flatten)]
        levels: Levels,
        /// Even if metadata is lost
        #[arg(long = "unsafe")]
        is_unsafe: bool,
    },
    /// Turn features off
    #[command(help_template = HELP, before_help = "yeoul features --bootstrap-server 127.0.0.1:9092 disable --feature share.version")]
    Disable {
        /// A feature
        #[arg(long)]
        feature: Vec<String>,
        /// Even if metadata is lost
        #[arg(long = "unsafe")]
        is_unsafe: bool,
        /// Only tell whether it could be done
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Tell which levels a release comes with
    #[command(help_template = HELP, before_help = "yeoul features version-mapping --release-version 4.0")]
    VersionMapping {
        /// As 4.3 or 4.0-IV1 [default: the newest]
        #[arg(long, value_name = "VERSION")]
        release_version: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// Tell what levels need
    #[command(help_template = HELP, before_help = "yeoul features feature-dependencies --feature transaction.version=2")]
    FeatureDependencies {
        /// The level of a feature, as group.version=1
        #[arg(long, required = true, value_name = "FEATURE=LEVEL")]
        feature: Vec<String>,
        #[command(flatten)]
        form: Form,
    },
}

/// The levels that features are to have.
#[derive(Args, Debug)]
struct Levels {
    /// The level of a feature, as group.version=1
    #[arg(long, value_name = "FEATURE=LEVEL")]
    feature: Vec<String>,
    /// metadata.version by its name, as 4.0 or 4.0-IV1
    #[arg(long, value_name = "VERSION", hide = true)]
    metadata: Option<String>,
    /// The levels of a release, as 4.0 or 4.0-IV1
    #[arg(long, value_name = "VERSION")]
    release_version: Option<String>,
    /// Only tell whether it could be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    form: Form,
}

/// A change of levels, and how it is called.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    levels: Vec<(String, i16)>,
    direction: UpgradeType,
    dry_run: bool,
    output: Output,
    infinitive: &'static str,
    participle: &'static str,
}

/// Does it.
pub fn run(args: &FeaturesArgs) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match &args.action {
        Action::VersionMapping { release_version, form } => {
            let text = feature_levels::version_mapping(release_version.as_deref(), form.output)?;
            return Ok(write!(out, "{text}")?);
        }
        Action::FeatureDependencies { feature, form } => {
            return Ok(write!(out, "{}", feature_levels::dependencies(feature, form.output)?)?);
        }
        _ if args.nodes.is_missing_or_double() => {
            let words = "You must specify either --bootstrap-controller or --bootstrap-server.";
            return Err(Failure::Usage(words.to_owned()));
        }
        _ => {}
    }
    if let Action::Upgrade(levels) | Action::Downgrade { levels, .. } = &args.action
        && levels.metadata.is_some()
    {
        writeln!(out, " `metadata` flag is deprecated and may be removed in a future release.")?;
    }
    match (&args.action, change(&args.action)?) {
        (Action::Describe(form), _) => block_on(async {
            let described = args.nodes.connect().await?.describe_features().await?;
            let text = match form.output {
                Output::Text => lines(&described),
                Output::Json => table(&described).show(Output::Json),
            };
            Ok(write!(out, "{text}")?)
        }),
        (_, Some(change)) => block_on(carry_out(&args.nodes, &change, &mut out)),
        (_, None) => Ok(()),
    }
}

async fn carry_out(nodes: &Nodes, change: &Change, out: &mut impl Write) -> Result<(), Failure> {
    let mut cluster = nodes.connect().await?;
    let done = cluster.update_features(&change.levels, change.direction, change.dry_run).await;
    if let Err(error) = &done
        && !matches!(error, ClientError::Refused { .. })
    {
        return Err(Failure::failed(error));
    }
    let refused = done.as_ref().err().map(ToString::to_string);
    match change.output {
        Output::Text => told(change, refused.as_deref()).try_for_each(|line| writeln!(out, "{line}"))?,
        Output::Json => write!(out, "{}", fates(change, refused.as_deref()).show(Output::Json))?,
    }
    let count = change.levels.len();
    done.map_err(|_| Failure::Failed(format!("{count} out of {count} operation(s) failed.")))
}

/// A line a feature: all of them were changed, or none for the same reason.
fn told<'a>(change: &'a Change, refused: Option<&'a str>) -> impl Iterator<Item = String> + 'a {
    let Change { levels, infinitive, participle, dry_run, .. } = change;
    levels.iter().map(move |(name, level)| {
        let what = if *infinitive == "disable" { name.clone() } else { format!("{name} to {level}") };
        let to = what.strip_prefix(name.as_str()).unwrap_or_default();
        match (refused, *dry_run) {
            (None, true) => format!("{name} can be {participle}{to}."),
            (None, false) => format!("{name} was {participle}{to}."),
            (Some(why), true) => format!("Can not {infinitive} {what}. {why}"),
            (Some(why), false) => format!("Could not {infinitive} {what}. {why}"),
        }
    })
}

/// The same as a table.
fn fates(change: &Change, refused: Option<&str>) -> Table {
    let mut table = Table::new(&["Feature", "Level", "Error"]);
    change.levels.iter().for_each(|(name, level)| table.add([json!(name), json!(level), json!(refused)]));
    table
}

fn change(action: &Action) -> Result<Option<Change>, Failure> {
    let down = |is_unsafe| if is_unsafe { UpgradeType::UnsafeDowngrade } else { UpgradeType::SafeDowngrade };
    let change = |mut levels: Vec<(String, i16)>, direction, (dry_run, output), infinitive, participle| {
        levels.sort();
        Some(Change { levels, direction, dry_run, output, infinitive, participle })
    };
    let how = |wanted: &Levels| (wanted.dry_run, wanted.form.output);
    Ok(match action {
        Action::Upgrade(wanted) => {
            change(levels(wanted, "upgrade")?, UpgradeType::Upgrade, how(wanted), "upgrade", "upgraded")
        }
        Action::Downgrade { levels: wanted, is_unsafe } => {
            change(levels(wanted, "downgrade")?, down(*is_unsafe), how(wanted), "downgrade", "downgraded")
        }
        Action::Disable { feature, is_unsafe, dry_run, form } => {
            let levels: Vec<(String, i16)> = feature.iter().map(|name| (name.clone(), 0)).collect();
            refuse_none(&levels, "disable")?;
            change(levels, down(*is_unsafe), (*dry_run, form.output), "disable", "disabled")
        }
        _ => None,
    })
}

fn refuse_none(levels: &[(String, i16)], action: &str) -> Result<(), Failure> {
    match levels.is_empty() {
        true => Err(Failure::Failed(format!("You must specify at least one feature to {action}"))),
        false => Ok(()),
    }
}

/// The levels that are asked for: those of a release, or those that are named.
fn levels(wanted: &Levels, action: &str) -> Result<Vec<(String, i16)>, Failure> {
    if let Some(release) = &wanted.release_version {
        if wanted.metadata.is_some() || !wanted.feature.is_empty() {
            return Err(Failure::failed("Can not specify `release-version` with other feature flags."));
        }
        let version = parse_release(release)?;
        let own = std::iter::once((METADATA_VERSION, version.0));
        let all = own.chain(feature_levels::levels_of(version));
        let named = all.map(|(name, level)| (name.to_owned(), level));
        // Nothing is raised to 0.
        return Ok(named.filter(|(_, level)| action != "upgrade" || *level > 0).collect());
    }
    let metadata = wanted.metadata.as_deref().map(parse_release).transpose()?;
    let mut levels: Vec<(String, i16)> =
        metadata.into_iter().map(|version| (METADATA_VERSION.to_owned(), version.0)).collect();
    for text in &wanted.feature {
        let level = parse_level(text)?;
        if levels.iter().any(|(name, _)| *name == level.0) {
            return Err(Failure::failed(format!("Feature {} was specified more than once.", level.0)));
        }
        levels.push(level);
    }
    refuse_none(&levels, action)?;
    Ok(levels)
}

fn lines(described: &DescribedFeatures) -> String {
    let epoch = described.epoch.map_or_else(|| "-".to_owned(), |epoch| epoch.to_string());
    let line = |feature: &client::DescribedFeature| {
        let named = |level| level_name(&feature.name, level);
        format!(
            "Feature: {:<42}SupportedMinVersion: {:<17}SupportedMaxVersion: {:<17}FinalizedVersionLevel: {:<17}Epoch: {epoch}\n",
            feature.name,
            named(feature.min),
            named(feature.max),
            named(feature.level),
        )
    };
    described.features.iter().map(line).collect()
}

fn table(described: &DescribedFeatures) -> Table {
    let mut table = Table::new(&[
        "Feature",
        "SupportedMinVersion",
        "SupportedMaxVersion",
        "FinalizedVersionLevel",
        "Epoch",
    ]);
    for feature in &described.features {
        let named = |level| json!(level_name(&feature.name, level));
        table.add([
            json!(feature.name),
            named(feature.min),
            named(feature.max),
            named(feature.level),
            json!(described.epoch),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: FeaturesArgs,
    }

    fn change_of(line: &str) -> Result<Option<Change>, Failure> {
        let words = ["features"].into_iter().chain(line.split_whitespace());
        change(&Line::try_parse_from(words).unwrap().args.action)
    }

    fn level(name: &str, level: i16) -> (String, i16) {
        (name.to_owned(), level)
    }

    #[test]
    fn a_release_is_all_of_its_levels() {
        let change = change_of("upgrade --release-version 4.0").unwrap().unwrap();
        let expected = [
            level("group.version", 1),
            level("kraft.version", 1),
            level("metadata.version", 25),
            level("transaction.version", 2),
        ];
        assert_eq!(change.levels, expected);
        assert_eq!(change_of("downgrade --release-version 4.0").unwrap().unwrap().levels.len(), 7);
        assert!(change_of("upgrade --release-version 4.0 --feature a=1").is_err());
    }

    #[test]
    fn what_was_done_or_refused_is_told_for_each_feature() {
        let change = change_of("upgrade --feature b=2 --feature a=1").unwrap().unwrap();
        let lines: Vec<String> = told(&change, None).collect();
        assert_eq!(lines, ["a was upgraded to 1.", "b was upgraded to 2."]);
        let change = change_of("disable --feature a --dry-run").unwrap().unwrap();
        assert_eq!(told(&change, None).next().unwrap(), "a can be disabled.");
        assert_eq!(told(&change, Some("No.")).next().unwrap(), "Can not disable a. No.");
        assert_eq!(fates(&change, Some("No.")).json(), json!([{"feature": "a", "level": 0, "error": "No."}]));
        assert_eq!(
            change_of("upgrade"),
            Err(Failure::Failed("You must specify at least one feature to upgrade".to_owned()))
        );
    }

    #[test]
    fn features_stand_in_columns() {
        let feature =
            |name: &str, min, max, level| client::DescribedFeature { name: name.to_owned(), min, max, level };
        let described =
            DescribedFeatures { features: vec![feature("metadata.version", 7, 30, 25)], epoch: Some(12) };
        assert_eq!(
            lines(&described),
            "Feature: metadata.version                          SupportedMinVersion: 3.3-IV3          \
             SupportedMaxVersion: 4.3-IV0          FinalizedVersionLevel: 4.0-IV3          Epoch: 12\n"
        );
    }
}
