//! Rules of `[ingest.event_hubs]`: one way to be known to the service, and what each of its faces needs.

use ingest::event_hubs::{Config, Entra, EntraMethod, Ownership, Protocol};

use ingest::kafka::is_secret;

use super::{Verdict, is_name};

pub(super) fn check(hubs: &Config, verdict: &mut Verdict) {
    credentials(hubs, verdict);
    place(hubs, verdict);
    verdict.refuse_if(
        hubs.consumer_group.trim().is_empty(),
        "ingest.event_hubs.consumer_group",
        "`ingest.event_hubs.consumer_group` is empty: instances of one pipeline share a consumer group; every hub has `$Default`",
    );
    verdict.refuse_if(
        !(1..=100_000).contains(&hubs.prefetch),
        "ingest.event_hubs.prefetch",
        "`ingest.event_hubs.prefetch` must be from 1 to 100000",
    );
    ownership(hubs, verdict);
    let is_kafka = hubs.protocol == Protocol::Kafka;
    verdict.warn_if(
        !is_kafka && !hubs.properties.is_empty(),
        "`ingest.event_hubs.properties` are for librdkafka and have no effect unless `ingest.event_hubs.protocol` is `kafka`",
    );
    for property in hubs.properties.keys().filter(|property| is_secret(property)) {
        verdict.refuse(
            &format!("ingest.event_hubs.properties.\"{property}\""),
            format!(
                "`ingest.event_hubs.properties` holds the secret `{property}`: leave it out, and give the place of the connection string in \
                 `ingest.event_hubs.connection_string`"
            ),
        );
    }
}

/// A connection string, a signature made elsewhere, or Entra ID: one of them.
fn credentials(hubs: &Config, verdict: &mut Verdict) {
    verdict.refuse_if(
        hubs.connection_string.is_some() && hubs.sas_token.is_some(),
        "ingest.event_hubs.sas_token",
        "`ingest.event_hubs` has a `connection_string` and a `sas_token`: keep one",
    );
    let uses_entra = hubs.connection_string.is_none() && hubs.sas_token.is_none();
    if !uses_entra {
        verdict.refuse_if(
            hubs.entra != Entra::default(),
            "ingest.event_hubs.entra",
            "`ingest.event_hubs.entra` says who to be, but the connection string or the signature already does: keep one",
        );
        return;
    }
    let entra = &hubs.entra;
    if entra.method == EntraMethod::ClientSecret {
        verdict.refuse_if(
            entra.client_secret.is_none(),
            "ingest.event_hubs.entra.client_secret",
            "`ingest.event_hubs.entra.method` is `client-secret`: give the place of the secret in `client_secret`, `env:NAME` or `file:path`",
        );
    } else {
        verdict.refuse_if(
            entra.client_secret.is_some(),
            "ingest.event_hubs.entra.client_secret",
            "`ingest.event_hubs.entra.client_secret` is used only with `method = \"client-secret\"`",
        );
    }
}

fn place(hubs: &Config, verdict: &mut Verdict) {
    if hubs.connection_string.is_none() {
        verdict.refuse_if(
            hubs.namespace.is_none(),
            "ingest.event_hubs.namespace",
            "`ingest.source` is `event-hubs`, but there is neither `ingest.event_hubs.connection_string` nor `namespace`: give the place of \
             the connection string, `env:NAME` or `file:path`, or the namespace's host name",
        );
        verdict.refuse_if(
            hubs.hub.is_none() && hubs.namespace.is_some(),
            "ingest.event_hubs.hub",
            "`ingest.event_hubs.hub` is missing: name the event hub to read",
        );
    }
    if let Some(namespace) = &hubs.namespace {
        // A port may follow, as a private endpoint has one.
        let port = namespace.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        let host = port.map_or(namespace.as_str(), |(host, _)| host);
        let is_host = host.contains('.') && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c));
        verdict.refuse_if(
            !is_host,
            "ingest.event_hubs.namespace",
            &format!(
                "`ingest.event_hubs.namespace` is `{namespace}`, but must be the namespace's full host name, like \
                 `plant.servicebus.windows.net`"
            ),
        );
    }
    if let Some(hub) = &hubs.hub {
        verdict.refuse_if(
            !is_name(hub, 249),
            "ingest.event_hubs.hub",
            &format!(
                "`ingest.event_hubs.hub` is `{hub}`, but a hub's name is 1 to 249 letters, digits, `.`, `_` or `-`"
            ),
        );
    }
}

fn ownership(hubs: &Config, verdict: &mut Verdict) {
    let ownership = &hubs.ownership;
    verdict.refuse_if(
        ownership.expiry <= ownership.renew_interval,
        "ingest.event_hubs.ownership.expiry",
        &format!(
            "`ingest.event_hubs.ownership.expiry` is {} and `renew_interval` {}: claims would run out before they are renewed, and instances \
             take partitions from each other without end; three times the interval is the least to choose",
            ownership.expiry, ownership.renew_interval
        ),
    );
    verdict.refuse_if(
        ownership.renew_interval.duration().is_zero(),
        "ingest.event_hubs.ownership.renew_interval",
        "`ingest.event_hubs.ownership.renew_interval` must be longer than 0",
    );
    if let Some(url) = &ownership.url {
        verdict.refuse_if(
            !url.contains("://"),
            "ingest.event_hubs.ownership.url",
            &format!(
                "`ingest.event_hubs.ownership.url` is `{url}`, but must be a container, such as `az://checkpoints`: Microsoft's clients \
                 and KEDA look nowhere else"
            ),
        );
    }
    verdict.warn_if(
        ownership.url.is_none() && *ownership != Ownership::default(),
        "`ingest.event_hubs.ownership` has no `url`: without one, all partitions are this instance's",
    );
    let least = ownership.renew_interval.duration() * 3;
    verdict.warn_if(
        ownership.expiry > ownership.renew_interval && ownership.expiry.duration() < least,
        "`ingest.event_hubs.ownership.expiry` is less than three times `renew_interval`: one or two renewals that fail lose the partitions",
    );
    verdict.warn_if(
        hubs.protocol == Protocol::Kafka && ownership.url.is_some(),
        "`ingest.event_hubs.ownership` has no effect with `protocol = \"kafka\"`: the group's members share the partitions by Kafka's protocol",
    );
}
