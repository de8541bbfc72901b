//! Settings that are allowed and yet unwise.

use super::Check;
use crate::settings::{Loaded, Settings};

/// The least memory of a password hash that is recommended beside two passes (RFC 9106 and OWASP): 19 MiB.
const RECOMMENDED_KIB: u32 = 19_456;

/// Whether everything that looks like a setting is one.
pub(super) fn settings(loaded: &Loaded) -> Check {
    const NAME: &str = "settings";
    if loaded.strangers.is_empty() {
        return Check::ok(NAME, "understood; `loquat config` shows them");
    }
    Check::warning(
        NAME,
        format!("no setting has the name of {}", loaded.strangers.join(", ")),
        "correct or unset the environment variables; `loquat config` names those that exist",
    )
}

/// What the settings expose.
pub(super) fn all(settings: &Settings) -> Vec<Check> {
    [exposure(settings), proxy(settings), passwords(settings), rates(settings)]
        .into_iter()
        .flatten()
        .collect()
}

fn is_secure(settings: &Settings) -> bool {
    settings.tls.is_on() || settings.gateway.tls || settings.public_url.starts_with("https://")
}

fn exposure(settings: &Settings) -> Option<Check> {
    (!settings.listen.ip().is_loopback() && !is_secure(settings)).then(|| {
        Check::warning(
            "encryption",
            format!("{} is reached from other machines without TLS", settings.listen),
            "give it a certificate (`tls`), or put a proxy with TLS before it and set `public_url` to its https:// address: passwords travel here",
        )
    })
}

fn proxy(settings: &Settings) -> Option<Check> {
    let behind = settings.listen.ip().is_loopback() && is_secure(settings) && !settings.tls.is_on();
    (behind && settings.gateway.trusted_proxies.is_empty()).then(|| {
        Check::warning(
            "proxy",
            "clients come through a proxy that is not believed: all share the limits of one address",
            "set `gateway.trusted_proxies` to the proxy's address",
        )
    })
}

fn passwords(settings: &Settings) -> Option<Check> {
    let cost = settings.auth.argon2;
    (cost.memory_kib < RECOMMENDED_KIB || cost.iterations < 2).then(|| {
        Check::warning(
            "passwords",
            format!("a password hash costs {} KiB and {} passes", cost.memory_kib, cost.iterations),
            format!("use at least {RECOMMENDED_KIB} KiB and 2 passes (`auth.argon2`): who steals the database guesses faster"),
        )
    })
}

fn rates(settings: &Settings) -> Option<Check> {
    let limits = &settings.limits;
    let off: Vec<&str> = [
        ("limits.logins_per_minute", limits.logins_per_minute),
        ("limits.signups_per_hour", limits.signups_per_hour),
        ("limits.requests_per_second", limits.requests_per_second),
        ("limits.sends_per_second", limits.sends_per_second),
    ]
    .into_iter()
    .filter_map(|(name, rate)| (rate == 0).then_some(name))
    .collect();
    (!off.is_empty()).then(|| {
        Check::warning(
            "rates",
            format!("there is no limit by {}", off.join(", ")),
            "set them, unless only those you trust can reach the service",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(change: impl FnOnce(&mut Settings)) -> Vec<&'static str> {
        let mut settings = Settings::default();
        change(&mut settings);
        all(&settings).into_iter().map(|check| check.name).collect()
    }

    #[test]
    fn unwise_settings_are_named() {
        let wide = "0.0.0.0:80".parse().unwrap();
        let https = || "https://chat.example".to_owned();
        assert_eq!(names(|_| ()), [""; 0]);
        assert_eq!(names(|settings| settings.listen = wide), ["encryption"]);
        let secured = |settings: &mut Settings| (settings.listen, settings.public_url) = (wide, https());
        assert_eq!(names(secured), [""; 0]);
        assert_eq!(names(|settings| settings.public_url = https()), ["proxy"]);
        let believed = |settings: &mut Settings| {
            settings.public_url = https();
            settings.gateway.trusted_proxies = vec!["127.0.0.1".to_owned()];
        };
        assert_eq!(names(believed), [""; 0]);
        assert_eq!(names(|settings| settings.auth.argon2.memory_kib = 1_024), ["passwords"]);
        assert_eq!(names(|settings| settings.limits.logins_per_minute = 0), ["rates"]);
    }
}
