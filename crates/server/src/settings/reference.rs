//! Every setting in words: what the operator guide prints.

use std::ops::RangeInclusive;

#[cfg(test)]
use super::layers;
#[cfg(test)]
use super::load::{defaults, lookup};

/// One setting for people.
pub(crate) struct Reference {
    /// The dotted key.
    pub(crate) key: &'static str,
    /// What it means, with its unit.
    pub(crate) meaning: &'static str,
    /// The numbers it may be.
    range: Option<RangeInclusive<i64>>,
    /// What to print in place of the default where that depends on the machine.
    shown_default: Option<&'static str>,
    /// Whether it is never shown.
    secret: bool,
}

impl Reference {
    /// The default in words, where it depends on the machine.
    pub(super) const fn default_in_words(&self) -> Option<&'static str> {
        self.shown_default
    }

    /// Whether its value is never shown.
    pub(super) const fn is_secret(&self) -> bool {
        self.secret
    }
}

const fn setting(key: &'static str, meaning: &'static str) -> Reference {
    Reference { key, meaning, range: None, shown_default: None, secret: false }
}

const fn number(key: &'static str, range: RangeInclusive<i64>, meaning: &'static str) -> Reference {
    Reference { key, meaning, range: Some(range), shown_default: None, secret: false }
}

/// A text that is never shown.
const fn secret(key: &'static str, meaning: &'static str) -> Reference {
    Reference { secret: true, ..setting(key, meaning) }
}

/// A number that is a rate or a limit which 0 switches off.
const fn limit(key: &'static str, meaning: &'static str) -> Reference {
    number(key, 0..=MANY, meaning)
}

/// Enough for everything that is counted, and small enough to be multiplied.
const MANY: i64 = u32::MAX as i64;

