//! The refresh cookie (RFC 6265): HttpOnly, SameSite=Strict, never readable by a page.
//!
//! Over TLS it is called `__Host-loquat_refresh`: browsers then insist on `Secure`, no `Domain` and `Path=/`, so that
//! no sibling host can plant one. Without TLS such a name is refused by browsers, so it is a plain one on `/v1/auth`.

use axum::http::{HeaderMap, HeaderValue, header};
use loquat_proto::account::Secret;

const SECURE_NAME: &str = "__Host-loquat_refresh";
const PLAIN_NAME: &str = "loquat_refresh";

const fn name(secure: bool) -> &'static str {
    if secure { SECURE_NAME } else { PLAIN_NAME }
}

const fn attributes(secure: bool) -> &'static str {
    if secure {
        "Path=/; Secure; HttpOnly; SameSite=Strict"
    } else {
        "Path=/v1/auth; HttpOnly; SameSite=Strict"
    }
}

/// The refresh token of the request's cookie, if there is one.
pub(crate) fn read(headers: &HeaderMap, secure: bool) -> Option<Secret> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(found, value)| *found == name(secure) && !value.is_empty())?;
    Some(Secret(value.to_owned()))
}

/// Sets the cookie. `None` if the token cannot stand in a header, which no token of this service can cause.
pub(crate) fn set(token: &Secret, max_age_seconds: u64, secure: bool) -> Option<HeaderValue> {
    let cookie = format!("{}={}; Max-Age={max_age_seconds}; {}", name(secure), token.0, attributes(secure));
    let mut value = HeaderValue::from_str(&cookie).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Takes the cookie away.
pub(crate) fn clear(secure: bool) -> HeaderValue {
    HeaderValue::from_static(if secure {
        "__Host-loquat_refresh=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict"
    } else {
        "loquat_refresh=; Max-Age=0; Path=/v1/auth; HttpOnly; SameSite=Strict"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_read_under_its_own_name_only() {
        for (cookies, secure, token) in [
            (&["loquat_refresh=abc"][..], false, Some("abc")),
            (&["other=1; loquat_refresh=abc; more=2"][..], false, Some("abc")),
            (&["other=1", "loquat_refresh=a=b"][..], false, Some("a=b")),
            (&["__Host-loquat_refresh=abc"][..], true, Some("abc")),
            (&["loquat_refresh=planted"][..], true, None),
            (&["xloquat_refresh=abc"][..], false, None),
            (&["loquat_refresh="][..], false, None),
            (&[][..], false, None),
        ] {
            let mut headers = HeaderMap::new();
            for cookie in cookies {
                headers.append(header::COOKIE, HeaderValue::from_static(cookie));
            }
            assert_eq!(read(&headers, secure).map(|token| token.0).as_deref(), token, "{cookies:?}");
        }
    }

    #[test]
    fn the_cookie_is_out_of_reach_of_pages_and_other_sites() {
        for secure in [false, true] {
            let token = Secret("abc".to_owned());
            for value in [set(&token, 60, secure).unwrap(), clear(secure)] {
                let text = value.to_str().unwrap();
                assert!(text.contains("; HttpOnly") && text.contains("; SameSite=Strict"), "{text}");
                assert_eq!(text.starts_with("__Host-"), secure);
                assert_eq!(text.contains("; Secure"), secure);
                // `__Host-` cookies are dropped by browsers unless they are for `/`.
                assert!(text.contains(if secure { "; Path=/;" } else { "; Path=/v1/auth;" }), "{text}");
            }
        }
    }
}
