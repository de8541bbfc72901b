/** Where in the client the user is, as the address says. */
export type Place =
  | { at: 'home' }
  | { at: 'chat'; conversation: string; seq: number | null; details: boolean }
  | { at: 'join'; code: string }
  | { at: 'settings' };

export function placeOf(path: string): Place {
  const [first, second, third] = path.split('/').filter(Boolean).map(decodeURIComponent);
  if (first === 'c' && second && /^\d{1,16}$/.test(second)) {
    const seq = third && /^\d{1,15}$/.test(third) ? Number(third) : null;
    return { at: 'chat', conversation: second, seq, details: third === 'details' };
  }
  if (first === 'join' && second) return { at: 'join', code: second };
  if (first === 'settings') return { at: 'settings' };
  return { at: 'home' };
}

export function pathOf(place: Place): string {
  switch (place.at) {
    case 'home':
      return '/';
    case 'chat':
      return `/c/${place.conversation}${place.details ? '/details' : place.seq === null ? '' : `/${place.seq}`}`;
    case 'join':
      return `/join/${encodeURIComponent(place.code)}`;
    case 'settings':
      return '/settings';
  }
}

class Router {
  place = $state.raw<Place>(placeOf(location.pathname));

  constructor() {
    addEventListener('popstate', () => {
      this.place = placeOf(location.pathname);
    });
  }

  /** Goes somewhere. On a phone, back leads to the list again. */
  go(place: Place, replace = false): void {
    const path = pathOf(place);
    if (path !== location.pathname) {
      if (replace) history.replaceState(null, '', path);
      else history.pushState({ inside: true }, '', path);
    }
    this.place = place;
  }

  open(conversation: string, seq: number | null = null): void {
    const replace = this.place.at === 'chat' && this.place.conversation === conversation;
    this.go({ at: 'chat', conversation, seq, details: false }, replace);
  }

  /** One step back where that stays in the client, else to the list. */
  back(): void {
    const state: unknown = history.state;
    if (typeof state === 'object' && state !== null && 'inside' in state) history.back();
    else this.go({ at: 'home' }, true);
  }
}

export const router = new Router();
