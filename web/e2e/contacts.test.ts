/** Contacts, requests and blocks. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Person, checkAccess, launch, until } from './browser';
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
  await ada.write('hello');
  await ben.row('Ada').click();
  await ben.message('hello').waitFor();
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

test('34 a contact is asked for, accepted and taken away', async () => {
  await ada.page.getByRole('button', { name: /Ben/ }).first().click();
  await ada.page.getByRole('button', { name: 'Add to contacts' }).click();
  await ada.page.getByText('Contact request sent').waitFor();
  await ben.page.getByRole('button', { name: 'Settings' }).click();
  await ben.page.getByText('asks to be your contact').waitFor();
  await checkAccess(ben.page, 'requests');
  await ben.page.getByRole('button', { name: 'Accept' }).click();
  await ben.page.getByRole('button', { name: 'Message', exact: true }).waitFor();
  await ada.page.getByRole('button', { name: 'Remove from contacts' }).click();
  await ada.page.getByRole('button', { name: 'Add to contacts' }).waitFor();
  await ben.page.getByText('No contacts yet').waitFor();
});

test('34, 2 who blocks is written to no more; what was not sent is sent again by hand', async () => {
  await ada.page.getByRole('button', { name: 'Block', exact: true }).click();
  await ada.page.getByText('You cannot write here').waitFor();
  await ben.row('Ada').click();
  await ben.write('are you there?');
  await ben.page.getByText('Not sent').first().waitFor();
  await ben.page.getByRole('button', { name: 'Do not send' }).click();
  await ben.message('are you there?').waitFor({ state: 'detached' });
  await ben.write('knock, knock');
  await ben.page.getByText('Not sent').first().waitFor();
  await checkAccess(ben.page, 'not sent');
  await ada.page.getByRole('button', { name: 'Unblock' }).click();
  await ada.composer().waitFor();
  await ben.page.getByRole('button', { name: 'Try again' }).click();
  await ada.message('knock, knock').waitFor();
  await ben.write('and now?');
  await ada.message('and now?').waitFor();
});

test('23 notifications: in a tab that is not looked at, unless muted', async () => {
  const page = ben.page;
  await page.evaluate(() => {
    const shown: string[] = [];
    Object.assign(globalThis, { shown });
    ServiceWorkerRegistration.prototype.showNotification = (title: string) => {
      shown.push(title);
      return Promise.resolve();
    };
  });
  await ben.installed();
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('switch', { name: 'Notify me of new messages' }).check();
  const shown = () => page.evaluate(() => (globalThis as unknown as { shown: string[] }).shown.length);
  await ada.write('ring');
  await until(async () => (await shown()) === 1, 'a notification');
  await page.getByRole('switch', { name: 'Do not disturb' }).check();
  await ada.write('quiet');
  await ben.row('Ada').getByText('2 unread messages').waitFor({ state: 'attached' });
  expect(await shown()).toBe(1);
  await page.getByRole('switch', { name: 'Do not disturb' }).uncheck();
  await ben.row('Ada').click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Mute', exact: true }).click();
  await ben.row('Ada').getByText('Muted').waitFor({ state: 'attached' });
  await ada.write('muted');
  await ben.row('Ada').getByText('3 unread messages').waitFor({ state: 'attached' });
  expect(await shown()).toBe(1);
});

test('22, 34 who is here is told as they wish, and when they were here last', async () => {
  const standing = ada.page.locator('section > header small');
  await ada.page.locator('section > header').getByText('online', { exact: true }).waitFor();
  await ben.page.getByLabel('Who sees when you are here').selectOption('nobody');
  await until(async () => (await standing.innerText()) === '', 'ada does not see ben');
  await ben.page.getByLabel('Who sees when you are here').selectOption('everyone');
  await ada.page.locator('section > header').getByText('online', { exact: true }).waitFor();
  await ben.leave();
  await ada.page.locator('section > header').getByText(/^last seen/).waitFor();
});

test('the page kept its policy and threw nothing', () => {
  expect([...ada.complaints, ...ben.complaints]).toEqual([]);
});
