//! The client against a server that answers as it is told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::IntoResponse;

use super::*;

/// To a body that contains this text: a status, and after how many seconds to ask again.
type Answer = (&'static str, u16, &'static str);

#[derive(Clone, Default)]
struct Server {
    /// Else 200.
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<(Method, HeaderMap, String)>>>,
}

async fn serve(State(server): State<Server>, method: Method, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let body = String::from_utf8(body.to_vec()).unwrap();
    let mut answers = server.answers.lock().unwrap();
    let place = answers.iter().position(|(text, _, _)| body.contains(text));
    let (status, after) =
        place.and_then(|place| answers.remove(place)).map_or((200, ""), |(_, status, after)| (status, after));
    server.asked.lock().unwrap().push((method, headers, body));
    (StatusCode::from_u16(status).unwrap(), [("retry-after", after)], "why\nnot")
}

impl Server {
    async fn open(&self, change: impl FnOnce(&mut Config)) -> Webhook {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in?token=hidden", listener.local_addr().unwrap());
        let app = Router::new().fallback(serve).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let mut config = Config { url: Some(url), ..Config::default() };
        change(&mut config);
        Webhook::new(&config, true, || 1_614_265_330_000_000).unwrap()
    }

    fn answer(&self, to: &'static str, status: u16, after: &'static str) {
        self.answers.lock().unwrap().push_back((to, status, after));
    }

    fn bodies(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap()).into_iter().map(|(_, _, body)| body).collect()
    }
}

fn event(id: &str) -> Event {
    Event { id: id.into(), device: "d".into(), body: format!("{{\"id\":\"{id}\"}}").into() }
}

#[tokio::test]
async fn answers_are_told_by_what_to_do_about_them() {
    let server = Server::default();
    let mut webhook = server.open(|_| {}).await;
    assert_eq!(webhook.send(&[event("a")]).await, Ok(Vec::new()));
    for status in [400, 413, 422] {
        server.answer("a", status, "");
        let refusals = webhook.send(&[event("a")]).await.unwrap();
        assert!(
            refusals[0].reason.contains(&status.to_string()) && refusals[0].reason.contains("why not"),
            "{refusals:?}"
        );
    }
    for (status, is_stuck) in
        [(408, false), (429, false), (500, false), (503, false), (301, true), (401, true), (403, true), (404, true)]
    {
        server.answer("a", status, "17");
        let failure = webhook.send(&[event("a")]).await.unwrap_err();
        assert_eq!((failure.is_stuck, failure.wait), (is_stuck, Some(Duration::from_secs(17))), "{status}");
        assert!(!failure.reason.contains("hidden"), "{failure:?}");
    }
    let config = Config { url: Some("http://127.0.0.1:1/?token=hidden".into()), ..Config::default() };
    let failure = Webhook::new(&config, true, || 0).unwrap().send(&[event("a")]).await.unwrap_err();
    assert!(!failure.is_stuck && failure.reason.contains("cannot be reached"), "{failure:?}");
    assert!(!failure.reason.contains("hidden"), "{failure:?}");
}

#[tokio::test]
async fn an_array_that_is_refused_is_sent_one_by_one() {
    let server = Server::default();
    let mut webhook = server.open(|config| config.batch = 3).await;
    server.answer("bad", 413, "");
    server.answer("bad", 413, "");
    let refusals = webhook.send(&[event("a"), event("bad"), event("c")]).await.unwrap();
    assert_eq!(refusals.iter().map(|refusal| refusal.index).collect::<Vec<_>>(), [1]);
    let bodies = server.bodies();
    assert_eq!(bodies[0], r#"[{"id":"a"},{"id":"bad"},{"id":"c"}]"#);
    assert_eq!(bodies[1..], [r#"[{"id":"a"}]"#, r#"[{"id":"bad"}]"#, r#"[{"id":"c"}]"#]);
}

#[tokio::test]
async fn secrets_go_into_headers_and_are_read_anew() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let secret = || Some(Secret::parse(&format!("file:{}", file.path().display())).unwrap());
    std::fs::write(file.path(), "one").unwrap();
    let server = Server::default();
    let mut webhook = server
        .open(|config| {
            (config.bearer_token, config.signing_secret) = (secret(), secret());
            config.headers.insert("x-api-key".into(), secret().unwrap());
        })
        .await;
    webhook.send(&[event("a")]).await.unwrap();
    std::fs::write(file.path(), "two").unwrap();
    webhook.send(&[event("a")]).await.unwrap();
    let asked = server.asked.lock().unwrap().clone();
    for ((_, headers, body), secret) in asked.iter().zip(["one", "two"]) {
        assert_eq!(headers["authorization"], format!("Bearer {secret}"));
        assert_eq!(headers["x-api-key"], secret);
        assert_eq!(headers["content-type"], CONTENT_TYPE);
        assert_eq!(headers["webhook-id"], "a");
        let wanted = sign::signature(secret, "a", "1614265330", body.as_bytes()).unwrap();
        assert_eq!(headers["webhook-signature"], wanted);
    }
    std::fs::remove_file(file.path()).unwrap();
    let failure = webhook.send(&[event("a")]).await.unwrap_err();
    assert!(failure.is_stuck && failure.reason.contains("x-api-key"), "a missing secret loses nothing: {failure:?}");
}

#[tokio::test]
async fn a_check_sends_no_event() {
    let server = Server::default();
    let webhook = server.open(|_| {}).await;
    let said = webhook.check().await.unwrap();
    assert!(said.contains("200") && !said.contains("hidden"), "{said}");
    let asked = server.asked.lock().unwrap().clone();
    assert_eq!((asked.len(), &asked[0].0, asked[0].2.as_str()), (1, &Method::OPTIONS, ""));
}
