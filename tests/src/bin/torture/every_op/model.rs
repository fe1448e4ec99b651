//! What a store holds, and the store in memory that tells what it must hold.

use std::collections::BTreeMap;

use pushe_tasks_store::redb::RedbStore;
use pushe_tasks_store::{
    Filter, LaneView, Look, MemoryStore, Paused, Store as _, Verdict, WallTime, WorkId, WorkView,
};

use super::Told;
use super::scenarios::{ORDERS, Scenario, Step};

/// All that can be seen of a store, but for what it says of its openings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Contents {
    works: BTreeMap<WorkId, WorkView>,
    outputs: BTreeMap<WorkId, Vec<u8>>,
    lanes: Vec<LaneView>,
    paused: Paused,
    next_due: Option<WallTime>,
    orders: BTreeMap<u64, String>,
}

impl Contents {
    fn of(look: &dyn Look) -> Result<Self, String> {
        let filter = Filter { states: Vec::new(), tasks: Vec::new(), after: None, limit: usize::MAX };
        let text = |error: pushe_tasks_store::VerbError| error.to_string();
        let mut contents = Self {
            works: look.list(&filter).map_err(text)?.into_iter().map(|view| (view.record.id, view)).collect(),
            lanes: look.lanes().map_err(text)?,
            paused: look.paused().map_err(text)?,
            next_due: look.next_due().map_err(text)?,
            ..Self::default()
        };
        for id in contents.works.keys() {
            if let Some(output) = look.output(*id).map_err(text)? {
                contents.outputs.insert(*id, output);
            }
        }
        Ok(contents)
    }

    /// Whether something of this is not in the other.
    pub(super) fn lacks(&self, found: &Self) -> bool {
        self.works.keys().any(|id| !found.works.contains_key(id))
            || self.orders.keys().any(|order| !found.orders.contains_key(order))
    }

    /// The first difference, in words.
    pub(super) fn differs(&self, found: &Self) -> String {
        for (id, expected) in &self.works {
            match found.works.get(id) {
                None => return format!("{id} is not there"),
                Some(view) if view != expected => return format!("{id} is {view:?}, and not {expected:?}"),
                Some(_) => {}
            }
        }
        if let Some(id) = found.works.keys().find(|id| !self.works.contains_key(*id)) {
            return format!("{id} is there and should not be");
        }
        let rest = |of: &Self| {
            (of.outputs.clone(), of.lanes.clone(), of.paused.clone(), of.next_due, of.orders.clone())
        };
        format!("beside the work there is {:?}, and not {:?}", rest(found), rest(self))
    }
}

/// What a store on a disk holds.
pub(super) fn read(store: &mut RedbStore) -> Result<Contents, String> {
    let mut contents = Err("nothing was read".to_owned());
    store.read(&mut |look| contents = Contents::of(look)).map_err(|error| error.to_string())?;
    let mut contents = contents?;
    let mut orders = Ok(BTreeMap::new());
    let done = store.transact(&mut |_, tables| {
        orders = (|| {
            use pushe_tasks_store::redb::redb::ReadableTable as _;
            let table = tables.open_table(ORDERS).map_err(|error| error.to_string())?;
            let rows = table.iter().map_err(|error| error.to_string())?;
            rows.map(|row| {
                row.map(|(key, value)| (key.value(), value.value().to_owned())).map_err(|e| e.to_string())
            })
            .collect()
        })();
        Verdict::Abort
    });
    done.map_err(|error| error.to_string())?;
    contents.orders = orders?;
    Ok(contents)
}

/// The store in memory, and what stands in the application's table.
#[derive(Debug)]
pub(super) struct Model {
    store: MemoryStore,
    orders: BTreeMap<u64, String>,
}

impl Model {
    /// Plays the steps that were carried out; one that was in doubt only `with_doubtful`.
    pub(super) fn replay(scenario: &Scenario, told: &[Told], with_doubtful: bool) -> Result<Self, String> {
        let mut model = Self { store: MemoryStore::new([1; 16]), orders: BTreeMap::new() };
        for step in &scenario.before {
            model.play(step)?;
        }
        model.store = model.store.reopen();
        for (step, told) in scenario.steps.iter().zip(told) {
            if *step == Step::Reopen {
                model.store = model.store.reopen();
            } else if *told == Told::Applied || (*told == Told::InDoubt && with_doubtful) {
                model.play(step)?;
            }
        }
        Ok(model)
    }

    fn play(&mut self, step: &Step) -> Result<(), String> {
        step.model(&mut self.store, &mut self.orders).map_err(|error| error.to_string())
    }

    /// What the process that did it all sees.
    pub(super) fn contents(&mut self) -> Result<Contents, String> {
        let mut contents = Err("nothing was read".to_owned());
        self.store.read(&mut |look| contents = Contents::of(look)).map_err(|error| error.to_string())?;
        Ok(Contents { orders: self.orders.clone(), ..contents? })
    }

    /// What the next process finds.
    pub(super) fn reopened(mut self) -> Result<Contents, String> {
        self.store = self.store.reopen();
        self.contents()
    }
}
