#![deny(warnings)]

use pushe_tasks::prelude::*;

macro_rules! named {
    ($vis:vis $name:ident, $id:literal, $input:ty) => {
        #[pushe_task(id = $id, policy = Keep)]
        $vis async fn $name(_: $input) {}
    };
}

named!(pub first, "first/{}", u8);
named!(second, "second", Data);

macro_rules! with_values {
    ($name:ident, $attempts:expr, $timeout:expr, $policy:ident, $body:block) => {
        #[pushe_task(id = "x", policy = $policy, retry(max_attempts = $attempts), timeout = $timeout)]
        async fn $name() $body
    };
}

with_values!(third, 8, "5m", Append, {});

macro_rules! with_state {
    ($name:ident, $state:ty) => {
        #[pushe_task]
        async fn $name(context: $state) {
            let _ = context.attempt();
        }
    };
}

with_state!(fourth, TaskContext);

macro_rules! whole {
    ($item:item) => {
        $item
    };
}

whole! {
    #[pushe_task]
    async fn fifth() {}
}

fn main() {
    assert_eq!(First::OPTIONS.task_id(&7).as_deref(), Some("first/7"));
    let _ = Second::schedule(Data::new());
    assert_eq!(Third::OPTIONS.retry_options().attempt_limit(), Some(8));
    let _ = Fourth::schedule();
    let _ = Fifth::schedule();
}
