//! Rules of single options and between options.
//!
//! Invariant: a rule answers about the values it is given and looks at nothing else.

use std::time::Duration;

use crate::OptionError;
use crate::limits::{HOST_BYTES, ID_BYTES, NAME_BYTES, TAG_BYTES, TAGS};

/// A task id has 1 to 512 bytes.
pub fn id(id: &str) -> Result<(), OptionError> {
    match id.len() {
        0 => Err(OptionError::IdEmpty),
        bytes if bytes > ID_BYTES => Err(OptionError::IdTooLong { bytes }),
        _ => Ok(()),
    }
}

/// A task name or alias has 1 to 512 bytes.
pub fn name(name: &str) -> Result<(), OptionError> {
    match name.len() {
        0 => Err(OptionError::NameEmpty),
        bytes if bytes > NAME_BYTES => Err(OptionError::NameTooLong { bytes }),
        _ => Ok(()),
    }
}

/// An alias is another name than the task's own and than the aliases before it.
pub fn alias(alias: &str, name: &str, earlier: &[impl AsRef<str>]) -> Result<(), OptionError> {
    self::name(alias)?;
    if alias == name {
        return Err(OptionError::AliasIsName { alias: alias.to_owned() });
    }
    if earlier.iter().any(|other| other.as_ref() == alias) {
        return Err(OptionError::AliasTwice { alias: alias.to_owned() });
    }
    Ok(())
}

/// A tag has 1 to 128 bytes.
pub fn tag(tag: &str) -> Result<(), OptionError> {
    match tag.len() {
        0 => Err(OptionError::TagEmpty),
        bytes if bytes > TAG_BYTES => Err(OptionError::TagTooLong { bytes }),
        _ => Ok(()),
    }
}

/// A tag in a list is another one than those before it.
pub fn tag_among(tag: &str, earlier: &[impl AsRef<str>]) -> Result<(), OptionError> {
    self::tag(tag)?;
    if earlier.iter().any(|other| other.as_ref() == tag) {
        return Err(OptionError::TagTwice { tag: tag.to_owned() });
    }
    Ok(())
}

/// A piece of work bears at most 32 tags.
pub fn tags(tags: usize) -> Result<(), OptionError> {
    if tags > TAGS { Err(OptionError::TooManyTags { tags }) } else { Ok(()) }
}

/// A duration that is given is not zero.
pub fn not_zero(option: &'static str, value: Duration) -> Result<(), OptionError> {
    if value.is_zero() { Err(OptionError::ZeroDuration { option }) } else { Ok(()) }
}

/// No wait is longer than a hundred years.
pub fn not_too_long(value: Duration) -> Result<(), OptionError> {
    if value > crate::limits::LONGEST { Err(OptionError::DurationTooLong) } else { Ok(()) }
}

/// At least one attempt is made.
pub fn max_attempts(value: u64) -> Result<(), OptionError> {
    if value == 0 { Err(OptionError::ZeroAttempts) } else { Ok(()) }
}

/// The random part of a back-off is a fraction of it.
pub fn jitter(value: f64) -> Result<(), OptionError> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(OptionError::Jitter) }
}

/// The first back-off is not longer than the longest.
pub fn backoff(delay: Duration, max_delay: Duration) -> Result<(), OptionError> {
    if delay > max_delay { Err(OptionError::DelayAboveMax) } else { Ok(()) }
}

/// At least one piece of work may run.
pub fn concurrency(value: u64) -> Result<(), OptionError> {
    if value == 0 { Err(OptionError::ZeroConcurrency) } else { Ok(()) }
}

/// A policy says what becomes of work with the same id, so there must be an id.
pub fn policy(has_policy: bool, has_id: bool) -> Result<(), OptionError> {
    if has_policy && !has_id { Err(OptionError::PolicyWithoutId) } else { Ok(()) }
}

/// A place on the network is a host, a colon and a port from 1 to 65535; an IPv6 address stands in brackets.
pub fn host_and_port(place: &str) -> Result<(), OptionError> {
    let wrong = || {
        let longest = HOST_BYTES + ":65535".len();
        // What is far too long is shown by its beginning.
        let found: String = place.chars().take(longest + 1).collect();
        Err(OptionError::HostAndPort { found })
    };
    let Some((host, port)) = place.rsplit_once(':') else { return wrong() };
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || !port.parse::<u16>().is_ok_and(|port| port > 0) {
        return wrong();
    }
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let good = if let Some(address) = bracketed {
        address.parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        let letter = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
        (1..=HOST_BYTES).contains(&host.len()) && host.chars().all(letter)
    };
    if good { Ok(()) } else { wrong() }
}

