/** Notifications of new messages, for a page that is open and not looked at. */
import type { Message } from '../protocol/types';
import type { App } from './app.svelte';
import { router } from './router.svelte';
import { settings, t } from './settings.svelte';

/** Whether a message is to be told, by what the user chose. */
export function isToldOf(
  message: Pick<Message, 'conversation' | 'mentions' | 'sender'>,
  state: {
    me: string;
    notify: boolean;
    doNotDisturb: boolean;
    mutedUntil: number | null;
    archived: boolean;
    blocked: boolean;
    looking: boolean;
    now: number;
  },
): boolean {
  if (message.sender === state.me || !state.notify || state.doNotDisturb || state.blocked || state.looking) return false;
  const muted = state.archived || (state.mutedUntil !== null && state.mutedUntil > state.now);
  return !muted || message.mentions.includes(state.me);
}

export function notifyOf(app: App, message: Message): void {
  const line = app.model.conversations.get(message.conversation);
  const looking =
    document.hasFocus() && router.place.at === 'chat' && router.place.conversation === message.conversation;
  const told = isToldOf(message, {
    me: app.me,
    notify: settings.notify,
    doNotDisturb: settings.doNotDisturb,
    mutedUntil: line?.muted_until ?? null,
    archived: line?.archived ?? false,
    blocked: app.contacts.blocked.has(message.sender),
    looking,
    now: Date.now(),
  });
  if (!told || typeof Notification === 'undefined' || Notification.permission !== 'granted') return;
  const name = app.nameOf(message.sender);
  const title = line && line.kind !== 'direct' ? `${name} · ${line.title}` : name;
  const options: NotificationOptions = {
    body: message.text ?? t().notify.hidden,
    icon: '/icon-192.png',
    // One for each conversation, and one over all tabs.
    tag: `${message.conversation}`,
    data: { path: `/c/${message.conversation}/${message.seq}` },
  };
  void show(title, options, message);
}

async function show(title: string, options: NotificationOptions, message: Message): Promise<void> {
  const registration = await navigator.serviceWorker?.getRegistration();
  if (registration) {
    await registration.showNotification(title, options);
    return;
  }
  const notification = new Notification(title, options);
  notification.onclick = () => {
    window.focus();
    router.open(message.conversation, message.seq);
    notification.close();
  };
}
