/** Long lists are scrolled without work that would be felt. The full size is `figures.test.ts`. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Person, launch } from './browser';
import { Load, type Meter, meter } from './load';
import { Service } from './service';

const CONVERSATIONS = 1000;
/** Script in a frame, in milliseconds. */
const BUDGET = 8;

let service: Service;
let browser: Browser;
let carla: Person;
let measured: Meter;

beforeAll(async () => {
  [service, browser] = await Promise.all([Service.start(), launch()]);
  const load = await Load.of(service, 'carla');
  await load.groups(CONVERSATIONS);
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

test('the page kept its policy and threw nothing', () => {
  expect(carla.complaints).toEqual([]);
});
