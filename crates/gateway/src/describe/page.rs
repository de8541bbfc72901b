//! The documents and the page that shows them: `/v1/openapi.json`, `/v1/asyncapi.json`, `/docs`. All of it is in the
//! binary, so that it can be read without a network.

use std::sync::LazyLock;

use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};

use super::{Answer, Draft, asyncapi, on, openapi};
use crate::route::{Access, Route};

pub(crate) static ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/openapi.json", Access::Public, |method| on(method, calls))
        .about("Describes all calls, in OpenAPI 3.1.", "This document."),
    Route::new(Method::GET, "/v1/asyncapi.json", Access::Public, |method| on(method, socket))
        .about("Describes the socket, in AsyncAPI 3.", ""),
    Route::new(Method::GET, "/docs", Access::Public, |method| on(method, page))
        .about("Shows both documents to people.", "A page that needs nothing but this service."),
    Route::new(Method::GET, "/docs/page.js", Access::Public, |method| on(method, script))
        .about("Builds that page.", ""),
    Route::new(Method::GET, "/docs/page.css", Access::Public, |method| on(method, style))
        .about("Styles that page.", ""),
];

/// The page's policy: its own script, style and documents, and nothing else at all.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

const JSON: u8 = 0;
const HTML: u8 = 1;
const SCRIPT: u8 = 2;
const STYLE: u8 = 3;

static OPENAPI: LazyLock<String> = LazyLock::new(|| openapi().to_string());
static ASYNCAPI: LazyLock<String> = LazyLock::new(|| asyncapi().to_string());

/// A text that is in the binary, of one of the types above.
struct Asset<const KIND: u8>(&'static str);

const fn media_type(kind: u8) -> &'static str {
    match kind {
        JSON => "application/json",
        HTML => "text/html; charset=utf-8",
        SCRIPT => "text/javascript; charset=utf-8",
        _ => "text/css; charset=utf-8",
    }
}

impl<const KIND: u8> IntoResponse for Asset<KIND> {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
        set(header::CONTENT_TYPE, media_type(KIND));
        set(header::CACHE_CONTROL, "public, max-age=300");
        if KIND == HTML {
            set(header::CONTENT_SECURITY_POLICY, POLICY);
        }
        response
    }
}

impl<const KIND: u8> Answer for Asset<KIND> {
    fn describe(draft: &mut Draft<'_>) {
        match KIND {
            JSON => draft.answer::<serde_json::Map<String, serde_json::Value>>(
                axum::http::StatusCode::OK,
                "The document.",
            ),
            _ => draft.media(media_type(KIND), "A part of the page."),
        }
    }
}

async fn calls() -> Asset<JSON> {
    Asset(&OPENAPI)
}

async fn socket() -> Asset<JSON> {
    Asset(&ASYNCAPI)
}

async fn page() -> Asset<HTML> {
    Asset(include_str!("page/page.html"))
}

async fn script() -> Asset<SCRIPT> {
    Asset(include_str!("page/page.js"))
}

async fn style() -> Asset<STYLE> {
    Asset(include_str!("page/page.css"))
}
