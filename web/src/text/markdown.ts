/**
 * The markdown of chats, parsed to nodes: paragraphs, quotes, lists, code, emphasis, links. What a writer typed never
 * becomes HTML; a link is one only if it is http(s) or mailto. Plain texts get links and nothing else.
 */
export type Inline =
  | { kind: 'text'; text: string }
  | { kind: 'code'; text: string }
  | { kind: 'strong' | 'emphasis' | 'struck'; children: Inline[] }
  | { kind: 'link'; href: string; host: string; children: Inline[] }
  | { kind: 'mention'; name: string };

export type Block =
  | { kind: 'paragraph'; children: Inline[] }
  | { kind: 'quote'; children: Block[] }
  | { kind: 'list'; ordered: boolean; start: number; items: Inline[][] }
  | { kind: 'code'; text: string };

/** Deeper nesting is shown as it was typed. */
const DEPTH = 6;
const URL_PATTERN = /\bhttps?:\/\/[^\s<>"'`]+/g;
const MENTION = /(^|[^\w@])@([a-z0-9_.]{3,32})/gi;

/** A link's address and host, if it is one to follow. */
export function safeLink(text: string): { href: string; host: string } | null {
  try {
    const url = new URL(text);
    if (url.protocol === 'mailto:') return { href: url.href, host: url.pathname };
    if (url.protocol !== 'https:' && url.protocol !== 'http:') return null;
    return { href: url.href, host: url.host };
  } catch {
    return null;
  }
}

export function parsePlain(text: string): Block[] {
  return [{ kind: 'paragraph', children: linkify(text) }];
}

export function parseMarkdown(text: string, depth = 0): Block[] {
  const lines = text.split('\n');
  const blocks: Block[] = [];
  let paragraph: string[] = [];
  const flush = () => {
    if (paragraph.length > 0) blocks.push({ kind: 'paragraph', children: parseInline(paragraph.join('\n')) });
    paragraph = [];
  };
  for (let place = 0; place < lines.length; ) {
    const line = lines[place] ?? '';
    const fence = /^\s{0,3}```/.test(line);
    const list = /^\s{0,3}(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/.exec(line);
    if (fence) {
      flush();
      const end = lines.findIndex((other, at) => at > place && /^\s{0,3}```\s*$/.test(other));
      const last = end < 0 ? lines.length : end;
      blocks.push({ kind: 'code', text: lines.slice(place + 1, last).join('\n') });
      place = last + 1;
    } else if (/^\s{0,3}>/.test(line) && depth < DEPTH) {
      flush();
      const quoted: string[] = [];
      while (place < lines.length && /^\s{0,3}>/.test(lines[place] ?? '')) {
        quoted.push((lines[place] ?? '').replace(/^\s{0,3}> ?/, ''));
        place += 1;
      }
      blocks.push({ kind: 'quote', children: parseMarkdown(quoted.join('\n'), depth + 1) });
    } else if (list) {
      flush();
      const ordered = list[1] !== undefined;
      const pattern = ordered ? /^\s{0,3}\d{1,9}[.)]\s+(.*)$/ : /^\s{0,3}[-*+]\s+(.*)$/;
      const items: Inline[][] = [];
      for (let item = pattern.exec(line); item; item = pattern.exec(lines[place] ?? '')) {
        items.push(parseInline(item[1] ?? ''));
        place += 1;
      }
      blocks.push({ kind: 'list', ordered, start: Number(list[1] ?? 1), items });
    } else if (line.trim() === '') {
      flush();
      place += 1;
    } else {
      paragraph.push(line);
      place += 1;
    }
  }
  flush();
  return blocks;
}

const MARKS: [string, 'strong' | 'emphasis' | 'struck'][] = [
  ['**', 'strong'],
  ['__', 'strong'],
  ['~~', 'struck'],
  ['*', 'emphasis'],
  ['_', 'emphasis'],
];

