//! Power supplies as Linux shows them: a directory each, an attribute a file.
//!
//! Invariant: an attribute that is missing or does not read is unknown, and no error; drivers differ in what they show.

use std::io;
use std::path::Path;

use super::PowerState;

/// One supply of the machine itself; those of its peripherals are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Supply {
    /// A plug, and whether it gives power.
    Outside { online: bool },
    /// A battery with its charge in percent, and whether it is being charged or full.
    Battery { percent: Option<u8>, charging: bool },
}

/// The supplies under `root`; none where there is no such directory.
pub(super) fn supplies(root: &Path) -> io::Result<Vec<Supply>> {
    let entries = match root.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut supplies = Vec::new();
    for entry in entries {
        supplies.extend(supply(&entry?.path()));
    }
    Ok(supplies)
}

fn supply(path: &Path) -> Option<Supply> {
    let attribute = |name: &str| {
        let text = std::fs::read_to_string(path.join(name)).ok()?;
        Some(text.trim().to_owned())
    };
    let number = |name: &str| attribute(name)?.parse::<i64>().ok();
    // A mouse's battery says nothing about the machine.
    if attribute("scope").is_some_and(|scope| scope == "Device") {
        return None;
    }
    match attribute("type")?.as_str() {
        "Battery" | "UPS" => {
            if number("present") == Some(0) {
                return None;
            }
            let status = attribute("status").unwrap_or_default();
            let charge = || share(number("energy_now")?, number("energy_full")?);
            let counted = || share(number("charge_now")?, number("charge_full")?);
            let percent = number("capacity").map(|percent| percent.clamp(0, 100));
            let percent = percent.or_else(charge).or_else(counted);
            Some(Supply::Battery {
                percent: percent.and_then(|percent| u8::try_from(percent).ok()),
                charging: matches!(status.as_str(), "Charging" | "Full"),
            })
        }
        // "Mains", "USB", "USB_PD", "USB_C", "Wireless", ...
        _ => Some(Supply::Outside { online: number("online")? != 0 }),
    }
}

fn share(now: i64, full: i64) -> Option<i64> {
    (full > 0).then(|| (now.saturating_mul(100) / full).clamp(0, 100))
}

/// What these supplies make of the machine; whether its battery is low is judged elsewhere.
pub(super) fn judge(supplies: &[Supply]) -> PowerState {
    let (mut outside, mut charging, mut batteries, mut charges) = (false, false, 0_u32, Vec::new());
    for supply in supplies {
        match *supply {
            Supply::Outside { online } => outside |= online,
            Supply::Battery { percent, charging: this } => {
                batteries += 1;
                charging |= this;
                charges.extend(percent.map(u32::from));
            }
        }
    }
    // Of several batteries the mean is told: one of two may be empty while the other is full.
    let count = u32::try_from(charges.len()).unwrap_or(u32::MAX);
    let mean = charges.iter().sum::<u32>().checked_div(count);
    PowerState {
        charging: batteries == 0 || outside || charging,
        battery: mean.and_then(|percent| u8::try_from(percent).ok()),
        low: false,
    }
}
