//! What serde is told about a type, a field or a variant.

use syn::{Attribute, LitStr};

/// See the module. What has no bearing on the shape is passed over.
#[derive(Default)]
pub(super) struct Serde {
    pub(super) rename: Option<String>,
    pub(super) rename_all: Option<String>,
    pub(super) tag: Option<String>,
    pub(super) content: Option<String>,
    pub(super) flatten: bool,
    pub(super) optional: bool,
    pub(super) transparent: bool,
    pub(super) skip: bool,
}

impl Serde {
    pub(super) fn read(attributes: &[Attribute]) -> Self {
        let mut serde = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
            // What is not understood here is left to serde, which has compiled it.
            let _ = attribute.parse_nested_meta(|meta| {
                let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
                let value = match meta.value() {
                    Ok(value) => Some(value.parse::<LitStr>()?.value()),
                    Err(_) => None,
                };
                match name.as_str() {
                    "rename" => serde.rename = value,
                    "rename_all" => serde.rename_all = value,
                    "tag" => serde.tag = value,
                    "content" => serde.content = value,
                    "flatten" => serde.flatten = true,
                    "skip_serializing_if" => serde.optional = true,
                    "transparent" => serde.transparent = true,
                    "skip" => serde.skip = true,
                    _ => {}
                }
                Ok(())
            });
        }
        serde
    }
}

/// Whether the type travels.
pub(super) fn travels(attributes: &[Attribute]) -> bool {
    let mut found = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
        let _ = attribute.parse_nested_meta(|meta| {
            let last = meta.path.segments.last().map(|segment| segment.ident.to_string());
            found |= last.is_some_and(|name| name == "Serialize" || name == "Deserialize");
            Ok(())
        });
    }
    found
}

/// The first paragraph of the documentation, on one line.
pub(super) fn doc(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let syn::Meta::NameValue(pair) = &attribute.meta
            && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value
        {
            let line = text.value().trim().to_owned();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
    }
    lines.join(" ").replace("*/", "* /")
}
