//! The counters of a stream at one time, to be added up: renditions of a stream come and go, and the frames
//! that they sent stay counted.

use std::ops::AddAssign;

use super::{drop_reason::DropReason, histogram::HistogramSnapshot, processing::Processing};

/// The counters of a stream, or the sum of several streams.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Frames given to viewers, repeats included.
    pub frames_out: u64,
    /// Bytes given to viewers.
    pub bytes_out: u64,
    /// Frames that viewers missed.
    pub skipped: u64,
    pub(crate) dropped: [u64; DropReason::ALL.len()],
    pub(crate) processed: [u64; Processing::ALL.len()],
    /// Time that it took to encode frames anew.
    pub encode_times: HistogramSnapshot,
}

impl Totals {
    /// Returns the number of frames not shown, by reason.
    pub fn dropped(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.into_iter().zip(self.dropped)
    }

    /// Returns the number of frames shown, by their processing.
    pub fn processed(&self) -> impl Iterator<Item = (Processing, u64)> {
        Processing::ALL.into_iter().zip(self.processed)
    }
}

impl AddAssign<&Totals> for Totals {
    fn add_assign(&mut self, other: &Self) {
        self.frames_out += other.frames_out;
        self.bytes_out += other.bytes_out;
        self.skipped += other.skipped;
        for (count, more) in self.dropped.iter_mut().zip(other.dropped) {
            *count += more;
        }
        for (count, more) in self.processed.iter_mut().zip(other.processed) {
            *count += more;
        }
        self.encode_times += &other.encode_times;
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use crate::bus::stats::{drop_reason::DropReason, processing::Processing, stream_stats::StreamStats};

    #[test]
    fn totals_of_ended_renditions_are_added_up() {
        let ended = StreamStats::default();
        for _ in 0..3 {
            ended.count_frame_in(9, Instant::now(), Processing::Encoded);
            ended.count_frame_out(20, 7);
            ended.count_drop(DropReason::Invalid);
            ended.encode_times().record(Duration::from_millis(4));
        }
        let stream = StreamStats::default();
        stream.count_ended_rendition(&ended.totals());
        assert_eq!(stream.ended_renditions(), ended.totals());
        stream.count_ended_rendition(&ended.totals());
        let sum = stream.ended_renditions();
        assert_eq!((sum.frames_out, sum.bytes_out, sum.skipped), (6, 120, 42));
        assert_eq!(sum.dropped().find(|(_, count)| *count > 0), Some((DropReason::Invalid, 6)));
        assert_eq!(sum.processed().find(|(_, count)| *count > 0), Some((Processing::Encoded, 6)));
        assert_eq!((sum.encode_times.count(), sum.encode_times.sum_seconds()), (6, 0.024));
    }
}
