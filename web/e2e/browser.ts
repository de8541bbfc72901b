/** Chromium without a window, and people in it: one context a person, so that each has storage of their own. */
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Locator, type Page } from 'playwright-core';
import { expect } from 'vitest';
import type { Service } from './service';

const CHROMIUM = process.env.LOQUAT_CHROMIUM ?? '/usr/bin/chromium';
const PICTURES = process.env.LOQUAT_PICTURES;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
export const PASSWORD = 'figs and quinces';

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      // Containers give little of it.
      '--disable-dev-shm-usage',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** Waits until something holds; for what Playwright's locators do not wait for. */
export async function until(holds: () => Promise<boolean> | boolean, what: string): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

/** After a test that failed: pictures of everybody's page, and what the pages complained of. */
export async function describeFailure(
  task: { name: string; result?: { state: string } },
  suite: string,
  people: (Person | undefined)[],
): Promise<void> {
  if (task.result?.state !== 'fail') return;
  const name = `failed-${suite}-${task.name.slice(0, 24).replace(/\W+/g, '-')}`;
  for (const person of people) await person?.picture(`${name}-${person.username}`).catch(() => undefined);
  console.log(people.flatMap((person) => person?.complaints ?? []).join('\n'));
}

export class Person {
  /** What the page complained of: violations of its policy, errors that nobody caught. */
  readonly complaints: string[] = [];

  private constructor(
    readonly name: string,
    readonly username: string,
    readonly context: BrowserContext,
    readonly page: Page,
    readonly service: Service,
  ) {}

  static async arrive(
    browser: Browser,
    service: Service,
    name: string,
    options: BrowserContextOptions & { mode?: 'signup' | 'login'; username?: string } = {},
  ): Promise<Person> {
    const { mode = 'signup', username = name.toLowerCase(), ...rest } = options;
    const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1180, height: 780 }, ...rest });
    context.setDefaultTimeout(15_000);
    await context.grantPermissions(['clipboard-read', 'clipboard-write', 'notifications'], { origin: service.url });
    const person = new Person(name, username, context, await context.newPage(), service);
    person.watch(person.page);
    await person.page.goto(service.url);
    await person.sign(mode);
    return person;
  }

  watch(page: Page): void {
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (message) => {
      const text = message.text();
      if (/Content Security|TrustedType|Trusted Type/.test(text)) this.complaints.push(text);
    });
  }

  async sign(mode: 'signup' | 'login'): Promise<void> {
    const { page } = this;
    await page.getByLabel('Password', { exact: true }).waitFor();
    if (mode === 'signup') {
      await page.getByRole('button', { name: 'Create account' }).click();
      await page.getByLabel('Your name').fill(this.name);
      await page.getByLabel('Username').fill(this.username);
    } else await page.getByLabel('Username, e-mail or phone').fill(this.username);
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.locator('form button[type=submit]').click();
    await page.getByRole('navigation', { name: 'Chats' }).waitFor();
  }

  async tab(path = '/'): Promise<Page> {
    const page = await this.context.newPage();
    this.watch(page);
    await page.goto(this.service.url + path);
    await page.getByRole('navigation', { name: 'Chats' }).waitFor({ state: 'attached' });
    return page;
  }

  /** Finds somebody by the switcher and opens the conversation with them. */
  async openWith(name: string, page = this.page): Promise<void> {
    await page.keyboard.press('Control+k');
    await page.getByRole('dialog').getByRole('combobox').fill(name.toLowerCase());
    await page.getByRole('option', { name }).first().click();
    await this.composer(page).waitFor();
  }

  composer(page = this.page): Locator {
    return page.getByRole('textbox', { name: /^Message to/ });
  }

  async write(text: string, page = this.page): Promise<void> {
    await this.composer(page).fill(text);
    await this.composer(page).press('Enter');
  }

  message(text: string, page = this.page): Locator {
    return page.locator('article').filter({ hasText: text });
  }

  status(text: string, page = this.page): Locator {
    return this.message(text, page).locator('[data-status]').first();
  }

  async act(text: string, item: string, page = this.page): Promise<void> {
    await this.message(text, page).first().click({ button: 'right' });
    await page.getByRole('menuitem', { name: item }).click();
  }

  /** Opens the details of the conversation that is open. */
  async details(page = this.page): Promise<Locator> {
    await page.locator('section > header .who').click();
    const details = page.locator('aside');
    await details.waitFor();
    return details;
  }

  /** The texts of the messages in the page, in order. */
  texts(page = this.page): Promise<string[]> {
    return page.locator('article .bubble p').allInnerTexts();
  }

  /** The line of a conversation; the name is a pattern. */
  row(name: string, page = this.page): Locator {
    const title = page.locator('b').filter({ hasText: new RegExp(`^${name}$`) });
    return page.getByRole('navigation').getByRole('link').filter({ has: title });
  }

  async picture(name: string, page = this.page): Promise<void> {
    if (!PICTURES) return;
    mkdirSync(PICTURES, { recursive: true });
    await page.screenshot({ path: join(PICTURES, `${name}.png`), animations: 'disabled' });
  }

  /** Waits until the service worker keeps the shell and serves this page. */
  async installed(page = this.page): Promise<void> {
    await until(() => page.evaluate(() => navigator.serviceWorker.controller !== null), 'the service worker');
  }

  async leave(): Promise<void> {
    await this.context.close();
  }
}

/** What axe finds that is serious or worse. */
export async function checkAccess(page: Page, screen: string): Promise<void> {
  // What moves or fades is judged when it stands.
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => undefined))));
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    interface Axe {
      run(options: object): Promise<{ violations: { id: string; impact: string; nodes: { html: string; failureSummary?: string }[] }[] }>;
    }
    const { axe } = globalThis as unknown as { axe: Axe };
    const { violations } = await axe.run({ resultTypes: ['violations'] });
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary ?? ''}`).join(' | ')}`);
  });
  expect(found, screen).toEqual([]);
}
