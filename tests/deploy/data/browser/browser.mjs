// What all checks of pages share: one Chromium, a verdict a line, the screens that pages are looked at on, and the rules of axe.

import { chromium } from 'playwright-core';

export const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
export const VIEWS = [
  ['desktop', {}],
  ['dark', { colorScheme: 'dark' }],
  ['phone', PHONE],
  ['phone-dark', { ...PHONE, colorScheme: 'dark' }],
];
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

const browser = await chromium.launch({
  executablePath: process.env.ATALAIA_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
/** What pages said that they should not have said, and what they asked for that they should not have. */
export const complaints = [];
let failed = 0;

export async function check(what, judge) {
  try {
    await judge();
    console.log(`ok    ${what}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${what}: ${error.stack}`);
  }
}

export function expect(holds, why) {
  if (!holds) throw new Error(typeof why === 'string' ? why : JSON.stringify(why));
}

/** A page that was not opened yet. Its complaints are kept: of the console, of scripts, and requests that are not `allowed` (a function of the address). */
export async function blank(name, options, allowed, levels = ['error', 'warning']) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.on('console', (message) => levels.includes(message.type()) && complaints.push(`${name}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(`${name}: ${error.message}`));
  page.on('dialog', (dialog) => complaints.push(`${name}: a dialog: ${dialog.message()}`) && dialog.dismiss());
  page.on('request', (request) => allowed(request.url()) || complaints.push(`${name} asks ${request.url()}`));
  return page;
}

/** axe, of which `script` is the file, finds nothing. The page must have been opened with `bypassCSP`. */
export async function accessible(page, script) {
  await page.addScriptTag({ path: script });
  const { violations, passes } = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags }), TAGS);
  expect(violations.length === 0, violations.map((found) => [found.id, found.nodes.slice(0, 3).map((node) => node.html.slice(0, 300))]));
  const passed = (...rules) => passes.some((rule) => rules.includes(rule.id));
  expect(passed('color-contrast') && passed('td-headers-attr', 'aria-allowed-attr'), 'it looked at nothing');
}

export async function end() {
  await browser.close();
  process.exit(failed === 0 ? 0 : 1);
}
