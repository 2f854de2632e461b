//! The connection strings that Azure's portal hands out: `Endpoint=sb://…/;SharedAccessKeyName=…;SharedAccessKey=…;EntityPath=…`.
//!
//! Names are compared without regard to case, and ones that are not known are left alone, as Microsoft's clients do. What is
//! wrong with one is said without repeating any of it.

use super::hidden::Hidden;

/// What one says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConnectionString {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) hub: Option<String>,
    pub(crate) credential: Credential,
    pub(crate) is_emulator: bool,
}

/// With what access is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A policy's name and the key that signs for it.
    Key { name: String, key: Hidden },
    /// A signature that somebody else made.
    Signature(Hidden),
}

impl ConnectionString {
    /// # Errors
    /// What is wrong, without the text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Parts::default();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or("has a part that is not of the form NAME=VALUE")?;
            parts.put(name.trim(), value.trim())?;
        }
        let endpoint = parts.endpoint.ok_or("has no `Endpoint`")?;
        let (host, port) = host_and_port(endpoint)
            .ok_or("has an `Endpoint` that is not of the form `sb://NAMESPACE.servicebus.windows.net/`")?;
        let credential = match (parts.key_name, parts.key, parts.signature) {
            (Some(name), Some(key), None) => Credential::Key { name: name.to_owned(), key: Hidden::new(key) },
            (None, None, Some(signature)) => Credential::Signature(Hidden::new(signature)),
            (_, _, Some(_)) => return Err("has both a `SharedAccessKey` and a `SharedAccessSignature`".into()),
            (None, _, None) => return Err("has no `SharedAccessKeyName`".into()),
            (Some(_), None, None) => return Err("has a `SharedAccessKeyName` without its `SharedAccessKey`".into()),
        };
        Ok(ConnectionString {
            host,
            port,
            hub: parts.hub.map(str::to_owned),
            credential,
            is_emulator: parts.emulator.is_some_and(|value| value.eq_ignore_ascii_case("true")),
        })
    }
}

#[derive(Default)]
struct Parts<'a> {
    endpoint: Option<&'a str>,
    key_name: Option<&'a str>,
    key: Option<&'a str>,
    signature: Option<&'a str>,
    hub: Option<&'a str>,
    emulator: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn put(&mut self, name: &str, value: &'a str) -> Result<(), String> {
        let (known, part) = match name.to_ascii_lowercase().as_str() {
            "endpoint" => ("Endpoint", &mut self.endpoint),
            "sharedaccesskeyname" => ("SharedAccessKeyName", &mut self.key_name),
            "sharedaccesskey" => ("SharedAccessKey", &mut self.key),
            "sharedaccesssignature" => ("SharedAccessSignature", &mut self.signature),
            "entitypath" => ("EntityPath", &mut self.hub),
            "usedevelopmentemulator" => ("UseDevelopmentEmulator", &mut self.emulator),
            _ => return Ok(()),
        };
        if value.is_empty() {
            return Err(format!("has an empty `{known}`"));
        }
        if part.replace(value).is_some() {
            return Err(format!("has `{known}` twice"));
        }
        Ok(())
    }
}

/// `[SCHEME://]HOST[:PORT][/]`, the host in lower case.
pub(super) fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let address = text.split_once("://").map_or(text, |(_, address)| address);
    let address = address.strip_suffix('/').unwrap_or(address);
    let (host, port) = match address.rsplit_once(':') {
        // The last colon of an IPv6 address in brackets is not a port's.
        Some((_, port)) if port.contains(']') => (address, None),
        Some((host, port)) => (host, Some(port.parse().ok().filter(|port| *port != 0)?)),
        None => (address, None),
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '[' | ']' | ':');
    (!host.is_empty() && host.chars().all(is_host)).then(|| (host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "c2VjcmV0LXNlY3JldA==";

    fn parse(text: &str) -> Result<ConnectionString, String> {
        ConnectionString::parse(&text.replace("<key>", SECRET))
    }

    #[test]
    fn what_the_portal_hands_out_is_understood() {
        let whole = parse(
            "Endpoint=sb://Plant.servicebus.windows.net/;SharedAccessKeyName=listen;SharedAccessKey=<key>;EntityPath=readings",
        )
        .unwrap();
        let key = Credential::Key { name: "listen".into(), key: Hidden::new(SECRET) };
        assert_eq!(
            whole,
            ConnectionString {
                host: "plant.servicebus.windows.net".into(),
                port: None,
                hub: Some("readings".into()),
                credential: key.clone(),
                is_emulator: false,
            }
        );
        let emulator = parse(
            " endpoint = sb://127.0.0.1:5673 ; SHAREDACCESSKEYNAME=listen;sharedAccessKey=<key>;UseDevelopmentEmulator=true;TransportType=x;",
        )
        .unwrap();
        assert_eq!((emulator.host.as_str(), emulator.port, emulator.is_emulator), ("127.0.0.1", Some(5673), true));
        assert_eq!((emulator.hub, emulator.credential), (None, key));

        let signature = format!("SharedAccessSignature sr=x&sig={SECRET}&se=1&skn=y");
        let signed = parse(&format!("Endpoint=sb://h/;SharedAccessSignature={signature}")).unwrap();
        assert_eq!(signed.credential, Credential::Signature(Hidden::new(signature)));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        for (text, expected) in [
            ("", "`Endpoint`"),
            ("words", "NAME=VALUE"),
            ("Endpoint=sb://h/", "`SharedAccessKeyName`"),
            ("Endpoint=sb://h/;SharedAccessKeyName=n", "without its"),
            ("Endpoint=sb://h/;SharedAccessKey=<key>", "no `SharedAccessKeyName`"),
            ("Endpoint=sb://h:99999/;SharedAccessKeyName=n;SharedAccessKey=<key>", "`Endpoint`"),
            ("Endpoint=sb://h/x/;SharedAccessKeyName=n;SharedAccessKey=<key>", "`Endpoint`"),
            ("Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=", "empty `SharedAccessKey`"),
            ("Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=<key>;SharedAccessSignature=<key>", "both"),
            ("Endpoint=sb://h/;Endpoint=sb://i/;SharedAccessKeyName=n;SharedAccessKey=<key>", "twice"),
        ] {
            let reason = parse(text).unwrap_err();
            assert!(reason.contains(expected) && !reason.contains(SECRET), "{text}: {reason}");
        }
        let parsed = parse("Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=<key>").unwrap();
        assert!(!format!("{parsed:?}").contains(SECRET));
    }

    #[test]
    fn hosts_may_have_ports() {
        for (text, expected) in [
            ("h", Some(("h", None))),
            ("amqps://h:1/", Some(("h", Some(1)))),
            ("[::1]:5672", Some(("[::1]", Some(5672)))),
            ("[::1]", Some(("[::1]", None))),
            ("h:0", None),
            ("h:", None),
            ("", None),
            ("a b", None),
        ] {
            assert_eq!(host_and_port(text), expected.map(|(host, port)| (host.to_owned(), port)), "{text}");
        }
    }
}
