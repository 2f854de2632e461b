// The book in a real browser, opened as files: argument 1 is its folder, 2 that for screenshots. Prints a verdict a line.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PHONE, VIEWS, blank, check, complaints, end, expect } from './browser.mjs';

const [book, shots] = process.argv.slice(2);

async function open(name, options) {
  // A warning is also that there are no colours for a language.
  const page = await blank(name, options, (address) => !/^https?:/.test(address), ['error']);
  await page.goto(pathToFileURL(join(book, name)).href);
  return page;
}

await check('search finds a setting, an error message and an alert', async () => {
  for (const [words, wanted] of [
    ['out_of_orderness', 'Configuration'],
    ['every window is one row', 'Delivery'],
    ['address already in use', 'Messages'],
    ['AtalaiaPartitionHalted', 'runbook'],
  ]) {
    const page = await open('index.html');
    await page.keyboard.press('s');
    await page.waitForSelector('#mdbook-searchbar-outer:not(.searching)');
    await page.locator('#mdbook-searchbar').pressSequentially(words);
    await page.waitForSelector('#mdbook-searchresults li');
    const found = await page.$$eval('#mdbook-searchresults li a', (all) => all.map((one) => `${one.href} ${one.textContent}`));
    expect(found.some((one) => one.toLowerCase().includes(wanted.toLowerCase())), `${words}: ${found.join('; ')}`);
    await page.screenshot({ path: join(shots, `search-${words.split(' ')[0]}.png`) });
    await page.context().close();
  }
});

const names = readdirSync(book).filter((name) => name.endsWith('.html') && !['404.html', 'print.html', 'toc.html'].includes(name));

await check('pictures are shown', async () => {
  for (const name of ['index.html', 'time.html']) {
    const page = await open(name);
    const widths = await page.$$eval('main img', (all) => all.map((one) => one.naturalWidth));
    expect(widths.length > 0 && widths.every((width) => width > 0), `${name}: ${widths}`);
    await page.context().close();
  }
});

await check(`no page of ${names.length} is wider than a phone`, async () => {
  const page = await open('index.html', PHONE);
  const wide = [];
  for (const name of names) {
    await page.goto(pathToFileURL(join(book, name)).href);
    const [inner, outer] = await page.evaluate(() => [document.querySelector('.content').scrollWidth, document.querySelector('.content').clientWidth]);
    if (inner > outer + 1) wide.push(`${name}: ${inner} of ${outer}`);
  }
  expect(wide.length === 0, wide.join('; '));
});

for (const [view, options] of VIEWS.slice(0, 3)) {
  for (const name of ['index.html', 'time.html', 'troubleshooting.html', 'configuration.html', 'performance.html']) {
    const page = await open(name, options);
    await page.screenshot({ path: join(shots, `${name.replace('.html', '')}-${view}.png`) });
    await page.context().close();
  }
}

await check('nothing is asked of a network, and no script fails', async () => expect(complaints.length === 0, complaints.join('; ')));
await end();
