/** Two people and a group, on the real binary: everything that a day of chatting needs. */
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
});
afterEach(({ task }) => describeFailure(task, 'chat', [ada, ben]));
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

test('38 an empty client says what to do; axe on the first screens', async () => {
  await ada.page.getByText('No conversations yet').waitFor();
  await checkAccess(ada.page, 'empty list');
});

test('1, 4, 24 a message is shown at once, then sent, delivered and read; title and badge count', async () => {
  await ben.page.evaluate(() => {
    Object.assign(globalThis, { badge: 0 });
    const badge = (count: number) => {
      Object.assign(globalThis, { badge: count });
      return Promise.resolve();
    };
    Object.defineProperty(navigator, 'setAppBadge', { value: badge, configurable: true });
    Object.defineProperty(navigator, 'clearAppBadge', { value: () => badge(0), configurable: true });
  });
  const badge = () => ben.page.evaluate(() => (globalThis as unknown as { badge: number }).badge);
  await ada.openWith('Ben');
  await ada.page.getByText('No messages yet').waitFor();
  await ada.write('The figs are ripe');
  await ada.message('The figs are ripe').waitFor();
  await until(async () => ['sent', 'delivered'].includes((await ada.status('The figs are ripe').getAttribute('data-status')) ?? ''), 'sent');
  await ben.row('Ada').waitFor();
  await until(async () => (await ada.status('The figs are ripe').getAttribute('data-status')) === 'delivered', 'delivered');
  await until(async () => (await ben.page.title()).startsWith('(1)'), 'the title counts');
  await until(async () => (await badge()) === 1, 'the badge counts');
  await ben.row('Ada').click();
  await ben.message('The figs are ripe').waitFor();
  await until(async () => (await ada.status('The figs are ripe').getAttribute('data-status')) === 'read', 'read');
  await until(async () => (await ben.page.title()) === 'Loquat', 'the title counts no more');
  await until(async () => (await badge()) === 0, 'the badge is gone');
  await checkAccess(ben.page, 'chat');
});

test('21 typing and 22 presence are seen', async () => {
  await ada.page.getByText('online', { exact: true }).waitFor();
  await ben.composer().pressSequentially('Soon');
  await ada.page.locator('section header').getByText('writing…').waitFor();
  await ben.composer().fill('');
});

test('17 a reply quotes, and the quote leads to what it quotes', async () => {
  await ben.act('The figs are ripe', 'Reply');
  await ben.write('Then we bake');
  await ada.message('Then we bake').waitFor();
  const quote = ada.message('Then we bake').getByRole('button', { name: 'Quoted message' });
  expect(await quote.innerText()).toContain('The figs are ripe');
  await quote.click();
  await ada.page.locator('article.highlighted').filter({ hasText: 'The figs are ripe' }).first().waitFor();
});

test('12, 18 arrow up edits the last message, which is marked', async () => {
  await ada.write('Bring suger');
  await until(async () => (await ada.status('Bring suger').getAttribute('data-status')) !== 'queued', 'sent');
  await ada.composer().press('ArrowUp');
  await until(async () => (await ada.composer().inputValue()) === 'Bring suger', 'the text to edit');
  await ada.write('Bring sugar');
  await ben.message('Bring sugar').waitFor();
  await ben.message('Bring sugar').getByText('edited').waitFor();
});

test('15, 16 reactions: picked, counted, and who reacted', async () => {
  await ben.message('Bring sugar').first().click({ button: 'right' });
  await checkAccess(ben.page, 'message menu');
  await ben.page.getByRole('menuitem', { name: 'React' }).click();
  await ben.page.getByRole('searchbox', { name: 'Search emoji' }).fill('thumbs up');
  await ben.page.getByRole('button', { name: 'thumbs up', exact: true }).waitFor();
  await checkAccess(ben.page, 'emoji picker');
  await ben.page.getByRole('button', { name: 'thumbs up', exact: true }).click();
  const reaction = ada.message('Bring sugar').locator('.reactions button');
  await reaction.waitFor();
  await reaction.hover();
  await until(async () => ((await reaction.getAttribute('title')) ?? '').includes('Ben'), 'who reacted');
  await ada.composer().fill('nice :fire');
  await ada.page.getByRole('option').filter({ hasText: 'fire' }).first().waitFor();
  await ada.composer().press('Enter');
  await until(async () => (await ada.composer().inputValue()).includes('🔥'), 'completed');
  await ada.composer().fill('');
});

