/** The tab that leads: it alone runs the engine, the store and the socket, for all tabs of this browser. */
import type { Hello, Push, Request } from '../protocol/messages';
import { Refused } from '../protocol/messages';
import type { CommandError, ErrorBody, HostEffect, Input, Json, Output } from '../protocol/types';
import { Engine } from './engine';
import { Link } from './link';
import { OFFLINE, Session, SessionEnded } from './session';
import { Store } from './store';

/** Pages are told at most this often, in milliseconds. */
const FRAME = 16;

const REFUSALS: Record<CommandError, ErrorBody> = {
  no_such_conversation: { code: 'not_found', detail: 'no such conversation on this device' },
  outbox_full: { code: 'unavailable', detail: 'too many changes wait for the server' },
  no_such_change: { code: 'not_found', detail: 'no such change is waiting' },
};

export class Leader {
  readonly #push: (push: Push) => void;
  readonly #engine: Engine;
  readonly #store: Store;
  readonly #session: Session;
  readonly #link: Link;
  #running = false;
  /** Writes and loads take effect one after another. */
  #storing: Promise<void> = Promise.resolve();
  #wakeup: ReturnType<typeof setTimeout> | undefined;
  #flush: ReturnType<typeof setTimeout> | undefined;
  #flushed = 0;

