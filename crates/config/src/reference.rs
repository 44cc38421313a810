//! The reference page of all settings, written from the table.

use std::fmt::Write;

use crate::setting::{Bounds, Preset, Scope, Setting, Update, settings};

const HEAD: &str = "\
# Settings

Every setting of Apache Kafka 4.3 by its key, and those that only Yeoul has (`yeoul.`). A node reads them from its properties file;
what may change while it runs is changed with `kafka-configs` or any admin client. A setting that Yeoul does not act on is kept,
shown, and named in the log when a node starts with it or somebody sets it.

This page is written from `schemas/settings*.tsv` by `cargo run -p yeoul-config --example settings > docs/settings.md`.
";

/// The page as Markdown.
pub fn reference_page() -> String {
    let mut page = HEAD.to_owned();
    for (scope, title, about) in [
        (
            Scope::Broker,
            "Brokers",
            "*Change*: `file` at the next start only; `broker` while running, for one broker; `cluster` also for all of them at once.",
        ),
        (
            Scope::Topic,
            "Topics",
            "*From*: the broker's settings that count, in this order, where a topic has none of its own.",
        ),
        (
            Scope::Group,
            "Groups",
            "The default is the broker's setting of the same name with `group.` before it.",
        ),
        (
            Scope::ClientMetrics,
            "Subscriptions to clients' metrics",
            "Yeoul hands metrics to nobody yet, and so asks no client for them (KIP-714).",
        ),
        (Scope::Quota, "Quotas of users and clients", "They belong to a user, a client id or both."),
    ] {
        section(&mut page, scope, title, about);
    }
    page
}

fn section(page: &mut String, scope: Scope, title: &str, about: &str) {
    let rows: Vec<&Setting> = settings(scope).iter().filter(|row| !row.internal).collect();
    let acting = rows.iter().filter(|row| row.acts).count();
    let last = if scope == Scope::Topic { "from" } else { "change" };
    let _ = write!(
        page,
        "\n## {title}\n\nYeoul acts on {acting} of {}. {about}\n\n| setting | acts | type | default | valid | {last} | what it is for |\n\
         |---|---|---|---|---|---|---|\n",
        rows.len()
    );
    rows.iter().for_each(|row| page.push_str(&line(row)));
}

fn line(row: &Setting) -> String {
    let cells = [
        format!("`{}`", row.name),
        if row.acts { "yes" } else { "no" }.to_owned(),
        format!("{:?}", row.kind).to_lowercase(),
        default(row.default),
        valid(&row.bounds),
        change(row),
        row.words().to_owned(),
    ];
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

fn default(preset: Preset) -> String {
    match preset {
        Preset::Required => "must be set".to_owned(),
        Preset::Null | Preset::Value("") => String::new(),
        Preset::Value(value) => format!("`{value}`"),
    }
}

fn valid(bounds: &Bounds) -> String {
    match bounds {
        Bounds::Any => String::new(),
        Bounds::NonEmpty => "not empty".to_owned(),
        Bounds::Range { min, max } => match (min, max) {
            (Some(min), Some(max)) => format!("{min} to {max}"),
            (Some(min), None) => format!("from {min}"),
            (None, Some(max)) => format!("to {max}"),
            (None, None) => String::new(),
        },
        Bounds::GzipLevel => "1 to 9, -1".to_owned(),
        Bounds::OneOf(words) | Bounds::OneOfIgnoringCase(words) => words.join(", "),
        Bounds::ThrottledReplicas => "`*`, or `partition:broker` pairs".to_owned(),
        Bounds::OffsetReset => "latest, earliest, `by_duration:P…`".to_owned(),
    }
}

fn change(row: &Setting) -> String {
    match row.update {
        Update::ReadOnly => "file".to_owned(),
        Update::PerBroker => "broker".to_owned(),
        Update::ClusterWide => "cluster".to_owned(),
        Update::PerTopic if row.scope == Scope::Topic => {
            row.synonyms.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        }
        Update::PerTopic => "any time".to_owned(),
    }
}
