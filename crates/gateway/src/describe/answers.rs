//! What handlers answer.

use axum::Json as JsonBody;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::openapi::Draft;
use crate::problem::Failure;

/// An answer that can say what it looks like.
pub(crate) trait Answer: IntoResponse {
    /// Adds it to the operation.
    fn describe(draft: &mut Draft<'_>);
}

/// Refusals are the same for all handlers: the draft knows them.
impl<T: Answer> Answer for Result<T, Failure> {
    fn describe(draft: &mut Draft<'_>) {
        T::describe(draft);
    }
}

impl<T: Serialize + JsonSchema> Answer for JsonBody<T> {
    fn describe(draft: &mut Draft<'_>) {
        draft.answer::<T>(StatusCode::OK, "Done.");
    }
}

/// A status with a body is 201 with it. Every answer of the tests is held against the document: another would be found.
impl<T: Serialize + JsonSchema> Answer for (StatusCode, JsonBody<T>) {
    fn describe(draft: &mut Draft<'_>) {
        Created::<T>::describe(draft);
    }
}

/// A status alone is 204; the same holds.
impl Answer for StatusCode {
    fn describe(draft: &mut Draft<'_>) {
        NoContent::describe(draft);
    }
}

/// 201 with the body.
pub(crate) struct Created<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, JsonBody(self.0)).into_response()
    }
}

impl<T: Serialize + JsonSchema> Answer for Created<T> {
    fn describe(draft: &mut Draft<'_>) {
        draft.answer::<T>(StatusCode::CREATED, "Created.");
    }
}

/// 204.
pub(crate) struct NoContent;

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl Answer for NoContent {
    fn describe(draft: &mut Draft<'_>) {
        draft.empty_answer(StatusCode::NO_CONTENT, "Done; there is nothing to say.");
    }
}

/// 200 with a body that is nobody's in particular: any cache may keep it.
pub(crate) struct Cached<T> {
    /// The body.
    pub(crate) answer: T,
    /// For how long it may be kept.
    pub(crate) seconds: u32,
}

impl<T: Serialize> IntoResponse for Cached<T> {
    fn into_response(self) -> Response {
        let control = format!("public, max-age={}", self.seconds);
        let control = HeaderValue::from_str(&control).expect("digits and letters stand in a header");
        ([(header::CACHE_CONTROL, control)], JsonBody(self.answer)).into_response()
    }
}

impl<T: Serialize + JsonSchema> Answer for Cached<T> {
    fn describe(draft: &mut Draft<'_>) {
        draft.answer::<T>(StatusCode::OK, "Done.");
    }
}
