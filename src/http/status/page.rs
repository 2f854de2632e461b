//! The page: a few static files in the binary, nothing made, nothing from elsewhere.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A file of the page.
pub(super) struct File {
    pub(super) path: &'static str,
    media_type: &'static str,
    pub(super) content: &'static str,
}

macro_rules! file {
    ($path:literal, $media_type:literal, $name:literal) => {
        File { path: $path, media_type: $media_type, content: include_str!(concat!("assets/", $name)) }
    };
}

pub(super) static FILES: [File; 7] = [
    file!("/", "text/html; charset=utf-8", "page.html"),
    file!("/page.css", "text/css; charset=utf-8", "page.css"),
    file!("/page.js", "text/javascript; charset=utf-8", "page.js"),
    file!("/chart.js", "text/javascript; charset=utf-8", "chart.js"),
    file!("/tables.js", "text/javascript; charset=utf-8", "tables.js"),
    file!("/words.js", "text/javascript; charset=utf-8", "words.js"),
    file!("/icon.svg", "image/svg+xml", "icon.svg"),
];

impl File {
    /// Nothing but the tag, if the browser has it already.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response {
        let tag = self.tag();
        let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
        let is_known =
            known.is_some_and(|tags| tags.split(',').any(|known| known.trim().trim_start_matches("W/") == tag));
        // Asked for again each time, so that a new version is seen at once.
        let mut response = match is_known {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => ([(header::CONTENT_TYPE, self.media_type)], self.content).into_response(),
        };
        let answered = response.headers_mut();
        answered.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            answered.insert(header::ETAG, tag);
        }
        response
    }

    /// FNV-1a of the content.
    fn tag(&self) -> String {
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        format!("\"{:016x}\"", self.content.bytes().fold(0xcbf2_9ce4_8422_2325, mix))
    }
}