/// What to do on the loss of a constraint needs a constraint.
pub fn on_lost(has_on_lost: bool, has_constraint: bool) -> Result<(), OptionError> {
    if has_on_lost && !has_constraint { Err(OptionError::OnLostWithoutConstraint) } else { Ok(()) }
}

/// A priority moves work by at most a week, so that what is passed is not passed for ever.
pub fn priority(minutes: i64) -> Result<(), OptionError> {
    let most = crate::limits::PRIORITY_MINUTES;
    if (-most..=most).contains(&minutes) { Ok(()) } else { Err(OptionError::PriorityTooFar) }
}

/// One option says how urgent work is.
pub fn urgency(has_expedited: bool, has_priority: bool) -> Result<(), OptionError> {
    if has_expedited && has_priority { Err(OptionError::ExpeditedAndPriority) } else { Ok(()) }
}

/// Work that runs once may start before it expires.
pub fn expires(expires: Option<Duration>, delay: Duration, has_period: bool) -> Result<(), OptionError> {
    match expires {
        Some(expires) if !has_period && expires <= delay => Err(OptionError::ExpiresBeforeStart),
        _ => Ok(()),
    }
}

/// A period is a second or longer.
pub fn every(value: Duration) -> Result<(), OptionError> {
    if value < crate::limits::SHORTEST_PERIOD {
        return Err(OptionError::EveryTooShort);
    }
    not_too_long(value)
}

/// One option says when periodic work runs.
pub fn rhythm(has_every: bool, has_cron: bool) -> Result<(), OptionError> {
    if has_every && has_cron { Err(OptionError::EveryAndCron) } else { Ok(()) }
}

/// A window lies within a period.
pub fn flex(flex: Duration, every: Option<Duration>) -> Result<(), OptionError> {
    match every {
        None => Err(OptionError::FlexWithoutEvery),
        Some(every) if flex > every => Err(OptionError::FlexAboveEvery),
        Some(_) => Ok(()),
    }
}

/// A zone says whose clock a cron text reads.
pub fn tz(has_cron: bool) -> Result<(), OptionError> {
    if has_cron { Ok(()) } else { Err(OptionError::TzWithoutCron) }
}

/// Some options are about periods.
pub fn needs_period(option: &'static str, has_period: bool) -> Result<(), OptionError> {
    if has_period { Ok(()) } else { Err(OptionError::WithoutPeriod { option }) }
}

/// At least one period is run.
pub fn stop_after(value: u64) -> Result<(), OptionError> {
    if value == 0 { Err(OptionError::ZeroStopAfter) } else { Ok(()) }
}

