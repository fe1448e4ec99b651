//! Every store of this crate against the conformance suite.

mod memory {
    use pushe_tasks_store::conformance::Harness;
    use pushe_tasks_store::{MemoryStore, Store};

    struct Memory(MemoryStore);

    impl Harness for Memory {
        fn store(&mut self) -> &mut dyn Store {
            &mut self.0
        }

        fn reopen(self: Box<Self>) -> Box<dyn Harness> {
            Box::new(Self(self.0.reopen()))
        }

        fn check(&mut self) -> Result<(), String> {
            self.0.check()
        }
    }

    pushe_tasks_store::conformance_suite!(|| Box::new(Memory(MemoryStore::default())));
}

#[cfg(feature = "redb")]
mod redb {
    use pushe_tasks_store::conformance::Harness;
    use pushe_tasks_store::redb::{Opening, RedbStore, StoreOptions};
    use pushe_tasks_store::{Store, WallTime};

    fn opening() -> Opening {
        Opening { now: WallTime::from_millis(0), new_uuid: [7; 16], program: "conformance".to_owned() }
    }

    /// On a file; closed in order.
    mod file {
        use super::*;

        struct File {
            store: Option<RedbStore>,
            directory: tempfile::TempDir,
        }

        impl File {
            fn open(directory: tempfile::TempDir) -> Box<Self> {
                let path = directory.path().join("tasks.redb");
                let store = RedbStore::open(path, StoreOptions::default(), opening()).unwrap();
                Box::new(Self { store: Some(store), directory })
            }
        }

        impl Harness for File {
            fn store(&mut self) -> &mut dyn Store {
                self.store.as_mut().unwrap()
            }

            fn reopen(mut self: Box<Self>) -> Box<dyn Harness> {
                drop(self.store.take());
                Self::open(self.directory)
            }

            fn check(&mut self) -> Result<(), String> {
                self.store.as_mut().unwrap().check()
            }
        }

        pushe_tasks_store::conformance_suite!(|| File::open(tempfile::tempdir().unwrap()));
    }

    /// On a simulated disk whose power is cut instead.
    mod power_cut {
        use pushe_tasks_store::redb::SimDisk;

        use super::*;

        struct Cut {
            store: RedbStore,
            disk: SimDisk,
            cuts: u64,
        }

        impl Cut {
            fn open(disk: SimDisk, cuts: u64) -> Box<Self> {
                let medium = Box::new(disk.clone());
                let store = RedbStore::open_on(medium, StoreOptions::default(), opening()).unwrap();
                Box::new(Self { store, disk, cuts })
            }
        }

        impl Harness for Cut {
            fn store(&mut self) -> &mut dyn Store {
                &mut self.store
            }

            fn reopen(self: Box<Self>) -> Box<dyn Harness> {
                Self::open(self.disk.after_power_cut(self.cuts), self.cuts + 1)
            }

            fn check(&mut self) -> Result<(), String> {
                self.store.check()
            }
        }

        pushe_tasks_store::conformance_suite!(|| Cut::open(SimDisk::new(1), 1));
    }
}
