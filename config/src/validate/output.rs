//! Rules of `[sink]` and `[storage]`: places that must not lie in one another, and credentials that belong together.

use super::{Verdict, secret_in_url};

pub(super) fn sink(sink: &sink::Config, ingest: &ingest::Config, verdict: &mut Verdict) {
    let places = places(sink, verdict);
    for (i, (name, place)) in places.iter().enumerate() {
        for (other, elsewhere) in &places[..i] {
            if within(place, elsewhere) || within(elsewhere, place) {
                let inside = if same(place, elsewhere) { "are the same folder" } else { "lie one in the other" };
                verdict.refuse(
                    &format!("sink.{name}"),
                    format!(
                        "`sink.{other}` and `sink.{name}` {inside}: readers list a whole folder, so each needs its own"
                    ),
                );
            }
        }
    }
    if ingest.source == ingest::SourceKind::Files && !ingest.files.path.contains("://") {
        let input = ingest.files.path.trim_end_matches('/');
        if let Some((name, _)) = places.iter().find(|(_, place)| !input.is_empty() && within(place, input)) {
            let setting = if sink.url.is_empty() { format!("sink.{name}") } else { "sink.url".to_owned() };
            verdict.refuse(
                &setting,
                format!("`{setting}` lies in `ingest.files.path`: results would be read as input the next time"),
            );
        }
    }
    verdict.refuse_if(
        sink.commit_interval.duration().is_zero(),
        "sink.commit_interval",
        "`sink.commit_interval` is 0, but a commit takes time and requests: `60s` is usual, `1s` the least that makes sense",
    );
    verdict.refuse_if(
        sink.min_rows == 0,
        "sink.min_rows",
        "`sink.min_rows` is 0: write 1, or `sink.max_delay = \"0s\"`, to write rows at once",
    );
}

/// Every place that is written to, by the name of its setting.
fn places(sink: &sink::Config, verdict: &mut Verdict) -> Vec<(&'static str, String)> {
    let own = [
        ("predictions", &sink.predictions),
        ("late", &sink.late),
        ("quarantine", &sink.quarantine),
        ("state", &sink.state),
    ];
    secret_in_url("sink.url", &sink.url, verdict);
    let mut places = Vec::new();
    let mut missing = Vec::new();
    for (name, url) in own {
        match url {
            Some(url) if url.is_empty() => {
                verdict.refuse(
                    &format!("sink.{name}"),
                    format!("`sink.{name}` is empty: leave it out for `<sink.url>/{name}`"),
                );
            }
            Some(url) => {
                secret_in_url(&format!("sink.{name}"), url, verdict);
                places.push((name, url.trim_end_matches('/').to_owned()));
            }
            None if sink.url.is_empty() => missing.push(format!("`sink.{name}`")),
            None => places.push((name, format!("{}/{name}", sink.url.trim_end_matches('/')))),
        }
    }
    if !missing.is_empty() {
        verdict.refuse(
            "sink.url",
            format!(
                "`sink.url` is empty, and {} not set: name a folder or a URL like `az://container/prefix/`",
                if missing.len() == 1 { format!("{} is", missing[0]) } else { format!("{} are", missing.join(", ")) }
            ),
        );
    }
    places
}

fn same(one: &str, other: &str) -> bool {
    within(one, other) && within(other, one)
}

/// Whether a place is another one or below it, by their names.
pub(super) fn within(inner: &str, outer: &str) -> bool {
    let inner = inner.strip_prefix("./").unwrap_or(inner);
    let outer = outer.strip_prefix("./").unwrap_or(outer);
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(super) fn storage(section: &str, storage: &store::Config, verdict: &mut Verdict) {
    verdict.refuse_if(
        storage.key.is_some() && storage.sas.is_some(),
        &format!("{section}.sas"),
        &format!("`{section}.key` and `{section}.sas` are both set: keep one"),
    );
    verdict.refuse_if(
        storage.access_key_id.is_some() != storage.secret_access_key.is_some(),
        &format!("{section}.{}", if storage.access_key_id.is_some() { "access_key_id" } else { "secret_access_key" }),
        &format!("`{section}.access_key_id` and `{section}.secret_access_key` belong together: one of them is missing"),
    );
    if let Some(endpoint) = &storage.endpoint {
        let setting = format!("{section}.endpoint");
        secret_in_url(&setting, endpoint, verdict);
        let plain = endpoint.starts_with("http://");
        verdict.refuse_if(
            !plain && !endpoint.starts_with("https://"),
            &setting,
            &format!("`{setting}` must begin with `https://` (or `http://`)"),
        );
        verdict.refuse_if(
            plain && !storage.allow_plaintext && !storage.emulator,
            &setting,
            &format!(
                "`{setting}` is plain http, and neither `{section}.allow_plaintext` nor `{section}.emulator` is set: use https, or set one of them \
                 if the network is trusted"
            ),
        );
    }
    verdict.warn_if(
        storage.allow_plaintext,
        &format!(
            "`{section}.allow_plaintext` is set: without TLS, results and credentials can be read and changed on the way to the store"
        ),
    );
    verdict.refuse_if(
        storage.request_timeout.duration().is_zero(),
        &format!("{section}.request_timeout"),
        &format!("`{section}.request_timeout` is 0: no request could be answered; `60s` is usual"),
    );
}
