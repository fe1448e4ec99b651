//! The input of all measured work.

/// A typed input of about 100 bytes, spelled as plain fields so that each side gives it its own derive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its number among those of the run: the tally's index.
    pub number: u64,
    /// When it was given to the side, on the process's measuring clock.
    pub sent_nanos: u64,
    /// Filling: about 80 bytes.
    pub text: String,
}

impl Piece {
    /// The piece with this number, sent now.
    pub fn new(number: u64) -> Self {
        let text =
            format!("{number:012} a photo of the sea, to be put up as soon as there is a network again ..");
        Self { number, sent_nanos: crate::since_epoch_nanos(), text }
    }
}
