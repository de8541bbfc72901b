/** Contacts, requests and blocks: asked of the server, and again when the account log says so. */
import { SvelteSet } from 'svelte/reactivity';
import type { Profile, UserId } from '../protocol/types';
import type { Client } from './client.svelte';

/** A user as the lists of the service tell of them: an id or a whole profile. */
type Listed = UserId | Profile | { user: UserId | Profile; profile?: Profile };

export interface ContactRequest {
  user: UserId;
  direction: 'in' | 'out';
  created_at: number;
}

function idOf(listed: Listed): UserId {
  if (typeof listed === 'string') return listed;
  if ('user' in listed) return idOf(listed.user);
  return listed.id;
}

export class Contacts {
  readonly #client: Client;
  readonly contacts = new SvelteSet<UserId>();
  readonly blocked = new SvelteSet<UserId>();
  requests = $state.raw<ContactRequest[]>([]);
  /** Whether the server has this at all. */
  available = $state(false);

  constructor(client: Client) {
    this.#client = client;
  }

  clear(): void {
    this.contacts.clear();
    this.blocked.clear();
    this.requests = [];
  }

  async load(): Promise<void> {
    try {
      const [contacts, blocks, requests] = await Promise.all([
        this.#client.rest<{ items: Listed[] }>('GET', '/v1/contacts?limit=200'),
        this.#client.rest<{ items: Listed[] }>('GET', '/v1/blocks?limit=200'),
        this.#client.rest<{ items: { user: Listed; direction: 'in' | 'out'; created_at: number }[] }>(
          'GET',
          '/v1/contacts/requests?limit=200',
        ),
      ]);
      this.#fill(this.contacts, contacts.items);
      this.#fill(this.blocked, blocks.items);
      this.requests = requests.items.map((it) => ({ ...it, user: idOf(it.user) }));
      this.available = true;
      for (const user of [...this.contacts, ...this.blocked, ...this.requests.map((it) => it.user)]) {
        void this.#client.obey({ kind: 'learn_profile', value: user });
      }
    } catch {
      // Asked again with the next event or sign-in.
    }
  }

  #fill(set: SvelteSet<UserId>, items: Listed[]): void {
    const fresh = new Set(items.map(idOf));
    for (const user of [...set]) if (!fresh.has(user)) set.delete(user);
    for (const user of fresh) set.add(user);
  }

  async request(user: UserId): Promise<void> {
    await this.#client.rest('POST', '/v1/contacts/requests', { user });
    await this.load();
  }

  async accept(user: UserId): Promise<void> {
    await this.#client.rest('POST', `/v1/contacts/requests/${user}/accept`);
    await this.load();
  }

  async decline(user: UserId): Promise<void> {
    await this.#client.rest('POST', `/v1/contacts/requests/${user}/decline`);
    await this.load();
  }

  async remove(user: UserId): Promise<void> {
    await this.#client.rest('DELETE', `/v1/contacts/${user}`);
    await this.load();
  }

  async block(user: UserId, on: boolean): Promise<void> {
    await this.#client.rest(on ? 'PUT' : 'DELETE', `/v1/blocks/${user}`);
    await this.load();
  }
}
