//! What the driver and the sides of a comparison say to each other, and how both measure.
//!
//! A side is a program. The driver begins it with `--phase P --count N --seconds S --dir D`; it does that phase once on a
//! fresh directory, verifies what it counted, and says one line: an [`Answer`].
//!
//! Invariant: every side measures with the same clock, the same percentiles and the same tally, so that no side is
//! flattered by its own ruler.

mod answer;
mod asked;
mod latency;
mod machine;
mod piece;
mod tally;
mod watch;

pub use answer::Answer;
pub use asked::{Asked, Phase};
pub use latency::Latencies;
pub use machine::{cpu_seconds, resident_bytes, size_of_files, voluntary_switches};
pub use piece::Piece;
pub use tally::Tally;
pub use watch::{Moment, nap, now, pause_until, since_epoch_nanos};
