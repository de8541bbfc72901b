//! Browsers: which origins may use the service, and the headers that keep an answer from being misused.
//!
//! Access tokens travel in `Authorization`, which no foreign page can make a browser send. What browsers do send by
//! themselves is guarded: socket upgrades by their `Origin`, the refresh cookie by `SameSite=Strict`, its `Origin`
//! and a header that a foreign page cannot set ([`Origins::check_cookie_call`]).

use std::time::Duration;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use loquat_domain::Refusal;
use tower_http::cors::CorsLayer;

use crate::GatewayConfig;
use crate::problem::{Failure, RATE_LIMIT, RATE_REMAINING, RATE_RESET};

const COOKIE_CALL: HeaderName = HeaderName::from_static("x-loquat");

/// Which web origins (RFC 6454) may use the service from a browser.
#[derive(Debug, Clone)]
pub(crate) struct Origins {
    allowed: Vec<String>,
    /// The own origin, where the public URL is known; otherwise the request's `Host` says it.
    own: Option<String>,
    secure: bool,
}

impl Origins {
    pub(crate) fn new(config: &GatewayConfig, public_url: Option<&str>) -> Self {
        let own = public_url.and_then(origin_of);
        let secure = config.tls || own.as_ref().is_some_and(|own| own.starts_with("https://"));
        let allowed =
            config.allowed_origins.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase());
        Self { allowed: allowed.collect(), own, secure }
    }

    /// Whether clients arrive over TLS.
    pub(crate) const fn are_secure(&self) -> bool {
        self.secure
    }

    /// Refuses a request that a page of a foreign origin made. Without `Origin` no page made it.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] for a foreign origin, `null`, or more than one.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return Ok(()) };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let allowed = origin.to_str().is_ok_and(|origin| self.allows(origin, host));
        if allowed && origins.next().is_none() {
            Ok(())
        } else {
            Err(Refusal::Forbidden("the page's origin is not allowed here").into())
        }
    }

    /// Refuses a call that uses the refresh cookie unless it bears `X-Loquat: 1`, which only pages of allowed origins
    /// can set.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`].
    pub(crate) fn check_cookie_call(&self, headers: &HeaderMap) -> Result<(), Failure> {
        if headers.get(COOKIE_CALL).is_none_or(|value| value != "1") {
            return Err(Refusal::Forbidden("calls with the cookie need the header X-Loquat: 1").into());
        }
        self.check(headers)
    }

    fn allows(&self, origin: &str, host: Option<&str>) -> bool {
        let origin = origin.to_ascii_lowercase();
        self.allowed.contains(&origin) || self.is_own(&origin, host)
    }

    fn is_own(&self, origin: &str, host: Option<&str>) -> bool {
        if let Some(own) = &self.own {
            return own == origin;
        }
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        let scheme_fits = scheme == "https" || (scheme == "http" && !self.secure);
        scheme_fits && host.is_some_and(|host| host.eq_ignore_ascii_case(authority))
    }

    /// Lets pages of the configured origins read answers (CORS). `None` where there are none: the own origin needs
    /// no permission.
    pub(crate) fn cors(&self) -> Option<CorsLayer> {
        let origins: Vec<_> =
            self.allowed.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
        if origins.is_empty() {
            return None;
        }
        let request_id = HeaderName::from_static("x-request-id");
        let idempotency_key = HeaderName::from_static("idempotency-key");
        Some(
            CorsLayer::new()
                .allow_origin(origins)
                .allow_credentials(true)
                .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
                .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, idempotency_key, COOKIE_CALL])
                .expose_headers([header::RETRY_AFTER, RATE_LIMIT, RATE_REMAINING, RATE_RESET, request_id])
                .max_age(Duration::from_secs(600)),
        )
    }
}

/// `scheme://host[:port]` of an HTTP URL, in lower case.
fn origin_of(url: &str) -> Option<String> {
    let url = url.to_ascii_lowercase();
    let (scheme, rest) = url.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
    let authority: Authority = rest.split(['/', '?', '#']).next()?.parse().ok()?;
    let default_port = if scheme == "https" { 443 } else { 80 };
    match authority.port_u16().filter(|port| *port != default_port) {
        Some(port) => Some(format!("{scheme}://{}:{port}", authority.host())),
        None => Some(format!("{scheme}://{}", authority.host())),
    }
}

