//! A function made by `macro_rules!`.
use pushe_tasks::prelude::*;

macro_rules! tasks {
    ($($name:ident: $input:ty, $id:literal, $limit:expr;)*) => {
        $(
            #[pushe_task(id = $id, concurrency = 2)]
            async fn $name(input: $input) {
                let _ = (input, $limit);
            }
        )*
    };
}

tasks! {
    one: String, "one/{}", 1;
    two: u32, "two", 2;
}

fn main() {
    assert_eq!(One::OPTIONS.task_id(&"x".to_owned()).unwrap(), "one/x");
    let _ = Two::schedule(2);
}
