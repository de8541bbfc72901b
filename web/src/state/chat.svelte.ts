/** One open conversation: what is shown of it, where in it the user is, and what they are about to write. */
import type {
  Conversation,
  ConversationSummary,
  Cursor,
  Message,
  MessagePage,
  MessageStatus,
  TimelineItem,
} from '../protocol/types';
import type { App } from './app.svelte';
import { type Entry, entriesOf, seqOf } from './entries';
import { t } from './settings.svelte';
import { toasts } from './toasts.svelte';

const PAGE = 60;
/** Items kept of a part of the past. */
const KEPT = 360;
/** Pinned messages that are asked for. */
const PINS = 50;
/** More than this is not held by the engine: what is above comes as a part of the past. */
const LIVE = 500;

/** A part of the log that the engine's timeline does not reach, as the server tells it. */
interface Past {
  items: TimelineItem[];
  head: number;
  visibleFrom: number;
}

/** Where the user was in a conversation. */
export interface Position {
  anchor: string;
  offset: number;
}

const positions = new Map<string, Position>();

export class Chat {
  readonly app: App;
  readonly id: string;
  past = $state.raw<Past | null>(null);
  loadingPast = $state(false);
  highlight = $state<number | null>(null);
  /** Where the list is to go next, to its middle or so far below its top, in pixels; the list takes it. */
  target = $state.raw<{ seq: number; offset?: number } | 'latest' | null>(null);
  unreadAfter = $state<number | null>(null);
  replyTo = $state.raw<Message | null>(null);
  editing = $state.raw<Message | null>(null);
  #divided = false;
  /** The pinned messages as the server told them. */
  #toldPins = $state.raw<Message[]>([]);

  constructor(app: App, id: string) {
    this.app = app;
    this.id = id;
    void app.quietly(() => app.client.obey({ kind: 'open', value: id }));
    void app.quietly(() => this.#refresh());
    void app.quietly(() => this.#loadPins());
  }

  /** What is no event of the log (the other's name, their colour) may have changed since it was told. */
  async #refresh(): Promise<void> {
    const conversation = await this.app.client.rest<Conversation>('GET', `/v1/conversations/${this.id}`);
    await this.app.client.ask({ kind: 'told', conversation });
  }

  async #loadPins(): Promise<void> {
    const path = `/v1/conversations/${this.id}/pins?limit=${PINS}`;
    this.#toldPins = (await this.app.client.rest<{ items: Message[] }>('GET', path)).items;
  }

