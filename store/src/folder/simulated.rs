//! A disk whose power can be cut at any call, and which then remembers only what was synced.
//!
//! What was not synced is in doubt: each changed name, and each file's bytes, may have reached the disk by themselves or
//! not, in any mixture (of the bytes also a half). [`Simulated::worlds`] are all mixtures: what a machine may find when
//! the power is back.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Component, Path};
use std::sync::{Mutex, PoisonError};

use object_store::PutPayload;

use super::disk::Disk;

/// A guard that a test takes away: this call then does nothing, and says that it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    None,
    NoSyncOfFiles,
    /// Of the folder that holds the file.
    NoSyncOfFolders,
    /// Of the folders above that one.
    NoSyncOfParents,
}

/// What happens at one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The process ends there: this call and all later ones fail, whatever this one changed is in doubt.
    End,
    /// Only this call fails, and changes nothing.
    Full,
}

#[derive(Debug)]
pub(super) struct Simulated {
    state: Mutex<State>,
    mutant: Mutant,
}

#[derive(Debug)]
struct State {
    nodes: Vec<Node>,
    calls: usize,
    trouble: Option<(usize, Trouble)>,
}

#[derive(Debug, Clone)]
enum Node {
    File { now: Vec<u8>, synced: Vec<u8> },
    Folder { now: BTreeMap<String, usize>, synced: BTreeMap<String, usize> },
}

impl Simulated {
    pub(super) fn new(mutant: Mutant) -> Self {
        let root = Node::Folder { now: BTreeMap::new(), synced: BTreeMap::new() };
        Simulated { state: Mutex::new(State { nodes: vec![root], calls: 0, trouble: None }), mutant }
    }

    /// Another process on the same disk begins; the call number `at` from now on meets the trouble.
    pub(super) fn expect(&self, trouble: Option<(usize, Trouble)>) {
        let mut state = self.lock();
        (state.calls, state.trouble) = (0, trouble);
    }

    pub(super) fn calls(&self) -> usize {
        self.lock().calls
    }

