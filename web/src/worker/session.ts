/** Who is signed in, and the calls made in their name. The access token lives here and nowhere else. */
import type { Credentials, HttpMethod, SessionInfo } from '../protocol/messages';
import { Refused } from '../protocol/messages';
import type { ErrorBody, Json, OwnProfile, Problem, Session as Answer } from '../protocol/types';
import type { Store } from './store';

export const OFFLINE: ErrorBody = { code: 'unavailable', detail: 'offline' };

/** An access token that lives shorter than this is renewed before it is used, in milliseconds. */
const MARGIN = 30_000;

/** The session has ended on the server's word. */
export class SessionEnded extends Error {}

export class Session {
  #info: SessionInfo | null = null;
  #token: string | null = null;
  #expires = 0;
  #refreshing: Promise<string> | null = null;
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  get info(): SessionInfo | null {
    return this.#info;
  }

  /** Takes up what is stored; nothing is asked of the server. */
  async resume(): Promise<SessionInfo | null> {
    this.#info = (await this.#store.setting<SessionInfo>('session')) ?? null;
    return this.#info;
  }

  async signIn({ mode, login, password, displayName }: Credentials): Promise<SessionInfo> {
    const device = { name: deviceName(), platform: 'web' };
    const body: Json =
      mode === 'login'
        ? { login, password, device, cookie: true }
        : { username: login, password, display_name: displayName || login, device, cookie: true };
    const session = await send<Answer>('POST', `/v1/auth/${mode}`, body, {
      'Idempotency-Key': crypto.randomUUID(),
    });
    await this.#store.wipe();
    return this.#take(session);
  }

  async signOut(): Promise<void> {
    try {
      await this.call('POST', '/v1/auth/logout');
    } finally {
      await this.forget();
    }
  }

  async forget(): Promise<void> {
    this.#info = null;
    this.#token = null;
    await this.#store.wipe();
  }

  async profileChanged(user: OwnProfile): Promise<void> {
    if (!this.#info) return;
    this.#info = { ...this.#info, user };
    await this.#store.putSetting('session', this.#info);
  }

  /** A call in the name of the user. An expired token is renewed, and the call made once more. */
  async call<T>(method: HttpMethod, path: string, body?: Json, key?: string): Promise<T> {
    const headers: Record<string, string> = key ? { 'Idempotency-Key': key } : {};
    const token = await this.#fresh();
    try {
      return await send<T>(method, path, body, { ...headers, Authorization: `Bearer ${token}` });
    } catch (error) {
      if (!isAboutToken(error)) throw error;
      const renewed = this.#token === token ? await this.#refresh() : await this.#fresh();
      return send<T>(method, path, body, { ...headers, Authorization: `Bearer ${renewed}` });
    }
  }

  async #fresh(): Promise<string> {
    if (this.#token && this.#expires > Date.now() + MARGIN) return this.#token;
    return this.#refresh();
  }

  /** One at a time: the cookie is good for one use. A retry carries the same key, so that a lost answer costs nothing. */
  #refresh(): Promise<string> {
    this.#refreshing ??= this.#renew().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async #renew(): Promise<string> {
    if (!this.#info) throw new SessionEnded();
    let key = await this.#store.setting<string>('refresh_key');
    if (!key) {
      key = crypto.randomUUID();
      await this.#store.putSetting('refresh_key', key);
    }
    try {
      const session = await send<Answer>('POST', '/v1/auth/refresh', {}, { 'Idempotency-Key': key });
      await this.#take(session);
      return session.access_token;
    } catch (error) {
      if (isAboutToken(error)) throw new SessionEnded();
      throw error;
    }
  }

  async #take(session: Answer): Promise<SessionInfo> {
    this.#token = session.access_token;
    this.#expires = Date.now() + session.expires_in * 1000;
    this.#info = { user: session.user, device: session.device };
    await this.#store.putSetting('session', this.#info);
    await this.#store.putSetting('refresh_key', null);
    return this.#info;
  }
}

function isAboutToken(error: unknown): boolean {
  return (
    error instanceof Refused && (error.body.code === 'unauthorized' || error.body.code === 'token_expired')
  );
}

async function send<T>(
  method: HttpMethod,
  path: string,
  body: Json | undefined,
  headers: Record<string, string>,
): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      headers: {
        'X-Loquat': '1',
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new Refused(OFFLINE);
  }
  const text = await answer.text();
  if (answer.ok) return (text ? JSON.parse(text) : null) as T;
  throw new Refused(problemOf(answer.status, text));
}

function problemOf(status: number, text: string): ErrorBody {
  try {
    const problem = JSON.parse(text) as Problem;
    return {
      code: problem.code,
      detail: problem.detail,
      ...(problem.retry_after_ms == null ? {} : { retry_after_ms: problem.retry_after_ms }),
    };
  } catch {
    return { code: status >= 500 ? 'unavailable' : 'invalid', detail: `HTTP ${status}` };
  }
}

function deviceName(): string {
  const agent = navigator.userAgent;
  const browser = /Firefox/.test(agent) ? 'Firefox' : /Edg\//.test(agent) ? 'Edge' : /Chrome/.test(agent) ? 'Chrome' : /Safari/.test(agent) ? 'Safari' : 'Browser';
  const system = /Android/.test(agent) ? 'Android' : /iPhone|iPad/.test(agent) ? 'iOS' : /Mac OS/.test(agent) ? 'macOS' : /Windows/.test(agent) ? 'Windows' : /Linux/.test(agent) ? 'Linux' : '';
  return system ? `${browser}, ${system}` : browser;
}
