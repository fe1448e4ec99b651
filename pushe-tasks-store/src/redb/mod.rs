//! The embedded store: one redb file, one writer.

mod backend;
mod contain;
mod medium;
mod options;
mod owner;
#[cfg(any(test, feature = "sim"))]
mod sim_disk;
mod tables;

pub use backend::DiskCounts;
pub use medium::{Guarded, Medium};
pub use options::{Directory, Durability, Integrity, Opening, StoreOptions};
pub use owner::Owner;
#[cfg(any(test, feature = "sim"))]
pub use sim_disk::{Call, Fault, Lasts, SimDisk};
