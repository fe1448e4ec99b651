//! Nothing of the crate has to be in scope.
#[pushe_tasks::pushe_task(id = "x/{}", retry(backoff = Linear))]
async fn alone(input: u8) -> Result<u8, String> {
    Ok(input)
}

fn main() {
    let _ = Alone::schedule(1).delay("5s");
    let _ = Alone::OPTIONS;
}
