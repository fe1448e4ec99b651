//! Every visibility, in modules.
#![deny(warnings)]
use pushe_tasks::prelude::*;

mod outer {
    pub mod inner {
        use pushe_tasks::prelude::*;

        #[pushe_task]
        pub async fn open() {}

        #[pushe_task]
        pub(crate) async fn in_crate() {}

        #[pushe_task]
        pub(super) async fn in_parent() {}

        #[pushe_task]
        pub(in crate::outer) async fn in_outer() {}

        #[pushe_task]
        async fn hidden() {}
    }

    pub fn look() {
        let _ = (inner::InParent::schedule(), inner::InOuter::schedule());
    }
}

fn main() {
    let _ = (outer::inner::Open::schedule(), outer::inner::InCrate::schedule());
    assert_eq!(outer::inner::Open::NAME, "Open");
    outer::look();
}
