//! The device of a test: what built-in constraints look at.

use crate::builder::SchedulerBuilder;
use crate::constraint::{
    HostSource, HostState, Manual, NetworkState, PowerSource, PowerState, StoragePlace, StorageSource,
    StorageState,
};

/// The levers of the device that a [`TestScheduler`](super::TestScheduler) runs on: at the start it has a network, mains,
/// room, and reaches every host.
///
/// What a lever changes acts as it would on a device: work that runs is stopped after the constraint's grace, and work that
/// waits starts after its rise; let time pass for either.
///
/// # Examples
/// ```
/// use pushe_tasks::constraint::NetworkState;
/// use pushe_tasks::prelude::*;
/// use pushe_tasks::testing::TestScheduler;
/// use std::time::Duration;
///
/// #[pushe_task(network = Connected)]
/// async fn device_upload() {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let test = TestScheduler::setup().builder(|builder| builder.only::<DeviceUpload>()).start().await;
/// test.device().network(NetworkState::offline());
/// let upload = DeviceUpload::schedule().await?;
/// let report = test.drain().await;
/// assert_eq!((report.succeeded, report.waiting.len()), (0, 1));
///
/// test.device().network(NetworkState::routed());
/// test.advance(Duration::from_secs(5)).await;
/// assert!(upload.wait().await?.is_finished());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Device {
    network: Manual<NetworkState>,
    power: Manual<PowerState>,
    storage: Manual<StorageState, StoragePlace>,
    hosts: Manual<HostState, String>,
}

impl Device {
    pub(super) fn new() -> Self {
        Self {
            network: Manual::new(NetworkState::routed()),
            power: Manual::new(PowerState::mains()),
            storage: Manual::new(StorageState::roomy()),
            hosts: Manual::new(HostState::Reached),
        }
    }

    /// What the network is from now on.
    pub fn network(&self, state: NetworkState) {
        self.network.set(state);
    }

    /// What the device is powered by from now on.
    pub fn power(&self, state: PowerState) {
        self.power.set(state);
    }

    /// What every file system has left from now on.
    pub fn storage(&self, state: StorageState) {
        self.storage.set(state);
    }

    /// What comes of every try to reach a host from now on.
    pub fn hosts(&self, state: HostState) {
        self.hosts.set(state);
    }

    /// Puts the sources of this device in.
    pub(super) fn fit(&self, builder: SchedulerBuilder) -> SchedulerBuilder {
        builder
            .network_source(self.network.clone())
            .source_for::<PowerSource>(self.power.clone())
            .source_for::<StorageSource>(self.storage.clone())
            .source_for::<HostSource>(self.hosts.clone())
    }
}
