//! DeleteGroups (KIP-229): groups without members, with their offsets.

use std::sync::Arc;

use coordinator::{Reply, Request};
use futures::future::join_all;
use protocol::messages::delete_groups_response::DeletableGroupResult;
use protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use super::{Call, Handle, distinct};
use crate::Broker;
use crate::groups::unanswered;
use crate::net::Started;

impl Handle for DeleteGroupsRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let deleted: Vec<_> =
            distinct(self.groups_names).into_iter().map(|group_id| delete(broker, group_id)).collect();
        call.settling(async move {
            DeleteGroupsResponse { results: join_all(deleted).await, ..Default::default() }
        })
    }
}

/// Asks now; the future has the answer.
fn delete(broker: &Broker, group_id: String) -> impl Future<Output = DeletableGroupResult> + use<> {
    let asked = broker.groups.ask(Request::DeleteGroup { group_id: group_id.clone() });
    async move {
        match asked.await {
            Ok(Reply::DeleteGroup(result)) => result,
            other => DeletableGroupResult { group_id, error_code: unanswered(&other), ..Default::default() },
        }
    }
}
