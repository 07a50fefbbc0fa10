// The points in two columns, with the line of those that none beats in both, and a card for the point one looks at.

const REACH = 28, GAP = 62; // pixels: how near a pointer finds a point; between marks across

class Chart {
  // `tell` is called with the point that is marked, or null.
  constructor(sweep, tell) {
    Object.assign(this, { sweep, tell, places: [], front: [], marked: null });
    this.key = make("ul", { class: "legend" });
    [this.up, this.across] = [make("div", { class: "axis-name" }), make("div", { class: "axis-name below" })];
    this.svg = draw("svg", { tabindex: "0", role: "application" });
    this.tip = make("div", { class: "tip", hidden: true });
    this.spoken = make("p", { class: "hidden", "aria-live": "polite" });
    this.box = make("div", { class: "plot" }, this.key, this.up, make("div", { class: "area" }, this.svg, this.tip), this.across, this.spoken);
    this.svg.addEventListener("pointermove", (event) => this.look(event));
    this.svg.addEventListener("pointerleave", () => this.mark(null));
    this.svg.addEventListener("blur", () => this.mark(null));
    this.svg.addEventListener("keydown", (event) => this.walk(event));
    this.svg.addEventListener("pointerdown", (event) => this.look(event));
  }

  show(points, x, y, colour) {
    Object.assign(this, { x, y, marked: null });
    const shown = points.filter((point) => !this.sweep.failed(point) && x.values[point] !== null && y.values[point] !== null);
    const failed = points.filter((point) => this.sweep.failed(point));
    this.front = frontOf(shown.filter((point) => this.sweep.feasible(point)), x, y);
    [this.up.textContent, this.across.textContent] = [titled(y), titled(x)];
    this.svg.setAttribute("aria-label", `${titled(y)} over ${titled(x)}: ${shown.length} points, ${this.front.length} on the line. Arrow keys walk along the line.`);
    this.svg.replaceChildren();
    this.tip.hidden = true;
    this.places = [];
    const colours = colouring(colour);
    this.key.replaceChildren(...(colour ? colours.key : this.plainKey()).map(([kind, words]) => make("li", {}, make("span", { class: `swatch ${kind}` }), words)));
    const known = (column) => [...shown, ...failed].map((point) => column.values[point]).filter((value) => value !== null);
    if (!known(x).length || !known(y).length) return;
    const axes = [axisOf(known(x)), axisOf(known(y))];
    this.grid(axes);
    this.svg.append(this.line(axes));
    const rank = (point) => Number(this.sweep.onFront(point)); // what one looks for lies on top
    for (const point of failed) this.cross(point, axes);
    for (const [point, ...others] of this.folded(shown.sort((p, q) => rank(p) - rank(q)))) this.point(point, others, axes, colours.of(colour?.values[point] ?? null));
  }

  plainKey() {
    const key = [["front-point", "on the front of all objectives"], ["plain", "other points"]];
    if (this.sweep.constrained) key.push(["outside", "outside the constraints"]);
    return this.sweep.every.some(this.sweep.failed) ? [...key, ["failed", "failed"]] : key;
  }

  // Points at one place as one list, the one to be shown first.
  folded(points) {
    const places = new Map();
    for (const point of points) {
      const place = `${this.x.values[point]} ${this.y.values[point]}`;
      places.set(place, [point, ...(places.get(place) ?? [])]);
    }
    return [...places.values()];
  }

  // A failed point where it was asked for; at the edge where it has no number.
  cross(point, [across, up]) {
    const [x, y] = [this.x.values[point], this.y.values[point]];
    if (x === null && y === null && this.x.role !== "field" && this.y.role !== "field") return;
    const [a, b] = [x === null ? 0 : across.place(x), y === null ? 0 : 1 - up.place(y)];
    const cross = draw("svg", { x: percent(a), y: percent(b), class: "cross" });
    cross.append(draw("path", { d: "M-4-4L4 4M-4 4L4-4" }));
    this.svg.append(cross);
    this.places.push([point, a, b, []]);
  }

