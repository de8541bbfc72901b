/** What `docs/benchmarks.md` says of the web client; runs only when asked: `LOQUAT_FIGURES=1 npm run e2e -- figures`. */
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, test } from 'vitest';
import { PASSWORD, Person, launch } from './browser';
import { Load, meter } from './load';
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
  const vitals: Vitals[] = [];
  for (let round = 0; round < 5; round += 1) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const start = performance.now();
    await page.goto(service.url);
    await page.getByLabel('Password', { exact: true }).waitFor();
    cold.push(performance.now() - start);
    vitals.push(await vitalsOf(page));
    await context.close();
  }
  tell(`cold to the sign-in screen: ${percentiles(cold)}`);
  tell(`first contentful paint: ${percentiles(vitals.map(({ first }) => first))}; largest: ${percentiles(vitals.map(({ largest }) => largest))}`);
  tell(`layout shift: at most ${Math.max(...vitals.map(({ shift }) => shift)).toFixed(3)}; blocked: at most ${Math.max(...vitals.map(({ blocked }) => blocked)).toFixed(0)} ms`);
  const before = service.wire.carried;
  const ada = await Person.arrive(browser, service, 'Ada');
  await ada.page.getByText('No conversations yet').waitFor();
  tell(`carried to a fresh browser until the chat is usable: ${service.wire.carried - before} bytes, headers included`);
  const ben = await Person.arrive(browser, service, 'Ben');
  const usable: number[] = [];
  await ada.openWith('Ben');
  await ada.write('hello');
  await ben.row('Ada').click();
  await ben.message('hello').waitFor();
  // A cold browser of somebody who has an account: from the press on "Sign in" to the list.
  for (let round = 0; round < 5; round += 1) {
    const context = await browser.newContext({ locale: 'en-GB' });
    const page = await context.newPage();
    await page.goto(service.url);
    await page.getByLabel('Username, e-mail or phone').fill('ada');
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    const start = performance.now();
    await page.locator('form button[type=submit]').click();
    await page.getByRole('navigation').getByRole('link').first().waitFor();
    usable.push(performance.now() - start);
    await context.close();
  }
  tell(`from "Sign in" to the list of chats in a fresh browser: ${percentiles(usable)}`);
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
  const many = Number(process.env.LOQUAT_FIGURES_MESSAGES ?? MESSAGES);
  const load = await Load.of(service, 'carla');
  const last = await load.groups(CONVERSATIONS);
  await load.messages(last, many);
  const carla = await Person.arrive(browser, service, 'Carla', { mode: 'login' });
  await carla.row(`Group ${CONVERSATIONS - 1}`).waitFor();
  const measured = await meter(carla.page);
  const list = await measured.scroll('.rows', 140, 400);
  tell(`script a frame while ${CONVERSATIONS} conversations scroll: ${list.toFixed(2)} ms`);
  await carla.row(`Group ${CONVERSATIONS - 1}`).waitFor({ state: 'attached' }).catch(() => undefined);
  await carla.page.evaluate((id) => history.pushState(null, '', `/c/${id}`), last);
  await carla.page.evaluate(() => dispatchEvent(new PopStateEvent('popstate')));
  await carla.page.locator('article').first().waitFor();
  const chat = await measured.scroll('[role=log]', -160, 600);
  tell(`script a frame while ${many} messages scroll up: ${chat.toFixed(2)} ms`);
  const long = await measured.longTasks();
  tell(`tasks over 50 ms: ${long.length}${long.length > 0 ? `, the longest ${Math.max(...long).toFixed(0)} ms` : ''}`);
  tell(`heap of the page: ${((await measured.heap()) / 1e6).toFixed(1)} MB; entries in the page: ${await carla.page.locator('article').count()}`);
  tell(`resident memory of the page's process, worker and engine included: ${(await resident(browser) / 1e6).toFixed(0)} MB`);
  await carla.leave();
});

/** What Lighthouse looks at first: paints in milliseconds, the sum of layout shifts, what tasks took above 50 ms. */
interface Vitals {
  first: number;
  largest: number;
  shift: number;
  blocked: number;
}

function vitalsOf(page: Page): Promise<Vitals> {
  return page.evaluate(async () => {
    const entries = (type: string) =>
      new Promise<PerformanceEntry[]>((resolve) => {
        const observer = new PerformanceObserver((list) => resolve(list.getEntries()));
        observer.observe({ type, buffered: true });
        requestAnimationFrame(() => setTimeout(() => resolve([]), 100));
      });
    const sum = (list: PerformanceEntry[], of: (entry: PerformanceEntry) => number) => list.reduce((total, entry) => total + of(entry), 0);
    const [largest, shifts, tasks] = await Promise.all([entries('largest-contentful-paint'), entries('layout-shift'), entries('longtask')]);
    return {
      first: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0,
      largest: largest.at(-1)?.startTime ?? 0,
      shift: sum(shifts, (entry) => (entry as PerformanceEntry & { value: number }).value),
      blocked: sum(tasks, ({ duration }) => duration - 50),
    };
  });
}

/** The resident memory of the largest process that shows pages, in bytes. */
async function resident(of: Browser): Promise<number> {
  const session = await of.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const sizes = processInfo
    .filter(({ type }) => type === 'renderer')
    .map(({ id }) => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1] ?? 0) * 1024);
  return Math.max(...sizes);
}
