//! What clients get: events and replies, as far as credit, session window and the buffer allow.

use std::sync::atomic::Ordering;

use bytes::{BufMut, BytesMut};

use super::link::Kind;
use super::session::Session;
use super::{Connection, OUT_BYTES_MAX};
use crate::clock;
use crate::frames::{self, TRANSFER_BYTES, Transfer};

/// Of one link before the next one has its turn.
const TURN_BYTES: usize = 64 * 1024;

/// The stream of a session towards the client.
struct Outlet<'a> {
    out: &'a mut BytesMut,
    channel: u16,
    frame_bytes: usize,
    handle: u32,
    settled: bool,
}

impl Connection {
    /// One turn for each link, while there is room.
    pub(crate) fn pump(&mut self) {
        for _ in 0..self.turns.len() {
            if self.over || self.out.len() >= OUT_BYTES_MAX {
                return;
            }
            let Some((channel, handle)) = self.turns.pop_front() else { return };
            let session = self.sessions.get_mut(&channel);
            let alive = session.is_some_and(|session| match session.links.get(&handle) {
                Some(link) => matches!(link.kind, Kind::Consumer(_) | Kind::Replies { .. }),
                None => false,
            });
            if alive && !self.turns.contains(&(channel, handle)) {
                self.turns.push_back((channel, handle));
                self.feed(channel, handle);
            }
        }
    }

    fn feed(&mut self, channel: u16, handle: u32) {
        let Some(session) = self.sessions.get_mut(&channel) else { return };
        let Some(mut link) = session.links.remove(&handle) else { return };
        let mut outlet =
            Outlet { out: &mut self.out, channel, frame_bytes: self.remote_frame_bytes, handle, settled: link.settled };
        let before = link.credit;
        let exhausted = match &mut link.kind {
            Kind::Replies { waiting, .. } => {
                while link.credit > 0
                    && let Some(reply) = waiting.front()
                    && outlet.deliver(session, &[], reply)
                {
                    waiting.pop_front();
                    link.credit -= 1;
                }
                waiting.is_empty()
            }
            Kind::Consumer(consumer) if !consumer.reader.stolen.load(Ordering::Acquire) && link.credit > 0 => {
                let log = consumer.partition.log();
                let mut prefix = BytesMut::new();
                if consumer.metrics {
                    log.last_enqueued().write(clock::now_ms(), &mut prefix);
                }
                let end = outlet.out.len() + TURN_BYTES;
                for event in log.from(consumer.next_number) {
                    if link.credit == 0 || outlet.out.len() > end || !outlet.deliver(session, &prefix, &event.sections)
                    {
                        break;
                    }
                    consumer.next_number = event.sequence_number + 1;
                    link.credit -= 1;
                }
                consumer.next_number >= log.next_number()
            }
            _ => false,
        };
        link.delivery_count = link.delivery_count.wrapping_add(before - link.credit);
        let drained = link.drain && (exhausted || link.credit == 0);
        if drained {
            link.delivery_count = link.delivery_count.wrapping_add(link.credit);
            link.credit = 0;
            link.drain = false;
        }
        session.links.insert(handle, link);
        if drained {
            self.send_flow(channel, handle, true);
        }
    }
}

impl Outlet<'_> {
    /// Writes a delivery, in as many frames as the client's frame size asks for; false when the window has no room for them.
    fn deliver(&mut self, session: &mut Session, prefix: &[u8], payload: &[u8]) -> bool {
        let room = self.frame_bytes - TRANSFER_BYTES;
        let total = prefix.len() + payload.len();
        let count = total.div_ceil(room).max(1);
        if (session.remote_window as usize) < count {
            return false;
        }
        let mut transfer =
            Transfer { handle: self.handle, delivery_id: session.next_delivery_id, settled: self.settled, more: false };
        if count == 1 {
            frames::frame(self.out, frames::AMQP, self.channel, |out| {
                transfer.write(out);
                out.put_slice(prefix);
                out.put_slice(payload);
            });
        } else {
            let whole = [prefix, payload].concat();
            for (index, part) in whole.chunks(room).enumerate() {
                transfer.more = index + 1 < count;
                frames::frame(self.out, frames::AMQP, self.channel, |out| {
                    transfer.write(out);
                    out.put_slice(part);
                });
            }
        }
        session.next_delivery_id = session.next_delivery_id.wrapping_add(1);
        session.next_outgoing_id = session.next_outgoing_id.wrapping_add(count as u32);
        session.remote_window -= count as u32;
        true
    }
}
