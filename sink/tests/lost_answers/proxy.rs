//! The proxy that misbehaves on request (`tests/chaos/proxy.py`), as a child of the test.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(crate) struct Proxy {
    child: Child,
    pub(crate) azurite: String,
    pub(crate) endpoint: String,
    control: BufReader<TcpStream>,
}

impl Proxy {
    pub(crate) fn start(python: &str, azurite: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/chaos/proxy.py");
        let to = azurite.strip_prefix("http://").expect("plain http");
        let to = to.split('/').next().unwrap_or(to);
        let mut child = Command::new(python).args([script, "--to", to]).stdout(Stdio::piped()).spawn().expect("starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("says its ports");
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["listen", listen, "control", control] = words[..] else { panic!("{line:?}") };
        let control = TcpStream::connect(format!("127.0.0.1:{control}")).expect("connects");
        control.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
        let endpoint = format!("http://127.0.0.1:{listen}");
        Proxy { child, azurite: azurite.to_owned(), endpoint, control: BufReader::new(control) }
    }

    pub(crate) fn tell(&mut self, command: &str) -> String {
        writeln!(self.control.get_mut(), "{command}").expect("told");
        let mut answer = String::new();
        self.control.read_line(&mut answer).expect("answers");
        assert!(answer.starts_with("ok"), "{command}: {answer}");
        answer.trim().to_owned()
    }

    /// Asks until it is so, for a while.
    pub(crate) fn until(&mut self, mut is_so: impl FnMut(&mut Self) -> bool) -> bool {
        for _ in 0..400 {
            if is_so(self) {
                return true;
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        false
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
