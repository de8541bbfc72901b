/** The first screen: who comes in, who does not, and what it costs to get there. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PASSWORD, Person, checkAccess, launch } from './browser';
import { Service } from './service';

/** Compressed script and style before the sign-in screen, in bytes. */
const FIRST_SCREEN = 150_000;
/** Everything that is carried to a browser until the chat is usable, in bytes, WebAssembly and headers included. */
const IN_ALL = 1_200_000;

let service: Service;
let browser: Browser;

beforeAll(async () => {
  [service, browser] = await Promise.all([Service.start(), launch()]);
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

/** What a page and its worker have fetched, in compressed bytes by address. */
async function fetched(page: Page): Promise<Map<string, number>> {
  const list = () => performance.getEntriesByType('resource').map((entry) => [entry.name, (entry as PerformanceResourceTiming).encodedBodySize] as const);
  const [worker] = page.workers();
  if (!worker) throw new Error('the page has no worker');
  return new Map([...(await page.evaluate(list)), ...(await worker.evaluate(list))]);
}

test('the first load keeps its budgets', async () => {
  const context = await browser.newContext({ locale: 'en-GB' });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  await page.goto(service.url);
  await page.getByLabel('Password', { exact: true }).waitFor();
  const files = await fetched(page);
  const scripts = [...files].filter(([name]) => /\.(js|css)$/.test(name));
  // The page's script and style, and the worker's script.
  expect(scripts.length).toBeGreaterThanOrEqual(3);
  expect(scripts.every(([, size]) => size > 0)).toBe(true);
  expect(scripts.reduce((sum, [, size]) => sum + size, 0)).toBeLessThanOrEqual(FIRST_SCREEN);
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByLabel('Username').fill('early');
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.locator('form button[type=submit]').click();
  await page.getByText('No conversations yet').waitFor();
  expect([...(await fetched(page)).keys()].some((name) => name.endsWith('.wasm'))).toBe(true);
  expect(service.wire.carried).toBeLessThanOrEqual(IN_ALL);
  await context.close();
});

test('38 the first screen says what is wrong and what to do', async () => {
  const taken = await Person.arrive(browser, service, 'Taken');
  await taken.leave();
  const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1180, height: 780 } });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  await page.goto(service.url);
  const submit = page.locator('form button[type=submit]');
  await page.getByLabel('Password', { exact: true }).waitFor();
  await checkAccess(page, 'sign in');
  await page.emulateMedia({ colorScheme: 'dark' });
  await checkAccess(page, 'sign in, dark');
  await page.getByLabel('Username, e-mail or phone').fill('taken');
  await page.getByLabel('Password', { exact: true }).fill('not the password');
  await submit.click();
  await page.getByRole('alert').getByText('That name and password do not match.').waitFor();
  await checkAccess(page, 'sign in, refused');
  await page.getByRole('button', { name: 'Create account' }).click();
  await checkAccess(page, 'sign up');
  await page.getByLabel('Username').fill('taken');
  await submit.click();
  await page.getByRole('alert').getByText('That username is taken.').waitFor();
  service.wire.cut();
  await page.getByLabel('Username').fill('somebody');
  await submit.click();
  await page.getByRole('alert').getByText('The server cannot be reached.').waitFor();
  service.wire.mend();
  await submit.click();
  await page.getByRole('navigation', { name: 'Chats' }).waitFor();
  await context.close();
});

test('40 the first screen speaks the language of the browser, and another when asked', async () => {
  const context = await browser.newContext({ locale: 'de-DE' });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  await page.goto(service.url);
  await page.getByLabel('Passwort', { exact: true }).waitFor();
  expect(await page.evaluate(() => document.documentElement.lang)).toBe('de');
  await page.getByLabel('Sprache').selectOption('en');
  await page.getByLabel('Password', { exact: true }).waitFor();
  await context.close();
});
