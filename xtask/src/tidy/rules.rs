//! Who may depend on whom: the crate map of `ARCHITECTURE.md` as a table.
//!
//! A new crate needs a row here. `store`, `bus` and `gateway` meet only in `server`: that is what lets a
//! backend be added without touching the domain.

/// What one crate may and may not depend on. Dependencies of tests are free.
pub(crate) struct Rule {
    /// The package.
    pub(crate) package: &'static str,
    /// The packages of this workspace that it may depend on.
    pub(crate) may: Inner,
    /// Outside packages that must not be reached, however many steps away.
    pub(crate) never: &'static [&'static [&'static str]],
    /// Whether time and randomness reach it only through ports.
    pub(crate) clockless: bool,
}

/// A set of packages of this workspace.
pub(crate) enum Inner {
    /// These and no others.
    Only(&'static [&'static str]),
    /// All but these.
    AllBut(&'static [&'static str]),
}

impl Inner {
    /// Whether the package is in the set.
    pub(crate) fn contains(&self, package: &str) -> bool {
        match self {
            Self::Only(packages) => packages.contains(&package),
            Self::AllBut(packages) => !packages.contains(&package),
        }
    }
}

const HTTP: &[&str] = &["axum", "hyper", "tower-http"];
const SQL: &[&str] = &["rusqlite", "libsqlite3-sys", "refinery", "tokio-postgres"];
const NATS: &[&str] = &["async-nats"];
const RUNTIME: &[&str] = &["tokio"];
const BROWSER: &[&str] = &["wasm-bindgen", "js-sys", "web-sys"];
const POSTGRESQL: &[&str] = &["tokio-postgres"];
const SERVER_HTTP: &[&str] = &["axum", "tower-http"];

/// The packages for tests and measurements, which nothing that ships may use.
const WORKSHOP: &[&str] = &["loquat-testkit", "loquat-bench", "loquat-torture", "loquat-faultfs", "xtask"];

/// The programs, which may use `anyhow`; libraries have typed errors.
pub(crate) const PROGRAMS: &[&str] = &["loquat-server", "loquat-bench", "loquat-torture", "xtask"];

/// One row a crate.
pub(crate) const RULES: &[Rule] = &[
    Rule {
        package: "loquat-proto",
        may: Inner::Only(&[]),
        never: &[RUNTIME, HTTP, SQL, NATS, BROWSER],
        clockless: true,
    },
    Rule {
        package: "loquat-domain",
        may: Inner::Only(&["loquat-proto"]),
        never: &[HTTP, SQL, NATS],
        clockless: true,
    },
    Rule {
        package: "loquat-store",
        may: Inner::Only(&["loquat-proto", "loquat-domain"]),
        never: &[HTTP, NATS],
        clockless: false,
    },
    Rule {
        package: "loquat-bus",
        may: Inner::Only(&["loquat-proto", "loquat-domain"]),
        never: &[HTTP, SQL],
        clockless: false,
    },
    Rule {
        package: "loquat-gateway",
        may: Inner::Only(&["loquat-proto", "loquat-domain"]),
        never: &[SQL, NATS],
        clockless: false,
    },
    Rule { package: "loquat-server", may: Inner::AllBut(WORKSHOP), never: &[], clockless: false },
    Rule {
        package: "loquat-engine",
        may: Inner::Only(&["loquat-proto"]),
        never: &[RUNTIME, HTTP, SQL, NATS, BROWSER],
        clockless: true,
    },
    Rule {
        package: "loquat-client",
        may: Inner::Only(&["loquat-proto", "loquat-engine"]),
        never: &[SERVER_HTTP, POSTGRESQL, NATS],
        clockless: false,
    },
    Rule {
        package: "loquat-tui",
        may: Inner::Only(&["loquat-proto", "loquat-engine", "loquat-client"]),
        never: &[SERVER_HTTP, POSTGRESQL, NATS],
        clockless: false,
    },
    Rule {
        package: "loquat-web-engine",
        may: Inner::Only(&["loquat-proto", "loquat-engine"]),
        never: &[RUNTIME, HTTP, SQL, NATS],
        clockless: false,
    },
    Rule { package: "loquat-testkit", may: Inner::AllBut(&[]), never: &[], clockless: false },
    Rule {
        package: "loquat-bench",
        // It measures the binary from outside, over the wire.
        may: Inner::AllBut(&["loquat-domain", "loquat-store", "loquat-gateway"]),
        never: &[],
        clockless: false,
    },
    Rule { package: "loquat-torture", may: Inner::AllBut(&[]), never: &[], clockless: false },
    Rule { package: "loquat-faultfs", may: Inner::Only(&[]), never: &[], clockless: false },
    Rule { package: "xtask", may: Inner::Only(&[]), never: &[], clockless: false },
];

/// The row of a package.
pub(crate) fn rule(package: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.package == package)
}
