//! JoinGroup (KIP-62, KIP-345, KIP-394, KIP-559, KIP-800): answered when all members of the next generation have joined.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use coordinator::{Caller, Reply, Request};
use host::Random;
use protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use super::{Call, Handle};
use crate::Broker;
use crate::groups::unanswered;
use crate::net::Started;

impl Handle for JoinGroupRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let caller = Caller {
            client_id: call.client_id.to_string(),
            client_host: client_host(call.peer.address.ip()),
            random: draw(&*broker.host.random),
        };
        if let Some(reason) = self.reason.as_deref() {
            tracing::debug!(group = self.group_id, member = self.member_id, reason, "a member joins");
        }
        let asked = broker.groups.ask(Request::JoinGroup { version: call.version, caller, request: self });
        call.settling(async move {
            match asked.await {
                Ok(Reply::JoinGroup(response)) => response,
                other => JoinGroupResponse {
                    error_code: unanswered(&other),
                    protocol_name: Some(String::new()),
                    ..Default::default()
                },
            }
        })
    }
}

fn draw(random: &dyn Random) -> u128 {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    u128::from_ne_bytes(bytes)
}

/// An address without a name as Java writes it: after a slash, and IPv6 with all its groups.
fn client_host(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("/{address}"),
        IpAddr::V6(address) => format!("/{}", groups_of(address)),
    }
}

fn groups_of(address: Ipv6Addr) -> String {
    address.segments().map(|group| format!("{group:x}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_written_as_java_writes_them() {
        let host = |address: &str| client_host(address.parse().unwrap());
        assert_eq!(host("127.0.0.1"), "/127.0.0.1");
        assert_eq!(host("::ffff:10.0.0.7"), "/10.0.0.7");
        assert_eq!(host("::1"), "/0:0:0:0:0:0:0:1");
        assert_eq!(host("2001:db8::a0:1"), "/2001:db8:0:0:0:0:a0:1");
    }
}
