//! Shows every constraint on the machine it runs on, in a table that updates: pull a plug, fill a disk, take a cable out.
//!
//! ```text
//! cargo run -p constraints                            until it is interrupted
//! cargo run -p constraints -- --for 2s                for two seconds
//! cargo run -p constraints -- --once                  the first readings, and no more
//! cargo run -p constraints -- --reach db.local:5432 --directory /var
//! ```

use std::error::Error;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use pushe_tasks::SystemRandomness;
use pushe_tasks::clock::{Clock, SystemClock};
use pushe_tasks::constraint::{
    BatteryNotLow, Charging, Day, HostSource, NetworkConstraint, NetworkSource, PowerSource, StorageNotLow,
    StorageSource, TimeWindow, WindowSource,
};
use tokio::sync::Notify;

mod arguments;
mod row;
mod table;

use arguments::{Arguments, Length};
use row::Row;

/// Readings come within a second, or the source is silent.
const FIRST: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            writeln!(io::stderr(), "constraints: {problem}")?;
            std::process::exit(2);
        }
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let changed = Arc::new(Notify::new());
    let rows = rows(&arguments, &clock, &changed)?;
    let begun = clock.mono();
    let first = begun.plus(FIRST);
    while rows.iter().any(|row| !row.has_reading()) && clock.mono() < first {
        tokio::select! {
            () = changed.notified() => {}
            () = clock.sleep_until(first) => {}
        }
    }
    show(&rows, &clock, None)?;
    let end = match arguments.length {
        Length::Once => return Ok(()),
        Length::For(length) => Some(begun.plus(length)),
        Length::UntilInterrupted => None,
    };
    let lines = rows.len() + table::HEAD;
    loop {
        let second = clock.mono().plus(Duration::from_secs(1));
        tokio::select! {
            () = changed.notified() => {}
            // Windows change without a reading, and where somebody looks the seconds count on.
            () = clock.sleep_until(second), if io::stdout().is_terminal() => {}
            () = async { clock.sleep_until(end.unwrap_or_default()).await }, if end.is_some() => return Ok(()),
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
        show(&rows, &clock, Some(lines))?;
    }
}

/// One row for each constraint.
fn rows(
    arguments: &Arguments,
    clock: &Arc<dyn Clock>,
    changed: &Arc<Notify>,
) -> Result<Vec<Row>, Box<dyn Error>> {
    let network = Arc::new(NetworkSource::new(Arc::clone(clock)));
    let power = Arc::new(PowerSource::new(Arc::clone(clock)));
    let here = std::env::current_dir()?;
    let storage = Arc::new(StorageSource::new(Arc::clone(clock), Some(here)));
    let hosts = Arc::new(HostSource::new(Arc::clone(clock), Arc::new(SystemRandomness::new())));
    let mut rows: Vec<_> = [
        NetworkConstraint::connected(),
        NetworkConstraint::unmetered(),
        NetworkConstraint::not_roaming(),
        NetworkConstraint::metered(),
        NetworkConstraint::temporarily_unmetered(),
    ]
    .map(|constraint| Row::watch(constraint, &network, changed))
    .into();
    rows.push(Row::watch(Charging, &power, changed));
    rows.push(Row::watch(BatteryNotLow, &power, changed));
    rows.push(Row::watch(StorageNotLow, &storage, changed));
    rows.push(Row::watch(arguments.directory.clone(), &storage, changed));
    rows.push(Row::watch(arguments.reach.clone(), &hosts, changed));
    let office = TimeWindow::daily("09:00", "17:00").on(Day::WEEKDAYS);
    for window in [office, TimeWindow::quiet("22:00", "07:00")] {
        rows.push(Row::watch(window, &Arc::new(WindowSource), changed));
    }
    Ok(rows)
}

/// Writes the table; on a terminal over the last one, which had so many `lines`.
fn show(rows: &[Row], clock: &Arc<dyn Clock>, lines: Option<usize>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if let Some(lines) = lines.filter(|_| out.is_terminal()) {
        write!(out, "\x1b[{lines}A\x1b[J")?;
    }
    let lines = rows.iter().map(|row| row.line(&**clock));
    out.write_all(table::table(lines).as_bytes())?;
    out.flush()
}
