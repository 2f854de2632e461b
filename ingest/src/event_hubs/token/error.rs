//! Why there is no token: which identity, at which address, and what to do. Neither tokens nor secrets are ever in it.

use std::time::Duration;

use crate::Kind;

/// A failure to get a token. Cloned, because it is told to all who ask until it may be tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("`{setting}` {reason}")]
    Setting { setting: String, reason: String },
    #[error("the signature in `{place}` {reason}")]
    Signature { place: String, reason: String },
    #[error("the signature in `{place}` expired at {expired}")]
    Expired { place: String, expired: String },
    #[error("cannot read the token of the {identity}: {reason}")]
    TokenFile { identity: String, reason: String },
    #[error("no answer for the {identity} from `{endpoint}`: {reason}")]
    Unreachable { identity: String, endpoint: String, reason: String },
    #[error("`{endpoint}` has no time for the {identity}: status {status}{}", wait(*retry_after))]
    Busy { identity: String, endpoint: String, status: u16, retry_after: Option<Duration> },
    #[error("`{endpoint}` refuses the {identity}: status {status}, {code}: {description}")]
    Refused { identity: String, endpoint: String, status: u16, code: String, description: String },
    #[error("`{endpoint}` answers for the {identity} what is no token: {reason}")]
    Malformed { identity: String, endpoint: String, reason: String },
}

fn wait(retry_after: Option<Duration>) -> String {
    retry_after.map_or(String::new(), |wait| format!(", to be asked again in {} s", wait.as_secs()))
}

impl Error {
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Error::Unreachable { .. } | Error::Busy { .. } | Error::Malformed { .. } => Kind::Retry,
            Error::Setting { .. }
            | Error::Signature { .. }
            | Error::Expired { .. }
            | Error::TokenFile { .. }
            | Error::Refused { .. } => Kind::Input,
        }
    }

    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Setting { .. } | Error::Busy { .. } => return None,
            Error::Signature { .. } => {
                "it has the form `SharedAccessSignature sr=…&sig=…&se=…&skn=…`, with `se` in seconds since 1970"
            }
            Error::Expired { .. } => {
                "put a new one there; a file is read anew, so that whoever renews it in time interrupts nothing"
            }
            Error::TokenFile { .. } => {
                "check that the pod carries the label `azure.workload.identity/use: \"true\"` and its service account the client id, \
                 or set `ingest.event_hubs.entra.token_file`"
            }
            Error::Unreachable { identity, .. } if identity.contains("managed") => {
                "is this a machine, app or container of Azure with an identity? Elsewhere, set \
                 `ingest.event_hubs.entra.method` to `workload-identity` or `client-secret`"
            }
            Error::Unreachable { .. } => {
                "check `ingest.event_hubs.entra.authority`, name resolution, firewall and proxy (`HTTPS_PROXY`)"
            }
            Error::Malformed { .. } => {
                "something else than Microsoft's service answers there: check the address, and the proxy"
            }
            Error::Refused { code, description, identity, .. } => refusal(code, description, identity)?,
        };
        Some(hint.into())
    }
}

/// The cause behind the code, for the codes that people meet.
/// (learn.microsoft.com, "Microsoft Entra authentication and authorization error codes".)
fn refusal(code: &str, description: &str, identity: &str) -> Option<&'static str> {
    Some(match code {
        "AADSTS7000215" => {
            "the client secret is not this application's: take the secret's value, not its id, and check \
             `ingest.event_hubs.entra.client_id`"
        }
        "AADSTS7000222" => "the client secret has expired: make a new one for the application",
        "AADSTS700016" => {
            "the directory has no such application: check `ingest.event_hubs.entra.client_id` and `tenant_id`"
        }
        "AADSTS90002" | "AADSTS900023" | "AADSTS900021" => {
            "there is no such directory: check `ingest.event_hubs.entra.tenant_id` and `authority`"
        }
        "AADSTS70021" | "AADSTS700211" | "AADSTS700212" | "AADSTS700213" => {
            "no federated credential of the application fits the token: its issuer, subject \
             (`system:serviceaccount:NAMESPACE:NAME`) and audience (`api://AzureADTokenExchange`) must be the service account's"
        }
        "AADSTS700024" => "the token in the file has expired: is the volume still projected, and the clock right?",
        "AADSTS500011" => {
            "the directory does not know the namespace: check `ingest.event_hubs.namespace`, and that the subscription \
             has registered Microsoft.EventHub"
        }
        "AADSTS53003" => "a policy of conditional access forbids it: ask who manages the directory",
        _ if identity.contains("managed") && description.to_ascii_lowercase().contains("identity") => {
            "this machine, app or container has no such identity: assign one, or check `ingest.event_hubs.entra.client_id`"
        }
        _ => return None,
    })
}