test('19 a deletion can be undone; one that is not is for everyone', async () => {
  await ada.write('Keep this');
  await ben.message('Keep this').waitFor();
  await ada.act('Keep this', 'Delete for everyone');
  await ada.message('Keep this').waitFor({ state: 'detached' });
  await ada.page.getByRole('button', { name: 'Undo' }).click();
  await ada.message('Keep this').waitFor();
  await ada.act('Keep this', 'Delete for everyone');
  await ben.message('Message deleted').waitFor();
  await ben.message('Keep this').waitFor({ state: 'detached' });
});

test('a text is never markup: tags are text, markdown is nodes, links name their host', async () => {
  await ada.write('<img src=x onerror=alert(1)> **bold** see https://example.org/a and [here](https://example.com/b)');
  const message = ben.message('onerror');
  await message.waitFor();
  expect(await message.locator('img').count()).toBe(0);
  expect(await message.locator('strong').innerText()).toBe('bold');
  const links = message.locator('a');
  expect(await links.first().getAttribute('rel')).toContain('noopener');
  expect(await links.nth(1).innerText()).toContain('example.com');
});

test('36 right-to-left texts stand on their side, mixed ones by how they begin', async () => {
  await ada.write('שלום עולם');
  const text = ben.message('שלום').locator('p');
  await text.waitFor();
  expect(await text.evaluate((node) => getComputedStyle(node).direction)).toBe('rtl');
  await ada.write('see שלום there');
  const mixed = ben.message('see').filter({ hasText: 'there' }).locator('p');
  await mixed.waitFor();
  expect(await mixed.evaluate((node) => getComputedStyle(node).direction)).toBe('ltr');
});

test('13, 14, 32 the switcher and the sheet of shortcuts work from the keyboard and give the focus back', async () => {
  await ada.composer().focus();
  await ada.page.keyboard.press('Control+k');
  await ada.page.getByRole('combobox').fill('nobody at all');
  await ada.page.getByText('Nobody and nothing of that name').waitFor();
  await checkAccess(ada.page, 'switcher');
  await ada.page.keyboard.press('Escape');
  await until(() => ada.composer().evaluate((node) => node === document.activeElement), 'the focus is back');
  await ada.page.keyboard.press('Control+/');
  await ada.page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
  await checkAccess(ada.page, 'shortcuts');
  await ada.page.keyboard.press('Escape');
  const log = ada.page.getByRole('log');
  await log.focus();
  await ada.page.keyboard.press('ArrowUp');
  await ada.page.keyboard.press('Enter');
  await ada.page.getByRole('menu', { name: 'Message actions' }).waitFor();
  await ada.page.keyboard.press('Escape');
  await until(() => log.evaluate((node) => node.contains(document.activeElement)), 'the focus is back on the message');
  expect(await log.getAttribute('aria-live')).toBe('polite');
  await ada.page.keyboard.press('Alt+ArrowDown');
  await ada.page.emulateMedia({ reducedMotion: 'reduce' });
  const still = await ada.page.getByRole('button', { name: 'Send', exact: true }).evaluate((node) => getComputedStyle(node).transitionDuration);
  expect(Number.parseFloat(still)).toBeLessThan(0.01);
  await ada.page.emulateMedia({ reducedMotion: 'no-preference' });
});

test('38 a text that is too long cannot be sent, and it says by how much', async () => {
  await ada.composer().fill('x'.repeat(16_384 + 7));
  await ada.page.getByRole('alert').getByText('Too long by 7 bytes').waitFor();
  expect(await ada.page.getByRole('button', { name: 'Send', exact: true }).isDisabled()).toBe(true);
  await ada.composer().fill('');
});

test('35, 20, 5 a group: made, mentioned in, read by, members and roles', async () => {
  await ada.page.getByRole('button', { name: 'New chat' }).click();
  await ada.page.getByRole('menuitem', { name: 'New group' }).click();
  await ada.page.getByLabel('Name of the group').fill('Harvest');
  await ada.page.getByPlaceholder('Find people by name').fill('ben');
  await ada.page.getByRole('checkbox').first().check();
  await checkAccess(ada.page, 'new group');
  await ada.page.getByRole('button', { name: 'Create', exact: true }).click();
  await ada.page.getByRole('heading', { name: 'Harvest' }).waitFor();
  await ben.row('Harvest').waitFor();
  await ada.composer().fill('Who picks, @be');
  await ada.page.getByRole('option', { name: 'Ben' }).waitFor();
  await ada.composer().press('Tab');
  await ada.composer().press('Enter');
  await ben.row('Harvest').getByTitle('You are mentioned').waitFor();
  await ben.row('Harvest').click();
  await ben.message('Who picks').locator('.mention.mine').waitFor();
  await ada.message('Who picks').locator('.readers').waitFor();
  const details = await ada.details();
  const member = details.getByRole('button', { name: /Ben/ });
  await member.click();
  await ada.page.getByRole('menuitem', { name: 'Make admin' }).click();
  await details.getByText('admin', { exact: true }).waitFor();
  await ben.page.getByText('Ada made Ben admin').waitFor();
  await checkAccess(ada.page, 'details');
  await ada.picture('group-details');
  await ada.act('Who picks', 'Who has read it');
  await ada.page.getByRole('dialog', { name: 'Who has read it' }).getByText('Ben').waitFor();
  await checkAccess(ada.page, 'who has read it');
  await ada.page.keyboard.press('Escape');
});

