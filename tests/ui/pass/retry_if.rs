use std::io::{Error, ErrorKind, Result as IoResult};

use pushe_tasks::prelude::*;

fn is_temporary(error: &Error) -> bool {
    error.kind() == ErrorKind::TimedOut
}

#[pushe_task(retry_if = is_temporary)]
async fn plain() -> Result<u8, Error> {
    Ok(7)
}

#[pushe_task(retry_if = is_temporary)]
async fn aliased() -> std::io::Result<()> {
    Ok(())
}

#[pushe_task(retry_if = self::is_temporary)]
async fn renamed() -> IoResult<Outcome<u8>> {
    Ok(Outcome::Success(7))
}

fn main() {}