  /** The pinned messages, the newest first: what the page holds knows better than what was told before it. */
  readonly pins: Message[] = $derived.by(() => {
    const found = new Map(this.#toldPins.map((message) => [message.seq, message]));
    for (const item of this.items) {
      if (item.kind !== 'message' || item.value.message.seq === 0) continue;
      const { message } = item.value;
      if (message.pinned && !message.deleted) found.set(message.seq, message);
      else found.delete(message.seq);
    }
    return [...found.values()].sort((a, b) => b.seq - a.seq);
  });

  get line(): ConversationSummary | undefined {
    return this.app.model.conversations.get(this.id);
  }

  get details(): Conversation | undefined {
    return this.app.model.details.get(this.id);
  }

  get live() {
    return this.app.model.timeline(this.id);
  }

  get items(): TimelineItem[] {
    return this.past?.items ?? this.live.items;
  }

  readonly entries: Entry[] = $derived.by(() =>
    entriesOf(this.items, {
      me: this.app.me,
      unreadAfter: this.unreadAfter,
      blocked: this.line?.kind === 'direct' ? new Set<string>() : this.app.contacts.blocked,
      deleting: this.app.deleting,
      cursors: this.line?.kind === 'group' ? this.live.cursors : [],
    }),
  );

  get hasOlder(): boolean {
    return this.past ? (seqOf(this.past.items[0] ?? NONE) || 1) > this.past.visibleFrom : this.live.hasOlder;
  }

  /** Fixes the divider when the timeline is first told: what is new stays marked while it is read. */
  divide(): void {
    if (this.#divided || !this.live.told) return;
    this.#divided = true;
    if ((this.line?.unread ?? 0) > 0) this.unreadAfter = this.live.read;
  }

  remember(position: Position | null): void {
    if (position) positions.set(this.id, position);
    else positions.delete(this.id);
  }

  get position(): Position | null {
    return positions.get(this.id) ?? null;
  }

  async older(): Promise<void> {
    if (!this.hasOlder || this.loadingPast) return;
    if (!this.past && this.live.items.length < LIVE) {
      if (!this.live.loading) await this.app.quietly(() => this.app.client.obey({ kind: 'load_older', value: this.id }));
      return;
    }
    const items = this.items;
    const first = items.find((item) => seqOf(item) > 0);
    if (!first) return;
    const page = await this.#page(`before=${seqOf(first)}`);
    if (!page) return;
    const sent = items.filter((item) => seqOf(item) > 0);
    this.past = { ...this.#bounds(page), items: [...this.#shown(page), ...sent].slice(0, KEPT) };
  }

  async newer(): Promise<void> {
    if (!this.past || this.loadingPast) return;
    const last = this.past.items.at(-1);
    if (!last || seqOf(last) >= this.live.head) {
      this.#joinLive();
      return;
    }
    const page = await this.#page(`after=${seqOf(last)}`);
    if (!page || !this.past) return;
    if (page.items.length === 0) {
      this.#joinLive();
      return;
    }
    this.past = { ...this.#bounds(page), items: [...this.past.items, ...this.#shown(page)].slice(-KEPT) };
    this.#joinLive();
  }

  /** The part of the past has reached what the engine holds. */
  #joinLive(): void {
    const first = this.past?.items[0];
    const last = this.past?.items.at(-1);
    const low = this.live.items.find((item) => seqOf(item) > 0);
    const reaches = first && last && low && seqOf(first) >= seqOf(low);
    if (reaches || (last && this.live.items.length > 0 && seqOf(last) >= this.#lastMessageSeq())) this.past = null;
  }

  #lastMessageSeq(): number {
    return seqOf(this.live.items.findLast((item) => item.kind === 'message' && seqOf(item) > 0) ?? NONE);
  }

  /** Goes to a message and marks it. */
  async jump(seq: number): Promise<void> {
    if (!this.items.some((item) => seqOf(item) === seq)) {
      const inLive = this.live.items.some((item) => seqOf(item) === seq);
      if (inLive) this.past = null;
      else if (!(await this.#around(`around=${seq}`, seq))) return;
    }
    this.highlight = seq;
    this.target = { seq };
    setTimeout(() => {
      if (this.highlight === seq) this.highlight = null;
    }, 2500);
  }

  async jumpToDate(ms: number): Promise<void> {
    const page = await this.#page(`at=${ms}`);
    const first = page?.items.find((message) => message.ts >= ms) ?? page?.items.at(-1);
    if (!page || !first) return;
    await this.jump(first.seq);
  }

  latest(): void {
    this.past = null;
    this.target = 'latest';
    this.unreadAfter = null;
  }

  /** Goes to where the user has not read on, where that lies above what the engine holds. */
  async toUnread(): Promise<void> {
    const seq = (this.unreadAfter ?? 0) + 1;
    const first = this.live.items.find((item) => seqOf(item) > 0);
    if (!first || seqOf(first) <= seq || !this.live.hasOlder) return;
    await this.toPlace(seq);
  }

  /** Goes to a place of the past without marking it, so far below the top of the list. */
  async toPlace(seq: number, offset?: number): Promise<void> {
    const page = await this.#page(`around=${seq}`);
    const found = page?.items.find((message) => message.seq >= seq);
    if (!page || !found) return;
    this.past = { ...this.#bounds(page), items: this.#shown(page) };
    this.target = offset === undefined ? { seq: found.seq } : { seq: found.seq, offset };
  }

  async #around(query: string, seq: number): Promise<boolean> {
    const page = await this.#page(query);
    if (!page) return false;
    if (!page.items.some((message) => message.seq === seq)) {
      toasts.show(t().chat.gone);
      return false;
    }
    this.past = { ...this.#bounds(page), items: this.#shown(page) };
    return true;
  }

  async #page(query: string): Promise<MessagePage | null> {
    this.loadingPast = true;
    const path = `/v1/conversations/${this.id}/messages?${query}&limit=${PAGE}`;
    const page = await this.app.tell(() => this.app.client.rest<MessagePage>('GET', path));
    this.loadingPast = false;
    return page;
  }

  #bounds(page: MessagePage): { head: number; visibleFrom: number } {
    return { head: page.head, visibleFrom: page.visible_from };
  }

  #shown(page: MessagePage): TimelineItem[] {
    const cursors = this.details?.cursors ?? [];
    const known = new Map(page.items.map((message) => [message.seq, message]));
    return page.items.map((message) => {
      const quoted = message.reply_to === null ? undefined : known.get(message.reply_to);
      return {
        kind: 'message',
        value: {
          message,
          nonce: null,
          status: message.sender === this.app.me ? statusOf(message.seq, this.app.me, cursors) : null,
          sender_name: null,
          reply: quoted
            ? { seq: quoted.seq, sender: quoted.sender, sender_name: null, text: quoted.text }
            : message.reply_to === null
              ? null
              : { seq: message.reply_to, sender: '', sender_name: null, text: null },
          change_queued: false,
        },
      };
    });
  }
}

const NONE: TimelineItem = {
  kind: 'notice',
  value: { seq: 0, ts: 0, sender: '', sender_name: null, what: { kind: 'settings', body: {} } },
};

/** How far an own message has come, by everybody's cursors. */
export function statusOf(seq: number, me: string, cursors: readonly Cursor[]): MessageStatus {
  const others = cursors.filter(({ user }) => user !== me);
  if (others.length === 0) return { state: 'sent' };
  if (others.every(({ read }) => read >= seq)) return { state: 'read' };
  if (others.every(({ delivered }) => delivered >= seq)) return { state: 'delivered' };
  return { state: 'sent' };
}
