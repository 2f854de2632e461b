//! The command line, and what is printed where there is no terminal.

use clap::Parser;

use super::view::testing::{watched, well};
use super::*;

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    args: Args,
}

fn parse(line: &str) -> Result<Args, clap::Error> {
    Command::try_parse_from(line.split(' ')).map(|command| command.args)
}

#[test]
fn the_line_is_checked() {
    let args = parse("top").unwrap();
    assert_eq!(
        (args.url, args.interval.duration()),
        (vec!["http://127.0.0.1:9465".to_owned()], Duration::from_secs(1))
    );
    let args = parse("top --url a:1 --url http://b:2/ --interval 500ms").unwrap();
    assert_eq!(args.url, ["http://a:1", "http://b:2"]);
    for wrong in ["top --interval 1ms", "top --interval 2h", "top --interval soon", "top --url https://a", "top --url"]
    {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_printed_frame_has_all_partitions() {
    let mut view = watched(|second| well("host-1/4711", second));
    view.keys = false;
    let text = frame(&view);
    for number in 0..6 {
        assert!(text.contains(&format!("readings/{number}  ")), "{text}");
    }
    assert!(text.contains("pump-1 ") && !text.contains("q leaves") && !text.ends_with('\n'), "{text}");
}

#[test]
fn what_a_service_said_is_passed_on_as_it_said_it() {
    let shown = instance("http://a:1", &Err("connect: refused".into()));
    assert_eq!(shown, json!({ "url": "http://a:1", "error": "connect: refused" }));
    let raw = documents::testing::documented();
    let documents = documents::Documents::read(raw.clone()).unwrap();
    let shown = instance("http://a:1", &Ok(Said { raw, documents }));
    assert_eq!(
        (&shown["error"], &shown["models"]["state"], &shown["status"]["pipeline"]),
        (&Value::Null, &json!("none"), &json!("plant-7"))
    );
}
