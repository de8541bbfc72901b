/** What the user chose on this browser: kept by the browser, not by the server. */
import { de } from '../i18n/de';
import { en, type Words } from '../i18n/en';

export type Theme = 'system' | 'light' | 'dark';
export type Language = 'en' | 'de';

const LANGUAGES: Record<Language, Words> = { en, de };
const KEY = 'loquat-settings';

interface Kept {
  theme: Theme;
  language: Language;
  notify: boolean;
  doNotDisturb: boolean;
  recentEmoji: string[];
}

function preferred(): Language {
  return navigator.languages.some((tag) => tag.toLowerCase().startsWith('de')) &&
    !navigator.languages[0]?.toLowerCase().startsWith('en')
    ? 'de'
    : 'en';
}

function load(): Kept {
  const kept: Kept = { theme: 'system', language: preferred(), notify: false, doNotDisturb: false, recentEmoji: [] };
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    if (typeof found !== 'object' || found === null) return kept;
    const { theme, language, notify, doNotDisturb, recentEmoji } = found as Partial<Record<keyof Kept, unknown>>;
    if (theme === 'light' || theme === 'dark') kept.theme = theme;
    if (language === 'en' || language === 'de') kept.language = language;
    kept.notify = notify === true;
    kept.doNotDisturb = doNotDisturb === true;
    if (Array.isArray(recentEmoji)) kept.recentEmoji = recentEmoji.filter((it) => typeof it === 'string').slice(0, 24);
  } catch {
    // What is not readable is not kept.
  }
  return kept;
}

class Settings {
  #kept = $state(load());

  get theme(): Theme { return this.#kept.theme; }
  get language(): Language { return this.#kept.language; }
  get notify(): boolean { return this.#kept.notify; }
  get doNotDisturb(): boolean { return this.#kept.doNotDisturb; }
  get recentEmoji(): string[] { return this.#kept.recentEmoji; }

  change(fields: Partial<Kept>): void {
    Object.assign(this.#kept, fields);
    localStorage.setItem(KEY, JSON.stringify(this.#kept));
    this.apply();
  }

  usedEmoji(emoji: string): void {
    this.change({ recentEmoji: [emoji, ...this.recentEmoji.filter((it) => it !== emoji)].slice(0, 24) });
  }

  /** Puts theme and language on the page. */
  apply(): void {
    const root = document.documentElement;
    root.lang = this.language;
    if (this.theme === 'system') delete root.dataset.theme;
    else root.dataset.theme = this.theme;
  }

  /** Other tabs take it over. */
  follow(): void {
    window.addEventListener('storage', (event) => {
      if (event.key !== KEY) return;
      this.#kept = load();
      this.apply();
    });
  }
}

export const settings = new Settings();

/** The words in the language of now. Reading them in a component makes it follow the language. */
export const t: () => Words = () => LANGUAGES[settings.language];
