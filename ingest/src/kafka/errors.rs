//! Which of librdkafka's errors heal by waiting, and what the others mean to a user.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::Config;
use crate::{Error, Kind};

/// What an error code asks for.
pub(super) enum Verdict {
    /// Logged, counted, retried inside.
    Transient,
    /// Cannot heal by waiting.
    Final(Error),
}

/// Judges a code that came from polling. `joined`: the group let us in before, so brokers, topic, certificates,
/// credentials and permissions were right once, and a complaint about them now is weather: a restarting broker, keys
/// being exchanged, permissions being edited.
pub(super) fn judge(config: &Config, code: Code, reason: &str, fatal: bool, joined: bool) -> Verdict {
    let error = of_token(config, of_code(config, code, reason));
    let may_heal = match error {
        Error::Kafka { .. } | Error::Unreachable { .. } => true,
        Error::TopicMissing { .. } | Error::Authentication { .. } | Error::Tls { .. } | Error::NotAllowed { .. } => {
            joined
        }
        #[cfg(feature = "event-hubs")]
        Error::Token(ref error) => joined || error.kind() == Kind::Retry,
        _ => false,
    };
    if may_heal && !fatal { Verdict::Transient } else { Verdict::Final(error) }
}

/// The error of a question about a partition of ours, which was not answered: to be asked again, as in [`judge`].
pub(super) fn of_question(config: &Config, action: &'static str, error: &KafkaError) -> Error {
    match of_action(config, action, error) {
        error @ Error::Unreachable { .. } => error,
        error => Error::Kafka { action, reason: error.to_string() },
    }
}

/// The error of an action that a user asked for and that failed.
pub(super) fn of_action(config: &Config, action: &'static str, error: &KafkaError) -> Error {
    match error {
        KafkaError::ClientConfig(_, what, key, _) if !key.is_empty() => Error::Setting {
            setting: format!("{}.\"{key}\"", config.face.setting("properties")),
            reason: format!("is refused by librdkafka: {what}"),
        },
        KafkaError::ClientCreation(what) | KafkaError::ClientConfig(_, what, _, _) => Error::Setting {
            setting: config.face.setting("properties"),
            reason: format!("is refused by librdkafka: {what}"),
        },
        _ => {
            let code = error.rdkafka_error_code();
            let reason = error.to_string();
            match code.map(|code| of_code(config, code, &reason)) {
                Some(Error::Kafka { .. }) | None => Error::Kafka { action, reason },
                Some(known) => known,
            }
        }
    }
}

fn of_code(config: &Config, code: Code, reason: &str) -> Error {
    let reason = reason.to_owned();
    let brokers = config.brokers.clone();
    let topic = config.topic.clone();
    let face = config.face;
    match code {
        Code::AllBrokersDown
        | Code::BrokerTransportFailure
        | Code::Resolve
        | Code::OperationTimedOut
        | Code::RequestTimedOut
        | Code::TimedOutQueue
        | Code::CriticalSystemResource => Error::Unreachable { brokers, reason, face },
        Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism => {
            Error::Authentication { brokers, reason, face }
        }
        Code::SSL => Error::Tls { brokers, reason, face },
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition | Code::InvalidTopic => {
            Error::TopicMissing { topic, brokers, face }
        }
        Code::TopicAuthorizationFailed => Error::NotAllowed { what: format!("topic `{topic}`"), reason },
        Code::GroupAuthorizationFailed => Error::NotAllowed { what: format!("group `{}`", config.group), reason },
        Code::ClusterAuthorizationFailed => Error::NotAllowed { what: format!("cluster of `{brokers}`"), reason },
        Code::FencedInstanceId => Error::InstanceTaken { instance: config.instance_id.clone().unwrap_or_default() },
        _ => Error::Kafka { action: "consume", reason },
    }
}

/// What the client said beside the code, where the code alone says little.
pub(super) fn with_reason(error: Error, said: Option<String>) -> Error {
    match (error, said) {
        (Error::Unreachable { brokers, face, .. }, Some(reason)) => Error::Unreachable { brokers, reason, face },
        (Error::Authentication { brokers, face, .. }, Some(reason)) => Error::Authentication { brokers, reason, face },
        (Error::Tls { brokers, face, .. }, Some(reason)) => Error::Tls { brokers, reason, face },
        (error, _) => error,
    }
}

/// The same; where there is no token, why there is none: the brokers were not asked at all.
pub(super) fn explained(config: &Config, error: Error, said: Option<String>) -> Error {
    match (error, config.tokens.failure()) {
        (Error::Unreachable { .. } | Error::Kafka { .. }, Some(failure)) => failure,
        (error, _) => of_token(config, with_reason(error, said)),
    }
}

/// How librdkafka begins to say that there was no token. To it, that is a failure to authenticate.
const NO_TOKEN: &str = "Failed to acquire SASL OAUTHBEARER token";

fn of_token(config: &Config, error: Error) -> Error {
    match error {
        Error::Authentication { reason, .. } if config.tokens.is_given() && reason.starts_with(NO_TOKEN) => {
            // There may be one by now.
            config.tokens.failure().unwrap_or(Error::Kafka { action: "authenticate", reason })
        }
        error => error,
    }
}

/// A short, bounded name for logs and labels.
pub(super) fn name(code: Code) -> String {
    format!("{code:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSALS: [Code; 9] = [
        Code::Authentication,
        Code::SaslAuthenticationFailed,
        Code::UnsupportedSASLMechanism,
        Code::TopicAuthorizationFailed,
        Code::GroupAuthorizationFailed,
        Code::ClusterAuthorizationFailed,
        Code::SSL,
        Code::UnknownTopicOrPartition,
        Code::InvalidTopic,
    ];

    fn is_final(code: Code, fatal: bool, joined: bool) -> bool {
        matches!(judge(&Config::default(), code, "reason", fatal, joined), Verdict::Final(_))
    }

    #[test]
    fn refusals_end_what_never_joined_and_are_waited_out_after() {
        for code in REFUSALS {
            assert!(is_final(code, false, false), "{code:?}");
            assert!(!is_final(code, false, true), "{code:?}");
            assert!(is_final(code, true, true), "{code:?}: fatal is fatal");
        }
        for joined in [false, true] {
            assert!(!is_final(Code::AllBrokersDown, false, joined));
            assert!(!is_final(Code::NotCoordinator, false, joined));
            assert!(is_final(Code::FencedInstanceId, false, joined));
        }
    }

    #[test]
    fn questions_about_partitions_of_ours_are_asked_again() {
        for code in REFUSALS.into_iter().chain([Code::AllBrokersDown, Code::NotCoordinator]) {
            let error = of_question(&Config::default(), "ask", &KafkaError::OffsetFetch(code));
            assert_eq!(error.kind(), Kind::Retry, "{code:?}: {error}");
        }
    }
}
