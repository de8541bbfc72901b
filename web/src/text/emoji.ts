/** Emoji with their names in the user's language; loaded when first wanted. */
import type { Language } from '../state/settings.svelte';

export interface Emoji {
  unicode: string;
  label: string;
  group: number;
  words: string;
}

interface Compact {
  unicode: string;
  label: string;
  tags?: string[];
  group?: number;
}

const loaded = new Map<Language, Promise<Emoji[]>>();

export function loadEmoji(language: Language): Promise<Emoji[]> {
  let found = loaded.get(language);
  if (!found) {
    found = read(language);
    loaded.set(language, found);
  }
  return found;
}

async function read(language: Language): Promise<Emoji[]> {
  const { default: list } = language === 'de' ? await import('emojibase-data/de/compact.json') : await import('emojibase-data/en/compact.json');
  return (list as Compact[])
    .filter(({ group }) => group !== undefined && group !== 2)
    .map(({ unicode, label, tags = [], group = 8 }) => ({
      unicode,
      label,
      group,
      words: [label, ...tags].join(' ').toLowerCase(),
    }));
}

/** Those whose name or a word about them begins with every word of the query; names first. */
export function searchEmoji(list: readonly Emoji[], query: string, limit: number): Emoji[] {
  const wanted = query.toLowerCase().split(/[\s_]+/).filter(Boolean);
  if (wanted.length === 0) return [];
  const fits = (text: string) => wanted.every((word) => text === word || text.startsWith(word) || text.includes(` ${word}`));
  const byName: Emoji[] = [];
  const byWord: Emoji[] = [];
  for (const emoji of list) {
    if (fits(emoji.label.toLowerCase())) byName.push(emoji);
    else if (fits(emoji.words)) byWord.push(emoji);
    if (byName.length >= limit) break;
  }
  return [...byName, ...byWord].slice(0, limit);
}
