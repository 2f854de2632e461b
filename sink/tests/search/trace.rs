//! A way through the states, in words.

use crate::model::Model;
use crate::record::{Record, bits};
use crate::step::{How, Step};
use crate::store::{Store, Write};
use crate::world::World;
use crate::writer::Asked;

pub(crate) fn tell(model: &Model, path: &[Step]) -> Vec<String> {
    let mut world = World::new(model);
    let mut lines = Vec::new();
    for step in path {
        let line = line(&world, *step);
        lines.push(line);
        match world.after(model, *step) {
            Ok(after) => world = after,
            Err(_) => break,
        }
    }
    lines
}

pub(crate) fn line(world: &World, step: Step) -> String {
    let files_of = |writer: u8| world.writers[usize::from(writer)].files.of;
    match step {
        Step::Log { writer, how } => {
            let asked = world.writers[usize::from(writer)].asked;
            let asked = asked.map(|asked| request(&world.store, asked)).unwrap_or_default();
            format!("{}: {asked}{}", name(writer), ending(how))
        }
        Step::Put { writer, file, how } => {
            format!("{}: put file {file} of {}{}", name(writer), record(files_of(writer)), ending(how))
        }
        Step::Measure { writer, file } => {
            format!("{}: measure file {file} of {}", name(writer), record(files_of(writer)))
        }
        Step::Lands { place } => match world.store.adrift[usize::from(place)] {
            Write::Create(created) => format!("late: create {}", record(Some(created))),
            Write::PutFile(of, file) => format!("late: put file {file} of {}", record(Some(of))),
            Write::Delete(seq) => format!("late: delete {seq}"),
        },
        Step::Propose { writer, next, files } => {
            let files: Vec<u8> = bits(files).collect();
            format!("{}: freezes a commit up to {next} with the windows {files:?}", name(writer))
        }
        Step::Sweep { writer } => format!("{}: begins to sweep", name(writer)),
        Step::Sleep { writer } => format!("{}: sleeps for long", name(writer)),
        Step::Kill { writer } => format!("{}: killed; begins anew", name(writer)),
    }
}

fn name(writer: u8) -> char {
    char::from(b'A' + writer)
}

fn record(record: Option<Record>) -> String {
    record.map_or_else(String::new, |record| format!("{:?} {}#{}", record.kind, record.seq, record.nonce))
}

fn request(store: &Store, asked: Asked) -> String {
    match asked {
        Asked::List { .. } => format!("list: newest is {:?}", store.newest()),
        Asked::Load { seq } => format!("load {seq}: {}", record(store.get(seq).copied())),
        Asked::Create(created) => format!("create {}", record(Some(created))),
        Asked::ReadBack { seq } => format!("read back {seq}: {}", record(store.get(seq).copied())),
        Asked::ListAll => format!("list all: {:?}", store.seqs().collect::<Vec<_>>()),
        Asked::StateOf { seq } => format!("look which state {seq} needs: {}", record(store.get(seq).copied())),
        Asked::Delete { seq } => format!("delete {seq}"),
        Asked::Marker => "look for the marker".to_owned(),
        Asked::State { seq } => format!("load the state in {seq}: {}", record(store.get(seq).copied())),
    }
}

fn ending(how: How) -> String {
    match how {
        How::Answered => String::new(),
        How::Young { from } => format!(" (young from place {from})"),
        How::Lost => " (lands, answer lost)".to_owned(),
        How::Never => " (never lands, no answer)".to_owned(),
        How::Delayed => " (no answer, may land later)".to_owned(),
        How::FalseExists => " (never lands, answered \"exists\")".to_owned(),
    }
}
