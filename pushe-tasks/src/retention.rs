//! How long finished work is kept, where tasks say so (S9.5).

use crate::engine::message::{Request, Write};
use crate::error::CallError;
use crate::scheduler::TaskScheduler;

impl TaskScheduler {
    /// Tells the store how long tasks keep their finished work, under all their names.
    pub(crate) async fn set_retention(&self) -> Result<(), CallError> {
        let entries = self.shared().registry.entries().iter();
        let told = entries.filter_map(|entry| entry.retention().map(|kept| (entry, kept)));
        let tasks: Vec<_> = told
            .flat_map(|(entry, kept)| {
                let names = std::iter::once(entry.name()).chain(entry.aliases().iter().copied());
                names.map(move |name| (name.to_owned(), kept))
            })
            .collect();
        if tasks.is_empty() {
            return Ok(());
        }
        Ok(self.request(|reply| Request::Write(Write::Retain(tasks, reply))).await?)
    }
}
