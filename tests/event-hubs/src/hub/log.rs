//! The events of one partition: appended, numbered, found by position, expired from the front.

use std::collections::VecDeque;
use std::io;

use bytes::{Bytes, BytesMut};

use super::file::File;
use crate::clock;
use crate::frames::Refusal;
use crate::message::{Draft, LastEnqueued, Place};
use crate::selector::Selector;

#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) sequence_number: i64,
    /// A counter of bytes, so that nobody takes it for a sequence number.
    pub(crate) offset: i64,
    pub(crate) enqueued_ms: i64,
    /// Sections from the message annotations on, as they are sent.
    pub(crate) sections: Bytes,
}

pub(crate) struct Log {
    events: VecDeque<Event>,
    /// The number that the next event gets; what lies between the first event held and here has no holes.
    next_number: i64,
    next_offset: i64,
    last_enqueued_ms: i64,
    last_offset: i64,
    geo_offsets: bool,
    file: Option<File>,
}

impl Log {
    pub(crate) fn in_memory(geo_offsets: bool) -> Self {
        Self {
            events: VecDeque::new(),
            next_number: 0,
            next_offset: 0,
            last_enqueued_ms: 0,
            last_offset: -1,
            geo_offsets,
            file: None,
        }
    }

    /// With what a file holds, and what is appended goes there first.
    pub(crate) fn with_file(geo_offsets: bool, mut file: File) -> io::Result<Self> {
        let mut log = Self::in_memory(geo_offsets);
        let first = file.read(|event| log.push(event))?;
        log.expire(first)?;
        log.file = Some(file);
        Ok(log)
    }

    fn push(&mut self, event: Event) {
        self.next_number = event.sequence_number + 1;
        self.next_offset = event.offset + step(event.sections.len());
        self.last_enqueued_ms = event.enqueued_ms;
        self.last_offset = event.offset;
        self.events.push_back(event);
    }

    pub(crate) fn append(&mut self, drafts: &[Draft<'_>]) -> io::Result<()> {
        let enqueued_ms = clock::now_ms().max(self.last_enqueued_ms);
        let (mut number, mut offset) = (self.next_number, self.next_offset);
        let mut buffer = BytesMut::new();
        let mut events = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let text = self.offset_text(offset);
            draft.write(&Place { sequence_number: number, offset: &text, enqueued_ms }, &mut buffer);
            let length = buffer.len() - events.last().map_or(0, |(_, _, end)| *end);
            events.push((number, offset, buffer.len()));
            number += 1;
            offset += step(length);
        }
        let buffer = buffer.freeze();
        let mut begin = 0;
        let events: Vec<Event> = events
            .into_iter()
            .map(|(sequence_number, offset, end)| {
                let sections = buffer.slice(begin..end);
                begin = end;
                Event { sequence_number, offset, enqueued_ms, sections }
            })
            .collect();
        if let Some(file) = &mut self.file {
            file.append(&events)?;
        }
        events.into_iter().for_each(|event| self.push(event));
        Ok(())
    }

    /// Lets go of the events below a sequence number.
    pub(crate) fn expire(&mut self, before: i64) -> io::Result<()> {
        while self.events.front().is_some_and(|event| event.sequence_number < before) {
            self.events.pop_front();
        }
        let first = self.first_number();
        self.file.as_mut().map_or(Ok(()), |file| file.set_first(first))
    }

    /// The first sequence number held, or the next one when nothing is.
    pub(crate) fn first_number(&self) -> i64 {
        self.next_number - self.events.len() as i64
    }

    pub(crate) fn next_number(&self) -> i64 {
        self.next_number
    }

    /// How many events are held.
    pub(crate) fn held(&self) -> usize {
        self.events.len()
    }

    /// The events from a sequence number on, or from the first one held after it.
    pub(crate) fn from(&self, number: i64) -> impl Iterator<Item = &Event> {
        let skipped = usize::try_from(number - self.first_number()).unwrap_or(0);
        self.events.range(skipped.min(self.events.len())..)
    }

    pub(crate) fn last_enqueued(&self) -> LastEnqueued {
        LastEnqueued {
            sequence_number: self.next_number - 1,
            offset: if self.next_number == 0 { "-1".to_owned() } else { self.offset_text(self.last_offset) },
            enqueued_ms: self.last_enqueued_ms,
        }
    }

    pub(crate) fn offset_text(&self, offset: i64) -> String {
        if self.geo_offsets { format!("g1:{offset}") } else { offset.to_string() }
    }

    /// The first sequence number that a consumer with this selector gets.
    pub(crate) fn begin(&self, selector: &Selector) -> Result<i64, Refusal> {
        let first_where = |keep: &dyn Fn(&Event) -> bool| {
            self.first_number() + self.events.partition_point(|event| !keep(event)) as i64
        };
        match selector {
            Selector::Latest => Ok(self.next_number),
            Selector::Offset { offset, .. } if offset == "-1" => Ok(self.first_number()),
            Selector::Offset { offset, inclusive } => {
                let known = if self.geo_offsets { offset.strip_prefix("g1:") } else { Some(offset.as_str()) };
                let number: i64 = known
                    .and_then(|digits| digits.parse().ok())
                    .filter(|number| *number <= self.last_offset)
                    .ok_or_else(|| self.beyond("offset", offset, &self.last_enqueued().offset))?;
                Ok(first_where(&|event| event.offset > number || (*inclusive && event.offset == number)))
            }
            Selector::SequenceNumber { number, inclusive } => {
                let begin = if *inclusive { *number } else { number.saturating_add(1) };
                if begin > self.next_number {
                    return Err(self.beyond(
                        "sequence number",
                        &number.to_string(),
                        &(self.next_number - 1).to_string(),
                    ));
                }
                Ok(begin.max(self.first_number()))
            }
            Selector::EnqueuedTime { milliseconds, inclusive } => Ok(first_where(&|event| {
                event.enqueued_ms > *milliseconds || (*inclusive && event.enqueued_ms == *milliseconds)
            })),
        }
    }

    /// In the words of the service.
    fn beyond(&self, what: &str, asked: &str, last: &str) -> Refusal {
        let text = format!("The supplied {what} '{asked}' is invalid. The last {what} in the system is '{last}'");
        Refusal::new("com.microsoft:argument-error", text)
    }
}

/// How far an event moves the offset: more than its bytes, as if it lay in a file with a head.
fn step(bytes: usize) -> i64 {
    (bytes + 40).next_multiple_of(8) as i64
}
