//! Fixture trees, and the verdicts on what is read from them.

use super::*;
use crate::clock::SystemClock;

const NOW: WallTime = WallTime::from_millis(0);

/// A directory of supplies, each a name and its attributes as `name=value` words.
fn tree(supplies: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a directory");
    for (name, attributes) in supplies {
        let path = root.path().join(name);
        std::fs::create_dir(&path).expect("a directory");
        for (name, value) in attributes.split(',').filter_map(|attribute| attribute.split_once('=')) {
            std::fs::write(path.join(name), format!("{value}\n")).expect("a file");
        }
    }
    root
}

fn read(supplies: &[(&str, &str)]) -> PowerState {
    let tree = tree(supplies);
    let source = PowerSource::at(Arc::new(SystemClock::new()), tree.path());
    *source.snapshot().known().expect("a reading")
}

#[test]
fn a_machine_without_a_battery_is_charging_and_never_low() {
    assert_eq!(read(&[]), PowerState::mains());
    assert_eq!(read(&[("AC", "type=Mains,online=1")]), PowerState::mains());
    assert_eq!(read(&[("AC", "type=Mains,online=0")]), PowerState::mains());
    let none = PowerSource::at(Arc::new(SystemClock::new()), "/nonexistent/power_supply");
    if cfg!(target_os = "linux") {
        assert_eq!(none.snapshot(), Reading::Known(PowerState::mains()));
    }
}

#[test]
fn a_peripheral_s_battery_is_none_of_the_machine_s() {
    let mouse = ("hidpp_battery_0", "type=Battery,scope=Device,capacity=3,status=Discharging,present=1");
    assert_eq!(read(&[mouse]), PowerState::mains());
    let empty_bay = ("BAT1", "type=Battery,present=0,status=Unknown");
    assert_eq!(read(&[empty_bay]), PowerState::mains());
}

#[test]
fn plugs_and_batteries_are_read() {
    let check = |plug: &str, battery: &str, expected: PowerState| {
        assert_eq!(read(&[("AC", plug), ("BAT0", battery)]), expected, "{plug} {battery}");
    };
    let battery = PowerState::on_battery;
    check("type=Mains,online=0", "type=Battery,capacity=80,status=Discharging", battery(80));
    check("type=Mains,online=1", "type=Battery,capacity=80,status=Charging", PowerState::charging(80));
    check("type=Mains,online=1", "type=Battery,capacity=80,status=Not charging", PowerState::charging(80));
    check("type=USB_PD,online=1", "type=Battery,capacity=15,status=Unknown", PowerState::charging(15));
    check("type=Mains,online=0", "type=Battery,capacity=100,status=Full", PowerState::charging(100));
    check("type=Mains", "type=Battery,energy_now=30,energy_full=60,status=Discharging", battery(50));
    check("type=Mains", "type=Battery,charge_now=1,charge_full=10,status=Discharging", battery(10));
    let silent = PowerState { battery: None, ..battery(50) };
    check("type=Mains,online=0", "type=Battery,status=Discharging", silent);
}

#[test]
fn of_two_batteries_the_mean_counts() {
    let two = [
        ("BAT0", "type=Battery,capacity=2,status=Discharging"),
        ("BAT1", "type=Battery,capacity=98,status=Unknown"),
    ];
    assert_eq!(read(&two), PowerState::on_battery(50));
}

#[test]
fn a_battery_is_low_from_15_down_until_20() {
    let tree = tree(&[("BAT0", "type=Battery,status=Discharging")]);
    let source = PowerSource::at(Arc::new(SystemClock::new()), tree.path());
    for (percent, low) in
        [(30, false), (16, false), (15, true), (14, true), (19, true), (20, false), (16, false)]
    {
        std::fs::write(tree.path().join("BAT0/capacity"), format!("{percent}")).expect("a file");
        let state = *source.snapshot().known().expect("a reading");
        assert_eq!(state.low, low, "at {percent} %");
        assert_eq!(BatteryNotLow.check(&state, NOW).is_met(), !low);
    }
}

#[test]
fn the_reasons_name_the_charge() {
    let text = |verdict: Verdict| match verdict {
        Verdict::Hold { why, .. } => why.into_owned(),
        Verdict::Met { .. } => panic!("it must be held"),
    };
    assert_eq!(text(Charging.check(&PowerState::on_battery(64), NOW)), "on battery, at 64 %");
    let low = text(BatteryNotLow.check(&PowerState::on_battery(9), NOW));
    assert_eq!(low, "the battery is at 9 %; it must reach 20 %");
}

#[test]
fn the_stored_forms_are_kept() {
    assert_eq!(Charging.encode(), [1]);
    assert_eq!(BatteryNotLow.encode(), [1]);
    assert_eq!(Charging::decode(&[1]), Ok(Charging));
    assert_eq!(Charging::decode(&[2]).expect_err("newer").to_string(), "format 2 is newer than this program");
    assert!(BatteryNotLow::decode(&[]).is_err() && BatteryNotLow::decode(&[1, 1]).is_err());
}
