//! Settings: the file, the environment, and a flag. Any text is settings, or an error that names where it stands.

use crate::settings::{Flag, Sources, load};

/// Where to begin.
pub const SEEDS: &[&str] = &[
    "server_name = \"Orchard\"\n[gateway]\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n",
    "listen = \"127.0.0.1:8080\"\n[limits]\ntext_bytes = 1000\nframe_bytes = 5000\n",
    "[tls]\ncertificate = \"a.pem\"\nkey = \"b.pem\"\n[tls.acme]\ndomains = []\n",
    "[auth.argon2]\nmemory_kib = 8\nparallelism = 1\n[log]\nlevel = \"info,loquat_gateway=debug\"\n",
    "public_url = \"https://chat.example\"\n[metrics]\nlisten = \"\"\n",
];

/// One input.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let file = std::env::temp_dir().join(format!("loquat-fuzz-{}.toml", std::process::id()));
    std::fs::write(&file, text).expect("a file is written");
    check(&Sources { file: Some(file.clone()), ..Sources::default() });
    std::fs::remove_file(&file).expect("the file is there");
    if let Some((key, value)) = text.split_once('=') {
        let name = format!("LOQUAT_{}", key.trim().to_ascii_uppercase().replace('.', "__"));
        check(&Sources { environment: vec![(name, value.to_owned())], ..Sources::default() });
        let flag = Flag { name: "--set", key: key.trim().to_owned(), value: value.to_owned() };
        check(&Sources { flags: vec![flag], ..Sources::default() });
    }
}

fn check(sources: &Sources) {
    match load(sources) {
        Ok(loaded) => {
            let config = loaded.settings.gateway_config();
            assert!(config.is_ok(), "what was taken can be used");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