function parseInline(text: string, depth = 0): Inline[] {
  const out: Inline[] = [];
  let plain = '';
  const flush = () => {
    if (plain) out.push(...linkify(plain));
    plain = '';
  };
  for (let place = 0; place < text.length; ) {
    const rest = text.slice(place);
    const escaped = /^\\([\\`*_~[\]()>#@-])/.exec(rest);
    const code = text[place] === '`' ? codeAt(text, place) : null;
    const link = depth < DEPTH && text[place] === '[' ? /^\[([^\]\n]{1,500})\]\(([^()\s]{1,2000})\)/.exec(rest) : null;
    const url = /^https?:\/\/[^\s<>"'`]+/.exec(rest);
    const mark = depth < DEPTH ? markAt(text, place) : null;
    if (escaped) {
      plain += escaped[1];
      place += 2;
    } else if (code) {
      if (code.inner === null) plain += text.slice(place, place + code.length);
      else {
        flush();
        out.push({ kind: 'code', text: code.inner.replace(/^ (.+) $/, '$1') });
      }
      place += code.length;
    } else if (url) {
      plain += url[0];
      place += url[0].length;
    } else if (link && safeLink(link[2] ?? '')) {
      flush();
      const safe = safeLink(link[2] ?? '');
      if (safe) out.push({ kind: 'link', ...safe, children: [{ kind: 'text', text: link[1] ?? '' }] });
      place += link[0].length;
    } else if (mark) {
      flush();
      out.push({ kind: mark.kind, children: parseInline(mark.inner, depth + 1) });
      place += mark.length;
    } else {
      plain += text[place];
      place += 1;
    }
  }
  flush();
  return out;
}

/** Code between two runs of as many backticks; a run without its like is text. */
function codeAt(text: string, place: number): { inner: string | null; length: number } {
  const run = /^`+/.exec(text.slice(place))?.[0] ?? '`';
  const start = place + run.length;
  for (let at = text.indexOf(run, start + 1); at >= 0; ) {
    let end = at + run.length;
    while (text[end] === '`') end += 1;
    if (text[at - 1] !== '`' && end - at === run.length) return { inner: text.slice(start, at), length: end - place };
    at = text.indexOf(run, end);
  }
  return { inner: null, length: run.length };
}

function markAt(text: string, place: number) {
  for (const [sign, kind] of MARKS) {
    if (!text.startsWith(sign, place)) continue;
    const start = place + sign.length;
    const before = text[place - 1] ?? ' ';
    if (/\s/.test(text[start] ?? ' ') || (sign[0] === '_' && /\w/.test(before))) continue;
    const end = text.indexOf(sign, start + 1);
    if (end < 0 || /\s/.test(text[end - 1] ?? ' ')) continue;
    if (sign[0] === '_' && /\w/.test(text[end + sign.length] ?? ' ')) continue;
    if (sign === '*' && text[end + 1] === '*') continue;
    return { kind, inner: text.slice(start, end), length: end + sign.length - place };
  }
  return null;
}

/** Addresses and mentions in a text without other marks. */
function linkify(text: string): Inline[] {
  const out: Inline[] = [];
  let last = 0;
  for (const match of text.matchAll(URL_PATTERN)) {
    // A sentence's point at the end is not part of the address.
    const address = match[0].replace(/[.,;:!?)\]]+$/, '');
    const safe = safeLink(address);
    if (!safe) continue;
    out.push(...mentions(text.slice(last, match.index)));
    out.push({ kind: 'link', ...safe, children: [{ kind: 'text', text: address }] });
    last = match.index + address.length;
  }
  out.push(...mentions(text.slice(last)));
  return out;
}

function mentions(text: string): Inline[] {
  const out: Inline[] = [];
  let last = 0;
  for (const match of text.matchAll(MENTION)) {
    const at = match.index + (match[1]?.length ?? 0);
    const name = (match[2] ?? '').replace(/\.+$/, '');
    if (at > last) out.push({ kind: 'text', text: text.slice(last, at) });
    out.push({ kind: 'mention', name });
    last = at + 1 + name.length;
  }
  if (last < text.length) out.push({ kind: 'text', text: text.slice(last) });
  return out;
}

/** Whether a text uses marks, so that it is sent as markdown. */
export function hasMarks(text: string): boolean {
  return parseMarkdown(text).some((block) =>
    block.kind === 'paragraph'
      ? block.children.some(({ kind }) => kind !== 'text' && kind !== 'mention' && kind !== 'link') ||
        /\[[^\]]+\]\([^)]+\)/.test(text)
      : true,
  );
}

/** A text in one line without its marks: for quotes, pinned messages and lists. */
export function flatten(text: string): string {
  // Most texts have no mark at all.
  if (!/[*_~`>[\-+\n]|\d[.)]/.test(text) || !hasMarks(text)) return text;
  return parseMarkdown(text).map(flatBlock).join(' ');
}

function flatBlock(block: Block): string {
  switch (block.kind) {
    case 'paragraph':
      return flatInline(block.children);
    case 'quote':
      return block.children.map(flatBlock).join(' ');
    case 'list':
      return block.items.map((item) => `• ${flatInline(item)}`).join(' ');
    case 'code':
      return block.text;
  }
}

function flatInline(nodes: Inline[]): string {
  return nodes
    .map((node) => {
      if (node.kind === 'text' || node.kind === 'code') return node.text;
      return node.kind === 'mention' ? `@${node.name}` : flatInline(node.children);
    })
    .join('');
}

/** Whether a text is a few emoji and nothing else: shown large. */
export function isOnlyEmoji(text: string): boolean {
  const trimmed = text.trim();
  if (trimmed.length === 0 || trimmed.length > 32) return false;
  return /^(?:\p{Extended_Pictographic}(?:\uFE0F|\u200D|\p{Emoji_Modifier}|\p{Extended_Pictographic})*|\p{Regional_Indicator}{2}|\s)+$/u.test(trimmed);
}
