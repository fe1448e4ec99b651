use super::*;
use crate::cron::Utc;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Hourly from the hour 100 on.
const HOURLY: Plan<Utc> =
    Plan { grid: Grid::Every { every: HOUR }, flex: 0, missed: Missed::Once, min_gap: 0 };

/// The slot of an hour.
fn hour(number: u64) -> Slot {
    Slot { number, at: (100 + i64::try_from(number).unwrap()) * HOUR }
}

/// The moment so long after the slot of an hour.
fn past(number: u64, after: i64) -> i64 {
    hour(number).at + after
}

fn cron(text: &str) -> Plan<Utc> {
    Plan { grid: Grid::Cron { cron: Cron::parse(text).unwrap(), zone: Utc }, ..HOURLY }
}

#[test]
fn s5_1_the_first_run_is_at_once_or_in_the_last_flex_of_the_first_period() {
    let start = 100 * HOUR;
    let check = |plan: Plan<Utc>, number, at, early| {
        assert_eq!(plan.first(start), Some(Coming { slot: Slot { number, at }, early }), "{plan:?}");
    };
    check(HOURLY, 0, start, start);
    let flexible = Plan { flex: 10 * MINUTE, ..HOURLY };
    check(flexible, 1, start + HOUR, start + 50 * MINUTE);
    check(Plan { flex: HOUR, ..HOURLY }, 1, start + HOUR, start);
    check(cron("30 4 * * *"), 0, 4 * DAY + 4 * HOUR + 30 * MINUTE, 4 * DAY + 4 * HOUR + 30 * MINUTE);
    check(cron("0 4 * * *"), 0, start, start);
    assert_eq!(cron("0 4 * * *").first(start + 1).unwrap().slot.at, start + DAY);
}

#[test]
fn s5_1_slots_lie_on_the_grid_whenever_a_run_ends() {
    let check = |ran, now, next| {
        let coming = HOURLY.next(hour(ran), now, None).unwrap();
        assert_eq!((coming.slot, coming.early), (hour(next), hour(next).at), "{ran} {now}");
    };
    check(0, past(0, 1), 1);
    check(0, past(0, 59 * MINUTE), 1);
    // A body that went on past its next slot: that slot is due at once.
    check(0, past(1, 30 * MINUTE), 1);
    check(7, past(7, 0), 8);
    let flexible = Plan { flex: 10 * MINUTE, ..HOURLY };
    // It ran early, in the window of slot 5: the next is that of slot 6.
    let coming = flexible.next(hour(5), past(5, -9 * MINUTE), Some(past(5, -10 * MINUTE))).unwrap();
    assert_eq!((coming.slot, coming.early), (hour(6), past(6, -10 * MINUTE)));
}

#[test]
fn s5_3_a_slot_is_missed_a_tenth_of_the_period_or_a_minute_after_its_time() {
    let check = |every, late, missed| {
        let plan = Plan { grid: Grid::Every { every }, ..HOURLY };
        let turn = plan.turn(Slot { number: 3, at: 3 * every }, 3 * every + late, false);
        assert_eq!((turn.slot.number, turn.missed), (3, missed), "{every} {late}");
    };
    check(HOUR, 0, 0);
    check(HOUR, -MINUTE, 0);
    check(HOUR, MINUTE, 0);
    check(HOUR, MINUTE + 1, 1);
    check(DAY, MINUTE + 1, 1);
    check(100 * SECOND, 10 * SECOND, 0);
    check(100 * SECOND, 10 * SECOND + 1, 1);
    check(SECOND, 100, 0);
    check(SECOND, 101, 1);
}

#[test]
fn s5_3_missed_slots_are_one_run_none_or_all() {
    // Waited for slot 1, claimed at `began`: what runs, what was missed, and what comes after it.
    let check = |missed, began, expected: (u64, u64, bool), next| {
        let plan = Plan { missed, ..HOURLY };
        let turn = plan.turn(hour(1), began, false);
        assert_eq!((turn.slot.number, turn.missed, turn.runs), expected, "{missed:?} {began}");
        assert_eq!(turn.slot, hour(turn.slot.number));
        let coming = plan.next(turn.slot, began + 1, Some(began)).unwrap();
        assert_eq!(coming.slot, hour(next), "after {missed:?} {began}");
    };
    let eight_and_a_half = past(8, 30 * MINUTE);
    check(Missed::Once, past(1, 0), (1, 0, true), 2);
    check(Missed::Once, past(1, 30 * MINUTE), (1, 1, true), 2);
    check(Missed::Once, eight_and_a_half, (8, 8, true), 9);
    // The eighth is in time; seven were missed.
    check(Missed::Once, past(8, 30 * SECOND), (8, 7, true), 9);
    check(Missed::Skip, past(1, 0), (1, 0, true), 2);
    check(Missed::Skip, past(1, 30 * MINUTE), (1, 1, false), 2);
    check(Missed::Skip, eight_and_a_half, (8, 8, false), 9);
    check(Missed::Skip, past(8, 30 * SECOND), (8, 7, true), 9);
    check(Missed::All, past(1, 0), (1, 0, true), 2);
    check(Missed::All, eight_and_a_half, (1, 1, true), 2);
    check(Missed::All, past(1_000, 30 * MINUTE), (1, 1, true), 2);
    // One was dropped, and the slot that runs was missed as well.
    check(Missed::All, past(1_001, 30 * MINUTE), (2, 2, true), 3);
    check(Missed::All, past(5_000, 30 * MINUTE), (4_001, 4_001, true), 4_002);
}

