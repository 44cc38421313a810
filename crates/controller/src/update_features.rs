//! UpdateFeatures (KIP-584, KIP-778, KIP-1022), decided as Apache Kafka 4.3.1 does: all of a request or nothing.

use std::collections::BTreeMap;

use metadata::{
    ConfigResource, ELIGIBLE_LEADER_REPLICAS, Image, KRAFT_VERSION, METADATA_VERSION, MetadataVersion,
    supported_features,
};
use protocol::ErrorCode;
use protocol::messages::update_features_response::UpdatableFeatureResult;
use protocol::messages::{
    ConfigRecord, FeatureLevelRecord, MetadataRecord, UpdateFeaturesRequest, UpdateFeaturesResponse,
};

use crate::formation::min_insync_replicas_of_the_file;
use crate::{Context, Decision, Refusal};

const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";
/// From this version on an answer does not list the features.
const WITHOUT_RESULTS_SINCE: i16 = 2;

/// How a level may change, by the numbers of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UpgradeType {
    Upgrade,
    SafeDowngrade,
    UnsafeDowngrade,
}

impl UpgradeType {
    fn from_code(code: i8) -> Option<UpgradeType> {
        match code {
            1 => Some(UpgradeType::Upgrade),
            2 => Some(UpgradeType::SafeDowngrade),
            3 => Some(UpgradeType::UnsafeDowngrade),
            _ => None,
        }
    }
}

/// The level that a feature is to have.
#[derive(Clone, Copy, Debug)]
struct Update<'a> {
    feature: &'a str,
    level: i16,
    upgrade_type: i8,
}

impl Update<'_> {
    fn refused(&self, why: &str) -> Refusal {
        let message = format!("Invalid update version {} for feature {}. {why}", self.level, self.feature);
        Refusal::new(ErrorCode::InvalidUpdateVersion, message)
    }

    fn to_record(self) -> MetadataRecord {
        FeatureLevelRecord { name: self.feature.to_owned(), feature_level: self.level }.into()
    }
}

/// Decides whether the features get these levels. `kraft_version` is the level of the quorum's own protocol, which is no record of
/// the metadata; `version` that of the request.
pub fn update_features(
    context: &Context<'_>,
    request: &UpdateFeaturesRequest,
    version: i16,
    kraft_version: i16,
) -> Decision<UpdateFeaturesResponse> {
    // Of a feature that is named twice the last counts.
    let updates: BTreeMap<&str, Update<'_>> = request
        .feature_updates
        .iter()
        .map(|asked| {
            let (feature, level, upgrade_type) =
                (asked.feature.as_str(), asked.max_version_level, asked.upgrade_type);
            (feature, Update { feature, level, upgrade_type })
        })
        .collect();
    let records: Result<Vec<_>, Refusal> =
        updates.values().map(|update| decide(context, update, kraft_version)).collect();
    match records {
        Ok(_) if request.validate_only => Decision::unchanged(done(request, version)),
        Ok(records) => {
            let mut all = elr_safety(context, &updates);
            all.extend(records.into_iter().flatten());
            Decision { records: all, reply: done(request, version) }
        }
        Err(refusal) => Decision::unchanged(failed(&refusal)),
    }
}

/// Apache Kafka's answer, which writes the name of the code that is no error where a message would be.
fn done(request: &UpdateFeaturesRequest, version: i16) -> UpdateFeaturesResponse {
    let result = |feature: &String| UpdatableFeatureResult {
        feature: feature.clone(),
        error_code: ErrorCode::None.code(),
        error_message: Some(ErrorCode::None.name().to_owned()),
    };
    let named = request.feature_updates.iter().map(|asked| &asked.feature);
    let results = if version < WITHOUT_RESULTS_SINCE { named.map(result).collect() } else { Vec::new() };
    UpdateFeaturesResponse { error_message: None, results, ..Default::default() }
}

fn failed(refusal: &Refusal) -> UpdateFeaturesResponse {
    let message = format!(
        "The update failed for all features since the following feature had an error: {}",
        refusal.message
    );
    UpdateFeaturesResponse {
        error_code: refusal.error.code(),
        error_message: Some(message),
        ..Default::default()
    }
}

/// The record of one feature, if there is one to write.
fn decide(
    context: &Context<'_>,
    update: &Update<'_>,
    kraft_version: i16,
) -> Result<Option<MetadataRecord>, Refusal> {
    let Some(upgrade_type) = UpgradeType::from_code(update.upgrade_type) else {
        return Err(update.refused("The controller does not support the given upgrade type."));
    };
    let current = match update.feature {
        METADATA_VERSION => context.image.features.metadata_version().0,
        KRAFT_VERSION => kraft_version,
        name => context.image.features.level(name),
    };
    if update.level < 0 {
        return Err(update.refused("A feature version cannot be less than 0."));
    }
    check_support(context, update)?;
    if update.level < current && upgrade_type == UpgradeType::Upgrade {
        return Err(update.refused(
            "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.",
        ));
    }
    if update.level > current && upgrade_type != UpgradeType::Upgrade {
        return Err(update.refused("Can't downgrade to a newer version."));
    }
    match update.feature {
        METADATA_VERSION => {
            check_metadata_downgrade(MetadataVersion(current), MetadataVersion(update.level), upgrade_type)?;
        }
        KRAFT_VERSION => return check_kraft_version(update, current).map(|()| None),
        _ => check_dependencies(context.image, update)?,
    }
    Ok(Some(update.to_record()))
}

