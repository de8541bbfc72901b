import { expect, test } from 'vitest';
import { de } from '../src/i18n/de';
import { en } from '../src/i18n/en';
import { statusOf } from '../src/state/chat.svelte';
import { isToldOf } from '../src/state/notify';
import { searchEmoji } from '../src/text/emoji';
import { day } from '../src/text/format';
import { flatten, hasMarks, isOnlyEmoji, parseMarkdown, parsePlain, safeLink } from '../src/text/markdown';
import { uuidV7 } from '../src/text/uuid';

test('markdown becomes nodes, and what is no mark stays as it was typed', () => {
  const inline = (text: string) => JSON.stringify(parseMarkdown(text).map((block) => (block.kind === 'paragraph' ? block.children : block)));
  for (const [text, expected] of [
    ['plain', '[[{"kind":"text","text":"plain"}]]'],
    ['**b**', '[[{"kind":"strong","children":[{"kind":"text","text":"b"}]}]]'],
    ['2 * 3 * 4', '[[{"kind":"text","text":"2 * 3 * 4"}]]'],
    ['snake_case_name', '[[{"kind":"text","text":"snake_case_name"}]]'],
    ['`**a**`', '[[{"kind":"code","text":"**a**"}]]'],
    ['\\*a\\*', '[[{"kind":"text","text":"*a*"}]]'],
    ['**open', '[[{"kind":"text","text":"**open"}]]'],
    ['<b>x</b>', '[[{"kind":"text","text":"<b>x</b>"}]]'],
    ['hi @ada.', '[[{"kind":"text","text":"hi "},{"kind":"mention","name":"ada"},{"kind":"text","text":"."}]]'],
  ]) expect(inline(text ?? ''), text).toBe(expected);
  expect(parseMarkdown('- a\n- b\n\n> q\n\n```\nx < y\n```').map(({ kind }) => kind)).toEqual(['list', 'quote', 'code']);
});

test('links lead to the web and to mail only', () => {
  for (const bad of ['javascript:alert(1)', 'data:text/html,x', 'vbscript:x', 'file:///etc/passwd', 'no link', '//host']) expect(safeLink(bad), bad).toBeNull();
  expect(safeLink('https://example.org/a')?.host).toBe('example.org');
  expect(JSON.stringify(parseMarkdown('[x](javascript:alert(1))'))).not.toContain('"link"');
  const [block] = parsePlain('see https://example.org/a, then');
  expect(JSON.stringify(block)).toContain('"href":"https://example.org/a"');
});

test('hostile texts are parsed in little time', () => {
  for (const text of ['*'.repeat(16_000), '['.repeat(16_000), '`'.repeat(16_000), '> '.repeat(4_000), '_a'.repeat(8_000), '@'.repeat(16_000)]) {
    const start = performance.now();
    parseMarkdown(text);
    expect(performance.now() - start, text.slice(0, 4)).toBeLessThan(1000);
  }
});

test('a text with marks is sent as markdown, one without as it stands', () => {
  for (const [text, marks] of [['hi', false], ['**hi**', true], ['- a', true], ['https://example.org/_a_', false], ['a_b_c', false], ['`x`', true]] as const) expect(hasMarks(text), text).toBe(marks);
  for (const [text, only] of [['👍', true], ['👍🏽 🎉', true], ['🇩🇪', true], ['👩‍👩‍👧', true], ['ok 👍', false], ['1', false], ['', false]] as const) expect(isOnlyEmoji(text), text).toBe(only);
});

test('a quote or a line of the list shows a text without its marks', () => {
  expect(flatten('Then **Saturday**:\n- at _7_\n- bring [gloves](https://example.org)')).toBe('Then Saturday: • at 7 • bring gloves');
  expect(flatten('> said\n\n`x` @ada')).toBe('said x @ada');
  expect(flatten('5 * 3 - 2, a_b')).toBe('5 * 3 - 2, a_b');
});

test('numbers take the form of their language', () => {
  expect([en.chat.members(1), en.chat.members(2), de.chat.members(1), de.chat.members(5)]).toEqual(['1 member', '2 members', '1 Mitglied', '5 Mitglieder']);
  expect(de.emoji.groups.length).toBe(en.emoji.groups.length);
});

test('days are called by their names', () => {
  const now = new Date(2026, 4, 4, 12).getTime();
  const words = { today: 'Today', yesterday: 'Yesterday' };
  expect(day('en', words, now - 3_600_000, now)).toBe('Today');
  expect(day('en', words, now - 86_400_000, now)).toBe('Yesterday');
  expect(day('de', words, now - 5 * 86_400_000, now)).toBe('Mittwoch, 29. April');
  expect(day('de', words, new Date(2024, 1, 29).getTime(), now)).toBe('Donnerstag, 29. Februar 2024');
});

test('an own message is as far as the slowest of the others', () => {
  const cursors = (read: number, delivered: number) => [{ user: '12', read: 9, delivered: 9 }, { user: '13', read: 9, delivered: 9 }, { user: '14', read, delivered }];
  expect(statusOf(5, '12', cursors(5, 5)).state).toBe('read');
  expect(statusOf(5, '12', cursors(4, 5)).state).toBe('delivered');
  expect(statusOf(5, '12', cursors(4, 4)).state).toBe('sent');
});

test('notifications follow mute, do not disturb, mentions and where the user looks', () => {
  const message = { conversation: '71', sender: '13', mentions: [] as string[] };
  const state = { me: '12', notify: true, doNotDisturb: false, mutedUntil: null, archived: false, blocked: false, looking: false, now: 100 };
  expect(isToldOf(message, state)).toBe(true);
  for (const fields of [{ notify: false }, { doNotDisturb: true }, { mutedUntil: 101 }, { archived: true }, { blocked: true }, { looking: true }]) expect(isToldOf(message, { ...state, ...fields }), JSON.stringify(fields)).toBe(false);
  expect(isToldOf(message, { ...state, mutedUntil: 99 })).toBe(true);
  expect(isToldOf({ ...message, mentions: ['12'] }, { ...state, mutedUntil: 101 })).toBe(true);
  expect(isToldOf({ ...message, sender: '12' }, state)).toBe(false);
});

test('emoji are found by the beginnings of their words, names first', () => {
  const list = [
    { unicode: 'a', label: 'red heart', group: 0, words: 'red heart love' },
    { unicode: 'b', label: 'lovely face', group: 0, words: 'lovely face' },
    { unicode: 'c', label: 'glove', group: 0, words: 'glove hand' },
  ];
  expect(searchEmoji(list, 'lov', 5).map(({ unicode }) => unicode)).toEqual(['b', 'a']);
  expect(searchEmoji(list, 'red_he', 5).map(({ unicode }) => unicode)).toEqual(['a']);
});

test('nonces are UUIDs of version 7, in the order of time', () => {
  const [first, second] = [uuidV7(1000), uuidV7(2000)];
  expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(first < second).toBe(true);
});
