//! Moments around the boundaries of windows, over midnight, weeks and changes of the clock.

use super::*;

fn wall(text: &str) -> WallTime {
    let moment: Timestamp = text.parse().expect("a moment");
    WallTime::from_millis(moment.as_millisecond())
}

/// Whether the window is open at `now`, and when that changes, all in UTC.
fn check(window: &TimeWindow, now: &str, open: bool, changes: &str) {
    assert_eq!(window.verify(), Ok(()));
    let verdict = window.check(&(), wall(now));
    assert_eq!(verdict.is_met(), open, "{window} at {now}: {verdict:?}");
    assert_eq!(verdict.recheck_at(), Some(wall(changes)), "{window} at {now}: {verdict:?}");
}

fn daily(from: &str, to: &str) -> TimeWindow {
    TimeWindow::daily(from, to).zone("UTC")
}

#[test]
fn a_window_opens_and_closes_to_the_millisecond() {
    let office = daily("09:00", "17:30");
    check(&office, "2026-11-24T08:59:59.999Z", false, "2026-11-24T09:00Z");
    check(&office, "2026-11-24T09:00Z", true, "2026-11-24T17:30Z");
    check(&office, "2026-11-24T17:29:59.999Z", true, "2026-11-24T17:30Z");
    check(&office, "2026-11-24T17:30Z", false, "2026-11-25T09:00Z");
}

#[test]
fn a_window_over_midnight_belongs_to_the_day_it_begins_on() {
    let nights = daily("22:00", "06:00").on([Day::Friday]);
    // The 27th of November 2026 is a Friday.
    check(&nights, "2026-11-27T05:00Z", false, "2026-11-27T22:00Z");
    check(&nights, "2026-11-27T23:00Z", true, "2026-11-28T06:00Z");
    check(&nights, "2026-11-28T05:59Z", true, "2026-11-28T06:00Z");
    check(&nights, "2026-11-28T06:00Z", false, "2026-12-04T22:00Z");
}

#[test]
fn quiet_hours_are_the_rest() {
    let quiet = TimeWindow::quiet("22:00", "07:00").zone("UTC");
    check(&quiet, "2026-11-24T21:59Z", true, "2026-11-24T22:00Z");
    check(&quiet, "2026-11-24T22:00Z", false, "2026-11-25T07:00Z");
    check(&quiet, "2026-11-25T07:00Z", true, "2026-11-25T22:00Z");
    let hold = quiet.check(&(), wall("2026-11-24T23:00Z"));
    assert!(matches!(hold, Verdict::Hold { ref why, .. } if why == "closed until Wed 07:00 UTC"), "{hold:?}");
}

#[test]
fn windows_that_meet_are_one() {
    let all_day = daily("08:00", "08:00").on(Day::WEEKDAYS);
    // From Monday at 8 to Saturday at 8.
    check(&all_day, "2026-11-24T12:00Z", true, "2026-11-28T08:00Z");
    check(&all_day, "2026-11-28T08:00Z", false, "2026-11-30T08:00Z");
}

#[test]
fn a_window_that_is_always_open_is_judged_again_later() {
    let always = daily("00:00", "00:00");
    let verdict = always.check(&(), wall("2026-11-24T12:00Z"));
    assert!(verdict.is_met() && verdict.recheck_at() > Some(wall("2026-12-01T00:00Z")), "{verdict:?}");
}

#[test]
fn the_zone_s_clock_decides() {
    let berlin = TimeWindow::daily("09:00", "17:00").zone("Europe/Berlin");
    check(&berlin, "2026-01-15T07:59Z", false, "2026-01-15T08:00Z");
    check(&berlin, "2026-07-15T07:00Z", true, "2026-07-15T15:00Z");
}

#[test]
fn a_boundary_in_a_gap_falls_behind_it() {
    // On the 29th of March 2026 the clocks of Berlin go from 02:00 to 03:00, at 01:00 UTC.
    let gap = TimeWindow::daily("02:30", "04:00").zone("Europe/Berlin");
    check(&gap, "2026-03-29T00:59Z", false, "2026-03-29T01:00Z");
    check(&gap, "2026-03-29T01:00Z", true, "2026-03-29T02:00Z");
    let ends = TimeWindow::daily("01:00", "02:30").zone("Europe/Berlin");
    check(&ends, "2026-03-29T00:30Z", true, "2026-03-29T01:00Z");
    let within = TimeWindow::daily("02:10", "02:50").zone("Europe/Berlin");
    check(&within, "2026-03-29T00:30Z", false, "2026-03-30T00:10Z");
}

