//! A question and its answer over two links to one node, `$cbs` or `$management`: one at a time.

use std::time::Duration;

use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::{Delivery, Receiver, Sender};
use fe2o3_amqp_types::messaging::{AmqpValue, ApplicationProperties, Body, Message, MessageId, Outcome, Properties};
use fe2o3_amqp_types::primitives::SimpleValue;
use serde_amqp::Value;

use super::failure::{Failure, of_rejection};

/// Of an answer: those of the service are some hundred bytes.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

pub(super) struct Rpc {
    node: &'static str,
    sender: Sender,
    receiver: Receiver,
    reply_to: String,
    asked: u64,
    timeout: Duration,
}

impl Rpc {
    /// `name`: of no other pair of links on the connection.
    pub(super) async fn attach(
        session: &mut SessionHandle<()>,
        node: &'static str,
        name: &str,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let reply_to = format!("{name}-reply");
        let attaching = async {
            let sender = Sender::builder().name(format!("{name}-request")).target(node).attach(session).await?;
            let receiver = Receiver::builder()
                .name(reply_to.as_str())
                .source(node)
                .target(reply_to.as_str())
                .max_message_size(ANSWER_BYTES_MAX)
                .auto_accept(true)
                .attach(session)
                .await?;
            Ok((sender, receiver))
        };
        let (sender, receiver) = within(timeout, node, attaching).await?;
        Ok(Rpc { node, sender, receiver, reply_to, asked: 0, timeout })
    }

    /// The body of the answer; an answer other than success is a failure.
    pub(super) async fn call(&mut self, properties: ApplicationProperties, body: Value) -> Result<Value, Failure> {
        within(self.timeout, self.node, self.call_unbounded(properties, body)).await
    }

    async fn call_unbounded(&mut self, properties: ApplicationProperties, body: Value) -> Result<Value, Failure> {
        self.asked += 1;
        let id = MessageId::Ulong(self.asked);
        let message = Message::builder()
            .properties(Properties::builder().message_id(id.clone()).reply_to(self.reply_to.as_str()).build())
            .application_properties(properties)
            .body(AmqpValue(body))
            .build();
        match self.sender.send(message).await? {
            Outcome::Accepted(_) => {}
            Outcome::Rejected(rejected) => return Err(of_rejection(rejected.error.as_ref())),
            _ => return Err(of_rejection(None)),
        }
        loop {
            let delivery: Delivery<Body<Value>> = self.receiver.recv().await?;
            let answer = delivery.into_message();
            let answered = answer.properties.as_ref().and_then(|properties| properties.correlation_id.as_ref());
            // A late answer to a question that was given up is not this one's.
            if answered != Some(&id) {
                continue;
            }
            return body_of(answer);
        }
    }
}

fn body_of(answer: Message<Body<Value>>) -> Result<Value, Failure> {
    let property = |name: &str| answer.application_properties.as_ref().and_then(|properties| properties.0.get(name));
    let code = match property("status-code") {
        Some(SimpleValue::Int(code)) => *code,
        Some(SimpleValue::Long(code)) => i32::try_from(*code).unwrap_or(0),
        Some(SimpleValue::Uint(code)) => i32::try_from(*code).unwrap_or(0),
        _ => 0,
    };
    // The service says 202 to a token and 200 to the rest; emulators and proxies say either.
    if matches!(code, 200 | 202) {
        return Ok(match answer.body {
            Body::Value(value) => value.0,
            _ => Value::Null,
        });
    }
    let description = match property("status-description") {
        Some(SimpleValue::String(text)) => text.as_str(),
        _ => "no description",
    };
    Err(Failure::status(code, description))
}

/// Bounds a wait.
pub(super) async fn within<T>(
    timeout: Duration,
    what: &str,
    future: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::time::timeout(timeout, future).await.unwrap_or_else(|_| Err(Failure::silent(what, timeout)))
}
