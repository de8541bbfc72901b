import 'fake-indexeddb/auto';
import { beforeEach, expect, test } from 'vitest';
import type { Conversation, Event, Operation, Progress, QueuedChange } from '../src/protocol/types';
import { Store } from '../src/worker/store';

let store: Store;
let place = 0;

beforeEach(async () => {
  place += 1;
  store = await Store.open(`store-${place}`);
});

function event(seq: number, kind: Event['kind'], body: Event['body'], conversation = '71'): Event {
  return { conversation, seq, ts: seq, sender: '12', device: null, kind, body };
}

const message = (seq: number, conversation = '71') => event(seq, 'message', { text: `text ${seq}` }, conversation);
const seqs = (events: Event[]) => events.map(({ seq }) => seq);
const put = (...events: Event[]): Operation => ({ op: 'put_events', value: events });

test('events of one log come ascending above a place, gaps or not, and of no other log', async () => {
  await store.apply([put(message(1), message(2), message(4)), put(message(3, '72'))]);
  expect(seqs(await store.load({ query: 'events', conversation: '71', after: 1, limit: 10 }))).toEqual([2, 4]);
  expect(seqs(await store.load({ query: 'events', conversation: '71', after: 0, limit: 2 }))).toEqual([1, 2]);
  expect(await store.load({ query: 'events', conversation: '73', after: 0, limit: 2 })).toEqual([]);
});

test('what is there already is not changed, and the rest of the batch is written', async () => {
  await store.apply([put(message(1))]);
  await store.apply([put(event(1, 'message', { text: 'another' }), message(2))]);
  const events = await store.load({ query: 'events', conversation: '71', after: 0, limit: 10 });
  expect(events.map(({ body }) => body)).toEqual([{ text: 'text 1' }, { text: 'text 2' }]);
});

test('a page is what is shown below a place, not below the floor, and all that targets it', async () => {
  const edit = event(5, 'edit', { target: 2, text: 'new' });
  const reaction = event(6, 'reaction', { target: 1, emoji: '👍', on: true });
  await store.apply([put(message(1), message(2), message(3), event(4, 'pin', { target: 3, on: true }), edit, reaction, message(7))]);
  const page = (before: number, floor: number, limit: number) =>
    store.load({ query: 'page', conversation: '71', before, floor, limit });
  expect(seqs(await page(7, 1, 2))).toEqual([2, 3, 4, 5]);
  expect(seqs(await page(8, 1, 10))).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(seqs(await page(4, 2, 10))).toEqual([2, 3, 4, 5]);
  expect(seqs(await page(1, 1, 10))).toEqual([]);
});

test('a page is gathered over more events than are read at once', async () => {
  const log = Array.from({ length: 400 }, (_, at) => (at % 4 === 0 ? message(at + 1) : event(at + 1, 'reaction', { target: at - (at % 4) + 1, emoji: '👍', on: true })));
  await store.apply([put(...log)]);
  const page = await store.load({ query: 'page', conversation: '71', before: 401, floor: 1, limit: 50 });
  expect(page.filter(({ kind }) => kind === 'message').length).toBe(50);
  expect(page[0]?.seq).toBe(201);
  expect(page.length).toBe(200);
});

test('messages by their places come with what targets them', async () => {
  await store.apply([put(message(1), message(2), event(3, 'edit', { target: 1, text: 'new' }), message(4))]);
  expect(seqs(await store.load({ query: 'messages', conversation: '71', seqs: [1, 4, 9] }))).toEqual([1, 3, 4]);
});

test('erasing takes a message and its edits, and nothing else', async () => {
  await store.apply([put(message(1), message(2), event(3, 'edit', { target: 1, text: 'new' }), event(4, 'reaction', { target: 1, emoji: '👍', on: true }))]);
  await store.apply([{ op: 'erase', value: { conversation: '71', target: 1 } }]);
  const events = await store.load({ query: 'events', conversation: '71', after: 0, limit: 10 });
  expect(events.map(({ body }) => body === null)).toEqual([true, false, true, false]);
  expect(seqs(await store.load({ query: 'messages', conversation: '71', seqs: [1] }))).toEqual([1, 4]);
});

