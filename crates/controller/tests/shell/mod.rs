//! A controller in memory: an image, settings, and numbers in place of randomness.
#![allow(dead_code, reason = "each test uses a part")]

use config::BrokerConfig;
use controller::{Context, Decision};
use metadata::{Image, Loader};
use protocol::Uuid;
use protocol::messages::*;

/// The log directory of every broker.
pub const DIRECTORY: Uuid = Uuid([5; 16]);

pub struct Shell {
    pub loader: Loader,
    pub config: BrokerConfig,
    draws: u64,
}

impl Shell {
    /// A cluster of brokers 1 to n that serve, with settings over the defaults.
    pub fn new(brokers: i32, settings: &[(&str, &str)]) -> Shell {
        let mut properties = BrokerConfig::standalone(std::path::Path::new("/data"));
        settings.iter().for_each(|(key, value)| properties.set(*key, *value));
        let (config, _) = BrokerConfig::new(&properties).expect("the settings are valid");
        let mut shell = Shell { loader: Loader::default(), config, draws: 0 };
        shell.apply(&metadata::bootstrap_features(metadata::MetadataVersion::LATEST));
        (1..=brokers).for_each(|id| shell.apply(&[broker(id, None, false)]));
        shell
    }

    pub fn image(&self) -> &Image {
        self.loader.image()
    }

    pub fn apply(&mut self, records: &[MetadataRecord]) {
        for record in records {
            self.loader.apply(record).expect("the controller's records can be applied");
        }
    }

    /// Decides, and carries it out.
    pub fn run<R>(&mut self, decide: impl FnOnce(&mut Context<'_>) -> Decision<R>) -> R {
        let draws = &mut self.draws;
        let mut random = || {
            *draws += 1;
            draws.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        let image = self.loader.image().clone();
        let decision = decide(&mut Context { image: &image, config: &self.config, random: &mut random });
        self.apply(&decision.records);
        decision.reply
    }
}

/// The registration of a broker.
pub fn broker(broker_id: i32, rack: Option<&str>, fenced: bool) -> MetadataRecord {
    let (rack, log_dirs) = (rack.map(str::to_owned), vec![DIRECTORY]);
    RegisterBrokerRecord { broker_id, broker_epoch: 10, rack, fenced, log_dirs, ..Default::default() }.into()
}
