/** The pictures of the README, of a small orchard's chat; made only when asked: `LOQUAT_PICTURES=<folder> npm run pictures`. */
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { afterAll, beforeAll, test } from 'vitest';
import { PASSWORD, Person, launch, until } from './browser';
import { Service } from './service';

const wanted = process.env.LOQUAT_SCENES !== undefined;
const DESK: BrowserContextOptions = { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1.5, timezoneId: 'Pacific/Auckland' };
const PHONE: BrowserContextOptions = { viewport: { width: 390, height: 800 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true, timezoneId: 'Pacific/Auckland' };

let service: Service;
let browser: Browser;

/** Somebody who writes by REST. */
class Writer {
  #last = 0;

  private constructor(
    readonly id: string,
    readonly token: string,
  ) {}

  static async join(username: string, display_name: string, colour: number): Promise<Writer> {
    const { user, access_token } = await ask<{ user: { id: string }; access_token: string }>(null, 'POST', '/v1/auth/signup', { username, password: PASSWORD, display_name });
    await ask(access_token, 'PATCH', '/v1/me', { avatar: `colour:${colour}` });
    return new Writer(user.id, access_token);
  }

  async opens(kind: string, members: Writer[], title?: string, description?: string): Promise<string> {
    return (await ask<{ id: string }>(this.token, 'POST', '/v1/conversations', { kind, members: members.map(({ id }) => id), title, description })).id;
  }

  async says(conversation: string, text: string, fields: object = {}): Promise<number> {
    this.#last += 1;
    const { seq } = await ask<{ seq: number }>(this.token, 'POST', `/v1/conversations/${conversation}/messages`, { nonce: `${this.id}-${this.#last}`, text, ...fields });
    return seq;
  }

  async reacts(conversation: string, seq: number, emoji: string): Promise<void> {
    await ask(this.token, 'PUT', `/v1/conversations/${conversation}/messages/${seq}/reactions/${encodeURIComponent(emoji)}`);
  }

  async reads(conversation: string, read: number): Promise<void> {
    await ask(this.token, 'POST', `/v1/conversations/${conversation}/receipts`, { read });
  }
}

async function ask<T>(token: string | null, method: string, path: string, body?: object): Promise<T> {
  const answer = await fetch(service.url + path, {
    method,
    headers: { 'Content-Type': 'application/json', ...(token ? { Authorization: `Bearer ${token}` } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  const text = await answer.text();
  return (text ? JSON.parse(text) : null) as T;
}

beforeAll(async () => {
  if (wanted) [service, browser] = await Promise.all([Service.start(), launch()]);
});
afterAll(async () => {
  if (!wanted) return;
  await browser.close();
  await service.stop();
});

test.skipIf(!wanted)('pictures of each main screen', { timeout: 300_000 }, async () => {
  const context = await browser.newContext({ ...DESK, locale: 'en-GB' });
  const first = await context.newPage();
  await first.goto(service.url);
  await first.getByLabel('Password', { exact: true }).waitFor();
  await first.screenshot({ path: `${process.env.LOQUAT_PICTURES ?? '.'}/web-sign-in.png` });
  await context.close();

  const mira = await Writer.join('mira', 'Mira', 0);
  const tomas = await Writer.join('tomas', 'Tomás', 1);
  const noor = await Writer.join('noor', 'Noor', 2);
  const lea = await Writer.join('lea', 'Lea', 3);
  const jonas = await Writer.join('jonas', 'Jonas', 6);

  const news = await tomas.opens('channel', [mira], 'Valley weather', 'Frost, rain and wind, twice a day.');
  await tomas.says(news, 'Dry until **Sunday**, light wind from the west.', { format: 'markdown' });
  await tomas.says(news, 'No frost tonight. Lowest 6 °C in the upper terraces.');
  const dinner = await lea.opens('group', [mira, jonas], 'Sunday dinner');
  await lea.says(dinner, 'Seven people so far. Who brings bread?');
  await jonas.says(dinner, 'I do. And olives.');
  const withNoor = await noor.opens('direct', [mira]);
  await noor.says(withNoor, 'Did the new ladder arrive?');
  const reply = await mira.says(withNoor, 'Yes, it stands in the barn.');
  await noor.says(withNoor, 'شكراً! نلتقي غداً في البستان');
  const withTomas = await mira.opens('direct', [tomas]);
  await mira.says(withTomas, 'Can I borrow the press on Friday?');
  await tomas.says(withTomas, 'Of course 👍');
  await mira.reads(withNoor, reply);

  const crew = await mira.opens('group', [tomas, noor, lea, jonas], 'Orchard crew', 'Picking, pressing, and who has the keys.');
  await tomas.says(crew, 'Morning! The loquats on the south slope are ripe. Some are splitting already.');
  const plan = await lea.says(crew, 'Then we pick on **Saturday**:\n- start at 7, before the sun is up there\n- crates are in the barn\n- bring gloves', { format: 'markdown' });
  await noor.reacts(crew, plan, '🙌');
  await tomas.reacts(crew, plan, '🙌');
  await jonas.reacts(crew, plan, '🍊');
  await noor.says(crew, 'I can drive. There is room for four, or for three and a dog.');
  await mira.says(crew, 'Three and a dog, please 🐕');
  await jonas.says(crew, 'How many crates do we need?', { reply_to: plan });
  const count = await mira.says(crew, 'Last year it was 38. I have put 45 by the gate, to be safe.');
  await tomas.reacts(crew, count, '❤️');
  await ask(mira.token, 'PUT', `/v1/conversations/${crew}/pins/${plan}`);
  const asked = await lea.says(crew, '@mira do you still have the key of the upper shed?', { mentions: [mira.id] });
  const yes = await mira.says(crew, 'I do. I leave it under the third pot tonight.');
  for (const writer of [tomas, noor, lea]) await writer.reads(crew, yes);
  await jonas.reads(crew, asked);
  await mira.reads(crew, yes);

  const page = await Person.arrive(browser, service, 'Mira', { mode: 'login', ...DESK });
  const other = await Person.arrive(browser, service, 'Tomás', { mode: 'login', username: 'tomas', ...PHONE });
  await other.row('Orchard crew').click();
  await page.row('Orchard crew').click();
  await page.message('third pot').locator('.readers').waitFor();
  await until(async () => (await page.page.locator('.pins').count()) > 0, 'the pin');
  await other.composer().pressSequentially('I will be there at');
  await page.page.locator('section header').getByText('writing…').waitFor();
  await page.page.mouse.move(1270, 400);
  await page.picture('web-chat');
  await page.page.emulateMedia({ colorScheme: 'dark' });
  await page.picture('web-chat-dark');
  await page.page.emulateMedia({ colorScheme: 'light' });
  await other.composer().fill('');
  await (await page.details()).getByText('5 members').waitFor();
  await page.page.locator('aside').getByRole('button', { name: 'New invitation link' }).click();
  await page.page.locator('aside').getByText('not used yet').waitFor();
  await page.picture('web-details');
  await page.row('Valley weather').click();
  await page.page.getByText('Only admins write here.').waitFor();
  await page.picture('web-channel');
  await page.page.getByRole('button', { name: 'Settings' }).click();
  await page.page.getByRole('heading', { name: 'Settings' }).waitFor();
  await page.picture('web-settings');
  await other.picture('web-phone-chat');
  await other.page.goBack();
  await other.row('Orchard crew').waitFor();
  await other.page.emulateMedia({ colorScheme: 'dark' });
  await other.picture('web-phone-list');
});