#[test]
fn a_day_without_its_window_or_without_itself_is_passed_over() {
    // From the Monday before, the window of Sunday the 29th lies in the gap; that of the week after is told.
    let weekly = TimeWindow::daily("02:10", "02:50").on([Day::Sunday]).zone("Europe/Berlin");
    check(&weekly, "2026-03-23T12:00Z", false, "2026-04-05T00:10Z");
    check(&weekly, "2026-03-22T01:49Z", true, "2026-03-22T01:50Z");
    let quiet = TimeWindow::quiet("02:10", "02:50").on([Day::Sunday]).zone("Europe/Berlin");
    assert!(quiet.check(&(), wall("2026-03-23T12:00Z")).is_met());
    // Samoa has left out the 30th of December 2011, a Friday.
    let fridays = TimeWindow::daily("10:00", "11:00").on([Day::Friday]).zone("Pacific/Apia");
    check(&fridays, "2011-12-24T12:00Z", false, "2012-01-05T20:00Z");
}

#[test]
fn a_boundary_that_comes_twice_is_its_first() {
    // On the 25th of October 2026 the clocks of Berlin go from 03:00 to 02:00, at 01:00 UTC.
    let fold = TimeWindow::daily("02:30", "05:00").zone("Europe/Berlin");
    check(&fold, "2026-10-25T00:29Z", false, "2026-10-25T00:30Z");
    check(&fold, "2026-10-25T00:30Z", true, "2026-10-25T04:00Z");
}

#[test]
fn what_is_written_wrongly_is_said() {
    let problem = |window: TimeWindow| window.verify().expect_err("a mistake");
    for text in ["9:00", "25:00", "12:60", "noon", "", "12:0", "+1:00"] {
        let told = format!("`{text}` is no time of the day; write it as `HH:MM`, such as `09:30`");
        assert_eq!(problem(TimeWindow::daily(text, "10:00")), told);
        assert_eq!(problem(TimeWindow::quiet("10:00", text)), told);
    }
    let midnight = problem(daily("18:00", "24:00"));
    assert_eq!(midnight, "`24:00` is no time of the day; write midnight as `00:00`");
    let never = problem(TimeWindow::quiet("08:00", "08:00"));
    assert!(
        never.starts_with("two equal times are the whole day, so these quiet hours never end; "),
        "{never}"
    );
    assert_eq!(TimeWindow::quiet("08:00", "08:00").on(Day::WEEKEND).verify(), Ok(()));
    assert!(problem(daily("09:00", "10:00").on([])).starts_with("the window has no day"));
    let zone = problem(daily("09:00", "10:00").zone("Mars/Olympus"));
    assert!(zone.starts_with("no time zone is called `Mars/Olympus`"), "{zone}");
}

#[test]
fn the_stored_form_is_kept() {
    let window = TimeWindow::quiet("22:00", "07:00").on(Day::WEEKEND).zone("Europe/Berlin");
    let bytes = window.encode();
    assert_eq!(bytes[..7], [1, 1, 0b110_0000, 0x28, 5, 0xa4, 1]);
    assert_eq!(&bytes[7..], b"Europe/Berlin");
    assert_eq!(TimeWindow::decode(&bytes), Ok(window));
    let system = TimeWindow::daily("09:00", "10:00");
    assert_eq!(TimeWindow::decode(&system.encode()), Ok(system));
    let error = |bytes: &[u8]| TimeWindow::decode(bytes).expect_err("no window").to_string();
    assert_eq!(error(&[2, 0, 127, 0, 0, 0, 0]), "format 2 is newer than this program");
    for bytes in
        [&[][..], &[1], &[1, 2, 127, 0, 0, 0, 0], &[1, 0, 255, 0, 0, 0, 0], &[1, 0, 127, 0xa0, 5, 0, 0]]
    {
        assert_eq!(error(bytes), "the bytes are no such constraint");
    }
}

#[test]
fn a_window_whose_zone_is_not_known_here_is_held_with_that_reason() {
    let elsewhere = daily("00:00", "00:00").zone("Mars/Olympus");
    let decoded = TimeWindow::decode(&elsewhere.encode()).expect("a zone is judged where it is used");
    let verdict = decoded.check(&(), wall("2026-11-24T12:00Z"));
    assert!(matches!(verdict, Verdict::Hold { ref why, .. } if why.contains("Mars/Olympus")), "{verdict:?}");
}
