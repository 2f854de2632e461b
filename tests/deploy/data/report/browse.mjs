// Reports in a real browser, opened as files: argument 1 says which (name: file and expected figures), 2 is the folder for
// screenshots, 3 the file of axe. Prints a verdict a line.

import { pathToFileURL } from 'node:url';
import { PHONE, VIEWS, accessible, blank, check, complaints, end, expect } from './browser.mjs';

const [listed, shots, axe] = process.argv.slice(2);
const pages = JSON.parse(listed);
const HOSTILE = JSON.parse(process.env.ATALAIA_HOSTILE);

async function open(name, options) {
  const address = pathToFileURL(pages[name].file).href;
  const page = await blank(name, options, (asked) => asked === address || asked.startsWith('data:'));
  await page.goto(address);
  return page;
}

const tile = (page, term) => page.$$eval('.tile', (tiles, wanted) => tiles.find((one) => one.querySelector('dt').textContent === wanted)?.querySelector('dd span').textContent, term);
const grouped = (number) => number.toLocaleString('en-US');

await check('the demo: what the page says is what the demo printed', async () => {
  const page = await open('demo');
  const { counts, precision, recall, kinds } = pages.demo.figures;
  for (const [term, expected] of [
    ['Windows', grouped(counts.rows)],
    ['Anomalies', grouped(counts.anomalies)],
    ['Late readings', grouped(counts.late)],
    ['Quarantined', grouped(counts.quarantined)],
    ['Precision', `${(100 * precision).toFixed(1)} %`],
    ['Recall', `${(100 * recall).toFixed(1)} %`],
  ]) {
    expect((await tile(page, term)) === expected, `${term}: ${await tile(page, term)} for ${expected}`);
  }
  const rows = await page.$$eval('#truth tbody tr', (all) => all.map((row) => [...row.cells].slice(0, 3).map((cell) => cell.textContent)));
  for (const [kind, { faults, found }] of Object.entries(kinds)) {
    expect(rows.some((row) => row[0] === kind && row[1].split(' ')[0] === String(faults) && row[2] === String(found)), [kind, faults, found, rows]);
  }
  await page.context().close();
});

await check('the demo: the fleet, the worst devices, scores and anomalies are drawn', async () => {
  const page = await open('demo');
  expect((await page.$$('#fleet tbody tr')).length === 40, 'not every device');
  expect((await page.$$('#fleet .h4')).length > 0 && (await page.$$('#fleet .h0')).length > 20, 'no shares');
  expect((await page.$$('.device figure .mean')).length >= 6, 'no lines');
  expect((await page.$$('.device .field > i')).length > 0, 'no labelled stretch');
  expect((await page.$$('.device .alarmed')).length >= 6, 'no alarms');
  expect((await page.$$('#scores path.limit')).length === 1, 'no threshold');
  const commands = await page.$$eval('.copies code', (all) => all.map((code) => code.textContent));
  expect(commands.length > 10 && commands.every((command) => /^atalaia explain --predictions \S+ --models \S+ --device \S+ --sensor \S+ --window 2026-/.test(command)), commands);
  await page.context().close();
});

await check('the first key leads past the head, and the parts are reached by their links', async () => {
  const page = await open('demo');
  await page.keyboard.press('Tab');
  expect((await page.evaluate(() => document.activeElement.className)) === 'skip', 'the first stop is not the skip link');
  const lost = await page.$$eval('nav a', (links) => links.filter((link) => !document.querySelector(link.getAttribute('href'))).map((link) => link.textContent));
  expect(lost.length === 0, lost);
  await page.context().close();
});

await check('the pointer is told what lies under it, and a command is copied', async () => {
  const page = await open('demo', { permissions: ['clipboard-read', 'clipboard-write'] });
  await page.hover('.device figure svg');
  const line = await page.textContent('.tip');
  expect(/^2026-01-06 \d\d:\d\d UTC · (mean [\d.−]+, [\d.−]+ to [\d.−]+|no windows)/.test(line), line);
  await page.hover('#fleet tbody svg');
  expect(/UTC · (\d+ of \d+ windows anomalous|no windows)$/.test(await page.textContent('.tip')), await page.textContent('.tip'));
  await page.click('.copies button');
  await page.waitForFunction(() => document.querySelector('.copies button').textContent !== 'Copy');
  await page.context().close();
});

await check('without scripts everything is there', async () => {
  const page = await open('demo', { javaScriptEnabled: false });
  expect((await page.content()).includes('data-cells'), 'another page');
  expect(await page.isVisible('#fleet tbody svg') && await page.isVisible('.copies code'), 'something is hidden');
  await page.context().close();
});

await check('hostile names are text, and nothing but text', async () => {
  const page = await open('hostile');
  const { figures } = pages.hostile;
  expect(figures.devices === HOSTILE.length && figures.anomalies > 0 && figures.quarantined > 0, figures);
  const shown = await page.$$eval('#fleet tbody th', (cells) => cells.map((cell) => cell.firstElementChild?.title ?? cell.textContent));
  for (const name of HOSTILE.slice(0, 4)) expect(shown.includes(name), [name, shown]);
  const alien = await page.evaluate(() => [document.scripts.length, document.images.length, document.querySelectorAll('[onload],[onerror]').length].join());
  expect(alien === '1,0,0', alien);
  await page.context().close();
});

await check('a dataset without windows says so', async () => {
  const page = await open('nothing');
  expect((await page.textContent('.lead')).startsWith('No window is in this dataset.'), await page.textContent('.lead'));
  await page.context().close();
});

await check('a phone has room for usual names', async () => {
  const page = await open('demo', PHONE);
  const cut = await page.$$eval('tbody th.id', (cells) => cells.filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.textContent));
  expect(cut.length === 0, cut);
  await page.context().close();
});

for (const name of Object.keys(pages)) {
  for (const [view, options] of VIEWS) {
    await check(`${name}, ${view}: fits its width, nothing is cut, axe finds nothing`, async () => {
      // Only here, so that axe itself may run.
      const page = await open(name, { ...options, bypassCSP: true });
      const { wide, width } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, width: document.documentElement.clientWidth }));
      expect(wide <= width, `${wide} of ${width} pixels`);
      const overlaps = await page.evaluate(() => {
        const seen = (one) => one.getClientRects().length > 0;
        const wrong = [];
        for (const axis of document.querySelectorAll('.ticks, .scale')) {
          const boxes = [...axis.children].filter(seen).map((one) => [one.textContent, one.getBoundingClientRect()]);
          for (const [index, [text, a]] of boxes.entries()) {
            if (a.left < 0 || a.right > innerWidth) wrong.push(`${text} leaves the page`);
            for (const [other, b] of boxes.slice(index + 1)) {
              if (a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom) wrong.push(`${text} on ${other}`);
            }
          }
        }
        return wrong;
      });
      expect(overlaps.length === 0, overlaps.slice(0, 10));
      await page.screenshot({ path: `${shots}/${name}-${view}.png`, fullPage: true });
      await accessible(page, axe);
      await page.context().close();
    });
  }
}

await check('it prints', async () => {
  const page = await open('demo');
  const pdf = await page.pdf({ format: 'A4', path: `${shots}/demo.pdf` });
  expect(pdf.length > 20_000, `${pdf.length} bytes`);
  await page.context().close();
});

await check('no complaint of the console or the policy, and no request at all', async () => {
  expect(complaints.length === 0, complaints);
});

await end();
