//! Sessions: windows in both directions, and the frames that belong to no link's life.

use std::collections::BTreeMap;

use super::link::{CREDIT, Kind, Link};
use super::{Connection, Frame};
use crate::codec::{Malformed, Value};
use crate::frames::{self, Performative, Refusal};
use std::time::Duration;

const WINDOW: u32 = 5000;
const HANDLE_MAX: u32 = 255;
const CHANNEL_MAX: u16 = 4999;
const FIRST_OUTGOING_ID: u32 = 1;

/// The channel and the handles are the client's: ours are the same numbers.
pub(crate) struct Session {
    pub(crate) next_incoming_id: u32,
    /// Transfers that the client may still send before it hears of a new window.
    pub(crate) incoming_left: u32,
    pub(crate) next_outgoing_id: u32,
    pub(crate) remote_window: u32,
    pub(crate) next_delivery_id: u32,
    pub(crate) links: BTreeMap<u32, Link>,
}

impl Session {
    /// A transfer frame came.
    pub(crate) fn received(&mut self) {
        self.next_incoming_id = self.next_incoming_id.wrapping_add(1);
        self.incoming_left = self.incoming_left.saturating_sub(1);
    }

    /// Takes note of a flow's view of our transfers.
    fn update_window(&mut self, flow: &Performative) {
        let next = flow.uint(0).unwrap_or(FIRST_OUTGOING_ID);
        let end = next.wrapping_add(flow.uint(1).unwrap_or_default());
        let window = end.wrapping_sub(self.next_outgoing_id);
        // More than half of all numbers ahead is behind: the client's window ends before what was sent.
        self.remote_window = if window > u32::MAX / 2 { 0 } else { window };
    }

    /// A flow with the state of a link, which opens the window again as well.
    pub(crate) fn flow(&mut self, handle: u32, drain: bool) -> Option<Vec<Value>> {
        self.incoming_left = WINDOW;
        let link = self.links.get(&handle)?;
        Some(vec![
            Value::Uint(self.next_incoming_id),
            Value::Uint(WINDOW),
            Value::Uint(self.next_outgoing_id),
            Value::Uint(WINDOW),
            Value::Uint(handle),
            Value::Uint(link.delivery_count),
            Value::Uint(link.credit),
            Value::Uint(0),
            Value::Bool(drain),
            Value::Bool(false),
            Value::Null,
        ])
    }
}

impl Connection {
    /// One frame of the client; what cannot be understood ends the connection.
    pub(crate) fn take(&mut self, frame: Frame) {
        if self.over || frame.body.is_empty() {
            return;
        }
        if let Err(refusal) = self.dispatch(&frame) {
            self.close(Some(&refusal));
        }
    }

    fn dispatch(&mut self, frame: &Frame) -> Result<(), Refusal> {
        if frame.kind != frames::AMQP {
            return Err(Refusal::new("amqp:connection:framing-error", "A frame of another kind than AMQP."));
        }
        let (performative, payload) = Performative::read(&frame.body).map_err(undecodable)?;
        let channel = frame.channel;
        if !self.opened && performative.code != frames::OPEN {
            return Err(Refusal::new("amqp:illegal-state", "The connection is not open."));
        }
        if (frames::BEGIN..=frames::END).contains(&performative.code) && self.ended.contains(&channel) {
            if performative.code == frames::END {
                self.ended.remove(&channel);
            }
            return Ok(());
        }
        match performative.code {
            frames::OPEN => self.open(&performative),
            frames::BEGIN => self.begin(channel, &performative),
            frames::ATTACH => self.attach(channel, &performative)?,
            frames::FLOW => self.flow(channel, &performative),
            frames::TRANSFER => {
                let payload = frame.body.slice_ref(payload);
                self.transfer(channel, &performative, payload)?;
            }
            frames::DISPOSITION => self.disposition(channel, &performative),
            frames::DETACH => self.detach(channel, &performative),
            frames::END => {
                if self.sessions.remove(&channel).is_some() {
                    self.send(channel, frames::END, vec![Value::Null]);
                }
            }
            frames::CLOSE => self.close(None),
            _ => return Err(undecodable(Malformed::Expected("a performative"))),
        }
        Ok(())
    }

    pub(crate) fn send(&mut self, channel: u16, code: u8, fields: Vec<Value>) {
        frames::performative(&mut self.out, frames::AMQP, channel, code, fields);
    }

