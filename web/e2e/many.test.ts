/** Long lists and long conversations are scrolled without work that would be felt. The full size is `figures.test.ts`. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Person, launch } from './browser';
import { Load, type Meter, meter } from './load';
import { Service } from './service';

const CONVERSATIONS = 1000;
const MESSAGES = 2000;
/** Script in a frame, in milliseconds. */
const BUDGET = 8;

let service: Service;
let browser: Browser;
let carla: Person;
let last = '';
let measured: Meter;

beforeAll(async () => {
  [service, browser] = await Promise.all([Service.start(), launch()]);
  const load = await Load.of(service, 'carla');
  last = await load.groups(CONVERSATIONS);
  await load.messages(last, MESSAGES);
  carla = await Person.arrive(browser, service, 'Carla', { mode: 'login' });
  await carla.row(`Group ${CONVERSATIONS - 1}`).waitFor();
  measured = await meter(carla.page);
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

test('39 a list of 1,000 conversations scrolls within its budget, with few lines in the page', async () => {
  expect(await measured.scroll('.rows', 140, 300)).toBeLessThan(BUDGET);
  expect(await carla.page.getByRole('navigation').getByRole('link').count()).toBeLessThan(60);
});

test('39 a long conversation scrolls within its budget, with few messages in the page', async () => {
  await carla.page.goto(`${service.url}/c/${last}`);
  measured = await meter(carla.page);
  await carla.message(`message ${MESSAGES - 1} of`).waitFor();
  expect(await measured.scroll('[role=log]', -160, 300)).toBeLessThan(BUDGET);
  expect(await carla.page.locator('article').count()).toBeLessThanOrEqual(150);
  // It has gone far up.
  await carla.message(`message ${MESSAGES - 1} of`).waitFor({ state: 'detached' });
});

test('the page kept its policy and threw nothing', () => {
  expect(carla.complaints).toEqual([]);
});