/// Whether every node has the level: this controller, the brokers, the other controllers.
fn check_support(context: &Context<'_>, update: &Update<'_>) -> Result<(), Refusal> {
    let check = |who: &str, (min, max): (i16, i16)| match update.level {
        level if (min..=max).contains(&level) => Ok(()),
        _ if max == 0 => Err(update.refused(&format!("{who} does not support this feature."))),
        _ => Err(update.refused(&format!("{who} only supports versions {min}-{max}"))),
    };
    let own = context.config.node.id;
    let local = supported_features().find(|(name, ..)| *name == update.feature);
    check(&format!("Local controller {own}"), local.map_or((0, 0), |(_, min, max)| (min, max)))?;
    let cluster = &context.image.cluster;
    for broker in cluster.brokers() {
        let feature = broker.features.iter().find(|feature| feature.name == update.feature);
        let range =
            feature.map_or((0, 0), |known| (known.min_supported_version, known.max_supported_version));
        check(&format!("Broker {}", broker.broker_id), range)?;
    }
    for controller in cluster.controllers().filter(|known| known.controller_id != own) {
        let feature = controller.features.iter().find(|feature| feature.name == update.feature);
        let range =
            feature.map_or((0, 0), |known| (known.min_supported_version, known.max_supported_version));
        check(&format!("Controller {}", controller.controller_id), range)?;
    }
    Ok(())
}

/// A level can be left only if the metadata can be written without what came with it.
fn check_metadata_downgrade(
    current: MetadataVersion,
    target: MetadataVersion,
    upgrade_type: UpgradeType,
) -> Result<(), Refusal> {
    if target >= current || !current.changed_metadata_since(target) {
        return Ok(());
    }
    let why = if upgrade_type == UpgradeType::UnsafeDowngrade {
        "Unsafe metadata downgrade is not supported in this version."
    } else {
        "Refusing to perform the requested downgrade because it might delete metadata information."
    };
    let message = format!("Unsupported metadata.version downgrade from {} to {}. {why}", current.0, target.0);
    Err(Refusal::new(ErrorCode::InvalidUpdateVersion, message))
}

/// The version of the quorum's protocol says where its voters are written down: that is decided when a directory is formatted.
fn check_kraft_version(update: &Update<'_>, current: i16) -> Result<(), Refusal> {
    match update.level.cmp(&current) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(update.refused("Can't downgrade the version of this feature.")),
        std::cmp::Ordering::Greater => Err(update.refused(
            "Yeoul cannot move the voters of a quorum from its settings into its log yet: format with --standalone instead.",
        )),
    }
}

fn check_dependencies(image: &Image, update: &Update<'_>) -> Result<(), Refusal> {
    if !supported_features().any(|(name, ..)| name == update.feature) {
        return Err(update.refused(&format!("Feature {} not found.", update.feature)));
    }
    let on = update.feature == ELIGIBLE_LEADER_REPLICAS && update.level > 0;
    if on && !image.features.metadata_version().has_elr() {
        let message = format!(
            "{ELIGIBLE_LEADER_REPLICAS} could not be set to {} because it depends on metadata.version level 23",
            update.level
        );
        return Err(update.refused(&message));
    }
    Ok(())
}

/// With eligible leader replicas `min.insync.replicas` is a setting of the cluster, and none of a broker (KIP-966).
fn elr_safety(context: &Context<'_>, updates: &BTreeMap<&str, Update<'_>>) -> Vec<MetadataRecord> {
    if updates.get(ELIGIBLE_LEADER_REPLICAS).is_none_or(|update| update.level == 0) {
        return Vec::new();
    }
    let (configs, cluster) = (&context.image.configs, ConfigResource::all_brokers());
    let record = |resource: &ConfigResource, value: Option<String>| {
        MetadataRecord::from(ConfigRecord {
            resource_type: resource.resource_type.0,
            resource_name: resource.name.clone(),
            name: MIN_INSYNC_REPLICAS.to_owned(),
            value,
        })
    };
    let missing = configs.get(&cluster, MIN_INSYNC_REPLICAS).is_none();
    let added = missing.then(|| record(&cluster, Some(min_insync_replicas_of_the_file(context.config))));
    let of_broker = |resource: &&ConfigResource| {
        resource.resource_type == cluster.resource_type
            && !resource.name.is_empty()
            && configs.get(resource, MIN_INSYNC_REPLICAS).is_some()
    };
    let removed = configs.resources().filter(of_broker).map(|resource| record(resource, None));
    added.into_iter().chain(removed).collect()
}
