//! A membership that the test is the master of.

use std::sync::{Arc, Mutex};

use ingest::Error;
use ingest::event_hubs::{Change, Membership, Wake};

#[derive(Default, Clone)]
pub(crate) struct Manual {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    changes: Vec<Change>,
    notes: Vec<String>,
    wake: Option<Wake>,
}

pub(crate) struct Member {
    state: Arc<Mutex<State>>,
}

impl Manual {
    pub(crate) fn member(&self) -> Member {
        Member { state: Arc::clone(&self.state) }
    }

    pub(crate) fn gain(&self, indices: &[u32]) {
        self.change(Change::Gained(indices.to_vec()));
    }

    pub(crate) fn lose(&self, indices: &[u32]) {
        self.change(Change::Lost(indices.to_vec()));
    }

    /// What the source told the membership.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.state.lock().unwrap().notes.clone()
    }

    fn change(&self, change: Change) {
        let mut state = self.state.lock().unwrap();
        state.changes.push(change);
        let wake = state.wake.clone();
        drop(state);
        if let Some(wake) = wake {
            wake();
        }
    }
}

impl Membership for Member {
    fn begin(&mut self, wake: Wake) {
        self.state.lock().unwrap().wake = Some(wake);
    }

    fn hub_has(&mut self, _: u32) {}

    fn changes(&mut self) -> Result<Vec<Change>, Error> {
        Ok(std::mem::take(&mut self.state.lock().unwrap().changes))
    }

    fn acknowledge(&self, partition: u32, sequence_number: i64, offset: Option<&str>) {
        self.state.lock().unwrap().notes.push(format!("{partition} read to {sequence_number}, {offset:?}"));
    }

    fn stolen(&self, partition: u32) {
        self.state.lock().unwrap().notes.push(format!("{partition} stolen"));
    }

    fn leave(&mut self) {}
}