test('what has expired goes up to its place, with edits and reactions', async () => {
  await store.apply([put(message(1), message(2), message(3), event(4, 'edit', { target: 1, text: 'new' }), event(5, 'reaction', { target: 2, emoji: '👍', on: true }), event(6, 'edit', { target: 3, text: 'kept' }))]);
  await store.apply([{ op: 'erase_up_to', value: { conversation: '71', upto: 2 } }]);
  const events = await store.load({ query: 'events', conversation: '71', after: 0, limit: 10 });
  expect(events.map(({ body }) => body === null)).toEqual([true, true, false, true, true, false]);
});

const progress: Progress = { head: 4, ranges: [[1, 4]], delivered: 4, read: 2, repeat_cursors: false, whole: false, draft: 'half', draft_unsent: true };
const conversation = { id: '71', title: 'Harvest' } as Conversation;
const change = (order: number, nonce: string): QueuedChange => ({
  order,
  conversation: '71',
  nonce,
  change: { kind: 'delete', target: 1 },
  created_at: 1,
  failed: null,
});

test('messages are found by the beginnings of their words, by their text of now, the newest first', async () => {
  const written = (seq: number, text: string, conversation = '71') => event(seq, 'message', { text }, conversation);
  await store.apply([
    { op: 'put_conversation', value: { id: '71' } as Conversation },
    { op: 'put_conversation', value: { id: '72' } as Conversation },
    put(written(1, 'The ladder is in the shed'), written(2, 'a LADDER, please'), written(3, 'gone ladder'), written(4, '日本語の文章'), event(5, 'delete', { target: 3 }), event(6, 'edit', { target: 2, text: 'new words' })),
    put(written(9, 'ladder elsewhere', '72')),
  ]);
  for (const [text, where, expected] of [
    ['ladder', null, [9, 1]], ['Lad', '71', [1]], ['adder', null, []], ['shed ladder', null, [1]], ['new', null, [2]], ['本語', null, [4]], ['', null, []],
  ] as const) expect((await store.search(text, where, 10)).map(({ seq }) => seq), text).toEqual(expected);
});

test('an engine starts from what was written, the queue in order', async () => {
  await store.apply([
    { op: 'put_conversation', value: conversation },
    { op: 'put_progress', value: ['71', progress] },
    { op: 'put_change', value: change(10, 'b') },
    { op: 'put_change', value: change(2, 'c') },
    { op: 'put_change', value: change(3, 'gone') },
    { op: 'remove_change', value: 'gone' },
    { op: 'put_sync', value: { since: 'token', account_pos: 7 } },
  ]);
  const restored = await store.restore();
  expect(restored.conversations).toEqual([[conversation, progress]]);
  expect(restored.queue.map(({ nonce }) => nonce)).toEqual(['c', 'b']);
  expect(restored.sync).toEqual({ since: 'token', account_pos: 7 });
});

test('a conversation leaves with its log and its queue; a log leaves alone', async () => {
  await store.apply([{ op: 'put_conversation', value: conversation }, put(message(1), message(2, '72')), { op: 'put_change', value: change(1, 'a') }]);
  await store.apply([{ op: 'forget_log', value: '71' }]);
  expect(await store.load({ query: 'events', conversation: '71', after: 0, limit: 10 })).toEqual([]);
  expect((await store.restore()).queue.length).toBe(1);
  await store.apply([{ op: 'remove_conversation', value: '71' }]);
  const restored = await store.restore();
  expect([restored.conversations, restored.queue]).toEqual([[], []]);
  expect(seqs(await store.load({ query: 'events', conversation: '72', after: 0, limit: 10 }))).toEqual([2]);
});

test('a batch that fails leaves nothing', async () => {
  const bad = { op: 'put_conversation', value: { title: 'without an id' } } as unknown as Operation;
  await expect(store.apply([put(message(1)), bad])).rejects.toThrow();
  expect(await store.load({ query: 'events', conversation: '71', after: 0, limit: 10 })).toEqual([]);
});

test('signing out leaves nothing', async () => {
  await store.apply([put(message(1)), { op: 'put_conversation', value: conversation }]);
  await store.putSetting('session', { user: 1 });
  await store.wipe();
  expect(await store.setting('session')).toBeUndefined();
  expect((await store.restore()).conversations).toEqual([]);
});
