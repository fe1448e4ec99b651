//! Inputs that are taken apart in the head of the function.
use pushe_tasks::prelude::*;

#[derive(Serialize, Deserialize)]
struct Pair {
    left: String,
    right: [u8; 2],
}

#[pushe_task(id = "{left}")]
async fn apart(Pair { left, right: [a, b] }: Pair, State(mut limit): State<u8>) -> Result<String, TaskError> {
    limit = limit.max(a).max(b);
    Ok(format!("{left}{limit}"))
}

#[pushe_task]
async fn changed(mut list: Vec<u8>) -> Result<Vec<u8>, TaskError> {
    list.push(1);
    Ok(list)
}

fn main() {
    let _ = (Apart::NAME, Changed::NAME);
}
