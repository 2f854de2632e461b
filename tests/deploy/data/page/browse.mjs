// The status page in a real browser, as one who looks at it: argument 1 is its address, 2 the folder for screenshots, 3 the file
// of axe. Prints a verdict a line. Where the service has to die or to come back it says `DO kill` or `DO start` and waits for a line.

import { createInterface } from 'node:readline';
import { VIEWS, accessible, blank, check, complaints, end, expect } from './browser.mjs';

const [address, shots, axe] = process.argv.slice(2);
const HOSTILE = JSON.parse(process.env.ATALAIA_HOSTILE);
const PATIENCE = 90_000;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function ask(what) {
  console.log(`DO ${what}`);
  await lines.next();
}

async function open(options) {
  const page = await blank('the page', options, (asked) => new URL(asked).origin === new URL(address).origin);
  page.setDefaultTimeout(PATIENCE);
  await page.addInitScript(() => addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`)));
  await page.goto(address);
  await page.waitForFunction(() => document.querySelector('#verdict').dataset.state === 'good');
  return page;
}

const api = async (name) => (await fetch(new URL(`api/v1/${name}`, address))).json();
const text = (page, selector) => page.textContent(selector);
const column = (page, table, index) => page.$$eval(`#${table} tbody tr`, (rows, at) => rows.map((row) => row.cells[at]?.textContent), index);

/** Tab until the element that the selector names has the focus. */
async function tabTo(page, selector) {
  for (let presses = 0; presses < 80; presses += 1) {
    if (await page.evaluate((wanted) => document.activeElement === document.querySelector(wanted), selector)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`the keyboard does not reach ${selector}`);
}

const page = await open();

await check('it loads, says that the service is ready, and shows its pipeline', async () => {
  expect((await text(page, '#word')) === 'Ready', await text(page, '#verdict'));
  expect((await text(page, 'h1')) === (await api('status')).pipeline, await text(page, 'h1'));
  expect((await page.title()).startsWith('browsed'), await page.title());
});

await check('the first key leads past the head', async () => {
  await page.keyboard.press('Tab');
  expect((await page.evaluate(() => document.activeElement.className)) === 'skip', 'the first stop is not the skip link');
  await page.keyboard.press('Enter');
  expect((await page.evaluate(() => document.activeElement.id)) === 'main', 'it leads elsewhere');
});

await check('what it shows goes on without a reload', async () => {
  await page.evaluate(() => { window.sameDocument = true; });
  const facts = await text(page, '#facts');
  await page.waitForFunction((before) => document.querySelector('#facts').textContent !== before, facts);
  await page.waitForFunction(() => Number(document.querySelector('#records').textContent.replaceAll(',', '')) > 0);
  await page.waitForFunction(() => document.querySelectorAll('#throughput-chart path').length === 2);
  await page.waitForFunction(() => document.querySelectorAll('#anomaly-chart .bar').length > 0);
  expect(await page.evaluate(() => window.sameDocument), 'it was loaded anew');
});

await check('partitions are those of the API', async () => {
  const { partitions } = await api('partitions');
  expect(partitions.length === 4, partitions);
  const shown = await column(page, 'partitions', 0);
  expect(JSON.stringify(shown) === JSON.stringify(partitions.map((p) => String(p.partition))), shown);
  const phases = await column(page, 'partitions', 1);
  expect(phases.every((phase) => phase === 'reading'), phases);
});

await check('what was refused is there, by reason', async () => {
  await page.waitForFunction(() => [...document.querySelectorAll('#quarantine tbody th')].some((cell) => cell.textContent === 'invalid json'));
  const { reasons } = await api('quarantine');
  expect(reasons.some((reason) => reason.reason === 'invalid_json'), reasons);
  await page.waitForFunction(() => /^[1-9][\d,]* refused · [1-9][\d,]* late readings? since the start$/.test(document.querySelector('#quarantine-hint').textContent));
});

await check('the configuration is there, references included', async () => {
  await page.click('summary');
  const config = await text(page, '#config');
  expect(config.includes('pipeline = "browsed"') && config.includes('key = "env:ATALAIA_CANARY_KEY"'), config);
  expect(!(await page.content()).includes('canary-of-the-key'), 'the secret itself is on the page');
  await page.click('summary');
});

await check('hostile names are text, and nothing but text', async () => {
  for (const name of HOSTILE) {
    await page.waitForFunction((wanted) => [...document.querySelectorAll('#anomalies tbody th')].some((cell) => cell.textContent === wanted), name);
  }
  const alien = await page.$$eval('#anomalies tbody *', (all) => all.map((one) => one.localName).filter((name) => !['tr', 'th', 'td', 'span', 'time'].includes(name)));
  expect(alien.length === 0, alien);
  expect(await page.evaluate(() => document.querySelectorAll('script').length === 1), 'there is another script');
});

await check('anomalies come with their top feature', async () => {
  const shown = await column(page, 'anomalies', 6);
  expect(shown.some((cell) => /^\w+ [\d.,e−-]+, usually [\d.,e−-]+$/.test(cell)), shown.slice(0, 5));
});

await check('a table is sorted by the keyboard', async () => {
  const button = '#partitions thead th:nth-child(1) button';
  await tabTo(page, button);
  const order = async () => [await page.getAttribute('#partitions thead th:nth-child(1)', 'aria-sort'), (await column(page, 'partitions', 0)).join()].join(' ');
  expect((await order()) === 'ascending 0,1,2,3', await order());
  await page.keyboard.press('Enter');
  expect((await order()) === 'descending 3,2,1,0', await order());
  await page.keyboard.press('Space');
  expect((await order()) === 'ascending 0,1,2,3', await order());
  // The next figures do not take the focus away.
  const facts = await text(page, '#facts');
  await page.waitForFunction((before) => document.querySelector('#facts').textContent !== before, facts);
  expect(await page.evaluate((wanted) => document.activeElement === document.querySelector(wanted), button), 'the focus is lost');
});

await check('a chart is read by the keyboard, and told in words', async () => {
  await page.focus('#throughput-chart');
  await page.keyboard.press('ArrowLeft');
  expect(/^\d\d:\d\d:\d\d: [\d.,]+$/.test(await text(page, '#throughput-read')), await text(page, '#throughput-read'));
  const told = await page.getAttribute('#throughput-chart', 'aria-label');
  expect(/^Records a second since .*: last .*, highest .* at .*, lowest /.test(told), told);
});

await check('hidden, it asks nothing; seen again, it asks at once', async () => {
  const hide = (hidden) => page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { get: () => value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  await hide(true);
  // What was under way may end.
  await page.waitForTimeout(3000);
  let asked = 0;
  const count = () => { asked += 1; };
  page.on('request', count);
  await page.waitForTimeout(6000);
  expect(asked === 0, `${asked} requests`);
  const again = page.waitForRequest(/api\/v1\/status/);
  await hide(false);
  await again;
  page.off('request', count);
});

for (const [name, options] of VIEWS) {
  await check(`${name}: fits its width`, async () => {
    const one = await open(options);
    await one.waitForFunction(() => document.querySelectorAll('#throughput-chart path').length === 2);
    await one.waitForFunction(() => document.querySelector('#records').textContent !== '–');
    const { wide, width } = await one.evaluate(() => ({ wide: document.documentElement.scrollWidth, width: innerWidth }));
    expect(wide <= width, `${wide} of ${width} pixels`);
    await one.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
    await one.context().close();
  });
  await check(`${name}: axe finds nothing`, async () => {
    // Only here, so that axe itself may run.
    const one = await open({ ...options, bypassCSP: true });
    await one.click('summary');
    await accessible(one, axe);
    await one.context().close();
  });
}

await check('no complaint of the console or the policy, and no request to elsewhere', async () => {
  expect(complaints.length === 0, complaints);
});

await check('when the service is killed the page says so', async () => {
  await ask('kill');
  await page.waitForFunction(() => document.querySelector('#word').textContent === 'No answer');
  const said = await text(page, '#announce');
  expect(said.startsWith('No answer: Nobody has answered since '), said);
  expect((await page.title()).startsWith('! No answer'), await page.title());
  expect(await page.evaluate(() => 'stale' in document.body.dataset), 'old figures look as if they were new');
  await page.screenshot({ path: `${shots}/no-answer.png` });
});

await check('when it is back the page goes on by itself', async () => {
  await ask('start');
  await page.waitForFunction(() => document.querySelector('#word').textContent === 'Ready' && !('stale' in document.body.dataset));
  expect(await page.evaluate(() => window.sameDocument), 'it was loaded anew');
});

await end();
