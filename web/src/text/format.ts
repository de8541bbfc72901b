/** Dates and times in a language. */
const formats = new Map<string, Intl.DateTimeFormat>();

function format(language: string, name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${language} ${name}`;
  let found = formats.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat(language === 'en' ? undefinedIfEnglish() : language, options);
    formats.set(key, found);
  }
  return found;
}

/** English of the user's own country, where the browser knows one: hours and order of dates differ. */
function undefinedIfEnglish(): string {
  return navigator.languages.find((tag) => tag.toLowerCase().startsWith('en')) ?? 'en-GB';
}

const DAY = 86_400_000;

export function dayOf(ts: number): number {
  return new Date(ts).setHours(0, 0, 0, 0);
}

export function time(language: string, ts: number): string {
  return format(language, 'time', { hour: '2-digit', minute: '2-digit' }).format(ts);
}

export function full(language: string, ts: number): string {
  return format(language, 'full', { dateStyle: 'full', timeStyle: 'short' }).format(ts);
}

/** The heading of a day. */
export function day(language: string, words: { today: string; yesterday: string }, ts: number, now = Date.now()): string {
  const days = Math.round((dayOf(now) - dayOf(ts)) / DAY);
  if (days === 0) return words.today;
  if (days === 1) return words.yesterday;
  const sameYear = new Date(ts).getFullYear() === new Date(now).getFullYear();
  return format(language, `day${sameYear}`, {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    ...(sameYear ? {} : { year: 'numeric' }),
  }).format(ts);
}

/** For the list: the time of today, the day of this week, else the date. */
export function short(language: string, ts: number, now = Date.now()): string {
  const days = Math.round((dayOf(now) - dayOf(ts)) / DAY);
  if (days === 0) return time(language, ts);
  if (days > 0 && days < 7) return format(language, 'weekday', { weekday: 'short' }).format(ts);
  return format(language, 'date', { day: '2-digit', month: '2-digit', year: '2-digit' }).format(ts);
}

/** How long ago, in words. */
export function ago(language: string, justNow: string, ts: number, now = Date.now()): string {
  const minutes = Math.round((ts - now) / 60_000);
  const relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
  if (minutes > -1) return justNow;
  if (minutes > -60) return relative.format(minutes, 'minute');
  if (minutes > -60 * 24) return relative.format(Math.round(minutes / 60), 'hour');
  return relative.format(Math.round(minutes / 60 / 24), 'day');
}
