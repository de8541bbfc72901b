/** The client of one page: its worker, what it knows, and what the user can do. */
import type { LinkState, SessionInfo } from '../protocol/messages';
import { Refused } from '../protocol/messages';
import type {
  AccountEvent,
  Conversation,
  ConversationId,
  ConversationKind,
  ErrorBody,
  Message,
  OwnProfile,
  Profile,
  ServerInfo,
  UpdatePreferences,
  UserId,
  ViewChange,
} from '../protocol/types';
import { Client } from './client.svelte';
import { Contacts } from './contacts.svelte';
import { Model } from './model.svelte';
import { notifyOf } from './notify';
import { router } from './router.svelte';
import { settings, t } from './settings.svelte';
import { toasts } from './toasts.svelte';

export type Phase = 'starting' | 'signed_out' | 'ready' | 'failed';
export type DialogName = 'switcher' | 'shortcuts' | 'create_group' | 'create_channel' | 'forward' | 'search' | null;

/** What the user is asked before something that cannot be undone. */
export interface Question {
  text: string;
  action: string;
  answer(yes: boolean): void;
}

export class App {
  readonly client: Client;
  readonly model = new Model();
  readonly contacts: Contacts;
  session = $state.raw<SessionInfo | null>(null);
  link = $state.raw<LinkState>({ state: 'connecting' });
  phase = $state<Phase>('starting');
  failure = $state<'storage' | 'engine'>('storage');
  dialog = $state<DialogName>(null);
  forwarding = $state.raw<Message | null>(null);
  question = $state.raw<Question | null>(null);
  server = $state.raw<ServerInfo | null>(null);
  /** The conversation that this page shows; a new leader is told of it. */
  showing: string | null = null;
  /** Conversations of which deletions are held back while they can be undone. */
  readonly #deleting = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #learning = new Set<UserId>();
  deleting = $state.raw<ReadonlySet<string>>(new Set());

  constructor(worker: Worker) {
    this.client = new Client(worker);
    this.contacts = new Contacts(this.client);
    this.client.onPush((push) => {
      switch (push.kind) {
        case 'views':
          if (!this.model.apply(push.patch)) void this.client.ask({ kind: 'views' });
          return;
        case 'link':
          this.link = push.link;
          return;
        case 'session':
          this.#signed(push.session);
          return;
        case 'happened':
          for (const item of push.items) this.#happened(item);
          return;
        case 'leading':
          void this.#hello();
          if (this.showing) {
            const value = this.showing;
            void this.quietly(() => this.client.obey({ kind: 'open', value }));
          }
          return;
        case 'failed':
          this.failure = push.what;
          this.phase = 'failed';
          return;
      }
    });
    void this.#hello();
  }

  get me(): UserId {
    return this.session?.user.id ?? '';
  }

  get limits(): { text_bytes: number } {
    return { text_bytes: this.server?.limits.text_bytes ?? 16_384 };
  }