/// All settings, in the order of the guide.
pub(crate) static SETTINGS: &[Reference] = &[
    setting(
        "listen",
        "address and port for clients; port 0 takes any free one, which the first line of output names",
    ),
    setting("data", "folder of everything that lasts; made if absent; one server at a time"),
    setting(
        "public_url",
        "how clients reach the service from outside, such as `https://chat.example`; empty: the address they use",
    ),
    setting("server_name", "what people read as the name of this service, 1-64 characters"),
    Reference {
        shown_default: Some("the machine's name"),
        ..setting("node.name", "name of this process among others, up to 64 characters")
    },
    number("runtime.threads", 0..=1_024, "worker threads; 0: one a core"),
    setting("log.format", "`human` or `json`"),
    setting(
        "log.level",
        "`error`, `warn`, `info`, `debug`, `trace` or `off`, also by module: `info,loquat_gateway=debug`. Libraries that log whole frames say nothing below `info`",
    ),
    setting(
        "metrics.listen",
        "address and port of `GET /metrics`; empty: none. Where the default is taken, the service warns and goes on without; an address that was chosen must be free",
    ),
    setting("auth.issuer", "`iss` of access tokens; tokens of another issuer are refused"),
    setting("auth.audience", "`aud` of access tokens; tokens for another audience are refused"),
    number("auth.access_token_seconds", 1..=2_592_000, "seconds that an access token is accepted for"),
    number(
        "auth.refresh_token_days",
        1..=3_650,
        "days that a refresh token is accepted for; each use starts them anew",
    ),
    number(
        "auth.argon2.memory_kib",
        8..=4_194_304,
        "memory of one password hash (Argon2id, RFC 9106) in KiB",
    ),
    number("auth.argon2.iterations", 1..=1_000, "passes over that memory"),
    number("auth.argon2.parallelism", 1..=255, "lanes of a hash; computed one after another"),
    Reference {
        shown_default: Some("one a core"),
        ..number(
            "auth.hash_concurrency",
            1..=1_024,
            "password hashes computed at the same time; each takes its memory",
        )
    },
    number("auth.hash_queue", 0..=65_536, "password hashes that wait for their turn; beyond, `unavailable`"),
    number("limits.text_bytes", 1..=1_048_576, "bytes of a message's text; less than `limits.frame_bytes`"),
    number("limits.frame_bytes", 1_024..=16_777_216, "bytes of one socket frame or JSON body"),
    number("limits.title_chars", 1..=4_096, "characters of a title"),
    number("limits.group_members", 2..=100_000, "members of a group"),
    limit("limits.channel_members", "members of a channel; 0: no limit"),
    number("limits.invites", 1..=100_000, "invitations of a conversation that work at a time"),
    limit("limits.sends_per_second", "sends of a user each second, in the long run; 0: no limit"),
    number("limits.sends_burst", 1..=MANY, "sends of a user at once"),
    limit(
        "limits.requests_per_second",
        "requests each second of a user, or of an address that is not signed in; 0: no limit",
    ),
    number("limits.requests_burst", 1..=MANY, "the same at once"),
    limit("limits.signups_per_hour", "sign-ups from an address in an hour; 0: no limit"),
    limit("limits.logins_per_minute", "log-ins tried from an address in a minute; 0: no limit"),
    number(
        "limits.devices_per_user",
        1..=10_000,
        "devices of a user; one more signs out the one seen the longest ago",
    ),
    number("limits.sockets_per_user", 1..=100_000, "sockets of a user at a time"),
    number("limits.watched_users", 1..=100_000, "users whose presence one socket watches"),
    number("limits.connections", 1..=10_000_000, "sockets of this process; needs as many file descriptors"),
    number("limits.contacts", 1..=1_000_000, "contacts of a user"),
    number(
        "limits.contact_requests",
        1..=100_000,
        "requests for contact that a user asked and that wait for an answer",
    ),
    number(
        "limits.contact_requests_received",
        1..=1_000_000,
        "requests for contact that wait for one user's answer",
    ),
    limit(
        "limits.contact_requests_per_hour",
        "requests for contact that a user makes in an hour; 0: no limit",
    ),
    number("limits.blocks", 1..=1_000_000, "users whom a user has blocked"),
    number("lanes.count", 1..=1_024, "writers that conversations are divided among"),
    number("lanes.queue", 1..=1_048_576, "commands that wait for a lane; beyond, `unavailable`"),
    number(
        "lanes.waiting",
        1..=1_048_576,
        "changes that a lane holds for its next batches; beyond, it takes none from its queue",
    ),
    number("lanes.batch", 1..=65_536, "changes that are made durable together"),
    number("lanes.conversations", 1..=10_000_000, "conversations whose state a lane keeps in memory"),
    number("lanes.members", 4_096..=100_000_000, "members of channels that a lane keeps in memory"),
    number(
        "sessions.outbound_bytes",
        65_536..=1_073_741_824,
        "bytes that one connection may leave unread; beyond, it is closed with 4003 and resumes",
    ),
    number(
        "sessions.outbound_frames",
        16..=1_048_576,
        "frames that one connection may leave unread; the same",
    ),
    setting("workers.enabled", "whether this process does work beside requests: retention, and other jobs"),
    number("workers.poll_ms", 10..=60_000, "milliseconds between two looks for such work"),
    number("workers.concurrency", 1..=256, "jobs under way at a time"),
    number(
        "workers.lease_seconds",
        10..=3_600,
        "seconds that a claimed job is one process's alone; a turn that takes half of it counts as failed",
    ),
    number("workers.max_attempts", 1..=20, "tries that a job has before it is a dead letter"),
    setting(
        "gateway.allowed_origins",
        "web origins besides the own one whose pages may use the service, such as `https://chat.example`",
    ),
    setting(
        "gateway.trusted_proxies",
        "reverse proxies whose word on the client's address is believed, as addresses or networks (`10.0.0.0/8`)",
    ),
    setting(
        "gateway.forwarded_header",
        "the header that these proxies append the client's address to: `x-forwarded-for` or `forwarded` (RFC 7239); the other one is not read",
    ),
    setting(
        "gateway.tls",
        "whether clients arrive over TLS that ends at a proxy: cookies become `Secure`; an `https` `public_url` says the same",
    ),
    number("gateway.grace_seconds", 0..=3_600, "seconds a stopping service waits for connections to end"),
    number(
        "gateway.drain_seconds",
        0..=3_600,
        "seconds over which a stopping service spreads the reconnects of its clients",
    ),
    setting(
        "tls.certificate",
        "file of the certificate chain in PEM, the own certificate first; with it clients come by TLS. Read anew when it changes and on SIGHUP",
    ),
    setting("tls.key", "file of its private key in PEM"),
    setting(
        "tls.allow_plain",
        "whether other machines may connect without TLS; for a proxy that encrypts, on a trusted network",
    ),
    setting(
        "tls.acme.domains",
        "domains for which certificates are ordered by ACME, in place of files; the authority connects to port 443 of each",
    ),
    setting("tls.acme.contacts", "e-mail addresses that the authority may write to"),
    setting("tls.acme.directory", "directory of the authority"),
    setting(
        "tls.acme.ca",
        "file of the roots in PEM that the authority's own server is trusted by; empty: those of Mozilla",
    ),
    secret(
        "storage.url",
        "`embedded`: a file in the data folder; or PostgreSQL, as `postgres://user@host/database`, several hosts separated by commas; a secret",
    ),
    number("storage.readers", 1..=64, "threads that read the embedded storage"),
    number("storage.writer_queue", 1..=1_048_576, "calls that wait to be written; beyond, `unavailable`"),
    number("storage.reader_queue", 1..=1_048_576, "calls that wait to be read; beyond, `unavailable`"),
    number("storage.writer_cache_kib", 64..=67_108_864, "page cache of the writer in KiB"),
    number("storage.reader_cache_kib", 64..=67_108_864, "page cache of each reader in KiB"),
    number(
        "storage.checkpoint_pages",
        16..=1_048_576,
        "pages of 4 KiB of the write-ahead log after which they are moved into the database",
    ),
    limit(
        "storage.max_pages",
        "pages of 4 KiB that the database may have; writes beyond are refused; 0: as the disk allows",
    ),
    number("storage.postgres.readers", 1..=256, "connections to PostgreSQL that read"),
    number("storage.postgres.writers", 1..=256, "connections that write what is no append to a log"),
    number(
        "storage.postgres.appenders",
        1..=64,
        "connections that append; each commits all that waits together",
    ),
    number(
        "storage.postgres.statement_timeout_ms",
        100..=600_000,
        "milliseconds that a statement may take; beyond, `unavailable`",
    ),
    number(
        "storage.postgres.lock_timeout_ms",
        10..=600_000,
        "milliseconds that a statement may wait for another one's lock; beyond, `unavailable`",
    ),
    number(
        "storage.postgres.connect_timeout_ms",
        100..=600_000,
        "milliseconds that a connection may take to be made",
    ),
    setting(
        "storage.postgres.require_standby",
        "whether to refuse to start where PostgreSQL waits for no synchronous standby, so that a failover could lose what was acknowledged",
    ),
    setting(
        "storage.postgres.roots",
        "file of the roots in PEM by which the server's certificate is checked; empty: those of Mozilla",
    ),
    setting(
        "traces.endpoint",
        "where traces go by OTLP over HTTP (protobuf), such as `http://127.0.0.1:4318`; empty: nowhere",
    ),
    secret(
        "traces.headers",
        "headers of what is sent there, such as `authorization=Bearer …`, separated by commas; a secret",
    ),
    number("traces.percent", 0..=100, "how many of a hundred requests are traced"),
    secret(
        "bus.url",
        "`embedded`: inside this process; or NATS, as `nats://host` or, encrypted, `tls://host`, several separated by commas; a secret",
    ),
    setting("bus.prefix", "what the subjects on NATS begin with: letters, digits, `-`, `_`"),
    setting("bus.credentials", "file of credentials for NATS (JWT and seed); empty: those of the URL"),
    setting("bus.roots", "file of the roots in PEM by which NATS is trusted, besides those of the system"),
    number(
        "bus.outgoing",
        1..=1_048_576,
        "signals that wait to be sent; beyond, they are dropped and counted",
    ),
    number("bus.outgoing_bytes", 65_536..=MANY, "bytes of them; the same"),
    number(
        "bus.incoming",
        16..=1_048_576,
        "signals of one topic that wait to be taken; beyond, they are dropped",
    ),
];

