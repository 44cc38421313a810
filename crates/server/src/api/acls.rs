//! DescribeAcls, CreateAcls and DeleteAcls, as Kafka answers them where no authorizer is configured: there are no ACLs, and a
//! client such as MirrorMaker goes on without them.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::create_acls_response::AclCreationResult;
use protocol::messages::delete_acls_response::DeleteAclsFilterResult;
use protocol::messages::{
    CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest, DeleteAclsResponse, DescribeAclsRequest,
    DescribeAclsResponse,
};

use super::{Call, Handle};
use crate::Broker;
use crate::net::Started;

/// Error code and message. Kafka's brokers, which answer the first API, and its controllers, which answer the others, do not say quite
/// the same.
fn refusal(message: &str) -> (i16, Option<String>) {
    (ErrorCode::SecurityDisabled.code(), Some(message.to_owned()))
}

impl Handle for DescribeAclsRequest {
    fn start(self, _: &Arc<Broker>, call: Call) -> Started {
        let (error_code, error_message) = refusal("No Authorizer is configured on the broker");
        call.done(&DescribeAclsResponse { error_code, error_message, ..Default::default() })
    }
}

impl Handle for CreateAclsRequest {
    fn start(self, _: &Arc<Broker>, call: Call) -> Started {
        let (error_code, error_message) = refusal("No Authorizer is configured.");
        let refused = AclCreationResult { error_code, error_message };
        call.done(&CreateAclsResponse { results: vec![refused; self.creations.len()], ..Default::default() })
    }
}

impl Handle for DeleteAclsRequest {
    fn start(self, _: &Arc<Broker>, call: Call) -> Started {
        let (error_code, error_message) = refusal("No Authorizer is configured.");
        let refused = DeleteAclsFilterResult { error_code, error_message, ..Default::default() };
        call.done(&DeleteAclsResponse {
            filter_results: vec![refused; self.filters.len()],
            ..Default::default()
        })
    }
}
