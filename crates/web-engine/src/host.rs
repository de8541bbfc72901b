//! The engine with what its host keeps for it.

use loquat_engine::view::ViewChange;
use loquat_engine::{Credential, Effect, Engine, Now, Options, RequestFailure, Setup};

use crate::entropy::Seeded;
use crate::messages::{Call, HostEffect, Input, Output, Reply};
use crate::views::Views;

/// Timelines in memory: one for each tab that shows another conversation.
const OPEN: usize = 16;

/// See the crate.
#[derive(Debug, Default)]
pub struct Host {
    engine: Option<Engine>,
    views: Views,
}

impl Host {
    /// Takes one [`Call`] in, as JSON, and gives an [`Output`] as JSON.
    pub fn call(&mut self, call: &str) -> String {
        let output = match serde_json::from_str::<Call>(call) {
            Ok(Call { wall, monotonic_ms, input }) => self.take_in(Now { wall, monotonic_ms }, input),
            Err(error) => Output { invalid: Some(error.to_string()), ..Output::default() },
        };
        serde_json::to_string(&output).unwrap_or_else(|error| {
            // Cannot be: the types have string keys only. Told rather than trapped.
            format!(
                "{{\"effects\":[],\"happened\":[],\"stale\":false,\"invalid\":\"{}\"}}",
                error.to_string().escape_default()
            )
        })
    }

    fn take_in(&mut self, now: Now, input: Input) -> Output {
        let mut output = Output::default();
        match input {
            Input::Start { user, device, seed, restored } => {
                let Some(mut seeded) = Seeded::from_hex(&seed) else {
                    output.invalid = Some("the seed is not 64 hexadecimal digits".to_owned());
                    return output;
                };
                let options =
                    Options { client_name: "loquat-web".to_owned(), open: OPEN, ..Options::default() };
                let entropy = Box::new(move || seeded.next());
                self.engine =
                    Some(Engine::new(Setup { user, device, restored: *restored, options, entropy }));
                self.views = Views::default();
                self.views.mark_all();
            }
            Input::Stop => {
                self.engine = None;
                self.views = Views::default();
            }
            input => {
                if let Some(engine) = self.engine.as_mut() {
                    apply(engine, &mut self.views, now, input, &mut output);
                }
            }
        }
        self.collect(&mut output);
        output
    }

    fn collect(&mut self, output: &mut Output) {
        let Some(engine) = self.engine.as_mut() else { return };
        while let Some(effect) = engine.take_effect() {
            match effect {
                Effect::Send(text) => output.effects.push(HostEffect::Send { text }),
                // The address to go to comes with the next ticket.
                Effect::Close { reason, retry_after_ms, .. } => {
                    output.effects.push(HostEffect::Close { reason: reason.to_owned(), retry_after_ms });
                }
                Effect::Request { id, request } => output.effects.push(HostEffect::Request { id, request }),
                Effect::Persist { batch, operations } => {
                    output.effects.push(HostEffect::Persist { batch, operations });
                }
                Effect::Load { id, query } => output.effects.push(HostEffect::Load { id, query }),
                Effect::View(change) => {
                    self.views.mark(&change);
                    if is_news(&change) {
                        output.happened.push(change);
                    }
                }
            }
        }
        output.wakeup = engine.next_wakeup();
        output.stale = self.views.are_stale();
    }
}

/// Whether a page is told of it besides the snapshots.
const fn is_news(change: &ViewChange) -> bool {
    !matches!(
        change,
        ViewChange::Sync(_)
            | ViewChange::Conversations
            | ViewChange::Timeline(_)
            | ViewChange::Outbox
            | ViewChange::Typing(_)
            | ViewChange::Profiles
    )
}

fn apply(engine: &mut Engine, views: &mut Views, now: Now, input: Input, output: &mut Output) {
    match input {
        Input::Start { .. } | Input::Stop => {}
        Input::Connected { ticket } => engine.connected(now, Credential::Ticket(ticket)),
        Input::Disconnected => engine.disconnected(now),
        Input::Frame { text } => engine.frame(now, &text),
        Input::Answered { id, body, problem } => {
            let result = match (&body, problem) {
                (Some(body), _) => Ok(body.as_str()),
                (None, Some(problem)) => Err(RequestFailure::Problem(problem)),
                (None, None) => Err(RequestFailure::Offline),
            };
            engine.answered(now, id, result);
        }
        Input::Persisted { batch } => engine.persisted(now, batch),
        Input::Loaded { id, events } => engine.loaded(now, id, &events),
        Input::Tick => engine.tick(now),
        Input::Told { conversation } => engine.conversation_told(now, *conversation),
        Input::Obey { command } => output.refused = engine.command(now, command).err(),
        Input::NewNonce => output.answer = Some(Reply::Nonce { nonce: engine.new_nonce(now) }),
        Input::Reactors { conversation, seq } => {
            let reactions = engine.reactors(conversation, seq);
            output.answer = Some(Reply::Reactors { reactions });
        }
        Input::Views { whole } => {
            let patch = Box::new(views.take(engine, whole));
            output.answer = Some(Reply::Views { patch });
        }
    }
}
