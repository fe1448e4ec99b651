//! Setting aside a piece whose record does not read back, so that the rest runs and nothing of it is lost.

use std::ops::ControlFlow;

use crate::id::WorkId;
use crate::index::{IdKey, OrderKey, id_hash};
use crate::rows;
use crate::tables::{Table, TableError, Tables, TablesMut};
use crate::time::WallTime;
use crate::transaction::Transaction;
use crate::verbs::release::release_id;

/// Lists the piece among the Quarantined, bytes untouched; what stood behind it under its task id goes on.
pub(super) fn set_aside<T: TablesMut>(
    tx: &mut Transaction<'_, T>,
    key: OrderKey,
    work: WorkId,
    now: WallTime,
) -> Result<(), TableError> {
    tx.list_as_damaged(key, work)?;
    match hash_of(tx.tables, work)? {
        Some(hash) => release_id(tx, hash, now),
        None => Ok(()),
    }
}

/// The hash of the task id of a piece without a readable record: from its spec, else from the id index, whole.
pub(super) fn hash_of<T: Tables>(tables: &T, work: WorkId) -> Result<Option<u64>, TableError> {
    if let Ok(spec) = rows::spec(tables, work)? {
        return Ok(spec.task_id.as_deref().map(id_hash));
    }
    let mut found = None;
    tables.scan(Table::Ids, &[], &[0xff; 18], &mut |key, value| {
        if rows::pointed(value) != Some(work) {
            return ControlFlow::Continue(());
        }
        found = IdKey::try_from(key).ok().and_then(|key| key.first_chunk::<8>().copied());
        ControlFlow::Break(())
    })?;
    Ok(found.map(u64::from_be_bytes))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::{
        Attempt, Body, ClaimRequest, Claimed, Damage, Envelope, Filter, Grant, Lane, LaneId, Look,
        MemoryStore, NewWork, Policy, Reason, RescueRequest, Settle, Settled, Settlement, Start, Store,
        StoredOptions, Target, VerbError, Verbs, WorkState, WorkView,
    };

    const NOW: WallTime = WallTime::from_millis(1_000_000);

    /// Pieces of one append queue, numbered from 1, and then a plain one.
    fn store(queue: u8) -> MemoryStore {
        let piece = |n: u8, unique| NewWork {
            id: id(n),
            lane: Arc::new(Lane::of("Upload")),
            aliases: &[],
            unique,
            start: Start::After(Duration::ZERO),
            boost_millis: 0,
            options: StoredOptions::default(),
            envelope: Envelope { codec: 1, version: 1, fingerprint: 0, payload: vec![n; 10] },
        };
        let queued = (1..=queue).map(|n| piece(n, Some(("a".to_owned(), Policy::Append))));
        let batch: Vec<_> = queued.chain([piece(queue + 1, None)]).collect();
        let mut store = MemoryStore::default();
        write(&mut store, |tx| tx.enqueue(&batch, NOW).unwrap());
        store
    }

    fn id(n: u8) -> WorkId {
        WorkId::from_bytes([n; 16])
    }

    fn write<R>(store: &mut MemoryStore, mut body: impl FnMut(&mut dyn Verbs) -> R) -> R {
        let mut answer = None;
        store.write(&mut |tx| answer = Some(body(tx))).unwrap();
        store.check().unwrap();
        answer.unwrap()
    }

    fn read<R>(store: &mut MemoryStore, mut body: impl FnMut(&dyn Look) -> R) -> R {
        let mut answer = None;
        store.read(&mut |look| answer = Some(body(look))).unwrap();
        answer.unwrap()
    }

    fn claim(store: &mut MemoryStore) -> Vec<Attempt> {
        let grants = vec![Grant { permits: 9, lanes: vec![LaneId(1)] }];
        let request = ClaimRequest { now: NOW, limit: 9, grants, ..ClaimRequest::default() };
        write(store, |tx| tx.claim(&request).unwrap().iter().map(Claimed::attempt).collect())
    }

    fn works(attempts: &[Attempt]) -> Vec<WorkId> {
        attempts.iter().map(|attempt| attempt.work).collect()
    }

    fn view(store: &mut MemoryStore, n: u8) -> WorkView {
        read(store, |look| look.get(id(n)).unwrap().unwrap())
    }

    fn stands(store: &mut MemoryStore, n: u8) -> (WorkState, Option<Reason>) {
        let record = view(store, n).record;
        (record.state, record.reason)
    }

    const RECORD: (WorkState, Option<Reason>) = (WorkState::Quarantined, Some(Reason::Record));
    const PAYLOAD: (WorkState, Option<Reason>) = (WorkState::Quarantined, Some(Reason::Payload));

    #[test]
    fn s1_13_a_damaged_record_is_set_aside_and_what_stood_behind_it_goes_on() {
        let mut store = store(2);
        store.bend(Table::Records, id(1).as_bytes());
        assert_eq!(works(&claim(&mut store)), [id(3)], "the rest runs");
        assert_eq!(works(&claim(&mut store)), [id(2)]);
        assert_eq!(stands(&mut store, 1), RECORD);
        let spec = view(&mut store, 1).spec.unwrap();
        assert_eq!(spec.envelope.payload, [1; 10], "nothing of it is lost");
        assert_eq!(works(&claim(&mut store)), []);
        let filter =
            Filter { states: vec![WorkState::Quarantined], tasks: Vec::new(), after: None, limit: 9 };
        assert_eq!(read(&mut store, |look| look.list(&filter).unwrap().len()), 1);
        let mut store = store.reopen();
        let lanes = read(&mut store, |look| look.lanes().unwrap());
        assert_eq!(lanes[0].ready, 0);
    }

    #[test]
    fn s1_13_with_record_and_spec_damaged_the_queue_goes_on_too() {
        let mut store = store(2);
        store.bend(Table::Records, id(1).as_bytes());
        store.bend(Table::Specs, id(1).as_bytes());
        assert_eq!(works(&claim(&mut store)), [id(3)]);
        assert_eq!(works(&claim(&mut store)), [id(2)]);
        assert_eq!((stands(&mut store, 1), view(&mut store, 1).spec), (RECORD, Err(Damage::Checksum)));
    }

    #[test]
    fn s1_13_a_damaged_spec_is_quarantined_by_the_claim_and_no_attempt_is_counted() {
        let mut store = store(2);
        store.bend(Table::Specs, id(1).as_bytes());
        assert_eq!(works(&claim(&mut store)), [id(3)]);
        assert_eq!((stands(&mut store, 1), view(&mut store, 1).record.claim), (PAYLOAD, 0));
        assert_eq!(works(&claim(&mut store)), [id(2)]);
    }

    #[test]
    fn s1_17_an_attempt_whose_record_was_damaged_is_fenced() {
        let mut store = store(2);
        let attempts = claim(&mut store);
        assert_eq!(works(&attempts), [id(1), id(3)]);
        store.bend(Table::Records, id(1).as_bytes());
        let settle = |attempt| Settle {
            attempt,
            at: NOW,
            settlement: Settlement::Succeeded { output: None },
            body: Body::Ended,
        };
        let batch = [settle(attempts[0]), settle(attempts[1])];
        let settled = write(&mut store, |tx| tx.settle(&batch).unwrap());
        assert_eq!(settled, [Settled::Fenced, Settled::Applied]);
        assert_eq!((stands(&mut store, 1), works(&claim(&mut store))), (RECORD, vec![id(2)]));
    }

    #[test]
    fn s7_1_a_damaged_orphan_is_set_aside_and_counted() {
        let mut store = store(2);
        claim(&mut store);
        store.bend(Table::Records, id(1).as_bytes());
        let mut store = store.reopen();
        let rescued = write(&mut store, |tx| tx.rescue(&RescueRequest::new(NOW, None)).unwrap());
        assert_eq!((rescued.orphans.as_slice(), rescued.damaged), ([id(3)].as_slice(), 1));
        assert_eq!(works(&claim(&mut store)), [id(2), id(3)]);
    }

    #[test]
    fn damage_is_told_to_who_asks_for_the_piece_and_to_nobody_else() {
        let mut store = store(2);
        store.bend(Table::Records, id(1).as_bytes());
        let refused = write(&mut store, |tx| tx.cancel(&Target::Work(id(1)), NOW));
        assert_eq!(refused, Err(VerbError::Damaged(Damage::Checksum)));
        let cancelled = write(&mut store, |tx| tx.cancel(&Target::TaskId("a".to_owned()), NOW).unwrap());
        assert_eq!(cancelled.iter().map(|moved| moved.attempt.work).collect::<Vec<_>>(), [id(2)]);
    }

    #[test]
    fn s1_15_a_damaged_record_is_discarded_wherever_it_stands() {
        // Its error text, its payload, and its place in the order are of three kinds of rows: none of them is left over.
        for found in [false, true] {
            for bend_spec in [false, true] {
                let mut store = store(2);
                let attempts = claim(&mut store);
                let again = Settlement::Retry {
                    end: crate::AttemptEnd::Retried,
                    error: "boom".to_owned(),
                    after: Duration::ZERO,
                };
                let settle = Settle { attempt: attempts[0], at: NOW, settlement: again, body: Body::Ended };
                write(&mut store, |tx| tx.settle(std::slice::from_ref(&settle)).unwrap());
                store.bend(Table::Records, id(1).as_bytes());
                if bend_spec {
                    store.bend(Table::Specs, id(1).as_bytes());
                }
                if found {
                    assert_eq!(works(&claim(&mut store)), []);
                }
                assert_eq!(write(&mut store, |tx| tx.discard(id(1), NOW)), Ok(true));
                assert_eq!(stands(&mut store, 1), (WorkState::Failed, Some(Reason::Record)));
                assert_eq!(works(&claim(&mut store)), [id(2)], "what stood behind it goes on");
                let week = NOW.plus(Duration::from_secs(7 * 24 * 3600));
                assert_eq!(write(&mut store, |tx| tx.prune(week, 9)), Ok(1));
                assert_eq!(read(&mut store, |look| look.get(id(1)).unwrap()), None);
            }
        }
    }

    #[test]
    fn a_damaged_lane_keeps_its_pieces_and_new_work_gets_a_lane_of_its_own() {
        let mut store = store(0);
        store.bend(Table::Lanes, &rows::lane_key(LaneId(1)));
        let mut store = store.reopen();
        let kept = view(&mut store, 1);
        assert_eq!((kept.record.state, kept.record.lane), (WorkState::Enqueued, LaneId(1)));
        assert!(kept.lane.task.contains("damaged"), "{}", kept.lane.task);
        let mut again = NewWork {
            id: id(9),
            lane: Arc::new(Lane::of("Upload")),
            aliases: &[],
            unique: None,
            start: Start::After(Duration::ZERO),
            boost_millis: 0,
            options: StoredOptions::default(),
            envelope: Envelope { codec: 1, version: 1, fingerprint: 0, payload: Vec::new() },
        };
        write(&mut store, |tx| tx.enqueue(std::slice::from_ref(&again), NOW).unwrap());
        assert_eq!(view(&mut store, 9).record.lane, LaneId(2));
        again.id = id(10);
        write(&mut store, |tx| tx.enqueue(std::slice::from_ref(&again), NOW).unwrap());
        assert_eq!(view(&mut store, 10).record.lane, LaneId(2));
    }

    #[test]
    fn a_damaged_output_or_error_text_is_said_to_be_damaged() {
        let mut store = store(1);
        let attempts = claim(&mut store);
        let (output, text) = (Some(vec![1]), "boom".to_owned());
        let failed = Settlement::Failed { end: crate::AttemptEnd::Failed, reason: Reason::Fail, error: text };
        let settle = |attempt, settlement| Settle { attempt, at: NOW, settlement, body: Body::Ended };
        let batch = [
            settle(attempts[0], Settlement::Succeeded { output: output.map(Into::into) }),
            settle(attempts[1], failed),
        ];
        write(&mut store, |tx| tx.settle(&batch).unwrap());
        store.bend(Table::Outputs, id(1).as_bytes());
        store.bend(Table::Errors, &rows::error_key(id(2), 1));
        let output = read(&mut store, |look| look.output(id(1)));
        assert_eq!(output, Err(VerbError::Damaged(Damage::Checksum)));
        assert!(view(&mut store, 2).errors[0].1.contains("does not read back"));
    }
}
