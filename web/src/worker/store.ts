/** The device store in IndexedDB: carries out the engine's operations and queries (`crates/engine/src/store`). */
import type { Found } from '../protocol/messages';
import type {
  Conversation,
  Event,
  Operation,
  Profile,
  Progress,
  Query,
  QueuedChange,
  Restored,
  SyncPoint,
} from '../protocol/types';

const VERSION = 1;
const STORES = ['meta', 'conversations', 'progress', 'events', 'changes', 'profiles'] as const;
type StoreName = (typeof STORES)[number];

/** An event with what it is about, for the index. */
type Kept = Event & { target?: number };

const SHOWN = new Set(['message', 'member', 'settings']);
const TARGETING = new Set(['edit', 'delete', 'reaction', 'pin']);
/** Events read at once while a page is gathered. */
const CHUNK = 128;

export class Store {
  readonly #db: IDBDatabase;

  private constructor(db: IDBDatabase) {
    this.#db = db;
  }

  static open(name = 'loquat'): Promise<Store> {
    const request = indexedDB.open(name, VERSION);
    request.onupgradeneeded = () => {
      const db = request.result;
      db.createObjectStore('meta');
      db.createObjectStore('conversations', { keyPath: 'id' });
      db.createObjectStore('progress');
      const events = db.createObjectStore('events', { keyPath: ['conversation', 'seq'] });
      events.createIndex('target', ['conversation', 'target']);
      db.createObjectStore('changes', { keyPath: 'nonce' });
      db.createObjectStore('profiles', { keyPath: 'id' });
    };
    return answer(request).then((db) => new Store(db));
  }

  close(): void {
    this.#db.close();
  }

  /** Writes all of these or none; durable when it resolves. */
  async apply(operations: Operation[]): Promise<void> {
    // What was said to be there, or is about to be sent, survives a power cut; the rest can be had again.
    const strict = operations.some(({ op }) => op === 'put_change' || op === 'put_events');
    const tx = this.#db.transaction(STORES, 'readwrite', { durability: strict ? 'strict' : 'relaxed' });
    const done = finished(tx);
    try {
      for (const operation of operations) await this.#apply(tx, operation);
    } catch (error) {
      // What was asked for before must not be written alone.
      tx.abort();
      await done.catch(() => undefined);
      throw error;
    }
    await done;
  }

