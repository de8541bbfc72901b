// The shell of the client, so that it opens without a network. Nothing of a conversation is kept here: that is in the
// store of the worker. Files with a hash in their name never change; the page itself is fetched anew when it can be.
const SHELL = __SHELL__;
const CACHE = 'loquat-__VERSION__';

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(SHELL))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  const isOther = url.origin !== self.location.origin || url.pathname.startsWith('/v1/');
  if (event.request.method !== 'GET' || isOther) return;
  if (event.request.mode === 'navigate') {
    event.respondWith(page(event.request));
  } else if (SHELL.includes(url.pathname) || url.pathname.startsWith('/assets/')) {
    event.respondWith(kept(event.request, url.pathname));
  }
});

/** The newest page within a moment, else the one that is kept. */
async function page(request) {
  const cache = await caches.open(CACHE);
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), 3000);
  try {
    // By address: a request for a page takes no options.
    const answer = await fetch(request.url, { signal: limit.signal, credentials: 'same-origin' });
    if (answer.ok) return answer;
    return (await cache.match('/')) ?? answer;
  } catch {
    return (await cache.match('/')) ?? Response.error();
  } finally {
    clearTimeout(timer);
  }
}

async function kept(request, path) {
  const cache = await caches.open(CACHE);
  const found = await cache.match(path);
  if (found) return found;
  const answer = await fetch(request);
  if (answer.ok && path.startsWith('/assets/')) await cache.put(path, answer.clone());
  return answer;
}

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  const path = event.notification.data?.path ?? '/';
  event.waitUntil(
    self.clients.matchAll({ type: 'window' }).then((windows) => {
      const open = windows[0];
      if (!open) return self.clients.openWindow(path);
      open.postMessage({ navigate: path });
      return open.focus();
    }),
  );
});
