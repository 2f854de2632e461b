//! Servers that answer well, badly, too much, or not at all.

use std::net::TcpListener;
use std::thread::JoinHandle;

use super::*;

const WITHIN: Duration = Duration::from_secs(10);
const BYTES_MAX: u64 = 1000;

/// One connection, to which these bytes are answered; gives the request.
fn server(answer: &'static [u8]) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = vec![0; 4096];
        let bytes = stream.read(&mut request).unwrap();
        stream.write_all(answer).unwrap();
        String::from_utf8(request[..bytes].to_vec()).unwrap()
    });
    (address, served)
}

#[test]
fn the_status_decides_and_the_text_is_shown() {
    let cases: [(&[u8], u16, &str); 4] = [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n", 200, "ok"),
        (
            b"HTTP/1.1 503 Service Unavailable\r\n\r\nnot ready: no \x1b[1mpartition yet\nmore\n",
            503,
            "not ready: no [1mpartition yet",
        ),
        (b"HTTP/1.0 404 Not Found\r\n\r\n", 404, ""),
        (b"HTTP/1.1 204\r\n", 204, ""),
    ];
    for (answer, status, text) in cases {
        let (address, served) = server(answer);
        let found = ask(&format!("http://{address}/readyz"), WITHIN, BYTES_MAX).unwrap();
        assert_eq!((found.status, found.first_line().as_str()), (status, text));
        let request = served.join().unwrap();
        assert_eq!(request, format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"));
    }
}

#[test]
fn what_does_not_speak_http_is_not_well() {
    for answer in [&b""[..], b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 fine\r\n\r\n", b"\xff\xfe"] {
        let (address, served) = server(answer);
        assert!(ask(&format!("http://{address}/livez"), WITHIN, BYTES_MAX).is_err(), "{answer:?}");
        served.join().unwrap();
    }
}

#[test]
fn only_plain_http_is_asked() {
    for url in ["", "127.0.0.1:9464/livez", "https://127.0.0.1:9464/livez", "/livez", "http://", "http://[::1"] {
        assert!(ask(url, WITHIN, BYTES_MAX).is_err(), "{url}");
    }
}

#[test]
fn nobody_there_is_not_well() {
    // Bound and given up: nobody listens there now.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(ask(&format!("http://{address}/livez"), WITHIN, BYTES_MAX).is_err());
}

#[test]
fn a_silent_service_is_not_waited_for() {
    // The connection is taken by the system; nobody ever answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/livez", listener.local_addr().unwrap());
    assert!(ask(&url, Duration::from_millis(50), BYTES_MAX).is_err());
}

#[test]
fn an_answer_has_a_bound_and_may_come_in_chunks() {
    let chunked = |body: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    let whole = parse(chunked("4\r\n{\"a\"\r\n3;x=y\r\n:1}\r\n0\r\n\r\n").as_bytes()).unwrap();
    assert_eq!(whole, Answer { status: 200, body: b"{\"a\":1}".to_vec() });
    for cut in ["", "4", "4\r\n{\"a", "4\r\n{\"a\"", "4\r\n{\"a\"\r\n", "x\r\n\r\n", "ffffffffffffffff\r\na\r\n"] {
        assert!(parse(chunked(cut).as_bytes()).is_err(), "{cut}");
    }
    let (address, served) = server(b"HTTP/1.1 200 OK\r\n\r\n0123456789");
    let cut = ask(&format!("http://{address}/"), WITHIN, 22).unwrap();
    assert_eq!(cut.body, b"012");
    served.join().unwrap();
}
