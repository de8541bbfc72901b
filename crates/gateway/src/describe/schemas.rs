//! Schemas of what goes in and what comes out, under one roof.
//!
//! A field with a default may be left out of a request but is always in an answer, so that one type can have two
//! schemas. Those that are the same share a name; where they differ, the request's is called `…Input`.

use std::collections::BTreeSet;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

/// Where components are.
const PREFIX: &str = "#/components/schemas/";

/// What requests whose schema differs from the answer's are called, after the type's name.
const INPUT: &str = "Input";

/// Generates schemas in JSON Schema 2020-12, the dialect of OpenAPI 3.1.
pub(super) struct Schemas {
    inputs: SchemaGenerator,
    outputs: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self {
            inputs: settings.clone().for_deserialize().into_generator(),
            outputs: settings.for_serialize().into_generator(),
        }
    }

    /// The schema of what a request carries.
    pub(super) fn input<T: JsonSchema>(&mut self) -> Value {
        mark(self.inputs.subschema_for::<T>().to_value())
    }

    /// The schema of what a request carries, in full: no reference to the type itself.
    pub(super) fn input_in_full<T: JsonSchema>(&mut self) -> Value {
        let mut schema = T::json_schema(&mut self.inputs).to_value();
        schema = mark(schema);
        schema
    }

    /// The schema of what an answer carries.
    pub(super) fn output<T: JsonSchema>(&mut self) -> Value {
        self.outputs.subschema_for::<T>().to_value()
    }

    /// All named schemas; and the references in `document` to inputs become what they are called in the end.
    pub(super) fn finish(mut self, document: &mut Value) -> Map<String, Value> {
        let mut components = self.outputs.take_definitions(true);
        let inputs = self.inputs.take_definitions(true);
        let different = different(&inputs, &components);
        let rename = |name: &str| {
            if different.contains(name) {
                format!("{PREFIX}{name}{INPUT}")
            } else {
                format!("{PREFIX}{name}")
            }
        };
        for (name, schema) in inputs {
            let mut schema = mark(schema);
            settle(&mut schema, &rename);
            let name = if different.contains(&name) { format!("{name}{INPUT}") } else { name };
            components.insert(name, schema);
        }
        settle(document, &rename);
        components.into_iter().collect()
    }
}

/// A reference within inputs, until it is known which of them differ.
const PENDING: &str = "#input/";

fn mark(mut schema: Value) -> Value {
    each_reference(&mut schema, &|reference| {
        reference.strip_prefix(PREFIX).map(|name| format!("{PENDING}{name}"))
    });
    schema
}

fn settle(schema: &mut Value, rename: &impl Fn(&str) -> String) {
    each_reference(schema, &|reference| reference.strip_prefix(PENDING).map(rename));
}

/// Which types have a schema as input that differs from the one as output, or lead to such a one.
fn different(inputs: &Map<String, Value>, outputs: &Map<String, Value>) -> BTreeSet<String> {
    let differs =
        |(name, schema): &(&String, &Value)| outputs.get(*name).is_some_and(|output| output != *schema);
    let mut found: BTreeSet<String> = inputs.iter().filter(differs).map(|(name, _)| name.clone()).collect();
    loop {
        let leads = |schema: &Value| {
            let mut leads = false;
            visit_references(schema, &mut |reference| {
                leads |= reference.strip_prefix(PREFIX).is_some_and(|name| found.contains(name));
            });
            leads
        };
        let more: Vec<String> = inputs
            .iter()
            .filter(|(name, schema)| outputs.contains_key(*name) && !found.contains(*name) && leads(schema))
            .map(|(name, _)| name.clone())
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

fn each_reference(value: &mut Value, change: &impl Fn(&str) -> Option<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                match field {
                    Value::String(reference) if key == "$ref" => {
                        if let Some(changed) = change(reference) {
                            *reference = changed;
                        }
                    }
                    _ => each_reference(field, change),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_reference(item, change)),
        _ => {}
    }
}

fn visit_references(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                match field {
                    Value::String(reference) if key == "$ref" => visit(reference),
                    _ => visit_references(field, visit),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| visit_references(item, visit)),
        _ => {}
    }
}

/// Docs of types are written for who reads Rust; this takes the traces of it out of the descriptions.
pub(super) fn speak_plainly(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                match field {
                    Value::String(text) if key == "description" || key == "summary" => *text = plain(text),
                    _ => speak_plainly(field),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(speak_plainly),
        _ => {}
    }
}

/// Lines that were broken for their length are joined; `None` is `null`; no links to code.
fn plain(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
    let text = paragraphs.collect::<Vec<_>>().join("\n\n");
    text.replace("[`", "`").replace("`]", "`").replace("`None`", "`null`").replace("`Some(None)`", "`null`")
}