  grid([across, up]) {
    const { width } = this.svg.getBoundingClientRect();
    for (const mark of spaced(across, width, GAP)) {
      const at = percent(across.place(mark));
      this.svg.append(draw("line", { x1: at, x2: at, y1: "0%", y2: "100%", class: "grid" }), draw("text", { x: at, y: "100%", dy: 18, "text-anchor": "middle" }, say(this.x, mark)));
    }
    for (const mark of up.ticks) {
      const at = percent(1 - up.place(mark));
      this.svg.append(draw("line", { x1: "0%", x2: "100%", y1: at, y2: at, class: "grid" }), draw("text", { x: "0%", y: at, dx: -8, dy: "0.35em", "text-anchor": "end" }, say(this.y, mark)));
    }
  }

  line([across, up]) {
    const corners = this.front.map((p) => [1000 * across.place(this.x.values[p]), 1000 * (1 - up.place(this.y.values[p]))]);
    const path = corners.map(([a, b], at) => (at ? `H${a.toFixed(2)}V${b.toFixed(2)}` : `M${a.toFixed(2)} ${b.toFixed(2)}`)).join("");
    const inner = draw("svg", { viewBox: "0 0 1000 1000", preserveAspectRatio: "none", width: "100%", height: "100%" });
    inner.append(draw("path", { d: path, class: "curve front-line", "vector-effect": "non-scaling-stroke" }));
    return inner;
  }

  point(point, others, [across, up], kind) {
    const [a, b] = [across.place(this.x.values[point]), 1 - up.place(this.y.values[point])];
    const classes = ["point", kind, this.sweep.onFront(point) ? "on-front" : "", this.sweep.feasible(point) ? "" : "outside"];
    this.svg.append(draw("circle", { cx: percent(a), cy: percent(b), r: this.sweep.onFront(point) ? 5 : 3.5, class: classes.filter(Boolean).join(" ") }));
    this.places.push([point, a, b, others]);
  }

  look(event) {
    const { left, top, width, height } = this.svg.getBoundingClientRect();
    let nearest = null, distance = REACH;
    for (const [point, a, b] of this.places) {
      const away = Math.hypot(left + a * width - event.clientX, top + b * height - event.clientY);
      if (away <= distance) [nearest, distance] = [point, away];
    }
    if (nearest !== this.marked) this.mark(nearest);
  }

  walk(event) {
    if (event.key === "Escape") this.mark(null);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step || !this.front.length) return;
    event.preventDefault();
    const at = this.front.indexOf(this.marked), last = this.front.length - 1;
    const point = this.front[at < 0 ? (step > 0 ? 0 : last) : Math.max(0, Math.min(last, at + step))];
    this.mark(point);
    this.spoken.textContent = this.entries(point).map(([column, value]) => `${column.name} ${value}`).join(", ");
  }

  mark(point) {
    this.marked = point;
    this.tell(point);
    this.svg.querySelector(".ring")?.remove();
    const place = this.places.find(([shown, , , others]) => shown === point || others.includes(point));
    this.tip.hidden = !place;
    if (!place) return;
    const [, a, b, others] = place, { width, height } = this.svg.getBoundingClientRect();
    this.svg.append(draw("circle", { cx: percent(a), cy: percent(b), r: 8, class: "ring" }));
    const entries = this.entries(point).flatMap(([column, value]) => [make("dt", {}, column.name), make("dd", { class: column.role }, value)]);
    const more = others.length ? [make("p", {}, `and ${inWords(others.length)} more here`)] : [];
    this.tip.replaceChildren(make("dl", {}, ...entries), ...more);
    const below = b * height + 14;
    this.tip.style.left = `${Math.max(0, Math.min(a * width + 14, width - this.tip.offsetWidth))}px`;
    this.tip.style.top = `${below + this.tip.offsetHeight > height ? b * height - 14 - this.tip.offsetHeight : below}px`;
  }

  entries(point) {
    const shown = new Set([this.x, this.y, ...this.sweep.aims, ...this.sweep.fields]);
    if (this.sweep.failed(point)) this.sweep.states.forEach((column) => shown.add(column));
    return [...shown].map((column) => [column, say(column, column.values[point])]);
  }
}
