// A sweep: its points behind filters, as a chart and as a table that show the same choice of them.

const BESIDE = new Set(["speedup", "utilisation", "occupancy", "accuracy"]); // listed beside the objectives

class Points {
  constructor({ columns, front }) {
    const of = (role) => columns.filter((column) => column.role === role);
    [this.fields, this.aims, this.found, this.states] = ["field", "objective", "found", "status"].map(of);
    this.number = of("point")[0];
    this.front = front;
    this.every = front.map((_, point) => point);
    const feasible = columns.find((column) => column.key === "feasible");
    this.feasible = (point) => !feasible || feasible.values[point] === "yes";
    const failure = columns.find((column) => column.key === "failure");
    this.failed = (point) => Boolean(failure) && failure.values[point] !== null;
    this.constrained = Boolean(feasible) && this.every.some((point) => !this.feasible(point) && this.aims.every((aim) => aim.values[point] !== null));
    this.listed = [this.number, ...this.aims, ...this.found.filter((column) => BESIDE.has(column.key)), ...this.fields, ...this.states];
    this.drawn = [...this.aims, ...this.found, ...this.fields.filter((column) => column.numeric)];
    this.columns = columns;
  }

  onFront(point) {
    return Boolean(this.front[point]);
  }
}

class Explorer {
  constructor(box, id, sweep) {
    this.sweep = sweep;
    this.chart = new Chart(sweep, (point) => { this.listing.mark(point); this.parallel.mark(point) });
    this.listing = new Listing(sweep, id, (point) => this.chart.mark(point));
    this.parallel = new Parallel(sweep);
    this.status = make("p", { class: "note", role: "status" });
    this.filterBox = make("div", { class: "filters" });
    const { drawn } = sweep;
    this.across = this.choice("Across", "x", drawn, drawn[0]);
    this.up = this.choice("Up", "y", drawn, drawn[1] ?? drawn[0]);
    this.colour = this.choice("Colour", "colour", [null, ...sweep.fields, ...sweep.states, ...drawn.filter((column) => column.role !== "field")], null);
    this.onlyFront = whenChanged(make("input", { type: "checkbox" }), () => this.update());
    const all = make("button", { type: "button" }, "Show all");
    all.addEventListener("click", () => { this.onlyFront.checked = false; this.resetFilters(); this.update() });
    const tick = make("label", { class: "tick" }, this.onlyFront, "front only");
    const controls = make("div", { class: "controls" }, ...[this.across, this.up, this.colour].map((choice) => choice.label), tick, all);
    const folded = make("details", { class: "numbers" }, make("summary", {}, "Filter"), this.filterBox);
    box.append(controls, folded, this.status, this.chart.box, this.parallel.box, this.listing.box);
    this.chart.box.append(figureButtons(this.chart.box, "design points"));
    this.parallel.box.append(figureButtons(this.parallel.box, "parallel coordinates"));
    this.resetFilters();
    this.update();
    new ResizeObserver(() => this.redraw()).observe(this.chart.box);
  }

  choice(words, name, columns, chosen) {
    const options = columns.map((column) => make("option", { value: column?.key ?? "" }, column ? titled(column) : "front"));
    const select = whenChanged(make("select", { "data-axis": name }, ...options), () => this.update());
    select.value = chosen?.key ?? "";
    return { label: make("label", {}, words, select), get: () => columns[select.selectedIndex] };
  }

  resetFilters() {
    const { fields, states, aims } = this.sweep;
    this.filters = [...fields, ...states, ...aims].map((column) => filterOf(column, () => this.update())).filter(Boolean);
    this.filterBox.replaceChildren(...this.filters.map((filter) => filter.box));
  }

  update() {
    const { sweep } = this;
    this.chosen = sweep.every.filter((point) => (!this.onlyFront.checked || sweep.onFront(point)) && this.filters.every((filter) => filter.passes(point)));
    this.redraw();
    this.listing.show(this.chosen);
    this.parallel.show(this.chosen, this.colour.get());
    const best = this.chosen.filter((point) => sweep.onFront(point)).length;
    this.status.textContent = `${inWords(this.chosen.length)} of ${inWords(sweep.every.length)} points, ${inWords(best)} of them on the front of all objectives (◆). The line joins the points that none beats in the two quantities drawn.${this.lost()}`;
  }

  lost() {
    const failed = this.chosen.filter((point) => this.sweep.failed(point)).length;
    return failed ? ` ${inWords(failed)} failed: crosses where an axis is a field that was varied, and dashed lines below.` : "";
  }

  redraw() {
    this.chart.show(this.chosen, this.across.get(), this.up.get(), this.colour.get());
  }
}

for (const box of document.querySelectorAll(".explorer")) {
  const sweep = new Points(JSON.parse(document.getElementById(box.dataset.points).textContent));
  if (sweep.drawn.length) new Explorer(box, box.dataset.points, sweep);
  else box.append(make("p", { class: "about" }, "No two points differ in a number that could be drawn."));
}
