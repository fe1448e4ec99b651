//! Work as it is given to a store without an engine.

use std::sync::Arc;

use pushe_tasks::WorkId;
use pushe_tasks::store::{Envelope, Lane, NewWork, Start, StoredOptions};
use pushe_tasks_bench_protocol::Piece;

/// One piece with an input of about 100 bytes; ids grow with the number.
pub(crate) fn new_work(number: u64, lane: &Arc<Lane>) -> NewWork {
    let mut low = [0; 10];
    low[2..].copy_from_slice(&number.to_be_bytes());
    let mut payload = number.to_le_bytes().to_vec();
    payload.extend_from_slice(Piece::new(number).text.as_bytes());
    NewWork {
        id: WorkId::from_parts(1_800_000_000_000, low),
        lane: Arc::clone(lane),
        aliases: &[],
        unique: None,
        start: Start::After(std::time::Duration::ZERO),
        boost_millis: 0,
        options: StoredOptions::default(),
        envelope: Envelope { codec: 1, version: 1, fingerprint: 0, payload },
    }
}
