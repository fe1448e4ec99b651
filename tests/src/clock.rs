//! A clock that runs faster than the machine's, for tests of what takes half a minute.
//!
//! Invariant: every wait lasts as much less as the clock runs faster, so nothing is skipped, only hurried.

use std::time::Duration;

use pushe_tasks::clock::{Clock, MonoTime, Sleep, SystemClock, WallTime};

/// The machine's clock, so many times faster.
#[derive(Clone, Copy, Debug)]
pub struct Hurried {
    clock: SystemClock,
    begun: WallTime,
    times: u32,
}

impl Hurried {
    /// A clock that runs `times` as fast from now on.
    pub fn new(times: u32) -> Self {
        let clock = SystemClock::new();
        Self { clock, begun: clock.wall(), times }
    }
}

impl Clock for Hurried {
    fn wall(&self) -> WallTime {
        self.begun.plus(self.mono().since_origin())
    }

    fn mono(&self) -> MonoTime {
        MonoTime::from_origin(self.clock.mono().since_origin() * self.times)
    }

    fn sleep_until(&self, moment: MonoTime) -> Sleep {
        let real = moment.since_origin() / self.times + Duration::from_nanos(1);
        self.clock.sleep_until(MonoTime::from_origin(real))
    }

    fn sleep_until_wall(&self, moment: WallTime) -> Sleep {
        self.sleep_until(self.mono().plus(moment.since(self.wall())))
    }

    fn boot_id(&self) -> Option<[u8; 16]> {
        self.clock.boot_id()
    }
}
