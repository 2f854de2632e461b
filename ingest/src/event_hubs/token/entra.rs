//! Microsoft Entra ID: who we are, and the one question that each kind of identity asks.
//!
//! - a *workload identity* (Kubernetes) shows a token of the cluster, from a file that the cluster renews: read anew for each
//!   question (learn.microsoft.com, "Microsoft identity platform and the OAuth 2.0 client credentials flow");
//! - a *managed identity* asks an endpoint beside us: App Service and Container Apps name one in the environment, virtual
//!   machines have IMDS ("How to use managed identities for Azure resources … to acquire an access token", "… App Service");
//! - an application with a *client secret*, read anew each time as well.

use std::path::PathBuf;
use std::time::SystemTime;

use reqwest::{Certificate, Client, Request};
use types::Secret;
use url::{Host, Url};

use super::http::{self, Patience};
use super::{Error, Token, setting};
use crate::event_hubs::hidden::Hidden;
use crate::event_hubs::{Config, EntraMethod};

const AUTHORITY: &str = "https://login.microsoftonline.com";
const IMDS: &str = "http://169.254.169.254";

/// Looks a variable of the environment up.
type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// How errors call the identity, and where it asks.
#[derive(Debug)]
pub(super) struct Who {
    pub(super) identity: String,
    url: Url,
    /// What was sent and must not come back in a message.
    sent: Vec<Hidden>,
}

#[derive(Debug)]
pub(super) struct Entra {
    proof: Proof,
    identity: String,
    url: Url,
    scope: String,
    client_id: Option<String>,
    client: Client,
}

/// With what an identity shows that it is itself.
#[derive(Debug)]
enum Proof {
    TokenFile(PathBuf),
    ClientSecret(Secret),
    /// The header that App Service wants to see.
    AppService(Hidden),
    Machine,
}

// === impl Entra ===

impl Entra {
    pub(super) fn new(config: &Config, scope: String, environment: Environment<'_>) -> Result<Self, Error> {
        Entra::with_patience(config, scope, environment, http::PATIENCE)
    }

    pub(super) fn with_patience(
        config: &Config,
        scope: String,
        environment: Environment<'_>,
        patience: Patience,
    ) -> Result<Self, Error> {
        let entra = &config.entra;
        let environment = |name: &str| environment(name).filter(|value| !value.is_empty());
        let client_id = entra.client_id.clone().or_else(|| environment("AZURE_CLIENT_ID"));
        let tenant_id = entra.tenant_id.clone().or_else(|| environment("AZURE_TENANT_ID"));
        let token_file = entra.token_file.clone().or_else(|| environment("AZURE_FEDERATED_TOKEN_FILE"));
        if entra.client_secret.is_some() && entra.method != EntraMethod::ClientSecret {
            return Err(missing("method", "must be `client-secret` for `client_secret` to be used"));
        }
        let method = match entra.method {
            EntraMethod::Auto if token_file.is_some() && client_id.is_some() && tenant_id.is_some() => {
                EntraMethod::WorkloadIdentity
            }
            EntraMethod::Auto => EntraMethod::ManagedIdentity,
            method => method,
        };
        if method == EntraMethod::ManagedIdentity {
            return Entra::managed(client_id, scope, &environment, patience);
        }
        let client_id = client_id.ok_or_else(|| missing("client_id", "or `AZURE_CLIENT_ID` is needed"))?;
        let tenant_id = tenant_id.ok_or_else(|| missing("tenant_id", "or `AZURE_TENANT_ID` is needed"))?;
        let authority = entra.authority.clone().or_else(|| environment("AZURE_AUTHORITY_HOST"));
        let url = token_url(authority.as_deref().unwrap_or(AUTHORITY), &tenant_id)?;
        let (kind, proof) = if method == EntraMethod::ClientSecret {
            let secret = entra.client_secret.clone();
            ("application", Proof::ClientSecret(secret.ok_or_else(|| missing("client_secret", "is needed"))?))
        } else {
            let file = token_file.ok_or_else(|| missing("token_file", "or `AZURE_FEDERATED_TOKEN_FILE` is needed"))?;
            ("workload identity", Proof::TokenFile(file.into()))
        };
        let client = http::outward(certificates(config)?, patience).map_err(|reason| setting("ca_file", &reason))?;
        Ok(Entra { proof, identity: format!("{kind} `{client_id}`"), url, scope, client_id: Some(client_id), client })
    }

    fn managed(
        client_id: Option<String>,
        scope: String,
        environment: &dyn Fn(&str) -> Option<String>,
        patience: Patience,
    ) -> Result<Self, Error> {
        let (variable, address, proof) = match (environment("IDENTITY_ENDPOINT"), environment("IDENTITY_HEADER")) {
            (Some(endpoint), Some(header)) => ("IDENTITY_ENDPOINT", endpoint, Proof::AppService(Hidden::new(header))),
            (Some(_), None) => {
                // Azure Arc has it without a header, and another way to ask.
                return Err(missing(
                    "method",
                    "finds `IDENTITY_ENDPOINT` without `IDENTITY_HEADER`, as on Azure Arc, which is not supported",
                ));
            }
            (None, _) => {
                // As Microsoft's libraries do; for what stands in for IMDS in a cluster.
                let base = environment("AZURE_POD_IDENTITY_AUTHORITY_HOST").unwrap_or_else(|| IMDS.into());
                let path = "/metadata/identity/oauth2/token";
                ("AZURE_POD_IDENTITY_AUTHORITY_HOST", format!("{}{path}", base.trim_end_matches('/')), Proof::Machine)
            }
        };
        let mut url = Url::parse(&address).map_err(|error| Error::Setting {
            setting: variable.into(),
            reason: format!("`{address}` is no URL: {error}"),
        })?;
        let version = if matches!(proof, Proof::Machine) { "2018-02-01" } else { "2019-08-01" };
        let resource = scope.strip_suffix("/.default").unwrap_or(&scope);
        url.query_pairs_mut().append_pair("api-version", version).append_pair("resource", resource);
        if let Some(client_id) = &client_id {
            url.query_pairs_mut().append_pair("client_id", client_id);
        }
        let identity = client_id
            .as_deref()
            .map_or_else(|| "managed identity".to_owned(), |client_id| format!("managed identity `{client_id}`"));
        let client = http::nearby(patience).map_err(|reason| setting("entra", &reason))?;
        Ok(Entra { proof, identity, url, scope, client_id, client })
    }