test('35 a channel: only admins write; an invitation by link and QR code brings people in', async () => {
  await ada.page.getByRole('button', { name: 'New chat' }).click();
  await ada.page.getByRole('menuitem', { name: 'New channel' }).click();
  await ada.page.getByLabel('Name of the channel').fill('Orchard news');
  await ada.page.getByRole('button', { name: 'Create', exact: true }).click();
  await ada.page.getByRole('heading', { name: 'Orchard news' }).waitFor();
  await ada.write('The gate is open');
  await ada.details();
  await ada.page.getByRole('button', { name: 'New invitation link' }).click();
  await ada.page.getByRole('button', { name: 'Show QR code' }).click();
  await ada.page.getByRole('dialog', { name: 'Show QR code' }).getByRole('img').waitFor();
  await checkAccess(ada.page, 'QR code');
  await ada.page.keyboard.press('Escape');
  await ada.page.getByRole('button', { name: 'Copy link' }).click();
  const link = await ada.page.evaluate(() => navigator.clipboard.readText());
  expect(link).toContain('/join/');
  await ben.page.goto(service.url + new URL(link).pathname);
  await ben.page.getByText('Orchard news').waitFor();
  await checkAccess(ben.page, 'invitation');
  await ben.page.getByRole('button', { name: 'Join' }).click();
  await ben.message('The gate is open').waitFor();
  await ben.page.getByText('Only admins write here.').waitFor();
  await checkAccess(ben.page, 'channel');
  await ada.page.getByLabel('Slow mode').selectOption('30000');
  await ada.page.getByText('set slow mode to 30 s').waitFor();
  // Who leaves is asked first.
  await (await ben.details()).getByRole('button', { name: 'Leave' }).click();
  await ben.page.getByRole('dialog', { name: 'Leave' }).waitFor();
  await checkAccess(ben.page, 'question');
  await ben.page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  expect(await ben.row('Orchard news').count()).toBe(1);
  await ben.page.locator('aside').getByRole('button', { name: 'Leave' }).click();
  await ben.page.getByRole('dialog').getByRole('button', { name: 'Leave' }).click();
  await ben.row('Orchard news').waitFor({ state: 'detached' });
  await ada.row('Harvest').click();
  await ben.row('Harvest').click();
});

test('35 how long messages are kept is chosen and told', async () => {
  const details = await ada.details();
  await details.getByLabel('Messages are kept').selectOption('604800');
  await ben.page.getByText('Ada changed how long messages are kept: for one week').waitFor();
  await details.getByLabel('Messages are kept').selectOption('keep');
  await ben.page.getByText('Ada changed how long messages are kept: for ever').waitFor();
  await ada.page.keyboard.press('Escape');
});

test('30 pins are shown to all, and a message is forwarded', async () => {
  await ada.act('Who picks', 'Pin');
  await ben.page.locator('.pins').getByText('Who picks').waitFor();
  await ben.page.locator('.pins').click();
  await ben.page.locator('article.highlighted').filter({ hasText: 'Who picks' }).waitFor();
  await ada.act('Who picks', 'Unpin');
  await ben.page.locator('.pins').waitFor({ state: 'detached' });
  await ben.act('Who picks', 'Forward');
  await checkAccess(ben.page, 'forward');
  await ben.page.getByRole('dialog').getByRole('button', { name: 'Ada' }).click();
  await ben.page.getByRole('heading', { name: 'Ada' }).waitFor();
  await ben.message('Who picks').waitFor();
});

test('10 a permalink leads to its message and marks it', async () => {
  await ada.act('Who picks', 'Copy link');
  const link = await ada.page.evaluate(() => navigator.clipboard.readText());
  expect(link).toMatch(/\/c\/\d+\/\d+$/);
  const page = await ada.tab(new URL(link).pathname);
  await page.locator('article.highlighted').filter({ hasText: 'Who picks' }).waitFor();
  await page.close();
});

