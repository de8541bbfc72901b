//! `cargo xtask types`: the types of the wire, of the engine's views and of the worker's messages as TypeScript.
//!
//! They are read from the Rust sources, by what serde is told there, so that the crates carry no attributes for it. A
//! type becomes TypeScript if it derives `Serialize` or `Deserialize`; the test stage checks that the file is current.

mod attributes;
mod shape;

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use syn::Item;

use crate::shell::Workspace;

const OUTPUT: &str = "web/src/protocol/types.ts";

const SOURCES: [&str; 15] = [
    "crates/proto/src/account.rs",
    "crates/proto/src/contact.rs",
    "crates/proto/src/conversation.rs",
    "crates/proto/src/error.rs",
    "crates/proto/src/event.rs",
    "crates/proto/src/invite.rs",
    "crates/proto/src/lib.rs",
    "crates/proto/src/message.rs",
    "crates/proto/src/presence.rs",
    "crates/proto/src/server_info.rs",
    "crates/proto/src/sync.rs",
    "crates/engine/src/command.rs",
    "crates/engine/src/effect.rs",
    "crates/engine/src/view.rs",
    "crates/web-engine/src/messages.rs",
];

const STORE: &str = "crates/engine/src/store/mod.rs";

/// Types with a serialisation of their own.
const BY_HAND: &str = "\
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type UserId = string;
export type DeviceId = string;
export type ConversationId = string;
export type MediaId = string;
export type Nonce = string;
export type Timestamp = number;
export type Seq = number;
/** Disjoint ranges, both ends included. */
export type Ranges = [number, number][];
";

/// Writes the file, or checks that it is current.
pub(crate) fn run(workspace: &Workspace, check: bool) -> Result<()> {
    let text = generate(workspace)?;
    let path = workspace.root.join(OUTPUT);
    if check {
        let current = fs::read_to_string(&path).unwrap_or_default();
        ensure!(current == text, "{OUTPUT} is out of date: run `cargo xtask types`");
    } else if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
        fs::create_dir_all(path.parent().context("the output has a folder")?)?;
        fs::write(&path, text)?;
    }
    Ok(())
}

fn generate(workspace: &Workspace) -> Result<String> {
    let mut text = String::from("// Generated from the Rust types by `cargo xtask types`. Do not edit.\n\n");
    text.push_str(BY_HAND);
    for source in SOURCES.iter().chain([&STORE]) {
        let code = fs::read_to_string(workspace.root.join(source)).with_context(|| format!("no {source}"))?;
        let file = syn::parse_file(&code).with_context(|| format!("{source} is no Rust"))?;
        for item in &file.items {
            let declaration = match item {
                Item::Struct(item) => shape::of_struct(item),
                Item::Enum(item) => shape::of_enum(item),
                _ => None,
            };
            if let Some(declaration) = declaration {
                // Writing to a String cannot fail.
                let _ = write!(text, "\n{declaration}");
            }
        }
    }
    Ok(text)
}
