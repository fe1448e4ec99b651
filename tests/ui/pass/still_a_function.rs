use pushe_tasks::prelude::*;

#[pushe_task(network = Connected)]
async fn double(input: u32, _: CancellationToken) -> Result<u32, TaskError> {
    Ok(input * 2)
}

#[tokio::main]
async fn main() {
    assert_eq!(double(21, CancellationToken::new()).await.unwrap(), 42);
    let task: AwesomeCopy = Double;
    assert_eq!(format!("{task:?}"), "Double");
}

type AwesomeCopy = Double;
