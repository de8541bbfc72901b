/** What a timeline shows, from what the engine holds: days, the divider of what is new, groups of one writer. */
import type { Cursor, MessageView, Notice, TimelineItem, UserId } from '../protocol/types';
import { dayOf } from '../text/format';

export type Entry =
  | { kind: 'day'; key: string; ts: number }
  | { kind: 'unread'; key: 'unread' }
  | { kind: 'notice'; key: string; notice: Notice }
  | { kind: 'message'; key: string; view: MessageView; first: boolean; last: boolean; readers: UserId[] };

/** Messages of one writer within this time stand together, in milliseconds. */
const TOGETHER = 5 * 60_000;

export interface Frame {
  me: UserId;
  /** Messages of others after this are new; `null` shows no divider. */
  unreadAfter: number | null;
  /** Whose messages are hidden. */
  blocked: ReadonlySet<UserId>;
  /** Keys (`conversation/seq`) of messages that are about to be deleted. */
  deleting: ReadonlySet<string>;
  /** Whose read cursors are shown under messages; empty in direct conversations. */
  cursors: readonly Cursor[];
}

export function keyOf(item: TimelineItem): string {
  if (item.kind === 'notice') return `n${item.value.seq}`;
  const { message, nonce } = item.value;
  return message.seq > 0 ? `m${message.seq}` : `q${nonce ?? message.ts}`;
}

export function seqOf(item: TimelineItem): number {
  return item.kind === 'notice' ? item.value.seq : item.value.message.seq;
}

export function entriesOf(items: readonly TimelineItem[], frame: Frame): Entry[] {
  const entries: Entry[] = [];
  let day = Number.NaN;
  let divided = frame.unreadAfter === null;
  let previous: (Entry & { kind: 'message' }) | null = null;
  for (const item of items) {
    if (isFounding(item)) continue;
    const ts = item.kind === 'notice' ? item.value.ts : item.value.message.ts;
    const sender = item.kind === 'notice' ? item.value.sender : item.value.message.sender;
    if (item.kind === 'message') {
      const { message } = item.value;
      if (frame.blocked.has(sender) || frame.deleting.has(`${message.conversation}/${message.seq}`)) continue;
    }
    if (dayOf(ts) !== day) {
      day = dayOf(ts);
      entries.push({ kind: 'day', key: `d${day}`, ts });
      previous = null;
    }
    const isNew = seqOf(item) > (frame.unreadAfter ?? Infinity) && sender !== frame.me;
    if (!divided && isNew && item.kind === 'message') {
      divided = true;
      entries.push({ kind: 'unread', key: 'unread' });
      previous = null;
    }
    if (item.kind === 'notice') {
      entries.push({ kind: 'notice', key: keyOf(item), notice: item.value });
      previous = null;
      continue;
    }
    const joins: boolean =
      previous !== null &&
      previous.view.message.sender === sender &&
      ts - previous.view.message.ts < TOGETHER &&
      item.value.reply === null;
    if (joins && previous) previous.last = false;
    previous = { kind: 'message', key: keyOf(item), view: item.value, first: !joins, last: true, readers: [] };
    entries.push(previous);
  }
  placeReaders(entries, frame);
  return entries;
}

/** Who makes a conversation enters it with its second event: the first has said so already. */
function isFounding(item: TimelineItem): boolean {
  if (item.kind !== 'notice' || item.value.seq !== 2 || item.value.what.kind !== 'member') return false;
  const [{ user, by }] = item.value.what.body;
  return user === by;
}

/** Each reader stands at the newest message that they have read. */
function placeReaders(entries: Entry[], { me, cursors }: Frame): void {
  const waiting = cursors.filter(({ user, read }) => user !== me && read > 0).sort((a, b) => b.read - a.read);
  let next = 0;
  for (let place = entries.length - 1; place >= 0 && next < waiting.length; place -= 1) {
    const entry = entries[place];
    if (entry?.kind !== 'message' || entry.view.message.seq === 0) continue;
    while (next < waiting.length && (waiting[next]?.read ?? 0) >= entry.view.message.seq) {
      const user = waiting[next]?.user;
      if (user && user !== entry.view.message.sender) entry.readers.push(user);
      next += 1;
    }
  }
}
