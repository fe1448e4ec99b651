//! Names that are keywords, and names with digits.
use pushe_tasks::prelude::*;

#[pushe_task]
async fn r#type(r#match: u8) {
    let _ = r#match;
}

#[pushe_task]
async fn step_2_of_3() {}

fn main() {
    assert_eq!(Type::NAME, "Type");
    assert_eq!(Step2Of3::NAME, "Step2Of3");
}