  async #apply(tx: IDBTransaction, operation: Operation): Promise<void> {
    switch (operation.op) {
      case 'put_conversation':
        tx.objectStore('conversations').put(operation.value);
        return;
      case 'put_progress':
        tx.objectStore('progress').put(operation.value[1], operation.value[0]);
        return;
      case 'remove_conversation': {
        const id = operation.value;
        tx.objectStore('conversations').delete(id);
        tx.objectStore('progress').delete(id);
        tx.objectStore('events').delete(logOf(id));
        const changes = await answer<QueuedChange[]>(tx.objectStore('changes').getAll());
        for (const change of changes) {
          if (change.conversation === id) tx.objectStore('changes').delete(change.nonce);
        }
        return;
      }
      case 'forget_log':
        tx.objectStore('events').delete(logOf(operation.value));
        return;
      case 'put_events':
        for (const event of operation.value) {
          const target = targetOf(event);
          const kept: Kept = target === null ? event : { ...event, target };
          const adding = tx.objectStore('events').add(kept);
          // What is there already is not changed.
          adding.onerror = (error) => {
            error.preventDefault();
            error.stopPropagation();
          };
        }
        return;
      case 'erase': {
        const { conversation, target } = operation.value;
        const events = tx.objectStore('events');
        const message = await answer<Kept | undefined>(events.get([conversation, target]));
        if (message) events.put(erased(message));
        const about = await answer<Kept[]>(events.index('target').getAll([conversation, target]));
        for (const edit of about.filter(({ kind }) => kind === 'edit')) events.put(erased(edit));
        return;
      }
      case 'erase_up_to': {
        const { conversation, upto } = operation.value;
        const events = tx.objectStore('events');
        const range = IDBKeyRange.bound([conversation], [conversation, upto]);
        const here = await answer<Kept[]>(events.getAll(range));
        const about = await answer<Kept[]>(events.index('target').getAll(range));
        for (const message of here.filter(({ kind }) => kind === 'message')) events.put(erased(message));
        for (const change of about.filter(({ kind }) => kind === 'edit' || kind === 'reaction')) {
          events.put(erased(change));
        }
        return;
      }
      case 'put_change':
        tx.objectStore('changes').put(operation.value);
        return;
      case 'remove_change':
        tx.objectStore('changes').delete(operation.value);
        return;
      case 'put_profile':
        tx.objectStore('profiles').put(operation.value);
        return;
      case 'put_sync':
        tx.objectStore('meta').put(operation.value, 'sync');
        return;
    }
  }

  /** Reads a log, ascending. */
  async load(query: Query): Promise<Event[]> {
    const events = this.#db.transaction('events').objectStore('events');
    const { conversation } = query;
    switch (query.query) {
      case 'events': {
        const range = IDBKeyRange.bound([conversation, query.after + 1], [conversation, []], false, true);
        return (await answer<Kept[]>(events.getAll(range, query.limit))).map(plain);
      }
      case 'messages': {
        const found = await Promise.all(
          query.seqs.map((seq) => answer<Kept | undefined>(events.get([conversation, seq]))),
        );
        return withTargeting(
          events,
          found.filter((event) => event !== undefined),
        );
      }
      case 'page': {
        const chosen: Kept[] = [];
        let upper = query.before;
        while (upper > query.floor && chosen.length < query.limit) {
          const lower = Math.max(query.floor, upper - CHUNK);
          const range = IDBKeyRange.bound([conversation, lower], [conversation, upper], false, true);
          const chunk = await answer<Kept[]>(events.getAll(range));
          for (const event of chunk.reverse()) {
            if (chosen.length < query.limit && SHOWN.has(event.kind)) chosen.unshift(event);
          }
          upper = lower;
        }
        return withTargeting(events, chosen);
      }
    }
  }

  /**
   * Messages whose text of now has a word that begins with each word asked for, the newest first. Logs are read from
   * their ends down to a bound, so that a search ends.
   */
  async search(text: string, conversation: string | null, limit: number): Promise<Found[]> {
    const wanted = wordsOf(text);
    if (wanted.length === 0) return [];
    const ids =
      conversation === null
        ? ((await answer<IDBValidKey[]>(this.#db.transaction('conversations').objectStore('conversations').getAllKeys())) as string[])
        : [conversation];
    const found: Found[] = [];
    for (const id of ids) found.push(...(await this.#searchLog(id, wanted, limit)));
    return found.sort((a, b) => b.ts - a.ts || b.seq - a.seq).slice(0, limit);
  }

  async #searchLog(conversation: string, wanted: string[], limit: number): Promise<Found[]> {
    const found: Found[] = [];
    const edits = new Map<number, string>();
    const deleted = new Set<number>();
    const events = this.#db.transaction('events').objectStore('events');
    const last = await answer<IDBCursor | null>(events.openKeyCursor(logOf(conversation), 'prev'));
    let upper = last && Array.isArray(last.key) && typeof last.key[1] === 'number' ? last.key[1] + 1 : 0;
    const floor = Math.max(1, upper - SEARCHED);
    while (upper > floor && found.length < limit) {
      const lower = Math.max(floor, upper - 500);
      const range = IDBKeyRange.bound([conversation, lower], [conversation, upper], false, true);
      for (const event of (await answer<Kept[]>(events.getAll(range))).reverse()) {
        if (event.target !== undefined) {
          const text = textOf(event);
          if (event.kind === 'delete') deleted.add(event.target);
          else if (event.kind === 'edit' && text !== null && !edits.has(event.target)) edits.set(event.target, text);
        } else if (event.kind === 'message' && !deleted.has(event.seq)) {
          const text = textOf(event) === null ? null : (edits.get(event.seq) ?? textOf(event));
          if (text === null || !fits(text, wanted)) continue;
          found.push({ conversation, seq: event.seq, ts: event.ts, sender: event.sender, text });
        }
      }
      upper = lower;
    }
    return found;
  }

  /** Reads what an engine starts from. */
  async restore(): Promise<Restored> {
    const tx = this.#db.transaction(STORES);
    const [sync, conversations, ids, progress, queue, profiles] = await Promise.all([
      answer<SyncPoint | undefined>(tx.objectStore('meta').get('sync')),
      answer<Conversation[]>(tx.objectStore('conversations').getAll()),
      answer<IDBValidKey[]>(tx.objectStore('progress').getAllKeys()),
      answer<Progress[]>(tx.objectStore('progress').getAll()),
      answer<QueuedChange[]>(tx.objectStore('changes').getAll()),
      answer<Profile[]>(tx.objectStore('profiles').getAll()),
    ]);
    const known = new Map(ids.map((id, place) => [id, progress[place]]));
    return {
      sync: sync ?? { since: null, account_pos: null },
      conversations: conversations.map((conversation) => [
        conversation,
        known.get(conversation.id) ?? NO_PROGRESS,
      ]),
      queue: queue.sort((a, b) => a.order - b.order),
      profiles,
    };
  }

  async setting<T>(key: string): Promise<T | undefined> {
    return answer<T | undefined>(this.#db.transaction('meta').objectStore('meta').get(key));
  }

  async putSetting(key: string, value: unknown): Promise<void> {
    const tx = this.#db.transaction('meta', 'readwrite', { durability: 'strict' });
    const done = finished(tx);
    if (value === null) tx.objectStore('meta').delete(key);
    else tx.objectStore('meta').put(value, key);
    await done;
  }

  /** Everything leaves: somebody signed out. */
  async wipe(): Promise<void> {
    const tx = this.#db.transaction(STORES, 'readwrite', { durability: 'strict' });
    const done = finished(tx);
    for (const name of STORES satisfies readonly StoreName[]) tx.objectStore(name).clear();
    await done;
  }
}

const NO_PROGRESS: Progress = {
  head: 0,
  ranges: [],
  delivered: 0,
  read: 0,
  repeat_cursors: false,
  whole: false,
  draft: null,
  draft_unsent: false,
};

/** Events of one log that a search looks at. */
const SEARCHED = 50_000;

function textOf(event: Event): string | null {
  if (typeof event.body !== 'object' || event.body === null || Array.isArray(event.body)) return null;
  return typeof event.body.text === 'string' ? event.body.text : null;
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** Whether each word asked for begins a word of the text; within scripts without spaces, anywhere. */
function fits(text: string, wanted: string[]): boolean {
  const words = wordsOf(text);
  const unspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;
  return wanted.every((want) => words.some((word) => word.startsWith(want) || (unspaced.test(want) && word.includes(want))));
}

/** All events of a conversation: keys that begin with its id. An array sorts after every number. */
function logOf(conversation: string): IDBKeyRange {
  return IDBKeyRange.bound([conversation], [conversation, []]);
}

function targetOf(event: Event): number | null {
  if (!TARGETING.has(event.kind) || typeof event.body !== 'object' || event.body === null) return null;
  if (Array.isArray(event.body)) return null;
  const target = event.body.target;
  return typeof target === 'number' ? target : null;
}

function erased(event: Kept): Kept {
  return { ...plain(event), body: null };
}

function plain(event: Kept): Event {
  const { target: _target, ...rest } = event;
  return rest;
}

/** These events and all that target those of them which are shown, ascending. */
async function withTargeting(events: IDBObjectStore, chosen: Kept[]): Promise<Event[]> {
  const shown = new Set(chosen.filter(({ kind }) => SHOWN.has(kind)).map(({ seq }) => seq));
  if (shown.size === 0) return chosen.map(plain);
  const conversation = chosen[0]?.conversation ?? '';
  const range = IDBKeyRange.bound(
    [conversation, Math.min(...shown)],
    [conversation, Math.max(...shown)],
  );
  const about = await answer<Kept[]>(events.index('target').getAll(range));
  const all = new Map(chosen.map((event) => [event.seq, event]));
  for (const event of about) {
    if (event.target !== undefined && shown.has(event.target)) all.set(event.seq, event);
  }
  return [...all.values()].sort((a, b) => a.seq - b.seq).map(plain);
}

function answer<T>(request: IDBRequest): Promise<T>;
function answer(request: IDBOpenDBRequest): Promise<IDBDatabase>;
function answer<T>(request: IDBRequest): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result as T);
    request.onerror = () => reject(request.error ?? new Error('the store failed'));
  });
}

function finished(tx: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    tx.oncomplete = () => resolve();
    tx.onabort = () => reject(tx.error ?? new Error('the store gave up'));
  });
}
