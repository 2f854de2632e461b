//! One client's connection: a task that owns sessions and links, reads, writes, and is woken when there is something to send.
//!
//! The idea: everything happens in this one task, so links need no locks; only partitions are shared. What is to be sent gathers
//! in one buffer, and partitions are read only while it has room: a slow client holds up nobody else.

mod attach;
mod handle;
mod handshake;
mod link;
mod receive;
mod send;
mod session;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

pub(crate) use handle::{Handle, Order};

use crate::frames::{self, Refusal};
use crate::nodes::Tokens;
use crate::shared::Shared;
use session::Session;

/// Above this nothing is read from the client or from partitions.
const OUT_BYTES_MAX: usize = 512 * 1024;
const TICK: Duration = Duration::from_millis(50);

struct Connection {
    shared: Arc<Shared>,
    handle: Arc<Handle>,
    out: BytesMut,
    sessions: BTreeMap<u16, Session>,
    /// Channels of sessions that we ended; what the client sends on them means nothing until it says so, too.
    ended: BTreeSet<u16>,
    /// Links that may have something to send, the next one first: channel and handle.
    turns: VecDeque<(u16, u32)>,
    tokens: Tokens,
    remote_frame_bytes: usize,
    remote_idle: Option<Duration>,
    opened: bool,
    over: bool,
}

/// A frame as it was cut from the stream.
struct Frame {
    kind: u8,
    channel: u16,
    body: Bytes,
}

pub(crate) async fn serve<S>(mut stream: S, shared: Arc<Shared>, handle: Arc<Handle>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if !handshake::shake(&mut stream, &shared.options).await? {
        return Ok(());
    }
    let idle = Duration::from_millis(shared.options.idle_time_out_ms.into());
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut connection = Connection::new(shared, Arc::clone(&handle));
    let mut input = BytesMut::with_capacity(OUT_BYTES_MAX);
    let mut late: VecDeque<(Instant, Frame)> = VecDeque::new();
    let (mut heard, mut spoken) = (Instant::now(), Instant::now());
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);

    loop {
        connection.pump();
        if connection.over && connection.out.is_empty() {
            return writer.shutdown().await;
        }
        let due = late.front().map_or_else(Instant::now, |(due, _)| *due);
        let listening = !connection.over && connection.out.len() < OUT_BYTES_MAX;
        tokio::select! {
            count = reader.read_buf(&mut input), if listening => {
                if count? == 0 {
                    return Ok(());
                }
                heard = Instant::now();
                let delay = connection.shared.faults.delay();
                while let Some(frame) = connection.cut(&mut input) {
                    if delay.is_zero() && late.is_empty() {
                        connection.take(frame);
                    } else {
                        late.push_back((heard + delay, frame));
                    }
                }
            },
            count = writer.write_buf(&mut connection.out), if !connection.out.is_empty() => {
                count?;
                spoken = Instant::now();
                if connection.out.is_empty() {
                    writer.flush().await?;
                }
            },
            () = handle.woken() => {
                while let Some(order) = handle.next_order() {
                    match order {
                        Order::Drop => return Ok(()),
                        Order::HalfOpen => {
                            be_silent(&handle, idle).await;
                            return Ok(());
                        },
                        other => connection.obey(other),
                    }
                }
            },
            () = sleep_until(due), if !late.is_empty() => {
                if let Some((_, frame)) = late.pop_front() {
                    connection.take(frame);
                }
            },
            _ = tick.tick() => {
                connection.check_tokens();
                if connection.remote_idle.is_some_and(|remote| spoken.elapsed() > remote / 3) {
                    frames::frame(&mut connection.out, frames::AMQP, 0, |_| ());
                    spoken = Instant::now();
                }
                if heard.elapsed() > idle {
                    connection.close(Some(&Refusal::new(
                        "amqp:connection:forced",
                        format!("The connection was inactive for more than the allowed {} milliseconds.", idle.as_millis()),
                    )));
                }
            },
        }
    }
}

/// Open, and neither reading nor writing, until the idle time is over or the connection shall go.
async fn be_silent(handle: &Handle, idle: Duration) {
    let end = sleep(idle);
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => return,
            () = handle.woken() => {
                while let Some(order) = handle.next_order() {
                    if matches!(order, Order::Drop) {
                        return;
                    }
                }
            },
        }
    }
}

impl Connection {
    fn new(shared: Arc<Shared>, handle: Arc<Handle>) -> Self {
        Self {
            shared,
            handle,
            out: BytesMut::with_capacity(OUT_BYTES_MAX),
            sessions: BTreeMap::new(),
            ended: BTreeSet::new(),
            turns: VecDeque::new(),
            tokens: Tokens::default(),
            remote_frame_bytes: 512,
            remote_idle: None,
            opened: false,
            over: false,
        }
    }

    /// The next whole frame.
    fn cut(&mut self, input: &mut BytesMut) -> Option<Frame> {
        let head: [u8; 8] = input.get(..8)?.try_into().ok()?;
        let size = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let begin = usize::from(head[4]) * 4;
        let allowed = self.shared.options.max_frame_size as usize;
        if self.over || begin < 8 || size < begin || size > allowed {
            if !self.over {
                let text = format!("A frame of {size} bytes, where {allowed} are allowed, or a malformed one.");
                self.close(Some(&Refusal::new("amqp:connection:framing-error", text)));
            }
            input.clear();
            return None;
        }
        if input.len() < size {
            input.reserve(size - input.len());
            return None;
        }
        let mut body = input.split_to(size).freeze();
        body.advance(begin);
        Some(Frame { kind: head[5], channel: u16::from_be_bytes([head[6], head[7]]), body })
    }

    fn close(&mut self, why: Option<&Refusal>) {
        if self.over {
            return;
        }
        let error = why.map_or(crate::codec::Value::Null, Refusal::value);
        frames::performative(&mut self.out, frames::AMQP, 0, frames::CLOSE, vec![error]);
        self.sessions.clear();
        self.over = true;
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Close(why) => self.close(Some(&why)),
            Order::End(why) => self.end(why.as_ref()),
            Order::ExpireTokens => {
                self.tokens.expire();
                self.check_tokens();
            }
            Order::Detach { hub, partition, links, why } => {
                self.detach_where(&why, |link| link.matches(hub.as_deref(), partition, links));
            }
            Order::DetachReader { reader, why } => self.detach_where(&why, |link| link.is_reader(&reader)),
            Order::Drop | Order::HalfOpen => self.over = true,
        }
    }

    fn end(&mut self, why: Option<&Refusal>) {
        for channel in std::mem::take(&mut self.sessions).into_keys() {
            self.send(channel, frames::END, vec![why.map_or(crate::codec::Value::Null, Refusal::value)]);
            self.ended.insert(channel);
        }
    }

    /// Links whose token has expired are let go in mid-stream.
    fn check_tokens(&mut self) {
        let tokens = std::mem::take(&mut self.tokens);
        let why = Refusal::new("amqp:unauthorized-access", "ExpiredToken: The token is expired.");
        self.detach_where(&why, |link| link.path().is_some_and(|path| !tokens.allow(path)));
        self.tokens = tokens;
    }

    fn detach_where(&mut self, why: &Refusal, matches: impl Fn(&link::Link) -> bool) {
        for (channel, session) in &mut self.sessions {
            for link in session.links.values_mut().filter(|link| matches(link)) {
                link.closed();
                frames::detach(&mut self.out, *channel, link.handle, true, Some(why));
            }
        }
    }
}
