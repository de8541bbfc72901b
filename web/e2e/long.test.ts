/** Long conversations, phones, and where the user is in them. */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Person, checkAccess, launch, until } from './browser';
import { Service } from './service';

const MESSAGES = 400;
let service: Service;
let browser: Browser;
let ada: Person;
let ben: Person;

/** Writes many messages by REST, in the name of a page's user. */
async function writeMany(person: Person, conversation: string, count: number): Promise<void> {
  const { url } = service;
  const answer = await fetch(`${url}/v1/auth/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ login: person.username, password: 'figs and quinces' }),
  });
  const { access_token: token } = (await answer.json()) as { access_token: string };
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
  ben = await Person.arrive(browser, service, 'Ben', { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true });
  await ada.openWith('Ben');
  await ada.write('hello');
  await ben.row('Ada').waitFor();
  const conversation = new URL(ada.page.url()).pathname.split('/')[2] ?? '';
  await ada.page.goto(service.url);
  await writeMany(ben, conversation, MESSAGES);
});
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return;
  const name = `failed-long-${task.name.slice(0, 24).replace(/\W+/g, '-')}`;
  await ada?.picture(`${name}-ada`).catch(() => undefined);
  await ben?.picture(`${name}-ben`).catch(() => undefined);
  console.log([...(ada?.complaints ?? []), ...(ben?.complaints ?? [])].join('\n'));
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

test('6, 7 an opened conversation begins at what is new; one step leads to the latest, with the count', async () => {
  await ada.row('Ben').click();
  await ada.page.getByRole('separator', { name: 'New messages' }).waitFor({ state: 'attached' });
  const latest = ada.page.getByRole('button', { name: /jump to the latest|Jump to the latest/ });
  await latest.click();
  await ada.message(`message ${MESSAGES}`).waitFor();
  await latest.waitFor({ state: 'detached' });
});

test('8 older messages come without a jump, down to the beginning', async () => {
  const log = ada.page.getByRole('log');
  for (let step = 0; step < 200; step += 1) {
    if (await ada.page.getByText('The beginning of this conversation').isVisible()) break;
    const moved = await log.evaluate(async (node) => {
      const first = () => [...node.querySelectorAll('article')].find((it) => it.getBoundingClientRect().bottom > node.getBoundingClientRect().top + 4);
      node.scrollTop = Math.max(node.scrollTop - 400, 0);
      const anchor = first();
      const before = anchor?.getBoundingClientRect().top ?? 0;
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve, 60))));
      return anchor?.isConnected ? Math.abs(anchor.getBoundingClientRect().top - before) : 0;
    });
    expect(moved).toBeLessThan(3);
  }
  await ada.message('hello').first().waitFor();
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
  await ben.picture('phone-chat');
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
