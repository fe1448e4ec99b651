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
