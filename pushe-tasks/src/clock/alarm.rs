//! Long waits on the engine's own thread, by one timer of the kernel.
//!
//! Tokio sorts waits into slots that are 64 ms, 4 s and 4 min wide, and wakes up where a slot begins: a wait of half a
//! minute costs up to four wake-ups. A timer of the kernel costs one, and waits for one moment share it.
//!
//! Invariant: the timer is never set later than the first wait. It may be set earlier, for a wait that was given up since;
//! that costs one wake-up and no more.
#![expect(clippy::disallowed_methods, reason = "it belongs to the seam")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use tokio::io::Interest;
use tokio::net::UnixDatagram;

/// Shorter waits are left to tokio, which needs no call of the system for them.
pub(super) const LONG: Duration = Duration::from_secs(1);

thread_local! {
    static HERE: RefCell<Option<Alarm>> = const { RefCell::new(None) };
}

/// The timer of one thread. Clones are the same timer.
#[derive(Clone, Debug)]
pub(super) struct Alarm {
    /// Tokio polls only the sockets it knows. This one is waited for and read as the timer it is.
    timer: Arc<UnixDatagram>,
    waits: Arc<Mutex<Waits>>,
}

#[derive(Debug, Default)]
struct Waits {
    wakers: BTreeMap<(Instant, u64), Waker>,
    next: u64,
    /// When the timer will go off.
    set_to: Option<Instant>,
}

/// Gives the calling thread a timer for its long waits, until it ends; it must run a tokio runtime with I/O. Where the
/// system gives none, tokio waits.
pub(crate) fn install() {
    match Alarm::new() {
        Ok(alarm) => HERE.with_borrow_mut(|here| *here = Some(alarm)),
        Err(error) => tracing::debug!(%error, "no timer for long waits; they cost more wake-ups"),
    }
}

/// The timer of this thread.
pub(super) fn here() -> Option<Alarm> {
    HERE.with_borrow(Clone::clone)
}

impl Alarm {
    fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let timer = Arc::new(UnixDatagram::from_std(timer.into())?);
        let alarm = Self { timer, waits: Arc::default() };
        let ringing = alarm.clone();
        tokio::spawn(async move {
            let rings = || Ok(rustix::io::read(&ringing.timer, &mut [0; 8])?);
            while ringing.timer.readable().await.is_ok() {
                if ringing.timer.try_io(Interest::READABLE, rings).is_ok() {
                    ringing.ring();
                }
            }
        });
        Ok(alarm)
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until that moment.
    pub(super) fn wait(self, until: Instant) -> impl Future<Output = ()> + Send {
        Waiting { alarm: self, until, number: None }
    }

    /// The timer has gone off: wakes whoever is due, and sets it to the next.
    fn ring(&self) {
        let now = Instant::now();
        let mut waits = self.waits();
        let later = waits.wakers.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut waits.wakers, later);
        waits.set_to = None;
        if let Some((next, _)) = waits.wakers.keys().next().copied() {
            self.set(&mut waits, next, now);
        }
        drop(waits);
        due.into_values().for_each(Waker::wake);
    }

    fn set(&self, waits: &mut Waits, to: Instant, now: Instant) {
        let left = to.saturating_duration_since(now).max(Duration::from_nanos(1));
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        // A wait for longer than the system can count is set again when that is over.
        let it_value = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        let timer = Itimerspec { it_interval: zero, it_value };
        match rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &timer) {
            Ok(_) => waits.set_to = Some(to),
            Err(error) => tracing::error!(%error, "a timer cannot be set"),
        }
    }
}

struct Waiting {
    alarm: Alarm,
    until: Instant,
    /// Its place among the waits, while it has one.
    number: Option<u64>,
}

impl Future for Waiting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let (alarm, now) = (self.alarm.clone(), Instant::now());
        if now >= self.until {
            return Poll::Ready(());
        }
        let mut waits = alarm.waits();
        let number = self.number.unwrap_or(waits.next);
        if self.number.is_none() {
            waits.next += 1;
        }
        self.number = Some(number);
        waits.wakers.insert((self.until, number), context.waker().clone());
        if waits.set_to.is_none_or(|set_to| self.until < set_to) {
            alarm.set(&mut waits, self.until, now);
        }
        Poll::Pending
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.alarm.waits().wakers.remove(&(self.until, number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_end_in_the_order_of_their_moments_and_never_early() {
        let alarm = Alarm::new().unwrap();
        let begun = Instant::now();
        let ended = Arc::new(Mutex::new(Vec::new()));
        let wait = |millis: u64| {
            let (alarm, ended) = (alarm.clone(), Arc::clone(&ended));
            tokio::spawn(async move {
                alarm.wait(begun + Duration::from_millis(millis)).await;
                assert!(begun.elapsed() >= Duration::from_millis(millis));
                ended.lock().unwrap().push(millis);
            })
        };
        let tasks = [60, 20, 40, 20, 0].map(wait);
        let given_up = wait(10);
        tokio::task::yield_now().await;
        given_up.abort();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*ended.lock().unwrap(), [0, 20, 20, 40, 60]);
        assert!(alarm.waits().wakers.is_empty(), "nobody is left in line");
    }

    #[tokio::test]
    async fn an_earlier_wait_sets_the_timer_anew_and_a_later_one_does_not() {
        let alarm = Alarm::new().unwrap();
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut waits: Vec<_> = [50, 90, 20].map(|seconds| Box::pin(alarm.clone().wait(at(seconds)))).into();
        for (wait, set_to) in waits.iter_mut().zip([50, 50, 20]) {
            assert!(std::future::poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx).is_pending())).await);
            assert_eq!(alarm.waits().set_to, Some(at(set_to)));
        }
        drop(waits.pop());
        alarm.ring();
        assert_eq!(alarm.waits().set_to, Some(at(50)), "that of the one which was given up is over");
        let for_ever = Box::pin(alarm.clone().wait(begun + Duration::from_secs(1 << 40)));
        tokio::select! {
            biased;
            () = for_ever => panic!("it is not over"),
            () = alarm.clone().wait(begun + Duration::from_millis(1)) => {}
        }
    }
}
