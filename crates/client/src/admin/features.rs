//! Levels of features (KIP-584).

use protocol::messages::UpdateFeaturesRequest;
use protocol::messages::update_features_request::FeatureUpdateKey;

use crate::cluster::{Cluster, millis};
use crate::error::{ClientError, check};

/// A feature as a node knows it and as the cluster has agreed on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedFeature {
    /// Its name.
    pub name: String,
    /// The lowest level that the node supports.
    pub min: i16,
    /// The highest level that the node supports.
    pub max: i16,
    /// The level that the cluster is at; 0 where it is off.
    pub level: i16,
}

/// The features of a cluster at one place of its metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribedFeatures {
    /// The features, by name.
    pub features: Vec<DescribedFeature>,
    /// The place of the metadata; none where the node does not say.
    pub epoch: Option<i64>,
}

/// In which direction levels may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpgradeType {
    /// Up.
    Upgrade,
    /// Down, where no metadata is lost.
    SafeDowngrade,
    /// Down, whatever is lost.
    UnsafeDowngrade,
}

impl Cluster {
    /// The features that a node supports, and their levels in the cluster.
    pub async fn describe_features(&mut self) -> Result<DescribedFeatures, ClientError> {
        let versions = self.any_api_versions().await?;
        let level = |name: &str| {
            let agreed = versions.finalized_features.iter().find(|feature| feature.name == name);
            agreed.map_or(0, |feature| feature.max_version_level)
        };
        let mut features: Vec<DescribedFeature> = versions
            .supported_features
            .iter()
            .map(|it| DescribedFeature {
                name: it.name.clone(),
                min: it.min_version,
                max: it.max_version,
                level: level(&it.name),
            })
            .collect();
        features.sort_by(|a, b| a.name.cmp(&b.name));
        let epoch = Some(versions.finalized_features_epoch).filter(|epoch| *epoch >= 0);
        Ok(DescribedFeatures { features, epoch })
    }

    /// Changes levels, all of them or none; with `validate_only` none in any case.
    pub async fn update_features(
        &mut self,
        levels: &[(String, i16)],
        direction: UpgradeType,
        validate_only: bool,
    ) -> Result<(), ClientError> {
        // Version 0 only knew that a level may go down at all.
        let is_old = self.any().await?.version::<UpdateFeaturesRequest>(i16::MAX)? == 0;
        let upgrade_type = match direction {
            UpgradeType::SafeDowngrade if !is_old => 2,
            UpgradeType::UnsafeDowngrade if !is_old => 3,
            _ => 1,
        };
        let update = |(feature, level): &(String, i16)| FeatureUpdateKey {
            feature: feature.clone(),
            max_version_level: *level,
            allow_downgrade: is_old && direction != UpgradeType::Upgrade,
            upgrade_type,
        };
        let request = UpdateFeaturesRequest {
            timeout_ms: millis(self.options().request_timeout),
            feature_updates: levels.iter().map(update).collect(),
            validate_only,
        };
        let response = self.ask(&request).await?;
        check(response.error_code, response.error_message.as_deref())?;
        let mut results = response.results.iter();
        results.try_for_each(|result| check(result.error_code, result.error_message.as_deref()))
    }
}
