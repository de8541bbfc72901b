//! Settings of the gateway.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use crate::ForwardedHeader;
use crate::site::SiteFile;

/// How the gateway serves. What it serves is the domain's ([`loquat_domain::App`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayConfig {
    /// Web origins, besides the own one, whose pages may open sockets and make cross-origin calls, as browsers write
    /// them: `https://chat.example`.
    pub allowed_origins: Vec<String>,
    /// The reverse proxies whose forwarded addresses and `X-Request-Id` are believed. Nobody by default.
    pub trusted_proxies: Vec<Network>,
    /// Where they write the client's address.
    pub forwarded_header: ForwardedHeader,
    /// Whether clients arrive over TLS, ended here or at a proxy: refresh cookies are then `Secure` and `__Host-`. A
    /// public URL that begins with `https://` says the same.
    pub tls: bool,
    /// How long a stopping server waits for connections to end by themselves.
    pub grace: Duration,
    /// How far the reconnects of drained sessions are spread, in milliseconds.
    pub drain_spread_ms: u64,
    /// The web client; empty where the binary carries none.
    pub site: &'static [SiteFile],
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::default(),
            tls: false,
            grace: Duration::from_secs(20),
            drain_spread_ms: 3_000,
            site: &[],
        }
    }
}

impl GatewayConfig {
    /// Whether this address is one of the trusted proxies.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(address))
    }
}

/// A range of addresses in CIDR notation (RFC 4632, RFC 4291): `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no network: expected an address, or an address and a prefix length as in 10.0.0.0/8")]
pub struct InvalidNetwork(pub String);

impl Network {
    /// Whether the address is in the range. IPv4-mapped IPv6 addresses count as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let mask = |bits: u128, width: u32| {
            let host_bits = width - u32::from(self.prefix);
            bits.checked_shr(host_bits).unwrap_or(0)
        };
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                mask(u128::from(base.to_bits()), 32) == mask(u128::from(address.to_bits()), 32)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                mask(base.to_bits(), 128) == mask(address.to_bits(), 128)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().map_err(|_| invalid())?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().ok().filter(|prefix| *prefix <= width).ok_or_else(invalid)?,
            None => width,
        };
        Ok(Self { base, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_the_addresses_of_its_prefix() {
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("192.168.1.7", "192.168.1.7", true),
            ("192.168.1.7", "192.168.1.8", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db9::1", true),
            ("::1", "::1", true),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), inside, "{address} in {network}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused_and_named() {
        for text in
            ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "host", "::/129", "10.0.0.0/-1", "10.0.0.0/8/8"]
        {
            assert_eq!(text.parse::<Network>(), Err(InvalidNetwork(text.to_owned())));
        }
    }
}
