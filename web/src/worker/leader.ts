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

/** Operations above which batches that wait are not put together any more. */
const TOGETHER = 2000;

type StoreJob = Extract<HostEffect, { kind: 'persist' | 'load' }>;

const REFUSALS: Record<CommandError, ErrorBody> = {
  no_such_conversation: { code: 'not_found', detail: 'no such conversation on this device' },
  outbox_full: { code: 'unavailable', detail: 'too many changes wait for the server' },
  no_such_change: { code: 'not_found', detail: 'no such change is waiting' },
};

/** The engine cannot be had: not loaded, or not understood by this browser. */
export class EngineMissing extends Error {}

export class Leader {
  readonly #push: (push: Push) => void;
  /** Loads beside everything else: who is not signed in sees where to do so before it is there. */
  readonly #loading: Promise<Engine>;
  #engine: Engine | null = null;
  readonly #store: Store;
  readonly #session: Session;
  readonly #link: Link;
  #running = false;
  /** Writes and loads take effect one after another. */
  readonly #jobs: StoreJob[] = [];
  #storing: Promise<void> | null = null;
  #wakeup: ReturnType<typeof setTimeout> | undefined;
  #flush: ReturnType<typeof setTimeout> | undefined;
  #flushed = 0;

  private constructor(push: (push: Push) => void, loading: Promise<Engine>, store: Store) {
    this.#push = push;
    this.#loading = loading;
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
    const loading = Engine.load().catch((error: unknown) => {
      throw new EngineMissing(error instanceof Error ? error.message : String(error));
    });
    loading.catch(({ message: detail }: EngineMissing) => push({ kind: 'failed', what: 'engine', detail }));
    const leader = new Leader(push, loading, await Store.open());
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
        await this.#loading;
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
    this.#engine = await this.#loading;
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
    const engine = this.#engine;
    if (!engine) throw new Refused({ code: 'unauthorized', detail: 'nobody is signed in' });
    const output = engine.call(input);
    if (output.invalid) throw new Error(`the engine does not understand: ${output.invalid}`);
    for (const effect of output.effects) this.#carryOut(effect);
    if (output.happened.length > 0) {
      this.#push({ kind: 'happened', items: output.happened });
      if (output.happened.some(({ kind }) => kind === 'unauthorized')) this.#link.reopen(null);
    }
    clearTimeout(this.#wakeup);
    if (output.wakeup !== null) {
      const wait = Math.max(0, output.wakeup - engine.now());
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
      case 'load':
        this.#jobs.push(effect);
        this.#storing ??= this.#work();
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

  /**
   * Carries out what waits for the store, in order. Batches that wait together are one transaction: after a long absence
   * there are hundreds, and each would wait for the disk.
   *
   * A store that fails stops the engine: another start, from what is stored, loses nothing that was promised.
   */
  async #work(): Promise<void> {
    try {
      for (let job = this.#jobs.shift(); job; job = this.#jobs.shift()) {
        if (job.kind === 'load') {
          const events = await this.#store.load(job.query);
          if (this.#running) this.#call({ loaded: { id: job.id, events } });
          continue;
        }
        const batches = [job.batch];
        const operations = [...job.operations];
        for (let next = this.#jobs[0]; next?.kind === 'persist' && operations.length < TOGETHER; next = this.#jobs[0]) {
          this.#jobs.shift();
          batches.push(next.batch);
          operations.push(...next.operations);
        }
        await this.#store.apply(operations);
        for (const batch of batches) if (this.#running) this.#call({ persisted: { batch } });
      }
    } catch (error) {
      this.#jobs.length = 0;
      this.#running = false;
      this.#link.stop();
      this.#engine?.call('stop');
      const detail = error instanceof Error ? error.message : String(error);
      this.#push({ kind: 'failed', what: 'storage', detail });
    } finally {
      this.#storing = null;
    }
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
