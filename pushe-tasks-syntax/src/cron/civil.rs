//! Days of the Gregorian calendar, counted from 1 January 1970.

/// Seconds of a day on a clock.
pub(super) const DAY: i64 = 86_400;

/// The last day that is looked at: 31 December 9999.
pub(super) const LAST_DAY: i64 = 2_932_896;

/// Year, month and day of a day.
pub(super) const fn civil(day: i64) -> (i64, i64, i64) {
    // Years are counted from March, so that the odd day stands at their end.
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, of_month)
}

/// The weekday, from Sunday as 0.
pub(super) const fn weekday(day: i64) -> i64 {
    (day + 4).rem_euclid(7)
}

/// How many days a month has.
pub(super) const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates_and_weekdays() {
        let check = |day, date, week| assert_eq!((civil(day), weekday(day)), (date, week), "{day}");
        check(0, (1970, 1, 1), 4);
        check(-1, (1969, 12, 31), 3);
        check(11_016, (2000, 2, 29), 2);
        check(11_017, (2000, 3, 1), 3);
        check(20_454, (2026, 1, 1), 4);
        check(LAST_DAY, (9999, 12, 31), 5);
        check(-719_528, (0, 1, 1), 6);
    }

    #[test]
    fn every_day_of_eight_hundred_years_follows_the_one_before() {
        let mut before = civil(-146_098);
        for day in -146_097..146_097 {
            let (year, month, of_month) = civil(day);
            let expected = match before {
                (y, m, d) if d < days_in_month(y, m) => (y, m, d + 1),
                (y, 12, _) => (y + 1, 1, 1),
                (y, m, _) => (y, m + 1, 1),
            };
            assert_eq!((year, month, of_month), expected, "{day}");
            before = expected;
        }
    }
}
