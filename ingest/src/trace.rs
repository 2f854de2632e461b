//! The trace that a record belongs to, as its sender says in W3C Trace Context: what the span of a commit links to.
//!
//! Only those of a batch's first records are looked at: a link per record would be more than anybody reads.

/// So many contexts of a batch are kept.
pub const TRACES_MAX: usize = 32;
/// So many records of a batch are looked at.
const LOOKED_AT_MAX: usize = 64;
/// As long as the specification lets it be, and no longer.
const STATE_BYTES_MAX: usize = 512;

/// One that was sampled: others have nothing to link to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    /// `tracestate`, as it came.
    pub state: Box<str>,
}

/// Of the first records of a batch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traces {
    looked_at: usize,
    contexts: Vec<TraceContext>,
}

impl TraceContext {
    /// `traceparent` in the form of version 00; later versions may add fields. None if it is malformed or was not sampled.
    #[must_use]
    pub fn parse(parent: &str, state: &str) -> Option<TraceContext> {
        let mut parts = parent.trim().split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let [version] = bytes(version)?;
        if version == 0xff || version == 0 && parts.next().is_some() {
            return None;
        }
        let [flags] = bytes(flags)?;
        let (trace_id, span_id) = (bytes(trace)?, bytes(span)?);
        if flags & 1 == 0 || trace_id == [0; 16] || span_id == [0; 8] {
            return None;
        }
        let state = if state.len() <= STATE_BYTES_MAX { state } else { "" };
        Some(TraceContext { trace_id, span_id, state: state.into() })
    }

    /// Looks the parts up by the names that senders use: the specification's, and the older one of Azure's clients.
    #[cfg(any(feature = "kafka", feature = "event-hubs"))]
    pub(crate) fn find<T: AsRef<str>>(property: impl Fn(&'static std::ffi::CStr) -> Option<T>) -> Option<TraceContext> {
        let parent = property(c"traceparent").or_else(|| property(c"Diagnostic-Id"))?;
        let state = property(c"tracestate");
        TraceContext::parse(parent.as_ref(), state.as_ref().map_or("", AsRef::as_ref))
    }
}

/// Lower-case hex digits, exactly.
fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let hex = hex.as_bytes();
    if hex.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

impl Traces {
    /// Whether one more record is to be looked at.
    pub(crate) fn are_wanted(&self) -> bool {
        self.looked_at < LOOKED_AT_MAX && self.contexts.len() < TRACES_MAX
    }

    pub(crate) fn looked_at(&mut self, found: Option<TraceContext>) {
        self.looked_at += 1;
        if let Some(context) = found
            && !self.contexts.contains(&context)
        {
            self.contexts.push(context);
        }
    }

    pub(crate) fn contexts(&self) -> &[TraceContext] {
        &self.contexts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sampled_well_formed_contexts_count() {
        // The first is the specification's own example.
        let cases = [
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true),
            (" 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03 ", true),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes", true),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", false),
            ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false),
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false),
            ("00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01", false),
            ("00-é-b7ad6b7169203331-01", false),
            ("|b0b1.a_1.", false),
            ("", false),
        ];
        for (parent, good) in cases {
            assert_eq!(TraceContext::parse(parent, "").is_some(), good, "{parent}");
        }
        let context = TraceContext::parse(cases[0].0, "vendor=1").unwrap();
        assert_eq!((context.trace_id[0], context.span_id[7], &*context.state), (0x0a, 0x31, "vendor=1"));
    }

    #[test]
    fn a_batch_keeps_a_few_and_each_once() {
        let context = |number: u8| Some(TraceContext { trace_id: [number + 1; 16], span_id: [1; 8], state: "".into() });
        let mut traces = Traces::default();
        for number in 0..100 {
            if traces.are_wanted() {
                traces.looked_at(context(number / 2));
            }
        }
        assert_eq!(traces.contexts().len(), TRACES_MAX);
        let mut none = Traces::default();
        let mut looks = 0;
        while none.are_wanted() {
            none.looked_at(None);
            looks += 1;
        }
        assert_eq!((looks, none.contexts().len()), (LOOKED_AT_MAX, 0));
    }
}
