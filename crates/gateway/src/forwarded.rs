//! Who the client is behind reverse proxies: `X-Forwarded-For`, or `Forwarded` (RFC 7239).
//!
//! A proxy appends to the one that it knows and passes the other on as the client wrote it. So just one of them is read,
//! the one that the operator names, and of it no more than what trusted hops wrote.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName, header};
use thiserror::Error;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Which header trusted proxies write the client's address to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`: addresses with commas between them.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239): the `for` of each element.
    Forwarded,
}

/// Why a text names no such header.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected `x-forwarded-for` or `forwarded`, not {0:?}")]
pub struct InvalidForwardedHeader(pub String);

impl FromStr for ForwardedHeader {
    type Err = InvalidForwardedHeader;

    fn from_str(text: &str) -> Result<Self, InvalidForwardedHeader> {
        match text.to_ascii_lowercase().as_str() {
            "x-forwarded-for" => Ok(Self::XForwardedFor),
            "forwarded" => Ok(Self::Forwarded),
            _ => Err(InvalidForwardedHeader(text.to_owned())),
        }
    }
}

impl ForwardedHeader {
    /// The header's name, in small letters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }

    const fn header(self) -> HeaderName {
        match self {
            Self::XForwardedFor => X_FORWARDED_FOR,
            Self::Forwarded => header::FORWARDED,
        }
    }

    fn hop(self, entry: &str) -> Option<IpAddr> {
        match self {
            Self::XForwardedFor => parse_hop(entry.trim()),
            Self::Forwarded => {
                let mut pairs = entry.split(';').filter_map(|pair| pair.trim().split_once('='));
                let (_, node) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
                parse_hop(node.trim().trim_matches('"'))
            }
        }
    }
}

/// Who the client is, seen from the peer: the header is read from the right for as long as the hop that wrote the entry
/// is a trusted proxy. What an untrusted client writes there is never reached.
pub(crate) fn client_address(
    peer: IpAddr,
    headers: &HeaderMap,
    header: ForwardedHeader,
    trusts: impl Fn(IpAddr) -> bool,
) -> IpAddr {
    let mut address = peer.to_canonical();
    let entries = headers
        .get_all(header.header())
        .iter()
        .rev()
        .flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
    for hop in entries.map(|entry| header.hop(entry)) {
        let Some(hop) = hop.filter(|_| trusts(address)) else { break };
        address = hop;
    }
    address
}

/// An address as proxies write it: bare, or with a port.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address =
        bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip())).ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::config::Network;

    fn found(header: ForwardedHeader, peer: &str, lines: &[(HeaderName, &'static str)]) -> String {
        let proxies: [Network; 2] = ["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        let trusts = |address| proxies.iter().any(|network| network.contains(address));
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(name, HeaderValue::from_static(value));
        }
        client_address(peer.parse().unwrap(), &map, header, trusts).to_string()
    }

    #[test]
    fn forwarded_addresses_are_believed_only_from_trusted_hops() {
        for (peer, forwarded, client) in [
            // Nobody trusted in between: the header is the client's own invention.
            ("203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.1"][..], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["198.51.100.1"][..], "198.51.100.1"),
            // A spoofed entry left of what the proxy appended is not reached.
            ("10.0.0.1", &["1.2.3.4, 198.51.100.1"][..], "198.51.100.1"),
            ("10.0.0.1", &["1.2.3.4", "198.51.100.1, 10.0.0.2"][..], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1:4711"][..], "198.51.100.1"),
            ("10.0.0.1", &["[2001:db9::7]:4711"][..], "2001:db9::7"),
            ("10.0.0.1", &["2001:db9::7, 2001:db8::1"][..], "2001:db9::7"),
            // An entry that cannot be read ends the walk.
            ("10.0.0.1", &["198.51.100.1, unknown"][..], "10.0.0.1"),
            ("10.0.0.1", &[][..], "10.0.0.1"),
            ("10.0.0.1", &[""][..], "10.0.0.1"),
        ] {
            let lines: Vec<_> = forwarded.iter().map(|value| (X_FORWARDED_FOR, *value)).collect();
            assert_eq!(found(ForwardedHeader::XForwardedFor, peer, &lines), client, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn elements_of_forwarded_are_read_in_all_their_forms() {
        for (peer, forwarded, client) in [
            ("203.0.113.9", "for=198.51.100.1", "203.0.113.9"),
            ("10.0.0.1", "for=198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "For=\"198.51.100.1:4711\";proto=https;by=10.0.0.1", "198.51.100.1"),
            ("10.0.0.1", "proto=https; for=\"[2001:db9::7]:4711\"", "2001:db9::7"),
            ("10.0.0.1", "for=1.2.3.4, for=198.51.100.1, for=10.0.0.2;host=x", "198.51.100.1"),
            ("10.0.0.1", "for=\"x, for=1.2.3.4\", for=198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "for=unknown", "10.0.0.1"),
            ("10.0.0.1", "for=_hidden", "10.0.0.1"),
            ("10.0.0.1", "proto=https", "10.0.0.1"),
        ] {
            let lines = [(header::FORWARDED, forwarded)];
            assert_eq!(found(ForwardedHeader::Forwarded, peer, &lines), client, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn the_other_header_is_the_clients_own_and_is_not_read() {
        let both = [(header::FORWARDED, "for=1.2.3.4"), (X_FORWARDED_FOR, "198.51.100.1")];
        assert_eq!(found(ForwardedHeader::XForwardedFor, "10.0.0.1", &both), "198.51.100.1");
        assert_eq!(found(ForwardedHeader::Forwarded, "10.0.0.1", &both), "1.2.3.4");
        for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
            assert_eq!(header.name().parse(), Ok(header));
        }
        assert_eq!("via".parse::<ForwardedHeader>(), Err(InvalidForwardedHeader("via".to_owned())));
    }
}