/// Nothing can wait for the end of work that does not end by itself.
pub fn periodic_policy(appends: bool, has_period: bool) -> Result<(), OptionError> {
    if appends && has_period { Err(OptionError::AppendPeriodic) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s6_4_tags_have_1_to_128_bytes_and_are_32_at_most() {
        let long = |bytes| "x".repeat(bytes);
        assert_eq!(tag(""), Err(OptionError::TagEmpty));
        assert_eq!((tag("x"), tag(&long(128))), (Ok(()), Ok(())));
        assert_eq!(tag(&long(129)), Err(OptionError::TagTooLong { bytes: 129 }));
        assert_eq!(tag_among("b", &["a"]), Ok(()));
        assert_eq!(tag_among("a", &["b", "a"]), Err(OptionError::TagTwice { tag: "a".to_owned() }));
        assert_eq!((tags(0), tags(32)), (Ok(()), Ok(())));
        assert_eq!(tags(33), Err(OptionError::TooManyTags { tags: 33 }));
    }

    #[test]
    fn ids_and_names_have_1_to_512_bytes() {
        let check = |length: usize, id_expected, name_expected| {
            assert_eq!(id(&"x".repeat(length)), id_expected, "{length}");
            assert_eq!(name(&"x".repeat(length)), name_expected, "{length}");
        };
        check(0, Err(OptionError::IdEmpty), Err(OptionError::NameEmpty));
        check(1, Ok(()), Ok(()));
        check(512, Ok(()), Ok(()));
        let bytes = 513;
        check(bytes, Err(OptionError::IdTooLong { bytes }), Err(OptionError::NameTooLong { bytes }));
    }

    #[test]
    fn aliases_are_other_names() {
        let check = |given: &str, earlier: &[&str], expected| {
            assert_eq!(alias(given, "Upload", earlier), expected, "{given}");
        };
        check("Old", &[], Ok(()));
        check("Old", &["Older"], Ok(()));
        check("", &[], Err(OptionError::NameEmpty));
        check("Upload", &[], Err(OptionError::AliasIsName { alias: "Upload".into() }));
        check("Old", &["Old"], Err(OptionError::AliasTwice { alias: "Old".into() }));
    }

    #[test]
    fn numbers_keep_their_range() {
        assert_eq!(max_attempts(0), Err(OptionError::ZeroAttempts));
        assert_eq!(max_attempts(1), Ok(()));
        assert_eq!(concurrency(0), Err(OptionError::ZeroConcurrency));
        assert_eq!(concurrency(1), Ok(()));
        for (value, good) in
            [(0.0, true), (0.1, true), (1.0, true), (1.01, false), (-0.1, false), (f64::NAN, false)]
        {
            assert_eq!(jitter(value).is_ok(), good, "{value}");
        }
    }

    #[test]
    fn durations_fit_each_other() {
        let second = Duration::from_secs(1);
        assert_eq!(not_zero("delay", Duration::ZERO), Err(OptionError::ZeroDuration { option: "delay" }));
        assert_eq!(not_zero("delay", Duration::from_millis(1)), Ok(()));
        assert_eq!(backoff(second, second), Ok(()));
        assert_eq!(backoff(second * 2, second), Err(OptionError::DelayAboveMax));
    }

    #[test]
    fn a_place_is_a_host_and_a_port() {
        for good in ["db.local:5432", "10.0.0.1:1", "[::1]:65535", "my_host-2:80", "bücher.example:443"] {
            assert_eq!(host_and_port(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "db",
            ":80",
            "db:",
            "db:0",
            "db:65536",
            "db:+1",
            "::1:80",
            "[::1]",
            "[x]:80",
            "http://db:80",
            "a b:1",
        ] {
            assert_eq!(host_and_port(bad), Err(OptionError::HostAndPort { found: bad.into() }), "{bad}");
        }
        let host = "h".repeat(HOST_BYTES);
        assert_eq!(host_and_port(&format!("{host}:65535")), Ok(()));
        match host_and_port(&format!("{host}{host}{host}:1")) {
            Err(OptionError::HostAndPort { found }) => assert_eq!(found.len(), HOST_BYTES + 7),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn on_lost_needs_a_constraint() {
        assert_eq!(on_lost(true, false), Err(OptionError::OnLostWithoutConstraint));
        assert_eq!(on_lost(true, true), Ok(()));
        assert_eq!(on_lost(false, false), Ok(()));
    }

    #[test]
    fn periods_fit_their_options() {
        let second = Duration::from_secs(1);
        assert_eq!(every(Duration::from_millis(999)), Err(OptionError::EveryTooShort));
        assert_eq!(every(second), Ok(()));
        assert_eq!(every(Duration::MAX), Err(OptionError::DurationTooLong));
        assert_eq!(rhythm(true, true), Err(OptionError::EveryAndCron));
        assert_eq!((rhythm(true, false), rhythm(false, true)), (Ok(()), Ok(())));
        assert_eq!(flex(second, None), Err(OptionError::FlexWithoutEvery));
        assert_eq!(flex(second * 2, Some(second)), Err(OptionError::FlexAboveEvery));
        assert_eq!(flex(second, Some(second)), Ok(()));
        assert_eq!((tz(false), tz(true)), (Err(OptionError::TzWithoutCron), Ok(())));
        assert_eq!(needs_period("missed", false), Err(OptionError::WithoutPeriod { option: "missed" }));
        assert_eq!(needs_period("missed", true), Ok(()));
        assert_eq!((stop_after(0), stop_after(1)), (Err(OptionError::ZeroStopAfter), Ok(())));
        assert_eq!(periodic_policy(true, true), Err(OptionError::AppendPeriodic));
        assert_eq!((periodic_policy(false, true), periodic_policy(true, false)), (Ok(()), Ok(())));
    }

    #[test]
    fn urgency_keeps_its_range_and_is_said_once() {
        for (minutes, good) in
            [(0, true), (10_080, true), (-10_080, true), (10_081, false), (-10_081, false), (i64::MIN, false)]
        {
            assert_eq!(priority(minutes).is_ok(), good, "{minutes}");
        }
        assert_eq!(urgency(true, true), Err(OptionError::ExpeditedAndPriority));
        assert_eq!((urgency(true, false), urgency(false, true)), (Ok(()), Ok(())));
    }

    #[test]
    fn work_may_start_before_it_expires() {
        let second = Duration::from_secs(1);
        let late = Err(OptionError::ExpiresBeforeStart);
        assert_eq!(expires(Some(second), second, false), late);
        assert_eq!(expires(Some(second), second, true), Ok(()));
        assert_eq!(expires(Some(second * 2), second, false), Ok(()));
        assert_eq!(expires(None, second, false), Ok(()));
    }

    #[test]
    fn a_policy_needs_an_id() {
        assert_eq!(policy(true, false), Err(OptionError::PolicyWithoutId));
        assert_eq!(policy(true, true), Ok(()));
        assert_eq!(policy(false, false), Ok(()));
    }
}
