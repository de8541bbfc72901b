/**
 * The only scripts that the page starts: its worker and the service worker. The page's Trusted Types let no other text
 * become the address of a script.
 */
import workerUrl from './worker/main?worker&url';

interface Policy {
  createScriptURL(url: string): string;
}

interface Factory {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): Policy;
}

const SERVICE_WORKER = '/service-worker.js';

function allowed(url: string): string {
  if (url === workerUrl || url === SERVICE_WORKER) return url;
  throw new TypeError('not a script of this client');
}

const factory = (globalThis as { trustedTypes?: Factory }).trustedTypes;
const policy: Policy = factory?.createPolicy('loquat', { createScriptURL: allowed }) ?? {
  createScriptURL: allowed,
};

export function startWorker(): Worker {
  return new Worker(policy.createScriptURL(workerUrl), { type: 'module', name: 'loquat' });
}

export function startServiceWorker(): void {
  if (!('serviceWorker' in navigator) || import.meta.env.DEV) return;
  const start = () => void navigator.serviceWorker.register(policy.createScriptURL(SERVICE_WORKER)).catch(() => undefined);
  // After the page has what it needs.
  if (document.readyState === 'complete') start();
  else addEventListener('load', start, { once: true });
}
