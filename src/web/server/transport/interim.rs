//! `100 Continue`: sent when the body of a request is first waited for, not before the request is checked.
//!
//! actix-http writes it into its buffer before any handler runs, so that a publisher with a wrong token sends
//! its body before it reads the 401; ffmpeg then fails with a broken pipe. So the socket takes it out of what
//! actix-http writes, unless a handler already waits for the body, and sends it when a handler does.

pub(super) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The state of the `100 Continue` of the connection's newest request that expects one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Interim {
    /// None is expected.
    #[default]
    None,
    /// It is in actix-http's buffer, and nothing waits for the body yet.
    Buffered,
    /// It is in actix-http's buffer, and is sent.
    Wanted,
    /// It was taken out.
    Held,
    /// It is in the write queue, before the answer.
    Queued,
}

/// What the socket does with bytes that actix-http writes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WriteStep {
    /// Writes so many of them.
    Write(usize),
    /// Writes the write queue first.
    FlushFirst,
    /// Drops so many, which are the `100 Continue`.
    Drop(usize),
}

impl Interim {
    pub(super) fn on_write(&mut self, bytes: &[u8]) -> WriteStep {
        match self {
            Self::None | Self::Held => WriteStep::Write(bytes.len()),
            Self::Queued => WriteStep::FlushFirst,
            Self::Buffered | Self::Wanted => match position(bytes) {
                Some(0) if *self == Self::Buffered => {
                    *self = Self::Held;
                    WriteStep::Drop(CONTINUE.len())
                }
                Some(0) => {
                    *self = Self::None;
                    WriteStep::Write(bytes.len())
                }
                // What is left of the answer before.
                Some(at) => WriteStep::Write(at),
                None => WriteStep::Write(bytes.len()),
            },
        }
    }
}

/// Returns where it begins.
fn position(bytes: &[u8]) -> Option<usize> {
    bytes.windows(CONTINUE.len()).position(|window| window == CONTINUE)
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_taken_out_behind_the_answer_before_unless_the_body_is_waited_for() {
        let buffer = [b"end of an answer", CONTINUE, b"the next"].concat();
        for (begin, then) in [
            (Interim::Buffered, (WriteStep::Drop(CONTINUE.len()), Interim::Held)),
            (Interim::Wanted, (WriteStep::Write(CONTINUE.len() + 8), Interim::None)),
        ] {
            let mut interim = begin;
            assert_eq!(interim.on_write(&buffer), WriteStep::Write(16));
            assert_eq!((interim.on_write(&buffer[16..]), interim), then);
            assert_eq!(interim.on_write(b"the next"), WriteStep::Write(8));
        }
    }
}
