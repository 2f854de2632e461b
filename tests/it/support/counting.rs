//! A proxy before an HTTP service that counts requests by what they are: it looks at heads, and passes every byte on.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Requests by kind: `create`, `replace`, `get`, `head`, `list`, `delete`.
pub(crate) type Counts = BTreeMap<&'static str, u64>;

pub(crate) struct Counting {
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    counts: Arc<Mutex<Counts>>,
}

impl Counting {
    /// Before the service at `host:port`. It ends with the process.
    pub(crate) fn before(upstream: &str) -> Counting {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let counts = Arc::new(Mutex::new(Counts::new()));
        let (upstream, shared) = (upstream.to_owned(), Arc::clone(&counts));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (upstream, counts) = (upstream.clone(), Arc::clone(&shared));
                // A connection that breaks off is the client's to try again.
                thread::spawn(move || drop(serve(client, &upstream, &counts)));
            }
        });
        Counting { address, counts }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts.lock().expect("no panic").clone()
    }
}

fn serve(client: TcpStream, upstream: &str, counts: &Mutex<Counts>) -> io::Result<()> {
    let mut service = TcpStream::connect(upstream)?;
    let (mut answers, mut back) = (service.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let mut client = BufReader::new(client);
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if client.read_until(b'\n', &mut head)? == 0 {
                let _ = service.shutdown(Shutdown::Write);
                return Ok(());
            }
        }
        let text = String::from_utf8_lossy(&head).to_lowercase();
        let length = header(&text, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        assert!(header(&text, "transfer-encoding").is_none(), "bodies tell their length");
        *counts.lock().expect("no panic").entry(kind(&text)).or_default() += 1;
        service.write_all(&head)?;
        io::copy(&mut (&mut client).take(length), &mut service)?;
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn kind(head: &str) -> &'static str {
    let (method, target) = head.split_once(' ').unwrap_or_default();
    let target = target.split(' ').next().unwrap_or_default();
    match method {
        "put" if header(head, "if-none-match") == Some("*") => "create",
        "put" => "replace",
        "get" if target.contains("comp=list") => "list",
        "get" => "get",
        "head" => "head",
        // A batch of deletes is a POST.
        "delete" | "post" => "delete",
        _ => "other",
    }
}
