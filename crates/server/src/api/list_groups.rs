//! ListGroups (KIP-518, KIP-848): the groups of all partitions that this broker leads.

use std::sync::Arc;

use coordinator::{Reply, Request};
use futures::future::join_all;
use protocol::ErrorCode;
use protocol::messages::{ListGroupsRequest, ListGroupsResponse};

use super::{Call, Handle};
use crate::Broker;
use crate::net::Started;

impl Handle for ListGroupsRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let partitions = broker.groups.partitions_led().into_iter();
        let asked: Vec<_> = partitions
            .map(|partition| broker.groups.ask_partition(partition, Request::ListGroups(self.clone())))
            .collect();
        call.settling(async move { together(join_all(asked).await) })
    }
}

/// All groups, or the first error. A partition that moved away meanwhile is another broker's to list.
fn together(replies: Vec<Result<Reply, ErrorCode>>) -> ListGroupsResponse {
    let mut all = ListGroupsResponse::default();
    for reply in replies {
        let Ok(Reply::ListGroups(listed)) = reply else { continue };
        match ErrorCode::from(listed.error_code) {
            ErrorCode::None => all.groups.extend(listed.groups),
            ErrorCode::NotCoordinator => {}
            _ => return listed,
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use protocol::messages::list_groups_response::ListedGroup;

    use super::*;

    fn groups(names: &[&str]) -> Result<Reply, ErrorCode> {
        let groups =
            names.iter().map(|name| ListedGroup { group_id: (*name).to_owned(), ..Default::default() });
        Ok(Reply::ListGroups(ListGroupsResponse { groups: groups.collect(), ..Default::default() }))
    }

    fn error(error: ErrorCode) -> Result<Reply, ErrorCode> {
        Ok(Reply::ListGroups(ListGroupsResponse { error_code: error.code(), ..Default::default() }))
    }

    #[test]
    fn the_groups_of_all_partitions_are_listed_unless_one_of_them_is_loading() {
        let listed = together(vec![groups(&["a"]), error(ErrorCode::NotCoordinator), groups(&["b", "c"])]);
        let names: Vec<&str> = listed.groups.iter().map(|group| &*group.group_id).collect();
        assert_eq!((listed.error_code, names), (0, vec!["a", "b", "c"]));

        let loading = ErrorCode::CoordinatorLoadInProgress;
        let listed = together(vec![groups(&["a"]), error(loading), groups(&["b"])]);
        assert_eq!((listed.error_code, listed.groups.len()), (loading.code(), 0));
    }
}
