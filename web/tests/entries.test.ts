import { expect, test } from 'vitest';
import type { MessageView, TimelineItem } from '../src/protocol/types';
import { type Frame, entriesOf } from '../src/state/entries';

const NOON = new Date(2026, 4, 4, 12).getTime();

function message(seq: number, sender: string, ts = NOON + seq * 1000, fields: Partial<MessageView> = {}): TimelineItem {
  return {
    kind: 'message',
    value: {
      message: {
        conversation: '71', seq, ts, sender, text: `text ${seq}`, format: 'plain', reply_to: null, mentions: [],
        attachments: [], edited_at: null, deleted: false, pinned: false, reactions: [],
      },
      nonce: null, status: null, sender_name: null, reply: null, change_queued: false, ...fields,
    },
  };
}

const frame: Frame = { me: '12', unreadAfter: null, blocked: new Set(), deleting: new Set(), cursors: [] };
const kinds = (items: TimelineItem[], fields: Partial<Frame> = {}) =>
  entriesOf(items, { ...frame, ...fields }).map((entry) => (entry.kind === 'message' ? entry.view.message.seq : entry.kind));

test('days are headed, and the divider stands before the first new message of another', () => {
  const items = [message(1, '13', NOON - 86_400_000), message(2, '12'), message(3, '12'), message(4, '13')];
  expect(kinds(items)).toEqual(['day', 1, 'day', 2, 3, 4]);
  expect(kinds(items, { unreadAfter: 1 })).toEqual(['day', 1, 'day', 2, 3, 'unread', 4]);
  expect(kinds(items, { unreadAfter: 4 })).toEqual(['day', 1, 'day', 2, 3, 4]);
});

test('messages of one writer within five minutes stand together', () => {
  const entries = entriesOf([message(1, '13'), message(2, '13'), message(3, '12'), message(4, '12', NOON + 600_000)], frame);
  const grouped = entries.filter((entry) => entry.kind === 'message').map(({ first, last }) => [first, last]);
  expect(grouped).toEqual([[true, false], [false, true], [true, true], [true, true]]);
});

test('blocked writers and messages about to be deleted are not shown', () => {
  const items = [message(1, '13'), message(2, '14'), message(3, '12')];
  expect(kinds(items, { blocked: new Set(['13']), deleting: new Set(['71/3']) })).toEqual(['day', 2]);
});

test('readers stand at the newest message that they have read, and not at their own', () => {
  const cursors = [{ user: '12', delivered: 9, read: 9 }, { user: '13', delivered: 3, read: 2 }, { user: '14', delivered: 3, read: 3 }];
  const entries = entriesOf([message(1, '12'), message(2, '12'), message(3, '14')], { ...frame, cursors });
  expect(entries.filter((entry) => entry.kind === 'message').map(({ readers }) => readers)).toEqual([[], ['13'], []]);
});

test('keys tell queued messages apart before they have a place', () => {
  const queued = [message(0, '12', NOON, { nonce: 'a' }), message(0, '12', NOON, { nonce: 'b' })];
  expect(entriesOf(queued, frame).map(({ key }) => key).slice(1)).toEqual(['qa', 'qb']);
});
