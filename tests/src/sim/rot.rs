//! Bit rot, on a copy of the disk that is thrown away afterwards with all that happened on it.

use std::time::Duration;

use pushe_tasks_store::redb::{Integrity, SimDisk};

use super::world::World;

/// So many bytes of a payload are searched for on the disk.
const SEARCHED: usize = 24;

impl World {
    /// Flips a bit of a stored payload while no process runs, and starts the program on that: the piece is set aside, and
    /// no body is given what nobody scheduled.
    pub(super) fn rot(&mut self, pick: u16, bit: u8) {
        if self.disk.has_faults() || !self.shutdown(Duration::from_secs(10), None) || self.disk.has_faults() {
            return;
        }
        let image = self.disk.image();
        let Some((token, places)) = self.payload_in(&image, pick) else { return };
        let copy = SimDisk::from_image(image, self.random.bits());
        let at = u64::from(bit) % (SEARCHED as u64 * 8);
        for place in places {
            copy.flip_bit(place as u64 * 8 + at);
        }

        let (disk, ledger) = (std::mem::replace(&mut self.disk, copy), self.ledger.open().clone());
        // redb looks at every page of a small file unless it is told not to: a large one is served as it is.
        self.integrity = Integrity::AfterCrash;
        self.ledger.open().rotten = Some(token);
        let started = self.start();
        if started {
            self.advance(Duration::from_secs(120));
            self.check("after a bit of a payload has flipped");
        }
        self.disk.freeze_at(0);
        self.ledger.open().dead = true;
        self.life = None;
        self.disk = disk;
        self.integrity = Integrity::WhenSmall;
        let found = std::mem::replace(&mut *self.ledger.open(), ledger);
        let mut ledger = self.ledger.open();
        ledger.note(format!(
            "bits of piece {token} flipped on a copy: started {started}, {:016x}",
            found.trace
        ));
        ledger.count("payloads damaged");
        ledger.violations = found.violations;
    }

    /// A piece whose payload is on the disk, and where.
    fn payload_in(&self, image: &[u8], pick: u16) -> Option<(usize, Vec<usize>)> {
        let ledger = self.ledger.open();
        let long: Vec<_> = (0..ledger.pieces.len())
            .filter(|token| {
                let piece = &ledger.pieces[*token];
                usize::from(piece.call.filler) >= SEARCHED
                    && piece.seen.is_some_and(|seen| !seen.is_finished())
            })
            .collect();
        let token = *long.get(usize::from(pick) % long.len().max(1))?;
        let wanted = &ledger.pieces[token].job.filler()[..SEARCHED];
        let places: Vec<_> = image
            .windows(SEARCHED)
            .enumerate()
            .filter(|(_, bytes)| *bytes == wanted)
            .map(|(at, _)| at)
            .collect();
        (!places.is_empty()).then_some((token, places))
    }
}
