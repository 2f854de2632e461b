// Tables that sort by their heads. A column says how a row is shown and by what it is sorted; texts are set, never parsed.

import { element } from './words.js';

export class Table {
  /**
   * Columns are `{ name, sort, cell, number, wide, className }`: `sort(row)` gives what it is sorted by, `cell(row)` a text or a
   * node. The first column names the row. `wide` ones are left out where the screen is narrow.
   */
  constructor(id, columns, { order = null, descending = false, nothing }) {
    this.table = document.getElementById(id);
    Object.assign(this, { columns, order, descending, nothing, rows: [], cells: [] });
    this.body = this.table.tBodies[0];
    const head = this.table.tHead.rows[0];
    columns.forEach((column, index) => {
      const cell = element('th', null, classes(column));
      cell.scope = 'col';
      if (column.sort) {
        const button = element('button', column.name);
        button.type = 'button';
        button.addEventListener('click', () => this.sortBy(index));
        cell.append(button);
      } else {
        cell.textContent = column.name;
      }
      head.append(cell);
    });
    this.mark();
  }

  sortBy(index) {
    this.descending = this.order === index ? !this.descending : Boolean(this.columns[index].number) && index > 0;
    this.order = index;
    this.mark();
    this.draw();
  }

  mark() {
    [...this.table.tHead.rows[0].cells].forEach((cell, index) => {
      if (index === this.order) cell.setAttribute('aria-sort', this.descending ? 'descending' : 'ascending');
      else cell.removeAttribute('aria-sort');
    });
  }

  show(rows) {
    this.rows = rows;
    this.draw();
  }

  sorted() {
    if (this.order == null) return this.rows;
    const by = this.columns[this.order].sort;
    const sign = this.descending ? -1 : 1;
    return [...this.rows].sort((a, b) => {
      const [left, right] = [by(a), by(b)];
      // What is not known stands last, whatever the direction.
      if (left == null || right == null) return (left == null) - (right == null);
      return sign * (typeof left === 'string' ? left.localeCompare(right, 'en', { numeric: true }) : left - right);
    });
  }

  draw() {
    const rows = this.sorted();
    if (rows.length === 0) {
      const cell = element('td', this.nothing, 'nothing');
      cell.colSpan = this.columns.length;
      const row = element('tr');
      row.append(cell);
      this.body.replaceChildren(row);
      return;
    }
    const made = rows.map((row) => this.row(row));
    // What is the same stays: focus, selection and scroll positions with it.
    const old = [...this.body.rows];
    made.forEach((row, index) => {
      if (index >= old.length) this.body.append(row);
      else if (!old[index].isEqualNode(row)) old[index].replaceWith(row);
    });
    old.slice(made.length).forEach((row) => row.remove());
  }

  row(row) {
    const line = element('tr');
    this.columns.forEach((column, index) => {
      const cell = element(index === 0 ? 'th' : 'td', null, classes(column));
      if (index === 0) cell.scope = 'row';
      const content = column.cell(row);
      cell.append(content ?? '');
      // Long names are cut where they are shown, and told in full.
      if (column.className === 'id' && typeof content === 'string') cell.title = content;
      line.append(cell);
    });
    return line;
  }
}

function classes(column) {
  return [column.number && 'number', column.wide && 'wide', column.className].filter(Boolean).join(' ');
}
