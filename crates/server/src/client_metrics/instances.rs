//! What the clients that ask were told, and when they may come again. Pure: the time and the ids are given.

use std::collections::HashMap;
use std::net::SocketAddr;

use config::ClientAttribute;
use indexmap::IndexMap;
use protocol::messages::PushTelemetryRequest;
use protocol::{ErrorCode, Uuid};

use super::subscriptions::{Subscriptions, Wanted};

/// Clients that are remembered at most. Of more, the one is forgotten that came to be known first.
const INSTANCES_MAX: usize = 16_384;
/// A client that was silent for so long, and for three intervals, is forgotten.
const SILENCE_MIN_MS: i64 = 60_000;
/// Codecs that a push may have, by their numbers.
const COMPRESSIONS: std::ops::RangeInclusive<i8> = 0..=4;

/// Who asks.
pub(crate) struct Client<'a> {
    pub(crate) instance_id: Uuid,
    pub(crate) client_id: &'a str,
    pub(crate) software_name: &'a str,
    pub(crate) software_version: &'a str,
    pub(crate) address: SocketAddr,
    pub(crate) connection_id: u64,
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscribed {
    pub(crate) subscription_id: i32,
    pub(crate) metrics: Vec<String>,
    pub(crate) push_interval_ms: i32,
}

/// A client that asked before.
struct Instance {
    wanted: Wanted,
    subscription_id: i32,
    subscriptions_version: u64,
    connection_id: u64,
    /// None if it never did.
    last_get_ms: Option<i64>,
    last_push_ms: Option<i64>,
    last_seen_ms: i64,
    terminating: bool,
    last_error: ErrorCode,
}

impl Instance {
    fn is_silent(&self, uptime_ms: i64) -> bool {
        let patience_ms = SILENCE_MIN_MS.max(i64::from(self.wanted.push_interval_ms) * 3);
        uptime_ms.saturating_sub(self.last_seen_ms) > patience_ms
    }

    fn is_due(&self, last_ms: Option<i64>, uptime_ms: i64) -> bool {
        let interval_ms = i64::from(self.wanted.push_interval_ms);
        last_ms.is_none_or(|last_ms| uptime_ms.saturating_sub(last_ms) >= interval_ms)
    }

    fn may_get(&mut self, uptime_ms: i64) -> Result<(), ErrorCode> {
        if self.is_due(self.last_get_ms.max(self.last_push_ms), uptime_ms) {
            self.last_get_ms = Some(uptime_ms);
            return Ok(());
        }
        // Who was told that its subscription is out of date asks for the new one at once.
        match self.last_error {
            ErrorCode::UnknownSubscriptionId | ErrorCode::UnsupportedCompressionType => Ok(()),
            _ => Err(ErrorCode::ThrottlingQuotaExceeded),
        }
    }

    fn may_push(
        &mut self,
        request: &PushTelemetryRequest,
        bytes_max: usize,
        uptime_ms: i64,
    ) -> Result<(), ErrorCode> {
        if self.terminating {
            return Err(ErrorCode::InvalidRequest);
        }
        // The first push after a subscription comes at a random part of the interval.
        let due = self.last_get_ms > self.last_push_ms || self.is_due(self.last_push_ms, uptime_ms);
        if due {
            self.last_push_ms = Some(uptime_ms);
        } else if !request.terminating {
            return Err(ErrorCode::ThrottlingQuotaExceeded);
        }
        if request.subscription_id != self.subscription_id {
            return Err(ErrorCode::UnknownSubscriptionId);
        }
        if !COMPRESSIONS.contains(&request.compression_type) {
            return Err(ErrorCode::UnsupportedCompressionType);
        }
        if request.metrics.len() > bytes_max {
            return Err(ErrorCode::TelemetryTooLarge);
        }
        Ok(())
    }
}

/// All clients that asked.
#[derive(Default)]
pub(super) struct Instances {
    by_id: IndexMap<Uuid, Instance>,
    by_connection: HashMap<u64, Uuid>,
}

impl Instances {
    pub(super) fn get(
        &mut self,
        subscriptions: &Subscriptions,
        client: &Client<'_>,
        uptime_ms: i64,
    ) -> Result<Subscribed, ErrorCode> {
        let instance = self.find_or_make(subscriptions, client, uptime_ms);
        instance.may_get(uptime_ms)?;
        instance.last_error = ErrorCode::None;
        Ok(Subscribed {
            subscription_id: instance.subscription_id,
            metrics: instance.wanted.metrics.clone(),
            push_interval_ms: instance.wanted.push_interval_ms,
        })
    }