/// Sets the headers that every answer has. An answer that says how it may be cached, or which policy its page has,
/// keeps that.
pub(crate) fn set_headers(headers: &mut HeaderMap, secure: bool) {
    let is_page = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|content_type| content_type.as_bytes().starts_with(b"text/html"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if !is_page {
        let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(nothing);
    }
    if secure {
        let one_year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, one_year);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(host: &str, origins: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        for origin in origins {
            headers.append(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        headers
    }

    fn origins(allowed: &[&str], public_url: Option<&str>, tls: bool) -> Origins {
        let allowed_origins = allowed.iter().map(ToString::to_string).collect();
        Origins::new(&GatewayConfig { allowed_origins, tls, ..GatewayConfig::default() }, public_url)
    }

    #[test]
    fn only_own_and_configured_origins_pass() {
        let plain = origins(&["https://app.example"], None, false);
        let tls = origins(&[], None, true);
        let public = origins(&[], Some("https://Chat.example:443/x"), false);
        for (rule, host, origin, passes) in [
            (&plain, "chat.example", &[][..], true),
            (&plain, "chat.example", &["http://chat.example"][..], true),
            (&plain, "chat.example", &["https://chat.example"][..], true),
            (&plain, "chat.example:8080", &["http://chat.example:8080"][..], true),
            (&plain, "chat.example:8080", &["http://chat.example"][..], false),
            (&plain, "chat.example", &["https://app.example"][..], true),
            (&plain, "chat.example", &["https://app.example.evil"][..], false),
            (&plain, "chat.example", &["http://app.example"][..], false),
            (&plain, "chat.example", &["null"][..], false),
            (&plain, "chat.example", &[""][..], false),
            (&plain, "chat.example", &["https://evil.example"][..], false),
            (&plain, "chat.example", &["https://app.example", "https://evil.example"][..], false),
            (&tls, "chat.example", &["https://chat.example"][..], true),
            (&tls, "chat.example", &["http://chat.example"][..], false),
            (&public, "inner:8080", &["https://chat.example"][..], true),
            (&public, "inner:8080", &["http://inner:8080"][..], false),
        ] {
            assert_eq!(rule.check(&request(host, origin)).is_ok(), passes, "{rule:?} {host} {origin:?}");
        }
    }

    #[test]
    fn a_cookie_call_needs_its_header_and_origin() {
        let rule = origins(&[], None, false);
        for (origin, header, passes) in [
            (&["http://chat.example"][..], Some("1"), true),
            (&[][..], Some("1"), true),
            (&["http://chat.example"][..], None, false),
            (&["http://chat.example"][..], Some("0"), false),
            (&["http://evil.example"][..], Some("1"), false),
            (&["null"][..], Some("1"), false),
        ] {
            let mut headers = request("chat.example", origin);
            if let Some(value) = header {
                headers.insert(COOKIE_CALL, HeaderValue::from_static(value));
            }
            assert_eq!(rule.check_cookie_call(&headers).is_ok(), passes, "{origin:?} {header:?}");
        }
    }

    #[test]
    fn an_origin_leaves_the_default_port_out() {
        for (url, origin) in [
            ("https://chat.example", Some("https://chat.example")),
            ("https://chat.example:443/path", Some("https://chat.example")),
            ("http://chat.example:80", Some("http://chat.example")),
            ("http://chat.example:8080/", Some("http://chat.example:8080")),
            ("http://[::1]:8080", Some("http://[::1]:8080")),
            ("ftp://chat.example", None),
            ("chat.example", None),
        ] {
            assert_eq!(origin_of(url).as_deref(), origin, "{url}");
        }
    }

    #[test]
    fn answers_keep_their_own_caching_and_pages_their_own_policy() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        set_headers(&mut headers, true);
        assert_eq!(headers[header::CACHE_CONTROL], "public, max-age=300");
        assert!(!headers.contains_key(header::CONTENT_SECURITY_POLICY));
        assert!(headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
        let mut headers = HeaderMap::new();
        set_headers(&mut headers, false);
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert!(headers.contains_key(header::CONTENT_SECURITY_POLICY));
        assert!(!headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
    }
}
