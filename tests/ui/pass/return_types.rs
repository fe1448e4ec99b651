use std::error::Error;

use pushe_tasks::prelude::*;

type Answer<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[pushe_task]
async fn nothing() {}

#[pushe_task]
async fn unit() -> () {}

#[pushe_task]
async fn plain_outcome() -> Outcome {
    Outcome::SUCCESS
}

#[pushe_task]
async fn typed_outcome() -> Outcome<Vec<u8>> {
    Outcome::retry()
}

#[pushe_task]
async fn plain_result() -> Result<u8, TaskError> {
    Ok("7".parse()?)
}

#[pushe_task]
async fn both() -> Result<Outcome<u8>, std::io::Error> {
    Ok(Outcome::Success(7))
}

#[pushe_task]
async fn text_error() -> Result<(), String> {
    Err("text".into())
}

#[pushe_task]
async fn alias() -> Answer<String> {
    Err(Fail::because("no"))?
}

fn output<T: Task<Output = O>, O>() {}

fn main() {
    output::<Nothing, ()>();
    output::<Unit, ()>();
    output::<PlainOutcome, ()>();
    output::<TypedOutcome, Vec<u8>>();
    output::<PlainResult, u8>();
    output::<Both, u8>();
    output::<TextError, ()>();
    output::<Alias, String>();
}