/// The numbers a setting may be.
pub(super) fn range(key: &str) -> Option<RangeInclusive<i64>> {
    SETTINGS.iter().find(|setting| setting.key == key)?.range.clone()
}

/// A range in words.
pub(super) fn words(range: &RangeInclusive<i64>) -> String {
    match (*range.start(), *range.end()) {
        (least, MANY) => format!("at least {least}"),
        (least, most) => format!("{least} to {most}"),
    }
}

/// The table of all settings in Markdown, for the operator guide.
#[cfg(test)]
pub(super) fn markdown() -> String {
    let mut out = String::from("| key | default | meaning | environment |\n| --- | --- | --- | --- |\n");
    for setting in SETTINGS {
        let cells = [
            format!("`{}`", setting.key),
            match default_of(setting) {
                nothing if nothing.is_empty() => "empty".to_owned(),
                words if setting.shown_default.is_some() => words,
                value => format!("`{value}`"),
            },
            format!("{}{}", setting.meaning, allowed(setting)),
            format!("`{}`", layers::variable(setting.key)),
        ];
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out
}

/// The numbers a setting may be, in brackets.
#[cfg(test)]
fn allowed(setting: &Reference) -> String {
    setting.range.as_ref().map(|range| format!(" ({})", words(range))).unwrap_or_default()
}

/// The default in plain text; empty for nothing.
#[cfg(test)]
fn default_of(setting: &Reference) -> String {
    if let Some(shown) = setting.shown_default {
        return shown.to_owned();
    }
    match lookup(&defaults(), setting.key) {
        Some(toml::Value::String(text)) => text.clone(),
        Some(toml::Value::Array(items)) if items.is_empty() => String::new(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}