  private constructor(push: (push: Push) => void, engine: Engine, store: Store) {
    this.#push = push;
    this.#engine = engine;
    this.#store = store;
    this.#session = new Session(store);
    this.#link = new Link(this.#session, {
      opened: (ticket) => this.#call({ connected: { ticket } }),
      frame: (text) => {
        this.#call({ frame: { text } });
        this.#link.settled();
      },
      closed: () => this.#call('disconnected'),
      ended: () => void this.#sessionEnded(),
      state: (link) => push({ kind: 'link', link }),
    });
  }

  static async start(push: (push: Push) => void): Promise<Leader> {
    const [engine, store] = await Promise.all([Engine.load(), Store.open()]);
    const leader = new Leader(push, engine, store);
    if (await leader.#session.resume()) await leader.#run();
    self.addEventListener('online', () => leader.#link.hurry());
    return leader;
  }

  /** Carries out a request of a page; rejects with `Refused`. */
  async handle(request: Request): Promise<Json> {
    switch (request.kind) {
      case 'hello': {
        this.#tellAll(true);
        const hello: Hello = { session: this.#session.info, link: this.#link.state };
        return hello as unknown as Json;
      }
      case 'sign_in': {
        await this.#halt();
        const session = await this.#session.signIn(request.credentials);
        await this.#run();
        this.#push({ kind: 'session', session });
        this.#tellAll(true);
        return session as unknown as Json;
      }
      case 'sign_out':
        await this.#halt();
        await this.#session.signOut().catch(() => undefined);
        this.#push({ kind: 'session', session: null });
        return null;
      case 'rest':
        return this.#rest(() =>
          this.#session.call<Json>(request.method, request.path, request.body, request.key),
        );
      case 'obey': {
        const { refused } = this.#call({ obey: { command: request.command } });
        if (refused) throw new Refused(REFUSALS[refused]);
        return null;
      }
      case 'told':
        this.#call({ told: { conversation: request.conversation } });
        return null;
      case 'reactors': {
        const { answer } = this.#call({ reactors: { conversation: request.conversation, seq: request.seq } });
        return answer?.kind === 'reactors' ? answer.reactions : [];
      }
      case 'search':
        return (await this.#store.search(request.text, request.conversation, request.limit)) as unknown as Json;
      case 'views':
        this.#tellAll(true);
        return null;
      case 'profile_changed':
        await this.#session.profileChanged(request.user);
        if (this.#session.info) this.#push({ kind: 'session', session: this.#session.info });
        return null;
      case 'reconnect':
        this.#link.hurry();
        return null;
    }
  }

  async #rest<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (error instanceof SessionEnded) {
        await this.#sessionEnded();
        throw new Refused({ code: 'unauthorized', detail: 'signed out' });
      }
      throw error;
    }
  }

  async #run(): Promise<void> {
    const info = this.#session.info;
    if (!info) return;
    const restored = await this.#store.restore();
    const seed = [...crypto.getRandomValues(new Uint8Array(32))]
      .map((byte) => byte.toString(16).padStart(2, '0'))
      .join('');
    this.#running = true;
    this.#call({ start: { user: info.user.id, device: info.device.id, seed, restored } });
    this.#link.start();
  }

  async #halt(): Promise<void> {
    if (!this.#running) return;
    this.#call('disconnected');
    this.#link.stop();
    await this.#storing;
    this.#running = false;
    this.#call('stop');
  }

  async #sessionEnded(): Promise<void> {
    await this.#halt();
    await this.#session.forget();
    this.#push({ kind: 'session', session: null });
  }

  #call(input: Input): Output {
    const output = this.#engine.call(input);
    if (output.invalid) throw new Error(`the engine does not understand: ${output.invalid}`);
    for (const effect of output.effects) this.#carryOut(effect);
    if (output.happened.length > 0) {
      this.#push({ kind: 'happened', items: output.happened });
      if (output.happened.some(({ kind }) => kind === 'unauthorized')) this.#link.reopen(null);
    }
    clearTimeout(this.#wakeup);
    if (output.wakeup !== null) {
      const wait = Math.max(0, output.wakeup - this.#engine.now());
      this.#wakeup = setTimeout(() => this.#call('tick'), Math.min(wait, 0x7fffffff));
    }
    if (output.stale) this.#tellSoon();
    return output;
  }

  #carryOut(effect: HostEffect): void {
    switch (effect.kind) {
      case 'send':
        this.#link.send(effect.text);
        return;
      case 'close':
        this.#link.reopen(effect.retry_after_ms);
        return;
      case 'request':
        void this.#request(effect);
        return;
      case 'persist':
        this.#inOrder(async () => {
          await this.#store.apply(effect.operations);
          if (this.#running) this.#call({ persisted: { batch: effect.batch } });
        });
        return;
      case 'load':
        this.#inOrder(async () => {
          const events = await this.#store.load(effect.query);
          if (this.#running) this.#call({ loaded: { id: effect.id, events } });
        });
        return;
    }
  }

  async #request({ id, request }: HostEffect & { kind: 'request' }): Promise<void> {
    const { method, path, idempotency_key: key } = request;
    const body = request.body === null ? undefined : (JSON.parse(request.body) as Json);
    try {
      const answer = await this.#rest(() => this.#session.call<Json>(method, path, body, key ?? undefined));
      if (this.#running) this.#call({ answered: { id, body: JSON.stringify(answer), problem: null } });
    } catch (error) {
      const problem = error instanceof Refused && error.body !== OFFLINE ? error.body : null;
      if (this.#running) this.#call({ answered: { id, body: null, problem } });
    }
  }

  /** A store that fails stops the engine: another start, from what is stored, loses nothing that was promised. */
  #inOrder(work: () => Promise<void>): void {
    this.#storing = this.#storing.then(work).catch((error: unknown) => {
      this.#running = false;
      this.#link.stop();
      this.#engine.call('stop');
      const detail = error instanceof Error ? error.message : String(error);
      this.#push({ kind: 'failed', what: 'storage', detail });
    });
  }

  #tellSoon(): void {
    if (this.#flush !== undefined) return;
    const wait = Math.max(0, this.#flushed + FRAME - performance.now());
    this.#flush = setTimeout(() => this.#tellAll(false), wait);
  }

  #tellAll(whole: boolean): void {
    clearTimeout(this.#flush);
    this.#flush = undefined;
    if (!this.#running) return;
    this.#flushed = performance.now();
    const { answer } = this.#call({ views: { whole } });
    if (answer?.kind !== 'views') return;
    const { patch } = answer;
    this.#push({ kind: 'views', patch });
  }
}
