//! Reads a dataset twice, in memory that does not grow with its rows: first for how much there is of what and who is worst, then
//! for how it went.

use std::time::{Duration, Instant};

use super::census::Census;
use super::course::{self, Course};
use super::place::Place;
use super::plan::Plan;
use super::refused::{Part, Refused};
use super::truth::Truth;
use crate::commands::predictions::{COLUMNS, Columns};
use crate::commands::progress::{self, Counter, Unit};
use crate::runtime::Runtime;

/// All that the page is made of.
pub(super) struct Gathered {
    pub(super) census: Census,
    pub(super) plan: Plan,
    pub(super) course: Course,
    pub(super) truth: Option<Truth>,
    pub(super) refused: Refused,
    pub(super) files: usize,
    pub(super) bytes: u64,
    pub(super) took: Duration,
}

pub(super) fn gather(
    place: &Place,
    part: Part,
    mut truth: Option<Truth>,
    runtime: &Runtime,
) -> anyhow::Result<Gathered> {
    let begun = Instant::now();
    let twice: u64 = place.predictions.as_ref().map_or(0, |dataset| dataset.bytes());
    let bar = progress::count("reading what there is", Unit::Bytes, place.bytes() + twice);
    let census = first_look(place, part, runtime, &bar)?;
    let plan = Plan::of(&census);
    bar.say("reading how it went");
    let course = second_look(place, part, &plan, &mut truth, runtime, &bar)?;
    bar.say("reading what was refused");
    let refused = refusals(place, part, runtime, &bar)?;
    drop(bar);
    let (files, bytes) = (place.files(), place.bytes());
    Ok(Gathered { census, plan, course, truth, refused, files, bytes, took: begun.elapsed() })
}

fn first_look(place: &Place, part: Part, runtime: &Runtime, bar: &Counter) -> anyhow::Result<Census> {
    let mut census = Census::default();
    let Some(predictions) = &place.predictions else { return Ok(census) };
    predictions.files(runtime, |object, file| {
        census.pipeline(file.footer.pipeline.as_deref());
        file.batches(&COLUMNS, |batch| {
            let columns = Columns::of(batch)?;
            let rows = (0..batch.num_rows()).map(|row| columns.row(row));
            rows.filter(|row| part.holds(row.start)).for_each(|row| census.add(&row));
            Ok(())
        })?;
        bar.add(object.bytes);
        Ok(())
    })?;
    Ok(census)
}

fn second_look(
    place: &Place,
    part: Part,
    plan: &Plan,
    truth: &mut Option<Truth>,
    runtime: &Runtime,
    bar: &Counter,
) -> anyhow::Result<Course> {
    let mut course = Course::new(plan);
    let Some(predictions) = &place.predictions else { return Ok(course) };
    predictions.files(runtime, |object, file| {
        course::windows(file, |window| {
            if part.holds(window.row.start) {
                course.add(plan, window);
                if let Some(truth) = truth {
                    truth.add(&window.row);
                }
            }
        })?;
        bar.add(object.bytes);
        Ok(())
    })?;
    Ok(course)
}

fn refusals(place: &Place, part: Part, runtime: &Runtime, bar: &Counter) -> anyhow::Result<Refused> {
    let mut refused = Refused::default();
    if let Some(late) = &place.late {
        late.files(runtime, |object, file| {
            bar.add(object.bytes);
            refused.add_late(file, part)
        })?;
    }
    if let Some(quarantine) = &place.quarantine {
        quarantine.files(runtime, |object, file| {
            bar.add(object.bytes);
            refused.add_quarantine(file, part)
        })?;
    }
    Ok(refused)
}
