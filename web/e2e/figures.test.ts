/** What `docs/benchmarks.md` says of the web client; runs only when asked: `LOQUAT_FIGURES=1 npm run e2e -- figures`. */
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, test } from 'vitest';
import { PASSWORD, Person, launch } from './browser';
import { Service } from './service';

const wanted = process.env.LOQUAT_FIGURES !== undefined;
const CONVERSATIONS = 1000;
const MESSAGES = 100_000;
let service: Service;
let browser: Browser;
const lines: string[] = [];

function tell(line: string): void {
  lines.push(line);
  console.log(line);
}

function percentiles(values: number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return `p50 ${at(0.5).toFixed(0)} ms, p95 ${at(0.95).toFixed(0)} ms`;
}

async function call<T>(token: string | null, method: string, path: string, body?: object): Promise<T> {
  const answer = await fetch(service.url + path, {
    method,
    headers: { 'Content-Type': 'application/json', ...(token ? { Authorization: `Bearer ${token}` } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

beforeAll(async () => {
  if (wanted) [service, browser] = await Promise.all([Service.start(), launch()]);
});
afterAll(async () => {
  if (!wanted) return;
  await browser.close();
  await service.stop();
  writeFileSync(process.env.LOQUAT_FIGURES_FILE ?? join('dist', '..', 'figures.txt'), lines.join('\n') + '\n');
});

test.skipIf(!wanted)('bytes by asset', () => {
  const assets = join('dist', 'assets');
  for (const name of readdirSync(assets).filter((name) => !/\.(br|gz)$/.test(name)).sort()) {
    const size = (suffix: string) => {
      try {
        return statSync(join(assets, name + suffix)).size;
      } catch {
        return null;
      }
    };
    tell(`${name}: ${size('')} bytes, brotli ${size('.br')}, gzip ${size('.gz')}`);
  }
});

test.skipIf(!wanted)('time to usable, and from send to paint', async () => {
  const cold: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const start = performance.now();
    await page.goto(service.url);
    await page.getByLabel('Password', { exact: true }).waitFor();
    cold.push(performance.now() - start);
    await context.close();
  }
  tell(`cold to the sign-in screen: ${percentiles(cold)}`);
  const ada = await Person.arrive(browser, service, 'Ada');
  const ben = await Person.arrive(browser, service, 'Ben');
  await ada.openWith('Ben');
  await ada.write('hello');
  await ben.row('Ada').click();
  await ben.message('hello').waitFor();
  const transferred = await ada.page.evaluate(() =>
    performance.getEntriesByType('resource').reduce((sum, entry) => sum + (entry as PerformanceResourceTiming).encodedBodySize, 0),
  );
  tell(`fetched by the page until the chat is usable: ${transferred} bytes (the worker's own fetches not included)`);
  await ada.installed();
  const warm: number[] = [];
  for (let round = 0; round < 10; round += 1) {
    const start = performance.now();
    await ada.page.reload();
    await ada.message('hello').first().waitFor();
    warm.push(performance.now() - start);
  }
  tell(`warm to the last conversation: ${percentiles(warm)}`);
  const painted: number[] = [];
  for (let round = 0; round < 40; round += 1) {
    await ada.composer().fill(`paint ${round}`);
    painted.push(
      await ada.page.evaluate(async (text) => {
        const log = document.querySelector('[role=log]');
        const field = document.querySelector('textarea');
        if (!log || !field) throw new Error('no chat');
        const start = performance.now();
        const done = new Promise<number>((resolve) => {
          const look = new MutationObserver(() => {
            if (![...log.querySelectorAll('article')].at(-1)?.textContent?.includes(text)) return;
            look.disconnect();
            requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - start)));
          });
          look.observe(log, { childList: true, subtree: true, characterData: true });
        });
        field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
        return done;
      }, `paint ${round}`),
    );
  }
  tell(`send to paint: ${percentiles(painted)}`);
  const received: number[] = [];
  for (let round = 0; round < 40; round += 1) {
    const seen = ben.page.evaluate(
      (text) =>
        new Promise<number>((resolve) => {
          const look = new MutationObserver(() => {
            if (![...document.querySelectorAll('article')].at(-1)?.textContent?.includes(text)) return;
            look.disconnect();
            requestAnimationFrame(() => setTimeout(() => resolve(performance.timeOrigin + performance.now())));
          });
          look.observe(document.body, { childList: true, subtree: true, characterData: true });
        }),
      `arrives ${round}.`,
    );
    await ada.composer().fill(`arrives ${round}.`);
    const start = await ada.page.evaluate(() => {
      document.querySelector('textarea')?.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
      return performance.timeOrigin + performance.now();
    });
    received.push((await seen) - start);
  }
  tell(`send in one browser to paint in the other: ${percentiles(received)}`);
  await ada.leave();
  await ben.leave();
});

test.skipIf(!wanted)('long lists and long conversations', { timeout: 900_000 }, async () => {
  const { access_token: token } = await call<{ access_token: string }>(null, 'POST', '/v1/auth/signup', { username: 'carla', password: PASSWORD });
  let last = '';
  for (let place = 0; place < CONVERSATIONS; place += 1) {
    last = (await call<{ id: string }>(token, 'POST', '/v1/conversations', { kind: 'group', members: [], title: `Group ${place}` })).id;
  }
  const many = Number(process.env.LOQUAT_FIGURES_MESSAGES ?? MESSAGES);
  const batch = 64;
  for (let place = 0; place < many; place += batch) {
    await Promise.all(Array.from({ length: batch }, (_, at) => call(token, 'POST', `/v1/conversations/${last}/messages`, { nonce: `n${place + at}`, text: `message ${place + at} of a long conversation` })));
  }
  const carla = await Person.arrive(browser, service, 'Carla', { mode: 'login' });
  await carla.row(`Group ${CONVERSATIONS - 1}`).waitFor();
  await carla.page.evaluate(() => {
    const long: number[] = [];
    Object.assign(globalThis, { long });
    new PerformanceObserver((list) => long.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' });
  });
  const session = await carla.context.newCDPSession(carla.page);
  await session.send('Performance.enable');
  const script = async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    const of = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? 0;
    return { script: of('ScriptDuration') * 1000, heap: of('JSHeapUsedSize') };
  };
  const scroll = async (selector: string, by: number, frames: number) => {
    const before = await script();
    await carla.page.evaluate(
      async ({ selector, by, frames }) => {
        const box = document.querySelector(selector);
        for (let frame = 0; box && frame < frames; frame += 1) {
          box.scrollTop += by;
          await new Promise((resolve) => requestAnimationFrame(resolve));
        }
      },
      { selector, by, frames },
    );
    const after = await script();
    return (after.script - before.script) / frames;
  };
  const list = await scroll('.rows', 140, 400);
  tell(`script a frame while ${CONVERSATIONS} conversations scroll: ${list.toFixed(2)} ms`);
  await carla.row(`Group ${CONVERSATIONS - 1}`).waitFor({ state: 'attached' }).catch(() => undefined);
  await carla.page.evaluate((id) => history.pushState(null, '', `/c/${id}`), last);
  await carla.page.evaluate(() => dispatchEvent(new PopStateEvent('popstate')));
  await carla.page.locator('article').first().waitFor();
  const chat = await scroll('[role=log]', -160, 600);
  tell(`script a frame while ${many} messages scroll up: ${chat.toFixed(2)} ms`);
  const long = await carla.page.evaluate(() => (globalThis as unknown as { long: number[] }).long);
  tell(`tasks over 50 ms: ${long.length}${long.length > 0 ? `, the longest ${Math.max(...long).toFixed(0)} ms` : ''}`);
  tell(`heap of the page: ${((await script()).heap / 1e6).toFixed(1)} MB; entries in the page: ${await carla.page.locator('article').count()}`);
  await carla.leave();
});
