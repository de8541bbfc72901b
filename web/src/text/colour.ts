/** The colour of a person or conversation: chosen (`avatar` is `colour:<place>`), else drawn from the id. */
export const COLOURS = 10;

export function colourOf(id: string, avatar: string | null | undefined): number {
  const chosen = /^colour:(\d)$/.exec(avatar ?? '');
  if (chosen) return Number(chosen[1]);
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + letter.charCodeAt(0)) % 9973;
  return sum % COLOURS;
}

/** One or two letters that stand for a name. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const first = [...(words[0] ?? '?')][0] ?? '?';
  const last = words.length > 1 ? ([...(words.at(-1) ?? '')][0] ?? '') : '';
  return (first + last).toLocaleUpperCase();
}