    pub(super) fn names(&self, folder: &Path) -> Vec<String> {
        let state = self.lock();
        match state.find(folder).map(|node| &state.nodes[node]) {
            Some(Node::Folder { now, .. }) => now.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// Everything that `path` may hold after a power cut now.
    pub(super) fn worlds(&self, path: &Path) -> Vec<Option<Vec<u8>>> {
        let state = self.lock();
        let doubts = state.doubts();
        let count: usize = doubts.iter().map(Doubt::choices).product();
        (0..count).map(|world| state.look(path, &choose(&doubts, world))).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and meets its trouble; `change` is done unless the call fails before it.
    fn call<T>(&self, change: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.lock();
        let call = state.calls;
        state.calls += 1;
        match state.trouble {
            Some((at, Trouble::End)) if call == at => change(&mut state).and_then(|_| Err(io::Error::other("the end"))),
            Some((at, Trouble::End)) if call > at => Err(io::Error::other("after the end")),
            Some((at, Trouble::Full)) if call == at => Err(io::ErrorKind::StorageFull.into()),
            _ => change(&mut state),
        }
    }
}

impl Disk for Simulated {
    type Written = usize;

    fn write(&self, path: &Path, payload: &PutPayload) -> io::Result<usize> {
        self.call(|state| {
            let now = payload.iter().flat_map(|part| part.to_vec()).collect();
            state.enter(path, Node::File { now, synced: Vec::new() })
        })
    }

    fn sync_file(&self, written: usize) -> io::Result<()> {
        let works = self.mutant != Mutant::NoSyncOfFiles;
        self.call(|state| {
            if let Node::File { now, synced } = &mut state.nodes[written]
                && works
                && state.trouble.is_none_or(|(at, _)| at + 1 != state.calls)
            {
                synced.clone_from(now);
            }
            Ok(())
        })
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(|state| {
            let node = state.find(from).ok_or(io::ErrorKind::NotFound)?;
            state.name(to, node, false)
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(|state| {
            let node = state.find(from).ok_or(io::ErrorKind::NotFound)?;
            state.name(to, node, true)?;
            state.remove(from)
        })
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.call(|state| {
            let node = state.find(folder).ok_or(io::ErrorKind::NotFound)?;
            let ended = state.trouble.is_some_and(|(at, _)| at + 1 == state.calls);
            if let Node::Folder { now, synced } = &mut state.nodes[node] {
                let works = match self.mutant {
                    Mutant::NoSyncOfFolders => folder.file_name().is_none_or(|name| name != super::tests::INNERMOST),
                    Mutant::NoSyncOfParents => folder.file_name().is_some_and(|name| name == super::tests::INNERMOST),
                    _ => true,
                };
                if works && !ended {
                    synced.clone_from(now);
                }
            }
            Ok(())
        })
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.call(|state| state.enter(folder, Node::Folder { now: BTreeMap::new(), synced: BTreeMap::new() }).map(drop))
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.call(|state| state.remove(path))
    }
}

// === impl State ===

impl State {
    fn find(&self, path: &Path) -> Option<usize> {
        parts(path).try_fold(0, |node, part| match &self.nodes[node] {
            Node::Folder { now, .. } => now.get(part).copied(),
            Node::File { .. } => None,
        })
    }

    fn folder_of(&mut self, path: &Path) -> io::Result<&mut BTreeMap<String, usize>> {
        let node = path.parent().and_then(|parent| self.find(parent)).ok_or(io::ErrorKind::NotFound)?;
        match &mut self.nodes[node] {
            Node::Folder { now, .. } => Ok(now),
            Node::File { .. } => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn name(&mut self, path: &Path, node: usize, replace: bool) -> io::Result<()> {
        let name = parts(path).last().unwrap_or_default().to_owned();
        let names = self.folder_of(path)?;
        if names.contains_key(&name) && !replace {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        names.insert(name, node);
        Ok(())
    }

    fn enter(&mut self, path: &Path, node: Node) -> io::Result<usize> {
        self.name(path, self.nodes.len(), false)?;
        self.nodes.push(node);
        Ok(self.nodes.len() - 1)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        let name = parts(path).last().unwrap_or_default().to_owned();
        self.folder_of(path)?.remove(&name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn doubts(&self) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        for (node, content) in self.nodes.iter().enumerate() {
            match content {
                Node::File { now, synced } if now != synced => doubts.push(Doubt::Bytes { node }),
                Node::File { .. } => {}
                Node::Folder { now, synced } => {
                    let names = now.keys().chain(synced.keys().filter(|name| !now.contains_key(*name)));
                    let changed = names.filter(|name| now.get(*name) != synced.get(*name));
                    doubts.extend(changed.map(|name| Doubt::Name { node, name: name.clone() }));
                }
            }
        }
        doubts
    }

    /// What a path holds where the doubts came out as chosen.
    fn look(&self, path: &Path, chosen: &HashMap<Doubt, usize>) -> Option<Vec<u8>> {
        let node = parts(path).try_fold(0, |node, part| match &self.nodes[node] {
            Node::Folder { now, synced } => {
                let doubt = Doubt::Name { node, name: part.to_owned() };
                let names = if chosen.get(&doubt) == Some(&1) { now } else { synced };
                names.get(part).copied()
            }
            Node::File { .. } => None,
        })?;
        match &self.nodes[node] {
            Node::File { now, synced } => Some(match chosen.get(&Doubt::Bytes { node }) {
                Some(1) => now.clone(),
                Some(2) => now[..now.len() / 2].to_vec(),
                _ => synced.clone(),
            }),
            Node::Folder { .. } => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Doubt {
    /// As synced, or as it is now.
    Name { node: usize, name: String },
    /// As synced, as they are now, or the first half of that.
    Bytes { node: usize },
}

impl Doubt {
    fn choices(&self) -> usize {
        match self {
            Doubt::Name { .. } => 2,
            Doubt::Bytes { .. } => 3,
        }
    }
}

/// The digits of a world's number are its choices.
fn choose(doubts: &[Doubt], mut world: usize) -> HashMap<Doubt, usize> {
    doubts
        .iter()
        .map(|doubt| {
            let choice = world % doubt.choices();
            world /= doubt.choices();
            (doubt.clone(), choice)
        })
        .collect()
}

fn parts(path: &Path) -> impl Iterator<Item = &str> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    })
}