#[test]
fn s5_3_missed_slots_of_cron_are_counted() {
    let daily = cron("0 9 * * *");
    let first = daily.first(0).unwrap().slot;
    assert_eq!(first, Slot { number: 0, at: 9 * HOUR });
    let turn = daily.turn(first, 30 * DAY, false);
    assert_eq!(turn, Turn { slot: Slot { number: 29, at: 29 * DAY + 9 * HOUR }, missed: 30, runs: true });
    assert_eq!(
        daily.next(turn.slot, 30 * DAY, None).unwrap().slot,
        Slot { number: 30, at: 30 * DAY + 9 * HOUR }
    );
    let all = Plan { missed: Missed::All, ..cron("* * * * *") };
    let turn = all.turn(Slot { number: 7, at: 0 }, 10 * DAY, false);
    let dropped = 10 * 24 * 60 + 1 - CAUGHT_UP;
    let number = 7 + dropped;
    assert_eq!(turn.slot, Slot { number, at: i64::try_from(dropped).unwrap() * MINUTE });
    assert_eq!(turn.missed, dropped + 1);
    let skip = Plan { missed: Missed::Skip, ..daily };
    assert!(!skip.turn(first, 30 * DAY, false).runs);
    assert_eq!(skip.next(first, 30 * DAY, None).unwrap().slot, Slot { number: 30, at: 30 * DAY + 9 * HOUR });
    // A year of seconds is counted at once.
    let seconds = cron("* * * * * *");
    let turn = seconds.turn(Slot { number: 0, at: 0 }, 365 * DAY, false);
    assert_eq!((turn.slot.number, turn.missed), (31_536_000, 31_536_000));
}

#[test]
fn a_turn_that_is_taken_again_is_the_same() {
    for missed in [Missed::Once, Missed::Skip, Missed::All] {
        let plan = Plan { missed, ..HOURLY };
        let turn = plan.turn(hour(1), past(8, 5), false);
        assert_eq!(turn, plan.turn(hour(1), past(8, 5), false));
    }
}

#[test]
fn s5_6_a_run_at_another_time_takes_the_place_of_its_slot() {
    let check = |missed, began, number, next| {
        let plan = Plan { missed, ..HOURLY };
        let turn = plan.turn(hour(5), began, true);
        assert_eq!(turn, Turn { slot: hour(number), missed: 0, runs: true }, "{missed:?} {began}");
        assert_eq!(plan.next(turn.slot, began, Some(began)).unwrap().slot, hour(next));
    };
    for missed in [Missed::Once, Missed::Skip, Missed::All] {
        check(missed, past(3, 10 * MINUTE), 5, 6);
        check(missed, past(5, 30 * MINUTE), 5, 6);
        check(missed, past(8, 30 * MINUTE), 8, 9);
    }
}

#[test]
fn s5_1_a_run_too_soon_after_the_last_start_is_left_out() {
    let check = |missed, ran, now, began, next| {
        let plan = Plan { missed, min_gap: 30 * MINUTE, ..HOURLY };
        let coming = plan.next(hour(ran), now, Some(began)).unwrap();
        assert_eq!(coming.slot, hour(next), "{missed:?} {ran} {now} {began}");
    };
    check(Missed::Once, 1, past(1, MINUTE), past(1, 0), 2);
    // It began late, twenty minutes before its next slot.
    check(Missed::Once, 1, past(1, 45 * MINUTE), past(1, 40 * MINUTE), 3);
    check(Missed::Once, 1, past(1, 31 * MINUTE), past(1, 30 * MINUTE), 2);
    // The next slot passed while it ran for long enough: it is due at once, and not too soon.
    check(Missed::Once, 1, past(2, 20 * MINUTE), past(1, 45 * MINUTE), 2);
    check(Missed::Skip, 1, past(1, 45 * MINUTE), past(1, 40 * MINUTE), 3);
    // With flex, the window begins no sooner than the gap ends.
    let plan = Plan { min_gap: 55 * MINUTE, flex: 20 * MINUTE, ..HOURLY };
    let coming = plan.next(hour(1), past(1, 1), Some(past(1, 0))).unwrap();
    assert_eq!((coming.slot, coming.early), (hour(2), past(1, 55 * MINUTE)));
}

#[test]
fn s5_4_a_back_off_that_passes_the_next_slot_is_replaced_by_it() {
    let check = |due, expected| assert_eq!(HOURLY.again(hour(3), due), expected, "{due}");
    check(past(3, 30 * MINUTE), Some(past(3, 30 * MINUTE)));
    check(past(4, -1), Some(past(4, -1)));
    check(past(4, 0), None);
    check(past(9, 0), None);
}

#[test]
fn s8_1_a_grid_moves_back_when_the_clock_was_set_back_by_more_than_a_period() {
    let check = |is, expected| assert_eq!(moved_back(40 * MINUTE, is, HOUR), expected, "{is}");
    check(0, 0);
    check(40 * MINUTE, 0);
    check(100 * MINUTE, 0);
    check(100 * MINUTE + 1, HOUR + 1);
    check(i64::MAX, i64::MAX - 40 * MINUTE);
    assert_eq!(moved_back(HOUR, i64::MIN, HOUR), 0);
}

#[test]
fn the_end_of_time_is_no_slot() {
    let plan = Plan { grid: Grid::Every { every: i64::MAX / 2 }, ..HOURLY };
    let last = Slot { number: 2, at: i64::MAX - 1 };
    assert_eq!(plan.next(last, i64::MAX, None), None);
    assert!(plan.turn(last, i64::MAX, false).runs);
    assert_eq!(cron("0 0 1 1 *").first(i64::MAX), None);
    let far = Slot { number: u64::MAX, at: 0 };
    assert_eq!(HOURLY.next(far, 0, None), None);
}
