/** What the page does besides showing: title and badge, presence, who is watched, shortcuts of the whole page. */
import type { App } from './app.svelte';
import { router } from './router.svelte';

/** Without a look at the page for this long, the user is away. */
const AWAY_AFTER = 5 * 60_000;
const WATCHED = 300;

interface Badge {
  setAppBadge?(count: number): Promise<void>;
  clearAppBadge?(): Promise<void>;
}

/** To be called while a component is made; ends with it. */
export function watchPage(of: () => App): void {
  const app = of();
  $effect(() => {
    const count = app.phase === 'ready' ? app.model.unread : 0;
    document.title = count > 0 ? `(${count > 99 ? '99+' : count}) Loquat` : 'Loquat';
    const badge: Badge = navigator;
    if (count > 0) void badge.setAppBadge?.(count).catch(() => undefined);
    else void badge.clearAppBadge?.().catch(() => undefined);
  });

  let watched = '';
  $effect(() => {
    if (app.phase !== 'ready' || !app.model.told) return;
    const peers: string[] = [];
    for (const id of app.model.order) {
      const peer = app.model.conversations.get(id)?.peer;
      if (peer && peers.length < WATCHED) peers.push(peer);
    }
    const list = peers.join();
    if (list === watched) return;
    watched = list;
    void app.quietly(() => app.client.obey({ kind: 'watch', value: peers }));
  });

  $effect(() => {
    if (app.phase !== 'ready') return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let away = false;
    const say = (state: 'online' | 'away') => void app.quietly(() => app.client.obey({ kind: 'set_status', value: state }));
    const look = () => {
      clearTimeout(timer);
      if (document.hidden) {
        timer = setTimeout(() => {
          away = true;
          say('away');
        }, AWAY_AFTER);
      } else {
        void app.client.ask({ kind: 'reconnect' });
        if (away) say('online');
        away = false;
      }
    };
    const leave = () => app.settleDeletions();
    const told = ({ data }: MessageEvent<unknown>) => {
      if (typeof data === 'object' && data !== null && 'navigate' in data && typeof data.navigate === 'string') {
        const [, , conversation, seq] = data.navigate.split('/');
        if (conversation) router.open(conversation, seq ? Number(seq) : null);
      }
    };
    document.addEventListener('visibilitychange', look);
    addEventListener('pagehide', leave);
    navigator.serviceWorker?.addEventListener('message', told);
    return () => {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', look);
      removeEventListener('pagehide', leave);
      navigator.serviceWorker?.removeEventListener('message', told);
    };
  });
}
