
// Two comforts; without them everything is still there: what lies under the pointer, and commands that are copied by a button.
{
  const tip = document.body.appendChild(document.createElement('div'));
  tip.className = 'tip';
  tip.hidden = true;
  tip.setAttribute('aria-hidden', 'true');
  const moment = (ms, step) => new Date(ms).toISOString().slice(0, step < 60000 ? 19 : 16).replace('T', ' ');

  for (const chart of document.querySelectorAll('[data-cells]')) {
    const { say, begin, step } = chart.dataset;
    const cells = chart.dataset.cells.split(';');
    chart.addEventListener('pointerleave', () => { tip.hidden = true; });
    chart.addEventListener('pointermove', (event) => {
      const box = chart.getBoundingClientRect();
      const at = Math.floor(((event.clientX - box.left) / box.width) * cells.length);
      const fields = cells[at] ? cells[at].split('|') : null;
      const when = begin === undefined ? '' : `${moment(Number(begin) + at * Number(step), Number(step))} UTC · `;
      const what = fields ? say.replace(/\{(\d)\}/g, (_, field) => fields[field]) : 'no windows';
      tip.hidden = cells[at] === undefined || (fields === null && when === '');
      tip.textContent = when + what;
      tip.style.left = `${Math.min(Math.max(8, event.clientX + 12), innerWidth - tip.offsetWidth - 8)}px`;
      tip.style.top = `${event.clientY > 60 ? event.clientY - tip.offsetHeight - 12 : event.clientY + 18}px`;
    });
  }

  for (const code of document.querySelectorAll('.copies code')) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Copy';
    button.setAttribute('aria-label', 'Copy the command that explains this anomaly');
    button.addEventListener('click', async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = 'Copied';
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = 'Selected';
      }
      setTimeout(() => { button.textContent = 'Copy'; }, 2000);
    });
    code.after(button);
  }
}