    fn open(&mut self, open: &Performative) {
        self.opened = true;
        self.remote_frame_bytes = open.uint(2).unwrap_or(u32::MAX).max(512) as usize;
        self.remote_idle = open.uint(4).filter(|ms| *ms > 0).map(|ms| Duration::from_millis(ms.into()));
        let capabilities = match self.shared.options.geo_offsets {
            true => Value::symbols(&["com.microsoft:georeplication"]),
            false => Value::Null,
        };
        let product = (Value::symbol("product"), Value::string("Atalaia Event Hubs emulator"));
        let fields = vec![
            Value::String(format!("emulator-{}", self.handle.id())),
            Value::Null,
            Value::Uint(self.shared.options.max_frame_size),
            Value::Ushort(CHANNEL_MAX),
            Value::Uint(self.shared.options.idle_time_out_ms),
            Value::Null,
            Value::Null,
            capabilities,
            Value::Null,
            Value::Map(vec![product]),
        ];
        self.send(0, frames::OPEN, fields);
    }

    fn begin(&mut self, channel: u16, begin: &Performative) {
        let session = Session {
            next_incoming_id: begin.uint(1).unwrap_or_default(),
            incoming_left: WINDOW,
            next_outgoing_id: FIRST_OUTGOING_ID,
            remote_window: begin.uint(2).unwrap_or_default(),
            next_delivery_id: 0,
            links: BTreeMap::new(),
        };
        self.sessions.insert(channel, session);
        let fields = vec![
            Value::Ushort(channel),
            Value::Uint(FIRST_OUTGOING_ID),
            Value::Uint(WINDOW),
            Value::Uint(WINDOW),
            Value::Uint(HANDLE_MAX),
            Value::Null,
            Value::Null,
            Value::Null,
        ];
        self.send(channel, frames::BEGIN, fields);
    }

    fn flow(&mut self, channel: u16, flow: &Performative) {
        let Some(session) = self.sessions.get_mut(&channel) else { return };
        session.update_window(flow);
        let Some(link) = flow.uint(4).and_then(|handle| session.links.get_mut(&handle)) else { return };
        let handle = link.handle;
        if matches!(link.kind, Kind::Consumer(_) | Kind::Replies { .. })
            && let Some(credit) = flow.uint(6)
        {
            let limit = flow.uint(5).unwrap_or_default().wrapping_add(credit);
            let left = limit.wrapping_sub(link.delivery_count);
            link.credit = if left > u32::MAX / 2 { 0 } else { left };
            link.drain = flow.flag(8);
        }
        if flow.flag(9) {
            self.send_flow(channel, handle, false);
        }
    }

    pub(crate) fn send_flow(&mut self, channel: u16, handle: u32, drain: bool) {
        if let Some(fields) = self.sessions.get_mut(&channel).and_then(|session| session.flow(handle, drain)) {
            self.send(channel, frames::FLOW, fields);
        }
    }

    /// Gives a producer credit again when half of it, or of the session's window, is used up.
    pub(crate) fn replenish(&mut self, channel: u16, handle: u32) {
        let Some(session) = self.sessions.get_mut(&channel) else { return };
        let Some(link) = session.links.get_mut(&handle) else { return };
        if link.credit < CREDIT / 2 || session.incoming_left < WINDOW / 2 {
            link.credit = CREDIT;
            self.send_flow(channel, handle, false);
        }
    }

    /// Of a receiver that wants the sender to settle, too; what it thinks of an event is of no interest to the service.
    fn disposition(&mut self, channel: u16, disposition: &Performative) {
        let (receiver, settled) = (disposition.flag(0), disposition.flag(3));
        if let (true, false, Some(first)) = (receiver, settled, disposition.uint(1)) {
            let last = disposition.uint(2).unwrap_or(first);
            frames::disposition(&mut self.out, channel, false, first, last, disposition.echo(4));
        }
    }

    fn detach(&mut self, channel: u16, detach: &Performative) {
        let Some(session) = self.sessions.get_mut(&channel) else { return };
        let Some(handle) = detach.uint(0) else { return };
        let Some(link) = session.links.remove(&handle) else { return };
        if !matches!(link.kind, Kind::Detached) {
            frames::detach(&mut self.out, channel, handle, detach.flag(1), None);
        }
    }
}

pub(crate) fn undecodable(why: Malformed) -> Refusal {
    Refusal::new("amqp:decode-error", why.to_string())
}