test('29 search by sender and date, here and everywhere', async () => {
  await ada.row('Harvest').click();
  await ada.page.keyboard.press('Control+Shift+f');
  const dialog = ada.page.getByRole('dialog', { name: 'Search' });
  await dialog.getByRole('searchbox').fill('picks');
  const picks = dialog.getByRole('button', { name: /Who picks/ });
  await picks.waitFor();
  await dialog.getByLabel('From').selectOption({ label: 'Ben' });
  await dialog.getByText('Nothing found').waitFor();
  await dialog.getByLabel('From').selectOption({ label: 'Ada' });
  await picks.waitFor();
  await dialog.getByLabel('Since').fill('2999-01-01');
  await dialog.getByText('Nothing found').waitFor();
  await dialog.getByLabel('Since').fill('');
  await picks.waitFor();
  await dialog.getByLabel('From').selectOption('');
  await dialog.getByLabel('Where').selectOption({ label: 'Everywhere' });
  await dialog.getByRole('searchbox').fill('figs');
  await dialog.getByRole('button', { name: /The figs are ripe/ }).click();
  await ada.page.getByRole('heading', { name: 'Ben' }).waitFor();
  await ada.page.locator('article.highlighted').filter({ hasText: 'The figs are ripe' }).first().waitFor();
});

test('29 search in the conversation finds and leads to what it finds', async () => {
  await ada.openWith('Ben');
  await ada.page.keyboard.press('Control+Shift+f');
  await ada.page.getByRole('dialog').getByRole('searchbox').fill('figs');
  const found = ada.page.getByRole('dialog').getByRole('button', { name: /The figs are ripe/ });
  await found.waitFor();
  await checkAccess(ada.page, 'search');
  await found.click();
  await ada.page.locator('article.highlighted').filter({ hasText: 'The figs are ripe' }).first().waitFor();
});

test('40 the other language, with its rules; 27 themes', async () => {
  await ben.page.getByRole('button', { name: 'Settings' }).click();
  await checkAccess(ben.page, 'settings');
  await ben.page.getByLabel('Language').selectOption('de');
  await ben.page.getByRole('heading', { name: 'Einstellungen' }).waitFor();
  await ben.picture('settings-de');
  const scheme = () => ben.page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
  expect(await scheme()).toBe('light');
  await ben.page.emulateMedia({ colorScheme: 'dark' });
  expect(await scheme()).toBe('dark');
  await ben.page.getByLabel('Erscheinung').selectOption('light');
  expect(await scheme()).toBe('light');
  await ben.page.emulateMedia({ colorScheme: 'light' });
  await ben.page.getByLabel('Erscheinung').selectOption('dark');
  expect(await scheme()).toBe('dark');
  await checkAccess(ben.page, 'settings, dark');
  await ben.row('Harvest').click();
  await ben.page.locator('small').getByText('2 Mitglieder').waitFor();
  await ben.message('Who picks').waitFor();
  await checkAccess(ben.page, 'chat, dark');
  await ben.picture('chat-dark');
  await ben.page.getByRole('button', { name: 'Einstellungen' }).click();
  await ben.page.getByLabel('Sprache').selectOption('en');
  await ben.page.getByLabel('Theme').selectOption('system');
});

test('34 profile and colour reach the others', async () => {
  await ben.page.getByLabel('Name', { exact: true }).fill('Benedict');
  await ben.page.getByRole('button', { name: 'Save' }).click();
  await ben.page.getByRole('button', { name: 'Colour 4', exact: true }).click();
  await until(async () => (await ben.page.locator('.me .c3').count()) > 0, 'the colour');
  await ada.row('Harvest').click();
  await ada.row('Ben(edict)?').click();
  await ada.row('Benedict').waitFor();
  await ada.row('Benedict').locator('.c3').waitFor();
});

test('33 devices are listed, and a revoked one is signed out', async () => {
  const other = await Person.arrive(browser, service, 'Benedict', { mode: 'login', username: 'ben' });
  await ben.page.reload();
  await ben.page.getByRole('button', { name: 'Sign out' }).first().waitFor();
  const row = ben.page.locator('.person').filter({ hasNotText: 'This device' }).filter({ hasText: 'Chrome' });
  await row.getByRole('button', { name: 'Sign out' }).click();
  await other.page.getByRole('button', { name: 'Create account' }).waitFor();
  await other.leave();
});

test('the page kept its policy and threw nothing', () => {
  expect([...ada.complaints, ...ben.complaints]).toEqual([]);
});
