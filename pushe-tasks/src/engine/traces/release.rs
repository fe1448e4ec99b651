//! Work that a constraint has held, let go.

use super::*;

/// Schedules so many pieces that take no time, on a network that is not there; answers the engine.
async fn held(pieces: usize, max_running: u64, met: bool) -> World {
    let network = Manual::new(state(met));
    let world = World::on(met, network.clone(), network, max_running);
    for _ in 0..pieces.div_ceil(1_000) {
        let batch = (0..pieces.min(1_000)).map(|_| Schedule::<Send>::new(0));
        world.scheduler.schedule_many(batch).await.unwrap();
    }
    world.pass(secs(2)).await;
    world
}

#[test]
fn held_work_is_spread_so_that_a_server_is_not_stampeded() {
    run(|| async {
        let world = held(1_000, 8, false).await;
        world.set(true);
        world.pass(RISE + millis(5)).await;
        let first = world.ledger.begun();
        assert!((8..=16).contains(&first), "as many as may run begin at once: {first}");
        // 1,000 pieces: nine doublings, 18 s.
        world.pass(secs(9)).await;
        let half = world.ledger.begun();
        assert!((450..=550).contains(&half), "{half} after half of the time");
        world.pass(secs(9) + millis(50)).await;
        assert_eq!(world.ledger.begun(), 1_000);
    });
}

#[test]
fn few_pieces_and_those_of_a_start_are_not_spread() {
    run(|| async {
        let few = held(99, 8, false).await;
        few.set(true);
        few.pass(RISE + millis(50)).await;
        assert_eq!(few.ledger.begun(), 99);
    });
    run(|| async {
        let start = held(1_000, 8, true).await;
        assert_eq!(start.ledger.begun(), 1_000, "nothing has held them");
    });
}
