//! The web client: files that the binary carries, served as they are. It knows none of them by name but the page.
//!
//! Files under `/assets/` have a hash in their name and never change; everything else is asked for again and answered
//! with 304 while it is the same. Each file may have brotli and gzip variants, made at build time. The page's policy
//! (CSP level 3 with Trusted Types) lets it run what the service serves and nothing else.

use std::fmt;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use loquat_domain::Refusal;

use crate::problem::Failure;
use crate::state::GatewayState;

/// One file of the web client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SiteFile {
    /// The path that it is served under, from `/`.
    pub path: &'static str,
    /// The media type.
    pub content_type: &'static str,
    /// A strong entity tag, quotes included.
    pub etag: &'static str,
    /// The content.
    pub plain: &'static [u8],
    /// The content compressed with brotli (RFC 7932), where that is smaller.
    pub brotli: Option<&'static [u8]>,
    /// The content compressed with gzip (RFC 1952), where that is smaller.
    pub gzip: Option<&'static [u8]>,
}

impl fmt::Debug for SiteFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SiteFile({})", self.path)
    }
}

/// The page that is served for the client's own addresses.
const PAGE: &str = "/index.html";

/// Where the client's own addresses begin; the client itself reads the rest.
const ADDRESSES: [&str; 3] = ["/c/", "/join/", "/settings"];

/// Files with a hash in their name.
const ASSETS: &str = "/assets/";

const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; object-src 'none'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; img-src 'self' blob: data:; require-trusted-types-for 'script'; \
     trusted-types loquat svelte-trusted-html";

/// Says how to get the client, where the binary was built without it.
const WITHOUT: &str = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Loquat</title>\n\
     <h1>Loquat serves</h1>\n<p>This binary was built without the web client. <code>cargo xtask run</code> builds it in; \
     <code>loquat chat</code> is the client for the terminal.</p></html>\n";

/// Everything that is no route: a file of the client, or a problem.
pub(crate) async fn serve(State(state): State<GatewayState>, request: Request) -> Response {
    let read = matches!(*request.method(), Method::GET | Method::HEAD);
    let path = request.uri().path();
    let site = state.config.site;
    if read && site.is_empty() && path == "/" {
        return ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], policy(), WITHOUT).into_response();
    }
    match find(site, path).filter(|_| read) {
        Some(file) => answer(file, request.headers()),
        None => Failure::from(Refusal::NotFound).into_response(),
    }
}

fn find(site: &'static [SiteFile], path: &str) -> Option<&'static SiteFile> {
    let address = path == "/" || ADDRESSES.iter().any(|start| path.starts_with(start));
    let wanted = if address { PAGE } else { path };
    site.iter().find(|file| file.path == wanted)
}

fn answer(file: &'static SiteFile, asked: &HeaderMap) -> Response {
    let caching =
        if file.path.starts_with(ASSETS) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
        (header::ETAG, HeaderValue::from_static(file.etag)),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
    ];
    let known = asked.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    if known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == file.etag)) {
        return (StatusCode::NOT_MODIFIED, headers, policy()).into_response();
    }
    let variants = [("br", file.brotli), ("gzip", file.gzip)];
    let variant =
        variants.into_iter().find_map(|(name, bytes)| Some((name, bytes.filter(|_| accepts(asked, name))?)));
    let mut response = Body::from(variant.map_or(file.plain, |(_, bytes)| bytes)).into_response();
    let content_type = HeaderValue::from_static(file.content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    if let Some((name, _)) = variant {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
    }
    (headers, policy(), response).into_response()
}

/// On every file: a worker has the policy that its script came with.
fn policy() -> [(HeaderName, HeaderValue); 2] {
    [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    ]
}

/// Whether a coding is accepted by name (RFC 9110, section 12.5.3). Weights other than 0 make no difference.
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
        named && parts.all(|weight| !matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &[SiteFile] = &[
        SiteFile {
            path: PAGE,
            content_type: "text/html; charset=utf-8",
            etag: "\"1\"",
            plain: b"page",
            brotli: Some(b"br"),
            gzip: Some(b"gz"),
        },
        SiteFile {
            path: "/assets/main-1.js",
            content_type: "text/javascript; charset=utf-8",
            etag: "\"2\"",
            plain: b"script",
            brotli: None,
            gzip: Some(b"gz"),
        },
    ];

    fn asked(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn the_page_stands_for_the_clients_own_addresses_only() {
        for (path, found) in [
            ("/", Some(PAGE)),
            ("/c/71", Some(PAGE)),
            ("/c/71/42", Some(PAGE)),
            ("/join/abc", Some(PAGE)),
            ("/settings", Some(PAGE)),
            ("/assets/main-1.js", Some("/assets/main-1.js")),
            ("/assets/main-2.js", None),
            ("/v1/none", None),
            ("/c", None),
        ] {
            assert_eq!(find(SITE, path).map(|file| file.path), found, "{path}");
        }
    }

    #[test]
    fn the_best_variant_that_is_accepted_is_sent() {
        for (file, accepted, encoding) in [
            (0, "gzip, deflate, br, zstd", Some("br")),
            (0, "br;q=0, gzip;q=0.5", Some("gzip")),
            (0, "identity", None),
            (1, "br, gzip", Some("gzip")),
        ] {
            let response = answer(&SITE[file], &asked(header::ACCEPT_ENCODING, accepted));
            let found = response.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap());
            assert_eq!(found, encoding, "{accepted}");
            assert_eq!(response.headers()[header::VARY], "accept-encoding");
        }
    }

    #[test]
    fn hashed_files_are_kept_for_ever_and_the_page_is_asked_for_again() {
        let cached = |file: usize| {
            let response = answer(&SITE[file], &HeaderMap::new());
            response.headers()[header::CACHE_CONTROL].to_str().unwrap().to_owned()
        };
        assert!(cached(1).contains("immutable"));
        assert_eq!(cached(0), "no-cache");
        for (tag, status) in [("\"1\"", 304), ("W/\"1\"", 304), ("\"0\", \"1\"", 304), ("\"2\"", 200)] {
            let response = answer(&SITE[0], &asked(header::IF_NONE_MATCH, tag));
            assert_eq!(response.status().as_u16(), status, "{tag}");
        }
    }

    #[test]
    fn the_policy_lets_nothing_foreign_run() {
        let response = answer(&SITE[0], &HeaderMap::new());
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        for part in ["default-src 'self'", "object-src 'none'", "require-trusted-types-for 'script'"] {
            assert!(policy.contains(part), "{part}");
        }
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"));
    }
}
