/** Long conversations, phones, and where the user is in them. */
import type { Browser, Locator } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { PASSWORD, Person, checkAccess, describeFailure, launch, until } from './browser';
import { Service } from './service';

const MESSAGES = 400;
/** Says nothing of long presses. */
const PHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1';
let conversation = '';
let service: Service;
let browser: Browser;
let ada: Person;
let ben: Person;

async function tokenOf(person: Person): Promise<string> {
  const answer = await fetch(`${service.url}/v1/auth/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ login: person.username, password: PASSWORD }),
  });
  return ((await answer.json()) as { access_token: string }).access_token;
}

/** Writes many messages by REST, in the name of a page's user. */
async function writeMany(person: Person, count: number): Promise<void> {
  const { url } = service;
  const token = await tokenOf(person);
  for (let place = 1; place <= count; place += 1) {
    const sent = await fetch(`${url}/v1/conversations/${conversation}/messages`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
      body: JSON.stringify({ nonce: `many-${place}`, text: `message ${place}` }),
    });
    if (!sent.ok) throw new Error(`not sent: ${sent.status}`);
  }
}

beforeAll(async () => {
  [service, browser] = await Promise.all([Service.start(), launch()]);
  ada = await Person.arrive(browser, service, 'Ada');
  ben = await Person.arrive(browser, service, 'Ben', { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true, userAgent: PHONE });
  await ada.openWith('Ben');
  await ada.write('hello');
  await ben.row('Ada').waitFor();
  conversation = new URL(ada.page.url()).pathname.split('/')[2] ?? '';
  await ada.page.goto(service.url);
  await writeMany(ben, MESSAGES);
});

/** Scrolls by so much, and tells how far what was in view then moved by itself, in pixels. */
function scroll(log: Locator, by: number): Promise<number> {
  return log.evaluate(async (node, by) => {
    node.scrollTop = Math.max(node.scrollTop + by, 0);
    const { top } = node.getBoundingClientRect();
    const anchor = [...node.querySelectorAll('article')].find((it) => it.getBoundingClientRect().bottom > top + 4);
    const before = anchor?.getBoundingClientRect().top ?? 0;
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve, 60))));
    return anchor?.isConnected ? Math.abs(anchor.getBoundingClientRect().top - before) : 0;
  }, by);
}
afterEach(({ task }) => describeFailure(task, 'long', [ada, ben]));
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

test('6, 7 an opened conversation begins at what is new; one step leads to the latest, with the count', async () => {
  await ada.row('Ben').click();
  await ada.page.getByRole('separator', { name: 'New messages' }).waitFor({ state: 'attached' });
  const latest = ada.page.getByRole('button', { name: /jump to the latest|Jump to the latest/ });
  expect(await latest.getAttribute('aria-label')).toMatch(/^\d+ new messages/);
  await latest.click();
  await ada.message(`message ${MESSAGES}`).waitFor();
  await latest.waitFor({ state: 'detached' });
  // The end stays in view when there is less room.
  await ada.page.setViewportSize({ width: 1180, height: 500 });
  const last = ada.message(`message ${MESSAGES}`);
  await until(() => last.evaluate((node) => node.getBoundingClientRect().bottom <= (node.closest('[role=log]')?.getBoundingClientRect().bottom ?? 0) + 1), 'the end in view');
  await ada.page.setViewportSize({ width: 1180, height: 780 });
});

test('8 older messages come without a jump, down to the beginning', { timeout: 120_000 }, async () => {
  const log = ada.page.getByRole('log');
  for (let step = 0; step < 200; step += 1) {
    if (await ada.page.getByText('The beginning of this conversation').isVisible()) break;
    expect(await scroll(log, -400)).toBeLessThan(3);
  }
  await ada.message('hello').first().waitFor();
});

test('10, 8, 30 a date leads to its first message, newer ones come without a jump; a pin of long ago is shown', { timeout: 120_000 }, async () => {
  const log = ada.page.getByRole('log');
  const pinned = await fetch(`${service.url}/v1/conversations/${conversation}/pins/3`, { method: 'PUT', headers: { Authorization: `Bearer ${await tokenOf(ada)}` } });
  expect(pinned.ok).toBe(true);
  await ada.page.goto(`${service.url}/c/${conversation}`);
  await ada.message(`message ${MESSAGES}`).waitFor();
  await ada.page.locator('.pins').getByText('message 2').waitFor();
  await ada.page.getByRole('button', { name: 'More', exact: true }).click();
  await ada.page.getByRole('menuitem', { name: 'Jump to a date' }).click();
  const today = await ada.page.evaluate(() => new Date().toLocaleDateString('sv'));
  await ada.page.getByLabel('Jump to a date').fill(today);
  await checkAccess(ada.page, 'jump to a date');
  await ada.page.getByRole('button', { name: 'Go', exact: true }).click();
  await ada.page.locator('article.highlighted').filter({ hasText: 'hello' }).waitFor();
  const last = ada.message(`message ${MESSAGES}`);
  for (let step = 0; step < 200; step += 1) {
    if (await last.isVisible()) break;
    expect(await scroll(log, 400)).toBeLessThan(3);
  }
  await last.waitFor();
  await ada.page.locator('.pins').click();
  await ada.page.locator('article.highlighted').filter({ hasText: 'message 2' }).waitFor();
});

test('9 a conversation opens where it was left', async () => {
  const log = ada.page.getByRole('log');
  const was = await log.evaluate((node) => [...node.querySelectorAll('article')].find((it) => it.getBoundingClientRect().bottom > node.getBoundingClientRect().top + 4)?.textContent ?? '');
  await ada.page.getByRole('button', { name: 'Settings' }).click();
  await ada.row('Ben').click();
  await until(async () => (await log.evaluate((node) => [...node.querySelectorAll('article')].find((it) => it.getBoundingClientRect().bottom > node.getBoundingClientRect().top + 4)?.textContent ?? '')) === was, 'the same message on top');
});

test('28 on a phone there is one pane, and back leads to the list', async () => {
  await ben.row('Ada').click();
  await ben.composer().waitFor();
  expect(await ben.page.getByRole('navigation').isVisible()).toBe(false);
  await checkAccess(ben.page, 'phone chat');
  expect(await ben.page.locator('meta[name=viewport]').getAttribute('content')).toContain('viewport-fit=cover');
  await ben.picture('phone-chat');
  // A long press opens the menu of a message.
  const box = await ben.message(`message ${MESSAGES}`).locator('.bubble').boundingBox();
  const touch = await ben.context.newCDPSession(ben.page);
  await touch.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [{ x: (box?.x ?? 0) + 10, y: (box?.y ?? 0) + 10 }] });
  await ben.page.getByRole('menu', { name: 'Message actions' }).waitFor();
  await touch.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  await checkAccess(ben.page, 'phone menu');
  await ben.page.keyboard.press('Escape');
  await ben.page.goBack();
  await ben.row('Ada').waitFor();
  await ben.picture('phone-list');
  await ben.row('Ada').click();
  await ben.page.getByRole('button', { name: 'Back to the list' }).click();
  await ben.row('Ada').waitFor();
});

test('37 the client can be installed', async () => {
  const manifest = await (await fetch(`${service.url}/manifest.webmanifest`)).json();
  expect(manifest).toMatchObject({ display: 'standalone', start_url: '/' });
  await until(() => ada.page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.active?.state === 'activated'), 'the service worker');
});

test('the page kept its policy and threw nothing', () => {
  expect([...ada.complaints, ...ben.complaints]).toEqual([]);
});
