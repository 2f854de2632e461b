//! A webhook as others run it: it takes events, refuses some requests, and forgets to answer others.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use tokio::runtime::Runtime;

/// Dropped, it is away.
pub(crate) struct Hook {
    pub(crate) address: String,
    taken: Taken,
    _runtime: Runtime,
}

#[derive(Clone, Default)]
struct Taken {
    /// Content type and body of each request that was not refused.
    bodies: Arc<Mutex<Vec<(String, String)>>>,
    asked: Arc<Mutex<u64>>,
    /// Of a hundred requests.
    failing: u64,
}

impl Hook {
    /// Of a hundred requests so many fail: half of them take the event and say that they did not.
    pub(crate) fn start(failing: u64) -> Hook {
        let runtime = Runtime::new().expect("threads");
        let taken = Taken { failing, ..Taken::default() };
        let app = Router::new().fallback(take).with_state(taken.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address").to_string();
        runtime.spawn(async move { axum::serve(listener, app).await });
        Hook { address, taken, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/anomalies", self.address)
    }

    pub(crate) fn count(&self) -> usize {
        self.taken.bodies.lock().expect("nobody panics with it").len()
    }

    /// Writes what came, a line of JSON for each request: its content type and its body as text.
    pub(crate) fn write(&self, path: &Path) {
        let bodies = self.taken.bodies.lock().expect("nobody panics with it");
        let lines: Vec<String> = bodies.iter().map(|body| serde_json::json!(body).to_string()).collect();
        std::fs::write(path, lines.join("\n")).expect("the folder is ours");
    }
}

async fn take(State(taken): State<Taken>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let chance = {
        let mut asked = taken.asked.lock().expect("nobody panics with it");
        *asked += 1;
        // Scattered, and the same each time.
        (*asked).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33
    };
    let fails = chance % 100 < taken.failing;
    if fails && chance % 2 == 0 {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let content_type = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let body = (content_type.to_owned(), String::from_utf8_lossy(&body).into_owned());
    taken.bodies.lock().expect("nobody panics with it").push(body);
    if fails { StatusCode::BAD_GATEWAY } else { StatusCode::OK }
}
