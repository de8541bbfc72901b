/** Long conversations and long lists, made by REST, and what scrolling through them costs. */
import type { Page } from 'playwright-core';
import { PASSWORD } from './browser';
import type { Service } from './service';

/** Requests at once. */
const TOGETHER = 64;
const GROUPS_TOGETHER = 16;

export class Load {
  readonly #service: Service;
  readonly #token: string;

  private constructor(service: Service, token: string) {
    this.#service = service;
    this.#token = token;
  }

  /** Signs somebody up. */
  static async of(service: Service, username: string): Promise<Load> {
    const { access_token: token } = await call<{ access_token: string }>(service, null, '/v1/auth/signup', { username, password: PASSWORD });
    return new Load(service, token);
  }

  /** Makes so many groups, named `Group 0` and on; returns the id of the last. */
  async groups(count: number): Promise<string> {
    const make = (place: number) => call<{ id: string }>(this.#service, this.#token, '/v1/conversations', { kind: 'group', members: [], title: `Group ${place}` });
    for (let place = 0; place < count - 1; place += GROUPS_TOGETHER) {
      await Promise.all(Array.from({ length: Math.min(GROUPS_TOGETHER, count - 1 - place) }, (_, at) => make(place + at)));
    }
    return (await make(count - 1)).id;
  }

  /** Writes so many messages. */
  async messages(conversation: string, count: number): Promise<void> {
    for (let place = 0; place < count; place += TOGETHER) {
      const wave = Array.from({ length: Math.min(TOGETHER, count - place) }, (_, at) => place + at);
      await Promise.all(
        wave.map((at) => call(this.#service, this.#token, `/v1/conversations/${conversation}/messages`, { nonce: `n${at}`, text: `message ${at} of a long conversation` })),
      );
    }
  }
}

async function call<T>(service: Service, token: string | null, path: string, body: object): Promise<T> {
  const answer = await fetch(service.url + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(token ? { Authorization: `Bearer ${token}` } : {}) },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

export interface Meter {
  /** Scrolls so many frames, so many pixels each; the script's share of a frame, in milliseconds. */
  scroll(selector: string, by: number, frames: number): Promise<number>;
  /** The heap of the page, in bytes. */
  heap(): Promise<number>;
  /** How long tasks of more than 50 ms took since the meter was made. */
  longTasks(): Promise<number[]>;
}

export async function meter(page: Page): Promise<Meter> {
  await page.evaluate(() => {
    const long: number[] = [];
    Object.assign(globalThis, { long });
    new PerformanceObserver((list) => long.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' });
  });
  const session = await page.context().newCDPSession(page);
  // Time of the page's thread, not of the clock: others may use the machine as well.
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const metric = async (wanted: string) => {
    const { metrics } = await session.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === wanted)?.value ?? 0;
  };
  return {
    scroll: async (selector, by, frames) => {
      const before = await metric('ScriptDuration');
      await page.evaluate(
        async ({ selector, by, frames }) => {
          const box = document.querySelector(selector);
          for (let frame = 0; box && frame < frames; frame += 1) {
            box.scrollTop += by;
            await new Promise((resolve) => requestAnimationFrame(resolve));
          }
        },
        { selector, by, frames },
      );
      return (((await metric('ScriptDuration')) - before) * 1000) / frames;
    },
    heap: () => metric('JSHeapUsedSize'),
    longTasks: () => page.evaluate(() => (globalThis as unknown as { long: number[] }).long),
  };
}
