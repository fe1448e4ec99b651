use super::*;
use crate::context::TaskContext;
use crate::outcome::{Outcome, TaskError};

struct Nothing;

impl Task for Nothing {
    const NAME: &'static str = "Nothing";
    const OPTIONS: TaskOptions<Self> = TaskOptions::new();
    type Input = u8;
    type Output = ();

    async fn perform(_: u8, _: TaskContext) -> Result<Outcome, TaskError> {
        Ok(Outcome::SUCCESS)
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_defaults_break_no_rule() {
    assert_eq!(Nothing::OPTIONS.check(), Ok(()));
    assert_eq!(Nothing::OPTIONS.task_id(&1), None);
    assert_eq!(Nothing::OPTIONS.existing_work_policy(), ExistingWorkPolicy::Append);
    assert!(!std::mem::needs_drop::<TaskOptions<Nothing>>());
}

#[test]
fn options_written_by_hand_are_judged() {
    let check = |options: TaskOptions<Nothing>, expected| assert_eq!(options.check(), expected);
    let new = TaskOptions::<Nothing>::new;
    check(new().id("a").policy(ExistingWorkPolicy::Keep), Ok(()));
    check(new().id(""), Err(OptionError::IdEmpty));
    let hourly = PeriodOptions::every(SECOND * 3600);
    check(new().period(hourly).policy(ExistingWorkPolicy::Replace), Ok(()));
    check(new().period(hourly).policy(ExistingWorkPolicy::Append), Err(OptionError::AppendPeriodic));
    check(new().period(hourly.stop_after(0)), Err(OptionError::ZeroStopAfter));
    assert_eq!(new().period(hourly).existing_work_policy(), ExistingWorkPolicy::Keep);
    check(new().policy(ExistingWorkPolicy::Keep), Err(OptionError::PolicyWithoutId));
    check(new().on_lost(OnLost::Finish), Err(OptionError::OnLostWithoutConstraint));
    check(new().on_lost(OnLost::Finish).network(NetworkType::Metered), Ok(()));
    check(new().on_lost(OnLost::Finish).requires(Vec::new), Ok(()));
    check(new().timeout(Duration::ZERO), Err(OptionError::ZeroDuration { option: "timeout" }));
    check(new().concurrency(0), Err(OptionError::ZeroConcurrency));
    let retry = |retry, expected| check(new().retry(retry), expected);
    retry(RetryOptions::new().max_attempts(0), Err(OptionError::ZeroAttempts));
    retry(RetryOptions::new().jitter(1.5), Err(OptionError::Jitter));
    retry(RetryOptions::new().delay(Duration::ZERO), Err(OptionError::ZeroDuration { option: "delay" }));
    retry(RetryOptions::new().delay(SECOND * 2).max_delay(SECOND), Err(OptionError::DelayAboveMax));
}

#[test]
fn an_id_is_fixed_or_made() {
    let made = TaskOptions::<Nothing>::new().id_with(|input| format!("n/{input}"));
    assert_eq!(made.task_id(&7).as_deref(), Some("n/7"));
    assert_eq!(TaskOptions::<Nothing>::new().id("n").task_id(&7).as_deref(), Some("n"));
}
