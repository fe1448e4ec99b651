use pushe_tasks::Task;

mod photos {
    use pushe_tasks::pushe_task;

    #[pushe_task(name = "photos/sync")]
    pub async fn sync() {}

    pub mod raw {
        #[pushe_tasks::pushe_task(name = "photos/raw/sync")]
        pub async fn sync() {}
    }
}

#[pushe_tasks::pushe_task]
async fn sync() {}

fn main() {
    assert_eq!(photos::Sync::NAME, "photos/sync");
    assert_eq!(photos::raw::Sync::NAME, "photos/raw/sync");
    assert_eq!(Sync::NAME, "Sync");
}
