//! Puts the web client into the binary: `web/dist`, where `cargo xtask web` builds it. Without it the binary is built
//! all the same and says at `/` how to get the client.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Set by `cargo xtask` when the client is built, so that this program runs again then: a folder that is not there
/// yet cannot be watched.
const BUILT: &str = "LOQUAT_SITE";

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let site = manifest.join("../../web/dist");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={BUILT}");
    let mut files = BTreeMap::new();
    if site.join("index.html").is_file() {
        println!("cargo::rerun-if-changed={}", site.display());
        gather(&site, &site, &mut files)?;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("site.rs"), source(&files)?)
}

/// Every file by the path that it is served under.
fn gather(folder: &Path, root: &Path, files: &mut BTreeMap<String, PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, root, files)?;
        } else if let Ok(name) = path.strip_prefix(root) {
            let name = name.to_string_lossy().replace('\\', "/");
            files.insert(format!("/{name}"), path.canonicalize()?);
        }
    }
    Ok(())
}

fn source(files: &BTreeMap<String, PathBuf>) -> io::Result<String> {
    let mut source = String::from("&[\n");
    for (name, path) in files.iter().filter(|(name, _)| !name.ends_with(".br") && !name.ends_with(".gz")) {
        let include = |path: &PathBuf| format!("include_bytes!({:?})", path.display().to_string());
        let variant = |suffix: &str| match files.get(&format!("{name}{suffix}")) {
            Some(path) => format!("Some({})", include(path)),
            None => "None".to_owned(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            source,
            "    SiteFile {{ path: {name:?}, content_type: {:?}, etag: {:?}, plain: {}, brotli: {}, gzip: {} }},",
            content_type(name),
            format!("\"{:016x}\"", fnv(&fs::read(path)?)),
            include(path),
            variant(".br"),
            variant(".gz"),
        );
    }
    source.push_str("]\n");
    Ok(source)
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        _ => "application/octet-stream",
    }
}

/// FNV-1a with 64 bits: tells one build's file from another's, nothing more.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
