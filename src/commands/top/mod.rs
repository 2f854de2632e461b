//! `atalaia top`: a live view of running services, from their read-only API.
//!
//! What was said ([`documents`]) becomes plain data ([`view`]), and that a frame ([`draw`]); [`service`] asks. It changes
//! nothing and reads no configuration.

mod documents;
mod draw;
mod service;
mod sort;
mod tables;
mod view;
mod warnings;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Paragraph, Widget};
use serde_json::{Map, Value, json};
use types::Span;

use self::service::{Asking, Said};
use self::view::View;
use super::output::Output;
use super::{Format, progress};
use crate::failure;
use crate::runtime::Runtime;
use crate::shutdown::Shutdown;
use crate::terminal::{self, Key, Screen, Theme};

/// Shows live what running services do, and what is wrong
///
/// Partitions, throughput, the newest anomalies, warnings. It asks the read-only API that `telemetry.status` switches on (docs/api.md). Several instances are shown one by one and
/// summed. When a service does not answer, its last figures stay, greyed and with their age, and it is asked again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia top
  atalaia top --url http://127.0.0.1:9465 --url http://127.0.0.1:9466    # two, and their sum
  atalaia top --once                                                     # one frame as text
  atalaia top --format json | jq .totals

Keys:
  s, S       sort partitions by the next column, the one before     r   the other way round
  ↑ ↓ PgUp PgDn Home End   scroll partitions                        q   leave, as Escape and Ctrl-C

Exit status:
  0  left, or everything was printed
  1  nobody answers at the start; with --once or --format json: not all of them answer")]
pub(crate) struct Args {
    /// Address of a service's status page; several times for several instances
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9465", value_parser = service::address)]
    url: Vec<String>,

    /// Between two questions
    #[arg(long, value_name = "SPAN", default_value = "1s", value_parser = interval)]
    interval: Span,

    /// Print one frame as text and end; so it is also where the output is no terminal
    #[arg(long)]
    once: bool,

    /// How it is shown; `json` prints once what the services say, their sum and the warnings
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

fn interval(text: &str) -> Result<Span, String> {
    let interval: Span = text.parse()?;
    let is_usable = (Duration::from_millis(100)..=Duration::from_secs(3600)).contains(&interval.duration());
    is_usable.then_some(interval).ok_or_else(|| "an interval is between `100ms` and `1h`".into())
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let runtime = Runtime::new()?;
    // A service that does not answer is waited for, and nothing of ours wants an end.
    let shutdown = Shutdown::on_signals(runtime.handle());
    shutdown.only_starting();
    let meter = progress::wait("asking");
    let mut said: Vec<anyhow::Result<Said>> = args.url.iter().map(|url| service::ask(url)).collect();
    drop(meter);
    if said.iter().all(Result::is_err) {
        let what = format!(
            "ask `{}` what it does\n\
             its address is what `telemetry.status` says in the service's configuration, where it is off unless set: \
             `telemetry.status = \"127.0.0.1:9465\"`; name another with --url",
            args.url[0]
        );
        return said.swap_remove(0).map(|_| ExitCode::SUCCESS).context(what);
    }
    let mut view = View::of(&args.url);
    let mut raw = Vec::new();
    for (number, (url, said)) in args.url.iter().zip(said).enumerate() {
        let said = said.map_err(|error| failure::chain(&error));
        raw.push(instance(url, &said));
        view.take(number, 0.0, said.map(|said| said.documents));
    }
    if args.format == Format::Json {
        return print(
            &json!({
                "totals": view.totals(),
                "rates": view.rates(),
                "warnings": warnings::warnings(&view),
                "instances": raw,
            }),
            &view,
        );
    }
    let screen = if args.once || !terminal::is_live() { None } else { Screen::take().ok() };
    match screen {
        Some(screen) => live(screen, view, args, &shutdown),
        None => print(&frame(&view), &view),
    }
}

fn live(mut screen: Screen, mut view: View, args: &Args, shutdown: &Shutdown) -> anyhow::Result<ExitCode> {
    /// How soon what was said is seen.
    const LOOK: Duration = Duration::from_millis(100);
    shutdown.begin_work();
    let begun = Instant::now();
    let asking = Asking::begin(&args.url, args.interval.duration())?;
    let theme = Theme::wanted();
    view.keys = true;
    while !shutdown.requested() {
        view.now = begun.elapsed().as_secs_f64();
        for (number, said) in asking.news() {
            view.take(number, view.now, said.map(|said| said.documents));
        }
        screen.draw(|frame| draw::draw(frame, &view, theme)).context("draw")?;
        match screen.key(LOOK).context("read keys")? {
            Some(Key::Leave) => break,
            Some(key) => view.press(key),
            None => {}
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// As one text: half of what was asked for is no success.
fn print(what: &impl std::fmt::Display, view: &View) -> anyhow::Result<ExitCode> {
    let mut out = Output::new();
    out.line(what);
    out.finish()?;
    let is_whole = view.instances.iter().all(|instance| instance.away.is_none());
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All there is, without colours, as wide as the terminal.
fn frame(view: &View) -> String {
    const ALL: usize = 10_000;
    let width = terminal::width().unwrap_or(120);
    let lines = draw::compose(view, width.into(), ALL, Theme::without_colours());
    let area = Rect::new(0, 0, width, lines.len() as u16);
    let mut buffer = Buffer::empty(area);
    Paragraph::new(lines).render(area, &mut buffer);
    terminal::plain(&buffer).trim_end().to_owned()
}

/// What it said, as it said it.
fn instance(url: &str, said: &Result<Said, String>) -> Value {
    let mut shown = Map::from_iter([("url".to_owned(), url.into()), ("error".to_owned(), Value::Null)]);
    match said {
        Ok(said) => shown.extend(said.raw.clone()),
        Err(why) => shown["error"] = why.as_str().into(),
    }
    Value::Object(shown)
}

#[cfg(test)]
mod tests;
