//! The TypeScript of one type.

use std::fmt::Write as _;

use syn::{Fields, GenericArgument, ItemEnum, ItemStruct, PathArguments, Type, Variant};

use super::attributes::{Serde, doc, travels};

/// The declaration of a struct, if it travels.
pub(super) fn of_struct(item: &ItemStruct) -> Option<String> {
    if !travels(&item.attrs) {
        return None;
    }
    let serde = Serde::read(&item.attrs);
    let generics: Vec<String> = item.generics.type_params().map(|it| it.ident.to_string()).collect();
    let generics = if generics.is_empty() { String::new() } else { format!("<{}>", generics.join(", ")) };
    let body = match &item.fields {
        Fields::Unnamed(fields) => fields.unnamed.first().map(|field| of_type(&field.ty, "")),
        fields => Some(object(fields, &serde, None)),
    };
    Some(format!("/** {} */\nexport type {}{generics} = {};\n", doc(&item.attrs), item.ident, body?))
}

/// The declaration of an enum, if it travels.
pub(super) fn of_enum(item: &ItemEnum) -> Option<String> {
    if !travels(&item.attrs) {
        return None;
    }
    let serde = Serde::read(&item.attrs);
    let mut text = format!("/** {} */\nexport type {} =", doc(&item.attrs), item.ident);
    for variant in &item.variants {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  | {}", of_variant(variant, &serde));
    }
    text.push_str(";\n");
    Some(text)
}

fn of_variant(variant: &Variant, serde: &Serde) -> String {
    let own = Serde::read(&variant.attrs);
    let name = own.rename.unwrap_or_else(|| rename(&variant.ident.to_string(), serde.rename_all.as_deref()));
    match (&serde.tag, &serde.content) {
        (Some(tag), Some(content)) => match content_of(&variant.fields) {
            Some(body) => format!("{{ {tag}: \"{name}\"; {content}: {body} }}"),
            None => format!("{{ {tag}: \"{name}\" }}"),
        },
        (Some(tag), None) => match &variant.fields {
            Fields::Unnamed(_) => {
                let body = content_of(&variant.fields).unwrap_or_default();
                format!("({{ {tag}: \"{name}\" }} & {body})")
            }
            fields => object(fields, &Serde::default(), Some(&format!("{tag}: \"{name}\""))),
        },
        _ => match content_of(&variant.fields) {
            Some(body) => format!("{{ {name}: {body} }}"),
            None => format!("\"{name}\""),
        },
    }
}

/// What a variant carries; `None` for a unit.
fn content_of(fields: &Fields) -> Option<String> {
    match fields {
        Fields::Unit => None,
        Fields::Named(_) => Some(object(fields, &Serde::default(), None)),
        Fields::Unnamed(unnamed) => {
            let types: Vec<String> = unnamed.unnamed.iter().map(|field| of_type(&field.ty, "")).collect();
            Some(if types.len() == 1 { types.concat() } else { format!("[{}]", types.join(", ")) })
        }
    }
}

fn object(fields: &Fields, serde: &Serde, first: Option<&str>) -> String {
    let mut parts: Vec<String> = first.map(|first| format!("  {first};")).into_iter().collect();
    let mut flattened = Vec::new();
    for field in fields {
        let own = Serde::read(&field.attrs);
        if own.skip {
            continue;
        }
        let words = doc(&field.attrs);
        let of = of_type(&field.ty, &words);
        if own.flatten {
            flattened.push(of);
            continue;
        }
        let ident = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
        let name = own.rename.unwrap_or_else(|| rename(&ident, serde.rename_all.as_deref()));
        let (mark, of) = match (own.optional, of) {
            (true, of) => ("?", of.replace(" | null | null", " | null")),
            (false, of) => ("", of),
        };
        parts.push(format!("  /** {words} */\n  {name}{mark}: {of};"));
    }
    let own = if parts.is_empty() { "{}".to_owned() } else { format!("{{\n{}\n}}", parts.join("\n")) };
    flattened.into_iter().fold(own, |own, other| format!("{own} & {other}"))
}

