//! DescribeGroups (KIP-345, KIP-430, KIP-1043).

use std::sync::Arc;

use coordinator::{Reply, Request};
use futures::future::join_all;
use protocol::messages::describe_groups_response::DescribedGroup;
use protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse};

use super::{Call, Handle, distinct, operations};
use crate::Broker;
use crate::groups::unanswered;
use crate::net::Started;

impl Handle for DescribeGroupsRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let (version, with_operations) = (call.version, self.include_authorized_operations);
        let described: Vec<_> = distinct(self.groups)
            .into_iter()
            .map(|group_id| describe(broker, version, group_id, with_operations))
            .collect();
        call.settling(async move {
            DescribeGroupsResponse { groups: join_all(described).await, ..Default::default() }
        })
    }
}

/// Asks now; the future has the answer.
fn describe(
    broker: &Broker,
    version: i16,
    group_id: String,
    with_operations: bool,
) -> impl Future<Output = DescribedGroup> + use<> {
    let asked = broker.groups.ask(Request::DescribeGroup { version, group_id: group_id.clone() });
    async move {
        match asked.await {
            Ok(Reply::DescribeGroup(group)) => DescribedGroup {
                authorized_operations: operations::if_asked(
                    with_operations && group.error_code == 0,
                    operations::ON_GROUP,
                ),
                ..group
            },
            other => DescribedGroup { group_id, error_code: unanswered(&other), ..Default::default() },
        }
    }
}
