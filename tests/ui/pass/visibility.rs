#![deny(warnings)]

use pushe_tasks::prelude::*;

mod inner {
    use pushe_tasks::prelude::*;

    #[pushe_task]
    pub async fn everywhere(_: u8) {}

    #[pushe_task]
    pub(crate) async fn in_crate(_: u8) {}

    #[pushe_task]
    pub(super) async fn above(_: u8) {}

    #[pushe_task]
    pub(in crate::inner) async fn here(_: u8) {}

    pub(super) fn used() {
        let _ = Here::schedule(1);
    }
}

#[pushe_task]
async fn alone(_: u8) {}

fn main() {
    let _ = inner::Everywhere::schedule(1);
    let _ = inner::InCrate::schedule(1);
    let _ = inner::Above::schedule(1);
    let _ = Alone::OPTIONS;
    inner::used();
}