/// The TypeScript of a type. Raw JSON is what the words in parentheses at the end of the field's docs name.
fn of_type(of: &Type, words: &str) -> String {
    match of {
        Type::Tuple(tuple) => {
            let types: Vec<String> = tuple.elems.iter().map(|of| of_type(of, words)).collect();
            format!("[{}]", types.join(", "))
        }
        Type::Path(path) => {
            let Some(segment) = path.path.segments.last() else { return "Json".to_owned() };
            let arguments: Vec<&Type> = match &segment.arguments {
                PathArguments::AngleBracketed(list) => list
                    .args
                    .iter()
                    .filter_map(|it| if let GenericArgument::Type(of) = it { Some(of) } else { None })
                    .collect(),
                _ => Vec::new(),
            };
            let name = segment.ident.to_string();
            of_path(&name, &arguments, words)
        }
        _ => "Json".to_owned(),
    }
}

fn of_path(name: &str, arguments: &[&Type], words: &str) -> String {
    let inner =
        |place: usize| arguments.get(place).map_or_else(|| "Json".to_owned(), |of| of_type(of, words));
    match name {
        "Box" | "Arc" => inner(0),
        "Option" => format!("{} | null", inner(0)),
        "Vec" | "BTreeSet" => {
            let inner = inner(0);
            if inner.contains(" | ") { format!("({inner})[]") } else { format!("{inner}[]") }
        }
        "BTreeMap" => format!("Record<string, {}>", inner(1)),
        "String" | "str" => "string".to_owned(),
        "bool" => "boolean".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" | "i64" | "i32" | "f64" => "number".to_owned(),
        "Value" => "Json".to_owned(),
        "RawValue" => {
            let named = words.rsplit_once("(`").and_then(|(_, rest)| rest.split_once('`'));
            named.map_or_else(|| "Json".to_owned(), |(name, _)| name.to_owned())
        }
        name if arguments.is_empty() => name.to_owned(),
        name => {
            let types: Vec<String> = arguments.iter().map(|of| of_type(of, words)).collect();
            format!("{name}<{}>", types.join(", "))
        }
    }
}

fn rename(name: &str, rule: Option<&str>) -> String {
    match rule {
        Some("snake_case") => {
            let mut snake = String::new();
            for (place, letter) in name.char_indices() {
                if letter.is_ascii_uppercase() && place > 0 {
                    snake.push('_');
                }
                snake.push(letter.to_ascii_lowercase());
            }
            snake
        }
        Some("UPPERCASE") => name.to_ascii_uppercase(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_follow_what_serde_is_told() {
        let of = |code: &str| -> String {
            let declaration = match syn::parse_str::<syn::Item>(code).unwrap() {
                syn::Item::Struct(item) => of_struct(&item),
                syn::Item::Enum(item) => of_enum(&item),
                _ => None,
            };
            declaration.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        for (code, expected) in [
            ("struct Silent { a: u8 }", ""),
            (
                "#[derive(Serialize)] struct A { a: Option<Vec<UserId>> }",
                "export type A = { /** */ a: UserId[] | null; };",
            ),
            ("#[derive(Serialize)] struct S(pub String);", "export type S = string;"),
            (
                "#[derive(Deserialize)] #[serde(rename_all = \"snake_case\")] enum E { OneTwo, Three { x: u64 }, Four(F) }",
                "export type E = | \"one_two\" | { three: { /** */ x: number; } } | { four: F };",
            ),
            (
                "#[derive(Serialize)] #[serde(tag = \"k\", content = \"v\", rename_all = \"snake_case\")] enum E { One, Two(A, B) }",
                "export type E = | { k: \"one\" } | { k: \"two\"; v: [A, B] };",
            ),
            (
                "#[derive(Serialize)] #[serde(tag = \"k\")] enum E { One(A), Two { x: bool } }",
                "export type E = | ({ k: \"One\" } & A) | { k: \"Two\"; /** */ x: boolean; };",
            ),
            (
                "#[derive(Serialize)] struct F { #[serde(flatten)] base: Base, #[serde(rename = \"type\", skip_serializing_if = \"Option::is_none\")] kind: Option<u8> }",
                "export type F = { /** */ type?: number | null; } & Base;",
            ),
        ] {
            let found = of(code);
            let found = found.strip_prefix("/** */ ").unwrap_or(&found);
            assert_eq!(found, expected, "{code}");
        }
    }
}
