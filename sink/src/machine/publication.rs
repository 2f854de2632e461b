//! The files of one record on their way to being visible.

use super::Entry;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Publication<E> {
    pub(super) record: E,
    /// Of somebody else's record, which is the head, as a part of taking over.
    pub(super) is_redo: bool,
    files: Vec<FileState>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum FileState {
    Waits,
    Sent,
    Done,
}

impl<E: Entry> Publication<E> {
    pub(super) fn own(record: E) -> Self {
        Publication { files: vec![FileState::Waits; record.files()], is_redo: false, record }
    }

    pub(super) fn redo(record: E) -> Self {
        Publication { is_redo: true, ..Self::own(record) }
    }

    /// Takes files that wait, so that at most `at_once` are on their way.
    pub(super) fn send(&mut self, at_once: usize) -> Vec<usize> {
        let sent = self.files.iter().filter(|state| **state == FileState::Sent).count();
        let waiting = self.files.iter_mut().enumerate().filter(|(_, state)| **state == FileState::Waits);
        waiting
            .take(at_once.saturating_sub(sent))
            .map(|(file, state)| {
                *state = FileState::Sent;
                file
            })
            .collect()
    }

    pub(super) fn done(&mut self, file: usize) {
        self.set(file, FileState::Done);
    }

    pub(super) fn waits(&mut self, file: usize) {
        self.set(file, FileState::Waits);
    }

    fn set(&mut self, file: usize, state: FileState) {
        if let Some(file) = self.files.get_mut(file) {
            *file = state;
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.files.iter().all(|state| *state == FileState::Done)
    }

    /// Nothing is on its way.
    pub(super) fn is_quiet(&self) -> bool {
        !self.files.contains(&FileState::Sent)
    }
}
