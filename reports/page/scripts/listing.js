// The points as a table: sorted by any column, a page of rows at a time.

const ROWS = 25;

class Listing {
  // `tell` is called with the point whose row the pointer is on.
  constructor(sweep, id, tell) {
    Object.assign(this, { sweep, tell, points: [], rows: ROWS });
    this.head = make("tr");
    this.body = make("tbody");
    const caption = make("caption", { id: `${id}-caption` }, "Design points");
    const table = make("table", {}, caption, make("thead", {}, this.head), this.body);
    this.more = make("button", { type: "button", class: "more" });
    this.more.addEventListener("click", () => { this.rows += 4 * ROWS; this.fill() });
    const saved = tableButtons("design points", () => [sweep.columns.map((one) => one.key), ...this.sorted().map((point) => sweep.columns.map((one) => one.values[point]))]);
    this.box = make("div", {}, make("div", { class: "table", role: "region", tabindex: "0", "aria-labelledby": `${id}-caption` }, table), this.more, saved);
    this.headers = sweep.listed.map((column) => this.header(column));
    this.head.append(...this.headers);
    this.order = { column: sweep.listed[1], sign: turn(this.headers[1]) };
  }

  header(column) {
    const button = make("button", { type: "button", title: column.origin }, titled(column));
    const header = make("th", { scope: "col", class: column.numeric ? "number" : "" }, button);
    button.addEventListener("click", () => { this.order = { column, sign: turn(header) }; this.fill() });
    return header;
  }

  show(points) {
    Object.assign(this, { points, rows: ROWS });
    this.fill();
  }

  // The points that the filters leave, as they are sorted.
  sorted() {
    const { column, sign } = this.order;
    return [...this.points].sort((p, q) => inOrder(column.values[p], column.values[q], sign) || p - q);
  }

  fill() {
    const sorted = this.sorted();
    this.body.replaceChildren(...sorted.slice(0, this.rows).map((point) => this.row(point)));
    this.more.hidden = sorted.length <= this.rows;
    this.more.textContent = `Show more of ${inWords(sorted.length)}`;
  }

  row(point) {
    const cells = this.sweep.listed.map((column, at) => {
      const kind = column.numeric ? "number" : "", text = say(column, column.values[point]);
      return at ? make("td", { class: kind }, text) : make("th", { class: kind, scope: "row" }, text);
    });
    const row = make("tr", { "data-point": String(point), class: this.sweep.onFront(point) ? "on-front" : "" }, ...cells);
    row.addEventListener("pointerenter", () => this.tell(point));
    return row;
  }

  mark(point) {
    for (const row of this.body.rows) row.classList.toggle("marked", Number(row.dataset.point) === point);
  }
}
