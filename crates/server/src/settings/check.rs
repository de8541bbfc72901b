//! What a value must be, beyond its type.

use std::str::FromStr as _;

use loquat_gateway::ForwardedHeader;
use toml::Value;
use tracing_subscriber::filter::Targets;

use super::{EMBEDDED, Settings, reference, tls};

/// Characters of a name that people read.
const NAME_CHARACTERS: usize = 64;

/// Checks one value. `settings` has it and defaults otherwise.
pub(super) fn value(key: &str, value: &Value, settings: &Settings) -> Result<(), String> {
    if let (Some(number), Some(range)) = (value.as_integer(), reference::range(key))
        && !range.contains(&number)
    {
        return Err(format!("must be {}, not {number}", reference::words(&range)));
    }
    match key {
        "data" if settings.data.as_os_str().is_empty() => Err("must name a folder".to_owned()),
        "public_url" => public_url(&settings.public_url),
        "server_name" => name(&settings.server_name, 1),
        "node.name" => name(&settings.node.name, 0),
        "log.level" => level(&settings.log.level),
        "auth.issuer" => name(&settings.auth.issuer, 1),
        "auth.audience" => name(&settings.auth.audience, 1),
        "gateway.allowed_origins" => settings.gateway.allowed_origins.iter().try_for_each(|one| origin(one)),
        "gateway.trusted_proxies" => settings.gateway.config().map(drop).map_err(|error| error.to_string()),
        "gateway.forwarded_header" => settings
            .gateway
            .forwarded_header
            .parse::<ForwardedHeader>()
            .map(drop)
            .map_err(|error| error.to_string()),
        "tls.acme.domains" => settings.tls.acme.domains.iter().try_for_each(|one| tls::domain(one)),
        "tls.acme.contacts" => settings.tls.acme.contacts.iter().try_for_each(|one| tls::contact(one)),
        "tls.acme.directory" => tls::directory(&settings.tls.acme.directory),
        "traces.endpoint" => endpoint(&settings.traces.endpoint),
        "traces.headers" => headers(&settings.traces.headers),
        "storage.url" => storage(&settings.storage.url),
        "bus.url" => bus(&settings.bus.url),
        "bus.prefix" => prefix(&settings.bus.prefix),
        _ => Ok(()),
    }
}

/// Settings that do not go together.
pub(super) struct Clash {
    /// The two, with what is wrong with each beside the other.
    pub(super) sides: [(&'static str, String); 2],
}

/// Checks values that depend on one another.
pub(super) fn together(settings: &Settings) -> Option<Clash> {
    let (limits, argon2) = (&settings.limits, &settings.auth.argon2);
    let (text, frame) = (limits.text_bytes, limits.frame_bytes);
    if text >= frame {
        let text_side = format!("must be below `limits.frame_bytes` ({frame}): a text travels in a frame");
        let frame_side = format!("must be above `limits.text_bytes` ({text}): a text travels in a frame");
        return Some(Clash { sides: [("limits.text_bytes", text_side), ("limits.frame_bytes", frame_side)] });
    }
    let (memory, lanes) = (argon2.memory_kib, argon2.parallelism);
    let least = lanes.saturating_mul(8);
    if memory < least {
        let memory_side =
            format!("must be at least {least}, 8 for each of `auth.argon2.parallelism` ({lanes})");
        let lanes_side =
            format!("must be at most {}, one for 8 of `auth.argon2.memory_kib` ({memory})", memory / 8);
        let sides = [("auth.argon2.memory_kib", memory_side), ("auth.argon2.parallelism", lanes_side)];
        return Some(Clash { sides });
    }
    tls::together(settings)
}

fn name(text: &str, least: usize) -> Result<(), String> {
    let length = text.chars().count();
    if !(least..=NAME_CHARACTERS).contains(&length) {
        return Err(format!("must have {least} to {NAME_CHARACTERS} characters, not {length}"));
    }
    if text.chars().any(char::is_control) {
        return Err("must not have control characters".to_owned());
    }
    Ok(())
}

fn level(text: &str) -> Result<(), String> {
    match Targets::from_str(text) {
        Ok(_) => Ok(()),
        Err(_) => Err(format!(
            "expected error, warn, info, debug, trace or off, also by module as in info,loquat_gateway=debug, not {text:?}"
        )),
    }
}

fn public_url(text: &str) -> Result<(), String> {
    let wrong = || Err(format!("expected https://host or http://host[:port], without a path, not {text:?}"));
    if text.is_empty() || is_origin(text.strip_suffix('/').unwrap_or(text)) { Ok(()) } else { wrong() }
}

fn origin(text: &str) -> Result<(), String> {
    if is_origin(text) {
        return Ok(());
    }
    Err(format!("expected an origin as browsers write it, such as https://chat.example, not {text:?}"))
}

/// Scheme, host and port, and nothing else (RFC 6454).
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        let plain = |character: char| character.is_ascii_alphanumeric() || "-._:[]".contains(character);
        !host.is_empty() && host.chars().all(plain)
    })
}

fn endpoint(text: &str) -> Result<(), String> {
    if !text.is_empty() && !cfg!(feature = "otlp") {
        return Err("this build has no traces; build it with the feature `otlp`".to_owned());
    }
    if text.is_empty() || is_origin(text.strip_suffix('/').unwrap_or(text)) && text.starts_with("http://") {
        return Ok(());
    }
    Err(format!(
        "expected the address of a collector, such as http://127.0.0.1:4318, not {text:?}; run one on this machine: it encrypts what leaves it"
    ))
}

/// The text is not repeated: it holds a secret.
fn headers(text: &str) -> Result<(), String> {
    let is_header = |header: &str| {
        header.split_once('=').is_some_and(|(name, value)| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            !name.trim().is_empty()
                && name.trim().bytes().all(plain)
                && value.bytes().all(|byte| (0x20..0x7f).contains(&byte))
        })
    };
    if text.is_empty() || text.split(',').all(is_header) {
        return Ok(());
    }
    Err("expected name=value, separated by commas".to_owned())
}

/// The text is not repeated: it may hold a password.
fn storage(url: &str) -> Result<(), String> {
    if url == EMBEDDED {
        return Ok(());
    }
    let is_url = url.starts_with("postgres://") || url.starts_with("postgresql://");
    if !is_url {
        return Err(format!("expected `{EMBEDDED}` or postgres://user@host/database"));
    }
    loquat_store::check_url(url).map_err(|error| error.to_string())
}

/// The text is not repeated: it may hold a password.
fn bus(url: &str) -> Result<(), String> {
    let is_server = |one: &str| one.starts_with("nats://") || one.starts_with("tls://");
    if url == EMBEDDED || url.split(',').map(str::trim).all(is_server) {
        return Ok(());
    }
    Err(format!("expected `{EMBEDDED}`, or nats://host or tls://host, separated by commas"))
}

fn prefix(text: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if (1..=NAME_CHARACTERS).contains(&text.len()) && text.bytes().all(plain) {
        return Ok(());
    }
    Err(format!("must be 1 to {NAME_CHARACTERS} letters, digits, - or _"))
}
