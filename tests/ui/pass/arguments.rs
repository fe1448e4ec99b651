#![deny(warnings)]

use pushe_tasks::prelude::*;
use pushe_tasks::{FromTaskContext, State as Shared, StateMap};

#[derive(Clone)]
struct Api;

/// An extractor of the program's own.
struct Attempt(u32);

impl FromTaskContext for Attempt {
    fn from_task_context(context: &TaskContext) -> Result<Self, TaskError> {
        Ok(Self(context.attempt()))
    }
}

mod other {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct State;
}

#[pushe_task]
async fn state_first(State(_): State<Api>) {}

#[pushe_task]
async fn qualified(_: pushe_tasks::State<Api>, _: CancellationToken) {}

#[pushe_task]
async fn own_first(#[extract] Attempt(number): Attempt) {
    let _ = number;
}

#[pushe_task]
async fn renamed_first(#[extract] _: Shared<Api>) {}

#[pushe_task]
async fn input_with_such_a_name(#[input] _: other::State, _: TaskContext) {}

#[pushe_task]
async fn marked(#[input] _: u8, #[extract] _: TaskContext) {}

#[pushe_task]
async fn many(_: u8, _: State<Api>, Attempt(_): Attempt, _: TaskContext, _: CancellationToken) {}

fn input<T: Task<Input = I>, I>() {}

fn main() {
    input::<StateFirst, ()>();
    input::<Qualified, ()>();
    input::<OwnFirst, ()>();
    input::<RenamedFirst, ()>();
    input::<InputWithSuchAName, other::State>();
    input::<Marked, u8>();
    input::<Many, u8>();

    let mut states = StateMap::new();
    assert!(StateFirst::require(&states).is_err());
    assert!(Many::require(&states).is_err());
    assert!(OwnFirst::require(&states).is_ok());
    states.insert(Api);
    assert!(Many::require(&states).is_ok());
}
