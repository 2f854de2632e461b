//! Where the hub is, whichever of the settings say so.

use types::Secret;

use super::config::Config;
use super::connection_string::{ConnectionString, host_and_port};
use crate::Error;

pub(super) const PORT_OF_TLS: u16 = 5671;
/// Of AMQP over WebSockets.
pub(super) const PORT_OF_WEBSOCKETS: u16 = 443;
pub(super) const PORT_OF_EMULATOR: u16 = 5672;

/// One event hub, with the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) hub: String,
    /// Talked to without TLS.
    pub(crate) is_emulator: bool,
}

impl Place {
    /// # Errors
    /// [`Error::Setting`] if settings are missing or contradict each other. A connection string is read from its place, and
    /// never shown.
    pub(crate) fn of(config: &Config) -> Result<Self, Error> {
        Place::with(config, connection_string(config)?.as_ref())
    }

    fn with(config: &Config, connection_string: Option<&ConnectionString>) -> Result<Self, Error> {
        let named = match &config.namespace {
            Some(namespace) => {
                Some(host_and_port(namespace).filter(|_| !namespace.contains('/')).ok_or_else(|| {
                    refused(
                        "namespace",
                        format!("`{namespace}` is not a host name, such as `plant.servicebus.windows.net`"),
                    )
                })?)
            }
            None => None,
        };
        let (host, port, is_emulator) = match (connection_string, named) {
            (None, None) => {
                return Err(refused("namespace", "is needed where no connection string names it".into()));
            }
            (Some(found), Some((host, port))) if found.host != host || found.port != port => {
                return Err(refused(
                    "namespace",
                    format!("`{host}` is not the one of the connection string, `{}`: leave it out", found.host),
                ));
            }
            (Some(found), _) => (found.host.clone(), found.port, found.is_emulator),
            (None, Some((host, port))) => (host, port, false),
        };
        let hub = match (connection_string.and_then(|found| found.hub.as_deref()), config.hub.as_deref()) {
            (None, None) => {
                return Err(refused("hub", "is needed where no connection string has an `EntityPath`".into()));
            }
            (Some(found), Some(named)) if !found.eq_ignore_ascii_case(named) => {
                return Err(refused("hub", format!("`{named}` is not the one of the connection string, `{found}`")));
            }
            (_, Some(hub)) | (Some(hub), None) => hub.to_owned(),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if hub.is_empty() || !hub.chars().all(is_name) {
            return Err(refused("hub", format!("`{hub}` is not the name of an event hub")));
        }
        let usual = if is_emulator { PORT_OF_EMULATOR } else { PORT_OF_TLS };
        Ok(Place { host, port: port.unwrap_or(usual), hub, is_emulator })
    }

    /// The URI of the hub itself, or of something below it: what a token is asked for. The service compares names without
    /// regard to ports, so only unusual ones are named.
    pub(crate) fn audience(&self) -> String {
        let Place { host, port, hub, .. } = self;
        match *port {
            PORT_OF_TLS | PORT_OF_WEBSOCKETS => format!("sb://{host}/{hub}"),
            port => format!("sb://{host}:{port}/{hub}"),
        }
    }

    /// Whether the port is the one of AMQP over TLS, named or not.
    pub(crate) fn has_usual_port(&self) -> bool {
        self.port == PORT_OF_TLS
    }

    /// For messages.
    pub(crate) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// The configuration's connection string, read anew from its place.
///
/// # Errors
/// [`Error::Setting`] if it cannot be read or is none; it is never shown.
pub(crate) fn connection_string(config: &Config) -> Result<Option<ConnectionString>, Error> {
    let read = config.connection_string.as_ref().map(read_connection_string).transpose();
    read.map_err(|reason| refused("connection_string", reason))
}

/// Reads one anew from its place.
///
/// # Errors
/// Why it cannot be read, or is none; it is never shown.
pub(super) fn read_connection_string(secret: &Secret) -> Result<ConnectionString, String> {
    let text = secret.reveal()?;
    ConnectionString::parse(&text).map_err(|reason| format!("(`{}`) {reason}", secret.reference()))
}

fn refused(setting: &str, reason: String) -> Error {
    Error::Setting { setting: format!("ingest.event_hubs.{setting}"), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(connection_string: Option<&str>, namespace: Option<&str>, hub: Option<&str>) -> Result<Place, String> {
        let config = Config { namespace: namespace.map(Into::into), hub: hub.map(Into::into), ..Config::default() };
        let parsed = connection_string.map(|text| ConnectionString::parse(&format!("{text};{KEY}")).unwrap());
        Place::with(&config, parsed.as_ref()).map_err(|error| error.to_string())
    }

    const KEY: &str = "SharedAccessKeyName=n;SharedAccessKey=k";

    #[test]
    fn either_says_where_the_hub_is() {
        let expected =
            |host: &str, port, is_emulator| Place { host: host.into(), port, hub: "hub".into(), is_emulator };
        for (connection_string, namespace, hub, place_expected) in [
            (Some("Endpoint=sb://h/;EntityPath=hub"), None, None, expected("h", 5671, false)),
            (Some("Endpoint=sb://h/;EntityPath=hub"), Some("H"), Some("hub"), expected("h", 5671, false)),
            (Some("Endpoint=sb://h:7/"), None, Some("hub"), expected("h", 7, false)),
            (None, Some("ns.example"), Some("hub"), expected("ns.example", 5671, false)),
            (Some("Endpoint=sb://h/;UseDevelopmentEmulator=true"), None, Some("hub"), expected("h", 5672, true)),
        ] {
            assert_eq!(place(connection_string, namespace, hub), Ok(place_expected), "{connection_string:?}");
        }
    }

    #[test]
    fn contradictions_and_gaps_are_refused() {
        for (connection_string, namespace, hub, expected) in [
            (None, None, Some("hub"), "namespace"),
            (None, Some("h"), None, "hub"),
            (Some("Endpoint=sb://h/"), None, None, "EntityPath"),
            (Some("Endpoint=sb://h/;EntityPath=hub"), Some("i"), None, "namespace"),
            (Some("Endpoint=sb://h:1/;EntityPath=hub"), Some("h:2"), None, "namespace"),
            (Some("Endpoint=sb://h/;EntityPath=hub"), None, Some("other"), "`other`"),
            (None, Some("sb://h/"), Some("hub"), "host name"),
            (None, Some("h"), Some("a/b"), "`a/b`"),
            (None, Some("h"), Some(""), "name of an event hub"),
        ] {
            let reason = place(connection_string, namespace, hub).unwrap_err();
            assert!(reason.contains(expected), "{connection_string:?}: {reason}");
        }
    }

    #[test]
    fn an_audience_names_the_hub() {
        let of = |text: &str| place(Some(text), None, Some("hub")).unwrap().audience();
        assert_eq!(of("Endpoint=sb://h/"), "sb://h/hub");
        assert_eq!(of("Endpoint=sb://h:443/"), "sb://h/hub");
        assert_eq!(of("Endpoint=sb://h:5673/;UseDevelopmentEmulator=true"), "sb://h:5673/hub");
    }
}
