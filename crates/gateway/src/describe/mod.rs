//! What the service says about its interface: OpenAPI 3.1 for the calls ([`openapi`]), AsyncAPI 3 for the socket
//! ([`asyncapi`]), both generated from what the service is built of, so that they cannot tell another story.
//!
//! A handler is described by its type: each extractor says what it reads ([`Input`]), the answer what it sends
//! ([`Answer`]); [`on`] takes no handler whose parts cannot. What a type cannot say, the words, stands in the route
//! ([`crate::route::Route::about`]); a test fails where they are missing.

mod answers;
mod asyncapi;
mod inputs;
mod openapi;
mod page;
mod schemas;

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter};

pub(crate) use answers::{Answer, Cached, Created, NoContent};
pub use asyncapi::asyncapi;
pub(crate) use openapi::Draft;
pub use openapi::openapi;
pub(crate) use page::ROUTES;

use crate::state::GatewayState;
use inputs::Input;

/// A handler under its method, and its description.
pub(crate) struct Endpoint {
    /// Serves it.
    pub(crate) router: MethodRouter<GatewayState>,
    /// Says what it reads and answers.
    pub(crate) describe: fn(&mut Draft<'_>),
    /// The path of the handler in this crate; it names the operation.
    pub(crate) name: &'static str,
}

/// Puts a handler under a method.
pub(crate) fn on<H, T>(method: MethodFilter, handler: H) -> Endpoint
where
    H: Handler<T, GatewayState> + Described<T>,
    T: 'static,
{
    Endpoint {
        router: axum::routing::on(method, handler),
        describe: H::describe,
        name: std::any::type_name::<H>(),
    }
}

/// A handler that can say what it reads and answers: any function of extractors that are [`Input`]s whose answer is an
/// [`Answer`].
#[diagnostic::on_unimplemented(
    message = "this handler cannot be described in the OpenAPI document",
    note = "each parameter needs `describe::Input`, the answer `describe::Answer`: `Json<T>`, `Created<T>`, `NoContent`; `T` needs \
            `schemars::JsonSchema` (in `loquat-proto` under the feature `schema`)"
)]
pub(crate) trait Described<T> {
    /// Adds what the handler reads and answers.
    fn describe(draft: &mut Draft<'_>);
}

impl<F, Fut, R> Described<((),)> for F
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = R>,
    R: Answer,
{
    fn describe(draft: &mut Draft<'_>) {
        R::describe(draft);
    }
}

macro_rules! described {
    ($($input:ident)+) => {
        impl<F, Fut, R, M, $($input),+> Described<(M, $($input),+,)> for F
        where
            F: FnOnce($($input),+) -> Fut,
            Fut: Future<Output = R>,
            R: Answer,
            $($input: Input),+
        {
            fn describe(draft: &mut Draft<'_>) {
                $($input::describe(draft);)+
                R::describe(draft);
            }
        }
    };
}

described!(A);
described!(A B);
described!(A B C);
described!(A B C D);
described!(A B C D E);
described!(A B C D E G);
described!(A B C D E G H);
