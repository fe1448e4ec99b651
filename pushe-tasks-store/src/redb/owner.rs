//! Who has a store open: a few lines of text beside it.
//!
//! Invariant: the note says nothing that the store depends on. It names the holder to a second opener, and it lets an
//! older copy that was put in the place of a store be noticed.

use std::fmt::Write as _;

use crate::time::WallTime;

/// The first line; another one is a note that this build does not know.
const TITLE: &str = "pushe-tasks owner 1";

/// Who has a store open, or had it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The store's uuid.
    pub uuid: [u8; 16],
    /// How often the store had been opened.
    pub epoch: u64,
    /// The process.
    pub pid: u32,
    /// What it called itself.
    pub program: String,
    /// When it opened the store.
    pub since: WallTime,
}

impl Owner {
    /// The note, as it stands in the file.
    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{TITLE}\nuuid {}\n", uuid::Uuid::from_bytes(self.uuid));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "epoch {}\npid {}", self.epoch, self.pid);
        let program: String = self.program.chars().filter(|c| !c.is_control()).take(128).collect();
        let _ = writeln!(text, "since {} {}", self.since.as_millis(), civil(self.since));
        let _ = writeln!(text, "program {program}");
        text
    }

    /// Reads a note; `None` for one that is cut short or unknown: it is a hint and no more.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.strip_prefix(TITLE)?.strip_prefix('\n')?.lines();
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        Some(Self {
            uuid: uuid::Uuid::try_parse(field("uuid")?).ok()?.into_bytes(),
            epoch: field("epoch")?.parse().ok()?,
            pid: field("pid")?.parse().ok()?,
            since: WallTime::from_millis(field("since")?.split(' ').next()?.parse().ok()?),
            program: field("program")?.to_owned(),
        })
    }

    /// The holder, for people.
    pub(super) fn describe(&self) -> String {
        let who = format!("process {} (`{}`), since {}", self.pid, self.program, civil(self.since));
        if self.pid == std::process::id() { format!("another scheduler in this {who}") } else { who }
    }
}

/// The moment in UTC to the second, such as `2026-11-24 06:10:19 UTC`.
fn civil(time: WallTime) -> String {
    let seconds = time.as_millis().div_euclid(1000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Years that begin in March make the leap day the last of its year; 400 of them are 146,097 days.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        let since = WallTime::from_millis(1_795_500_619_123);
        Owner { uuid: [7; 16], epoch: 3, pid: 4711, program: "quick start".into(), since }
    }

    #[test]
    fn a_note_reads_back_and_no_prefix_of_it_does_harm() {
        let text = owner().to_text();
        assert_eq!(Owner::from_text(&text), Some(owner()));
        for end in 0..text.len() {
            // The program's name may be cut; nothing else may be.
            if let Some(cut) = Owner::from_text(&text[..end]) {
                assert_eq!((cut.uuid, cut.epoch, cut.pid), ([7; 16], 3, 4711));
            }
        }
        let odd = Owner { program: "a\nepoch 9\u{1b}[31m".into(), ..owner() };
        assert_eq!(Owner::from_text(&odd.to_text()).unwrap().program, "aepoch 9[31m");
    }

    #[test]
    fn moments_are_written_as_dates() {
        for (millis, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
            (951_782_400_000, "2000-02-29 00:00:00 UTC"),
            (1_795_500_619_123, "2026-11-24 06:10:19 UTC"),
            (4_107_542_399_000, "2100-02-28 23:59:59 UTC"),
            (4_107_542_400_000, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(civil(WallTime::from_millis(millis)), expected);
        }
        civil(WallTime::MIN);
        civil(WallTime::MAX);
    }

    #[test]
    fn the_holder_is_named() {
        assert_eq!(owner().describe(), "process 4711 (`quick start`), since 2026-11-24 06:10:19 UTC");
        let ours = Owner { pid: std::process::id(), ..owner() };
        assert!(ours.describe().starts_with("another scheduler in this process "));
    }
}
