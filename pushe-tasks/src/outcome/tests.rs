use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// Stands for the wrappers that hide the type of their error and hand on its sources.
#[derive(Debug)]
struct Hidden(Box<dyn Error + Send + Sync>);

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Hidden {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

#[derive(Debug)]
struct Circle;

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("circle")
    }
}

impl Error for Circle {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&Self)
    }
}

#[test]
fn the_outermost_marker_decides() {
    let check = |error: TaskError, fate| assert_eq!(verdict(&error), fate, "{error}");
    let retry = Fate::Retry { after: None };
    let io = || std::io::Error::other("disk");
    check(io().into(), retry);
    check(TaskError::new("text"), retry);
    check(TaskError::new(String::from("text")), retry);
    check(Circle.into(), retry);
    check(Fail::because("no").into(), Fate::Fail);
    check(TaskError::new(Fail::because("no")), Fate::Fail);
    check(Fail::because("no").caused_by(io()).into(), Fate::Fail);
    check(Retry::after(MINUTE).into(), Fate::Retry { after: Some(MINUTE) });
    check(Retry::after(Duration::ZERO).into(), Fate::Retry { after: Some(Duration::ZERO) });
    check(Snooze::lasting(MINUTE).into(), Fate::Snooze(MINUTE));
    check(Snooze::lasting(Duration::from_millis(1)).into(), Fate::Snooze(Duration::from_secs(1)));
    check(Hidden(Box::new(Fail::because("no"))).into(), Fate::Fail);
    check(Hidden(Box::new(Hidden(Box::new(Snooze::lasting(MINUTE))))).into(), Fate::Snooze(MINUTE));
    check(std::io::Error::other(Hidden(Box::new(Fail::because("no")))).into(), Fate::Fail);
    check(Retry::after(MINUTE).caused_by(Fail::because("no")).into(), Fate::Retry { after: Some(MINUTE) });
    check(Fail::because("no").caused_by(Retry::after(MINUTE)).into(), Fate::Fail);
}

#[test]
fn outcomes_have_the_same_fates() {
    let check = |outcome: Outcome, fate| assert_eq!(outcome.fate(), fate, "{outcome:?}");
    check(Outcome::SUCCESS, None);
    check(Outcome::retry(), Some(Fate::Retry { after: None }));
    check(Outcome::retry_after(MINUTE), Some(Fate::Retry { after: Some(MINUTE) }));
    check(Outcome::fail("no"), Some(Fate::Fail));
    check(Outcome::snooze(MINUTE), Some(Fate::Snooze(MINUTE)));
    check(Outcome::snooze(Duration::ZERO), Some(Fate::Snooze(Duration::from_secs(1))));
}

#[test]
fn every_return_type_becomes_an_outcome() {
    let success = |returned: Result<Outcome<u8>, TaskError>| matches!(returned, Ok(Outcome::Success(7)));
    assert!(matches!(().into_outcome(), Ok(Outcome::Success(()))));
    assert!(success(Outcome::Success(7).into_outcome()));
    assert!(success(Ok::<u8, String>(7).into_outcome()));
    assert!(success(Ok::<_, TaskError>(Outcome::Success(7)).into_outcome()));
    let text = Err::<u8, _>("text").into_outcome().unwrap_err();
    assert_eq!(text.to_string(), "text");
    let kept = Err::<u8, _>(TaskError::from(Fail::because("no"))).into_outcome().unwrap_err();
    assert_eq!(kept.fate(), Fate::Fail);
}

#[test]
fn retry_if_decides_before_the_markers() {
    let marked = || Err::<(), TaskError>(Retry::after(MINUTE).into());
    assert!(matches!(into_outcome_if(marked(), |_| false), Ok(Outcome::Fail(_))));
    let error = into_outcome_if(marked(), |_| true).unwrap_err();
    assert_eq!(error.fate(), Fate::Retry { after: Some(MINUTE) });
    assert!(matches!(into_outcome_if(Ok::<_, TaskError>(()), |_| false), Ok(Outcome::Success(()))));
}

#[test]
fn the_text_is_the_users_own() {
    let chain = |error: TaskError| {
        let first: &(dyn Error + 'static) = error.as_error();
        std::iter::successors(Some(first), |&error| error.source())
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(chain(Fail::because("no").caused_by("disk").into()), ["no", "not to be tried again", "disk"]);
    assert_eq!(format!("{:?}", TaskError::new("text")), "\"text\"");
}
