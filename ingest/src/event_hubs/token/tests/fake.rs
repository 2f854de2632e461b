//! Something that answers by HTTP on this machine as it was told to, and remembers what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// What to answer.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// A status, a header, a body.
    Say(u16, Option<(&'static str, &'static str)>, String),
    /// Nothing, ever.
    Hang,
}

/// What was asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    /// Of the address and of the body's form.
    pub(super) fields: BTreeMap<String, String>,
    pub(super) headers: BTreeMap<String, String>,
}

pub(super) struct Fake {
    pub(super) address: String,
    shared: Arc<Shared>,
}

struct Shared {
    /// The last one is said again and again.
    replies: Mutex<VecDeque<Reply>>,
    asked: Mutex<Vec<Asked>>,
    /// One permit is taken for each answer.
    permits: Semaphore,
}

impl Fake {
    pub(super) async fn start(replies: &[Reply]) -> Fake {
        let fake = Fake::held(replies).await;
        fake.release();
        fake
    }

    /// Answers nothing before it is released.
    pub(super) async fn held(replies: &[Reply]) -> Fake {
        let shared = Arc::new(Shared {
            replies: Mutex::new(replies.iter().cloned().collect()),
            asked: Mutex::default(),
            permits: Semaphore::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Fake { address, shared }
    }

    pub(super) fn release(&self) {
        self.shared.permits.add_permits(1_000);
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let query = uri.query().unwrap_or_default().as_bytes();
    let fields = [query, &body].into_iter().flat_map(|part| url::form_urlencoded::parse(part).into_owned()).collect();
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let asked = Asked { method: method.to_string(), path: uri.path().to_owned(), fields, headers };
    shared.asked.lock().unwrap().push(asked);
    shared.permits.acquire().await.unwrap().forget();
    let reply = {
        let mut replies = shared.replies.lock().unwrap();
        if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() }
    };
    match reply.unwrap() {
        Reply::Say(status, header, body) => {
            let status = axum::http::StatusCode::from_u16(status).unwrap();
            match header {
                Some(header) => (status, [header], body).into_response(),
                None => (status, body).into_response(),
            }
        }
        Reply::Hang => std::future::pending().await,
    }
}