  async #hello(): Promise<void> {
    const { session, link } = await this.client.ask({ kind: 'hello' });
    this.link = link;
    this.#signed(session);
  }

  #signed(session: SessionInfo | null): void {
    // Nothing works without the engine, whoever is signed in.
    if (this.phase === 'failed') return;
    const before = this.session?.user.id;
    this.session = session;
    if (!session) {
      this.model.clear();
      this.contacts.clear();
      this.phase = 'signed_out';
      return;
    }
    this.phase = 'ready';
    if (before === session.user.id) return;
    void this.#afterSignIn();
  }

  async #afterSignIn(): Promise<void> {
    this.server = await this.quietly(() => this.client.rest<ServerInfo>('GET', '/v1/server'));
    await this.contacts.load();
  }

  #happened(item: ViewChange): void {
    switch (item.kind) {
      case 'message_arrived':
        notifyOf(this, item.value);
        return;
      case 'refused':
        if (item.value.error.code !== 'rate_limited') toasts.show(this.explain(item.value.error), { tone: 'error' });
        return;
      case 'conversation_left':
        if (router.place.at === 'chat' && router.place.conversation === item.value) router.go({ at: 'home' }, true);
        this.model.timelines.delete(item.value);
        this.model.details.delete(item.value);
        return;
      case 'account':
        this.#account(item.value);
        return;
      default:
        return;
    }
  }

  #account({ kind, body }: AccountEvent): void {
    if (kind === 'profile' || kind === 'settings') void this.refreshMe();
    if (kind.startsWith('contact_') || kind === 'blocked' || kind === 'unblocked') void this.contacts.load();
    void body;
  }

  async refreshMe(): Promise<void> {
    const user = await this.quietly(() => this.client.rest<OwnProfile>('GET', '/v1/me'));
    if (user) await this.client.ask({ kind: 'profile_changed', user });
  }

  /** What went wrong and what to do, in the user's language. */
  explain(error: ErrorBody): string {
    const words = t().errors[error.code] ?? t().errors.unknown;
    const own = ['invalid', 'forbidden', 'conflict'].includes(error.code) && error.detail;
    return own ? `${words} (${error.detail})` : words;
  }

  /** Runs a call; a refusal becomes a toast. `null` then. */
  async tell<T>(run: () => Promise<T>): Promise<T | null> {
    try {
      return await run();
    } catch (error) {
      const body: ErrorBody = error instanceof Refused ? error.body : { code: 'unknown', detail: '' };
      toasts.show(this.explain(body), { tone: 'error' });
      return null;
    }
  }

  /** Runs a call whose failure the user need not know. */
  async quietly<T>(run: () => Promise<T>): Promise<T | null> {
    try {
      return await run();
    } catch {
      return null;
    }
  }

  /** Learns who somebody is, once. */
  #learn(user: UserId): void {
    if (this.#learning.has(user) || !user) return;
    this.#learning.add(user);
    void this.quietly(() => this.client.obey({ kind: 'learn_profile', value: user }));
  }

  nameOf(user: UserId): string {
    if (user === this.me) return this.session?.user.display_name || this.session?.user.username || '';
    const profile = this.model.profiles.get(user);
    if (!profile) {
      this.#learn(user);
      return t().common.somebody;
    }
    if (profile.deleted) return t().common.deletedAccount;
    return profile.display_name || profile.username;
  }

  async openDirect(user: UserId): Promise<void> {
    const known = [...this.model.conversations.values()].find((line) => line.kind === 'direct' && line.peer === user);
    if (known) router.open(known.id);
    else await this.create('direct', [user]);
  }

  async create(kind: ConversationKind, members: UserId[], title?: string, description?: string): Promise<boolean> {
    const body = { kind, members, ...(title ? { title } : {}), ...(description ? { description } : {}) };
    const made = await this.tell(() => this.client.rest<Conversation>('POST', '/v1/conversations', body));
    if (!made) return false;
    await this.client.ask({ kind: 'told', conversation: made });
    router.open(made.id);
    return true;
  }

  async prefer(conversation: ConversationId, fields: UpdatePreferences): Promise<void> {
    await this.tell(() => this.client.rest('PATCH', `/v1/conversations/${conversation}/preferences`, fields));
  }

  async findPeople(query: string): Promise<Profile[]> {
    const page = await this.quietly(() =>
      this.client.rest<{ items: Profile[] }>('GET', `/v1/users?q=${encodeURIComponent(query)}&limit=20`),
    );
    return (page?.items ?? []).filter(({ id }) => id !== this.me);
  }

  /** Deletes a message for everyone, after a while in which it can be undone. */
  delete(conversation: ConversationId, seq: number): void {
    const key = `${conversation}/${seq}`;
    if (this.#deleting.has(key)) return;
    const settle = () => {
      clearTimeout(this.#deleting.get(key));
      this.#deleting.delete(key);
      this.deleting = new Set(this.#deleting.keys());
    };
    const run = () => {
      settle();
      void this.tell(() => this.client.change(conversation, { kind: 'delete', target: seq }));
    };
    this.#deleting.set(key, setTimeout(run, 5000));
    this.deleting = new Set(this.#deleting.keys());
    toasts.show(t().message.deletedUndo, { action: { label: t().message.undo, run: settle }, ms: 5000 });
  }

  /** The page goes: what was to be deleted is. */
  settleDeletions(): void {
    for (const [key, timer] of this.#deleting) {
      clearTimeout(timer);
      const [conversation = '', seq = ''] = key.split('/');
      void this.client.change(conversation, { kind: 'delete', target: Number(seq) });
    }
    this.#deleting.clear();
  }

  async forward(message: Message, to: ConversationId): Promise<void> {
    const body = { text: message.text ?? '', format: message.format, reply_to: null, mentions: [], attachments: [] };
    await this.tell(() => this.client.change(to, { kind: 'send', body }));
    this.dialog = null;
    router.open(to);
  }

  /** Asks before something that cannot be undone; a second question answers the first with no. */
  confirm(text: string, action: string): Promise<boolean> {
    this.question?.answer(false);
    return new Promise((resolve) => {
      this.question = { text, action, answer: resolve };
    });
  }

  async signOut(): Promise<void> {
    await this.client.ask({ kind: 'sign_out' });
    router.go({ at: 'home' }, true);
  }

  /** A language, a theme: put on the page, and the settings of the account follow where there is one. */
  readonly settings = settings;
}
