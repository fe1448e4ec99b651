//! The scheduler that calls of one thread use where they name none, so that tests run side by side.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::scheduler::TaskScheduler;

thread_local! {
    static OF_THIS_THREAD: RefCell<Vec<(u64, TaskScheduler)>> = const { RefCell::new(Vec::new()) };
}

/// The newest test scheduler of this thread.
pub(crate) fn of_this_thread() -> Option<TaskScheduler> {
    OF_THIS_THREAD.try_with(|all| all.borrow().last().map(|(_, scheduler)| scheduler.clone())).ok().flatten()
}

/// Makes a scheduler the one of this thread for as long as this lives.
#[derive(Debug)]
pub(super) struct Current {
    number: u64,
    // It stands for an entry of this thread.
    not_send: PhantomData<*const ()>,
}

impl Current {
    pub(super) fn enter(scheduler: TaskScheduler) -> Self {
        OF_THIS_THREAD.with_borrow_mut(|all| {
            let number = all.last().map_or(0, |(last, _)| last + 1);
            all.push((number, scheduler));
            Self { number, not_send: PhantomData }
        })
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        let gone = OF_THIS_THREAD.try_with(|all| {
            let mut all = all.borrow_mut();
            let place = all.iter().position(|(number, _)| *number == self.number);
            place.map(|place| all.remove(place))
        });
        // The handle is dropped only now: its end may look for a scheduler.
        drop(gone);
    }
}
