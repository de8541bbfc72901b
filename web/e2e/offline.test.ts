/** Cut wires, killed servers, several tabs: nothing lost, nothing doubled, in order. */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Person, checkAccess, describeFailure, launch, until } from './browser';
import { Service } from './service';

let service: Service;
let browser: Browser;
let ada: Person;
let ben: Person;

beforeAll(async () => {
  [service, browser] = await Promise.all([Service.start(), launch()]);
  ada = await Person.arrive(browser, service, 'Ada');
  ben = await Person.arrive(browser, service, 'Ben');
  await ada.openWith('Ben');
  await ada.write('first');
  await ben.row('Ada').click();
  await ben.message('first').waitFor();
});
afterEach(({ task }) => describeFailure(task, 'offline', [ada, ben]));
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

test('2, 3, 25 what is written offline is queued, survives a reload, and is sent once and in order', async () => {
  await ada.installed();
  service.wire.cut();
  await ada.page.getByText('Offline').waitFor();
  const written = ['one', 'two', 'three', 'four'];
  for (const word of written) await ada.write(`offline ${word}`);
  await ada.page.getByText('4 messages wait to be sent').waitFor();
  expect(await ada.status('offline four').getAttribute('data-status')).toBe('queued');
  await ada.picture('offline');
  await checkAccess(ada.page, 'offline');
  await ada.page.getByRole('button', { name: 'Show' }).click();
  await ada.page.getByRole('list', { name: 'Waiting to be sent' }).getByText('offline two').waitFor();
  await ada.page.getByRole('button', { name: 'Do not send' }).nth(1).click();
  await ada.message('offline two').waitFor({ state: 'detached' });
  // 26, 37: the shell and the last conversation come from this device.
  await ada.page.reload();
  await ada.message('offline four').waitFor();
  await ada.message('first').waitFor();
  service.wire.mend();
  await ben.message('offline four').waitFor();
  await until(async () => (await ada.status('offline four').getAttribute('data-status')) === 'read', 'read');
  const sent = (await ben.texts()).filter((text) => text.startsWith('offline'));
  expect(sent).toEqual(['offline one', 'offline three', 'offline four']);
});

test('3 a killed server loses and doubles nothing', async () => {
  for (let place = 0; place < 5; place += 1) await ada.write(`before ${place}`);
  await service.kill();
  for (let place = 0; place < 5; place += 1) await ada.write(`while down ${place}`);
  await service.restart();
  await ben.message('while down 4').waitFor();
  const sent = (await ben.texts()).filter((text) => /^(before|while down)/.test(text));
  expect(sent).toEqual([0, 1, 2, 3, 4].map((n) => `before ${n}`).concat([0, 1, 2, 3, 4].map((n) => `while down ${n}`)));
});

test('31, 11 reads and drafts are live across tabs and devices', async () => {
  const other = await Person.arrive(browser, service, 'Ada', { mode: 'login' });
  await other.row('Ben').click();
  await ada.composer().fill('half a thought');
  await until(async () => (await other.composer().inputValue()) === 'half a thought', 'the draft on the other device');
  await ada.page.getByRole('button', { name: 'Settings' }).click();
  await ada.row('Ben').getByText('half a thought').waitFor();
  await ada.row('Ben').getByText('Draft').waitFor();
  await ada.row('Ben').click();
  await until(async () => (await ada.composer().inputValue()) === 'half a thought', 'the draft stands where it was written');
  await ada.composer().fill('');
  await until(async () => (await other.composer().inputValue()) === '', 'the draft is gone there, too');
  await other.page.goto(service.url);
  await ada.page.goto(service.url);
  await ben.write('read me once');
  await ada.row('Ben').getByText('1 unread message').waitFor({ state: 'attached' });
  await other.row('Ben').getByText('1 unread message').waitFor({ state: 'attached' });
  await ada.row('Ben').click();
  await ada.message('read me once').waitFor();
  await other.row('Ben').getByText('1 unread message').waitFor({ state: 'detached' });
  await other.leave();
});

test('two tabs: the leader closes, the other leads on and loses nothing', async () => {
  const second = await ada.tab();
  await ada.row('Ben', second).click();
  await ada.composer(second).waitFor();
  await ada.write('from the second tab', second);
  await ada.message('from the second tab').waitFor();
  service.wire.cut();
  await ada.write('kept over the change', second);
  await ada.message('kept over the change').waitFor();
  await ada.page.close();
  service.wire.mend();
  await ben.message('kept over the change').waitFor();
  await ada.write('and on', second);
  await ben.message('and on').waitFor();
  const sent = (await ben.texts()).filter((text) => text === 'kept over the change');
  expect(sent.length).toBe(1);
});

test('26 a warm start shows the last conversation without the network', async () => {
  const [page] = ada.context.pages();
  if (!page) throw new Error('no tab is left');
  service.wire.cut();
  await page.reload();
  await ada.message('and on', page).waitFor();
  service.wire.mend();
});

test('the page kept its policy and threw nothing', () => {
  expect([...ada.complaints, ...ben.complaints]).toEqual([]);
});
