//! Credentials of users for SCRAM (KIP-554).

use bytes::Bytes;
use protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use protocol::messages::describe_user_scram_credentials_request::UserName;
use protocol::messages::{AlterUserScramCredentialsRequest, DescribeUserScramCredentialsRequest};
use protocol::{ErrorCode, scram::ScramMechanism};

use crate::cluster::Cluster;
use crate::error::{ClientError, check};

/// A user that has credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScramUser {
    /// The name.
    pub name: String,
    /// How often the password was hashed for each mechanism, in the order of the answer.
    pub iterations: Vec<(ScramMechanism, i32)>,
}

/// What becomes of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScramChange {
    /// It is removed.
    Delete(ScramMechanism),
    /// It is made, or another takes its place. The password itself stays here.
    Upsert {
        /// The mechanism.
        mechanism: ScramMechanism,
        /// How often the password was hashed.
        iterations: i32,
        /// What it was hashed with.
        salt: Vec<u8>,
        /// What came of it.
        salted_password: Vec<u8>,
    },
}

impl Cluster {
    /// Users and their credentials, in the order of the answer: those of the list that have any, or all.
    pub async fn describe_scram_users(
        &mut self,
        names: Option<&[String]>,
    ) -> Result<Vec<ScramUser>, ClientError> {
        let user = |name: &String| UserName { name: name.clone() };
        let request = DescribeUserScramCredentialsRequest {
            users: names.map(|names| names.iter().map(user).collect()),
        };
        let response = self.ask(&request).await?;
        check(response.error_code, response.error_message.as_deref())?;
        let mut users = Vec::new();
        for result in response.results {
            match check(result.error_code, result.error_message.as_deref()) {
                Err(error) if error.code() == Some(ErrorCode::ResourceNotFound) => continue,
                told => told?,
            }
            let known =
                |info: &protocol::messages::describe_user_scram_credentials_response::CredentialInfo| {
                    Some((ScramMechanism::from_code(info.mechanism)?, info.iterations))
                };
            let iterations = result.credential_infos.iter().filter_map(known).collect();
            users.push(ScramUser { name: result.user, iterations });
        }
        Ok(users)
    }

    /// Changes the credentials of a user.
    pub async fn alter_scram_user(&mut self, user: &str, changes: &[ScramChange]) -> Result<(), ClientError> {
        let mut request = AlterUserScramCredentialsRequest::default();
        for change in changes {
            let name = user.to_owned();
            match change {
                ScramChange::Delete(mechanism) => {
                    request.deletions.push(ScramCredentialDeletion { name, mechanism: mechanism.code() });
                }
                ScramChange::Upsert { mechanism, iterations, salt, salted_password } => {
                    request.upsertions.push(ScramCredentialUpsertion {
                        name,
                        mechanism: mechanism.code(),
                        iterations: *iterations,
                        salt: Bytes::copy_from_slice(salt),
                        salted_password: Bytes::copy_from_slice(salted_password),
                    });
                }
            }
        }
        let results = self.ask(&request).await?.results;
        results.iter().try_for_each(|result| check(result.error_code, result.error_message.as_deref()))
    }
}
