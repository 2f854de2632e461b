//! Which of librdkafka's errors heal by waiting, and what the others mean to a user.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::Config;
use crate::Error;

/// What an error code asks for.
pub(super) enum Verdict {
    /// Logged, counted, retried inside.
    Transient,
    /// Cannot heal by waiting.
    Final(Error),
}

/// Judges a code that came from polling. `joined`: the group has given us partitions before, so brokers, topic and
/// certificates were right once, and a complaint about them now is weather.
pub(super) fn judge(config: &Config, code: Code, reason: &str, fatal: bool, joined: bool) -> Verdict {
    let is_configuration = matches!(
        code,
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition | Code::SSL | Code::InvalidTopic
    );
    if joined && is_configuration && !fatal {
        return Verdict::Transient;
    }
    let error = of_code(config, code, reason);
    match error {
        Error::Kafka { .. } | Error::Unreachable { .. } if !fatal => Verdict::Transient,
        _ => Verdict::Final(error),
    }
}

/// The error of an action that a user asked for and that failed.
pub(super) fn of_action(config: &Config, action: &'static str, error: &KafkaError) -> Error {
    match error {
        KafkaError::ClientConfig(_, what, key, _) if !key.is_empty() => Error::Setting {
            setting: format!("ingest.kafka.properties.\"{key}\""),
            reason: format!("is refused by librdkafka: {what}"),
        },
        KafkaError::ClientCreation(what) | KafkaError::ClientConfig(_, what, _, _) => Error::Setting {
            setting: "ingest.kafka.properties".into(),
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
    match code {
        Code::AllBrokersDown
        | Code::BrokerTransportFailure
        | Code::Resolve
        | Code::OperationTimedOut
        | Code::RequestTimedOut
        | Code::TimedOutQueue
        | Code::CriticalSystemResource => Error::Unreachable { brokers, reason },
        Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism => {
            Error::Authentication { brokers, reason }
        }
        Code::SSL => Error::Tls { brokers, reason },
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition | Code::InvalidTopic => {
            Error::TopicMissing { topic, brokers }
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
        (Error::Unreachable { brokers, .. }, Some(reason)) => Error::Unreachable { brokers, reason },
        (Error::Authentication { brokers, .. }, Some(reason)) => Error::Authentication { brokers, reason },
        (Error::Tls { brokers, .. }, Some(reason)) => Error::Tls { brokers, reason },
        (error, _) => error,
    }
}

/// A short, bounded name for logs and labels.
pub(super) fn name(code: Code) -> String {
    format!("{code:?}")
}