    pub(super) fn push(
        &mut self,
        subscriptions: &Subscriptions,
        client: &Client<'_>,
        request: &PushTelemetryRequest,
        bytes_max: usize,
        uptime_ms: i64,
    ) -> Result<(), ErrorCode> {
        let instance = self.find_or_make(subscriptions, client, uptime_ms);
        let allowed = instance.may_push(request, bytes_max, uptime_ms);
        instance.terminating = request.terminating;
        allowed
    }

    /// How the last push of a client ended.
    pub(super) fn note_outcome(&mut self, instance_id: Uuid, outcome: Result<(), ErrorCode>) {
        if let Some(instance) = self.by_id.get_mut(&instance_id) {
            instance.last_error = outcome.err().unwrap_or(ErrorCode::None);
        }
    }

    pub(super) fn forget_connection(&mut self, connection_id: u64) {
        if let Some(instance_id) = self.by_connection.remove(&connection_id) {
            self.by_id.shift_remove(&instance_id);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    #[cfg(test)]
    pub(super) fn connections(&self) -> usize {
        self.by_connection.len()
    }

    /// The client as it is known; anew if the subscriptions changed since, or if it was silent for long.
    fn find_or_make(
        &mut self,
        subscriptions: &Subscriptions,
        client: &Client<'_>,
        uptime_ms: i64,
    ) -> &mut Instance {
        let id = client.instance_id;
        let stale = |known: &Instance| {
            known.subscriptions_version != subscriptions.version() || known.is_silent(uptime_ms)
        };
        if self.by_id.get(&id).is_none_or(stale) {
            self.forget(id);
            self.make_room();
            self.by_connection.insert(client.connection_id, id);
        }
        let instance = self.by_id.entry(id).or_insert_with(|| made(subscriptions, client, uptime_ms));
        instance.last_seen_ms = uptime_ms;
        instance
    }

    fn forget(&mut self, id: Uuid) {
        if let Some(known) = self.by_id.shift_remove(&id)
            && self.by_connection.get(&known.connection_id) == Some(&id)
        {
            self.by_connection.remove(&known.connection_id);
        }
    }

    fn make_room(&mut self) {
        while self.by_id.len() >= INSTANCES_MAX {
            let Some(first) = self.by_id.keys().next().copied() else { return };
            self.forget(first);
        }
    }
}

fn made(subscriptions: &Subscriptions, client: &Client<'_>, uptime_ms: i64) -> Instance {
    let wanted = wanted_of(subscriptions, client);
    Instance {
        subscription_id: subscription_id(&wanted, client.instance_id),
        wanted,
        subscriptions_version: subscriptions.version(),
        connection_id: client.connection_id,
        last_get_ms: None,
        last_push_ms: None,
        last_seen_ms: uptime_ms,
        terminating: false,
        last_error: ErrorCode::None,
    }
}

fn wanted_of(subscriptions: &Subscriptions, client: &Client<'_>) -> Wanted {
    let instance_id = client.instance_id.to_string();
    let (address, port) = (client.address.ip().to_string(), client.address.port().to_string());
    subscriptions.of(|attribute| match attribute {
        ClientAttribute::InstanceId => instance_id.as_str(),
        ClientAttribute::ClientId => client.client_id,
        ClientAttribute::SoftwareName => client.software_name,
        ClientAttribute::SoftwareVersion => client.software_version,
        ClientAttribute::SourceAddress => address.as_str(),
        ClientAttribute::SourcePort => port.as_str(),
    })
}

/// A number that is another one if other metrics are wanted, and another one for each client.
fn subscription_id(wanted: &Wanted, instance_id: Uuid) -> i32 {
    let text = format!("{:?}{}", wanted.metrics, wanted.push_interval_ms);
    let id = u128::from_be_bytes(instance_id.0);
    let folded = (id ^ (id >> 32) ^ (id >> 64) ^ (id >> 96)) as u32;
    (crc32c::crc32c(text.as_bytes()) ^ folded) as i32
}

/// Ids that no client may have.
pub(super) fn is_reserved(id: Uuid) -> bool {
    id.is_zero() || id == Uuid::METADATA_TOPIC_ID
}
