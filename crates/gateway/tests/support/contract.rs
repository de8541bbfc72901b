//! What the service publishes about itself, held against what it does: every answer and every frame of every test here
//! is checked against the OpenAPI and AsyncAPI documents.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use hyper::Method;
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

static OPENAPI: LazyLock<Value> = LazyLock::new(loquat_gateway::openapi);
static ASYNCAPI: LazyLock<Value> = LazyLock::new(loquat_gateway::asyncapi);
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// Checks an answer, and the body that led to it if it was taken.
pub fn check_call(method: &Method, path: &str, sent: Option<&Value>, status: u16, answer: &Value) {
    let path = path.split('?').next().unwrap();
    let Some(template) = template_of(path) else {
        assert_eq!(status, 404, "{path} is not described");
        return;
    };
    let method = method.as_str().to_ascii_lowercase();
    let operation = format!("/paths/{}/{method}", escape(template));
    let Some(described) = OPENAPI.pointer(&operation) else {
        assert!(matches!(status, 200..=299 | 405), "{method} {template}: {status}");
        return;
    };
    let mut pointer = format!("{operation}/responses/{status}");
    if described["responses"].get(status.to_string()).is_none() {
        assert!(status >= 400, "{method} {template}: {status} is not described");
        pointer = format!("{operation}/responses/default");
    }
    if let Some(reference) = OPENAPI.pointer(&pointer).unwrap()["$ref"].as_str() {
        pointer = reference.trim_start_matches('#').to_owned();
    }
    let content = &OPENAPI.pointer(&pointer).unwrap()["content"];
    match content.as_object().and_then(|content| content.keys().next()) {
        None => assert_eq!(*answer, Value::Null, "{method} {template}: {status} has no body"),
        Some(media_type) if media_type.ends_with("json") => {
            let schema = format!("{pointer}/content/{}/schema", escape(media_type));
            check(&OPENAPI, Draft::Draft202012, &schema, answer);
        }
        Some(_) => assert!(answer.is_string(), "{method} {template} answers with text"),
    }
    let body = format!("{operation}/requestBody/content/application~1json/schema");
    if let (Some(sent), 200..=299, Some(_)) = (sent, status, OPENAPI.pointer(&body)) {
        check(&OPENAPI, Draft::Draft202012, &body, sent);
    }
}

/// Checks a push of the service; answers are checked by [`check_frame_answer`].
pub fn check_push(frame: &Value) {
    let op = frame["op"].as_str().expect("a push has an op");
    check_message(&format!("push_{op}"), frame);
}

/// Checks the answer to a frame, and the frame itself if it was taken.
pub fn check_frame_answer(sent: &Value, answer: &Value) {
    if answer.get("error").is_some() {
        return check_message("refusal", answer);
    }
    let op = sent["op"].as_str().unwrap();
    check_message(op, sent);
    check_message(&format!("{op}_answer"), answer);
}

fn check_message(name: &str, value: &Value) {
    check(&ASYNCAPI, Draft::Draft7, &format!("/components/messages/{name}/payload"), value);
}

fn check(document: &Value, draft: Draft, pointer: &str, value: &Value) {
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = validators.entry(pointer.to_owned()).or_insert_with(|| {
        let mut schema = document.clone();
        let Some(described) = document.pointer(pointer) else { panic!("{pointer} is not described") };
        schema["allOf"] = json!([described]);
        Arc::new(jsonschema::options().with_draft(draft).build(&schema).unwrap())
    });
    let validator = Arc::clone(validator);
    drop(validators);
    if let Err(error) = validator.validate(value) {
        panic!("{pointer}: {error} at {}\n{value:#}", error.instance_path());
    }
}

fn template_of(path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &&str| {
        let mut of_template = template.split('/');
        parts.iter().all(|part| of_template.next().is_some_and(|own| own == *part || own.starts_with('{')))
            && of_template.next().is_none()
    };
    let templates = loquat_gateway::routes().map(loquat_gateway::Route::template);
    // A literal path goes before one with parameters.
    templates.filter(fits).min_by_key(|template| template.matches('{').count())
}

fn escape(text: &str) -> String {
    text.replace('~', "~0").replace('/', "~1")
}