    /// Asks once.
    pub(super) async fn ask(&self, now: SystemTime) -> Result<Token, Error> {
        let mut who = Who { identity: self.identity.clone(), url: self.url.clone(), sent: Vec::new() };
        let request = self.request(&mut who)?;
        let answer = http::ask(&self.client, request).await.map_err(|reason| Error::Unreachable {
            identity: who.identity.clone(),
            endpoint: who.endpoint(),
            reason,
        })?;
        answer.token(&who, now)
    }

    fn request(&self, who: &mut Who) -> Result<Request, Error> {
        let built = match &self.proof {
            Proof::Machine => self.client.get(self.url.clone()).header("Metadata", "true"),
            Proof::AppService(header) => self.client.get(self.url.clone()).header("X-IDENTITY-HEADER", header.reveal()),
            Proof::ClientSecret(secret) => {
                let secret = secret.reveal().map_err(|reason| missing("client_secret", &reason))?;
                let form = self.form(&[("client_secret", &secret)]);
                who.sent.push(Hidden::new(secret));
                self.post(form)
            }
            Proof::TokenFile(file) => {
                let unreadable = |reason: String| Error::TokenFile { identity: self.identity.clone(), reason };
                let text = std::fs::read_to_string(file)
                    .map_err(|error| unreadable(format!("`{}`: {error}", file.display())))?;
                let assertion = text.trim();
                if assertion.is_empty() {
                    return Err(unreadable(format!("`{}` is empty", file.display())));
                }
                let form = self.form(&[
                    ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                    ("client_assertion", assertion),
                ]);
                who.sent.push(Hidden::new(assertion));
                self.post(form)
            }
        };
        // Only a header that is no text fails here.
        built.build().map_err(|_| missing("method", "finds an `IDENTITY_HEADER` that cannot be sent"))
    }

    fn form(&self, proof: &[(&str, &str)]) -> String {
        let client_id = self.client_id.as_deref().unwrap_or_default();
        let asked = [("grant_type", "client_credentials"), ("client_id", client_id), ("scope", self.scope.as_str())];
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(asked).extend_pairs(proof).finish()
    }

    fn post(&self, form: String) -> reqwest::RequestBuilder {
        self.client.post(self.url.clone()).header("Content-Type", "application/x-www-form-urlencoded").body(form)
    }
}

// === impl Who ===

impl Who {
    /// The address without what was asked.
    pub(super) fn endpoint(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.to_string()
    }

    /// Whether the endpoint is the machine's, which has none while it starts.
    pub(super) fn is_machine(&self) -> bool {
        self.url.path().starts_with("/metadata/")
    }

    /// Takes out what was sent.
    pub(super) fn hide(&self, text: &str) -> String {
        self.sent.iter().fold(text.to_owned(), |text, sent| text.replace(sent.reveal(), "[redacted]"))
    }

    pub(super) fn malformed(&self, reason: String) -> Error {
        Error::Malformed { identity: self.identity.clone(), endpoint: self.endpoint(), reason }
    }
}

fn token_url(authority: &str, tenant_id: &str) -> Result<Url, Error> {
    let refused = |reason: String| missing("authority", &format!("`{authority}` {reason}"));
    let mut url = Url::parse(authority).map_err(|error| refused(format!("is no URL: {error}")))?;
    let is_here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(domain)) => domain == "localhost",
        None => false,
    };
    if url.scheme() != "https" && !is_here {
        return Err(refused("must begin with `https://`: secrets are sent there".into()));
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if tenant_id.is_empty() || !tenant_id.chars().all(is_name) {
        return Err(missing("tenant_id", &format!("`{tenant_id}` is neither an id nor a domain of a directory")));
    }
    url.set_query(None);
    match url.path_segments_mut() {
        Ok(mut path) => {
            path.pop_if_empty().extend([tenant_id, "oauth2", "v2.0", "token"]);
        }
        Err(()) => return Err(refused("has no path".into())),
    }
    Ok(url)
}

fn certificates(config: &Config) -> Result<Vec<Certificate>, Error> {
    let Some(file) = &config.ca_file else { return Ok(Vec::new()) };
    let refused = |reason: String| setting("ca_file", &format!("`{file}`: {reason}"));
    let text = std::fs::read(file).map_err(|error| refused(error.to_string()))?;
    Certificate::from_pem_bundle(&text).map_err(|_| refused("holds no certificates in PEM".into()))
}

fn missing(name: &str, reason: &str) -> Error {
    setting(&format!("entra.{name}"), reason)
}
