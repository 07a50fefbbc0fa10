// Parallel coordinates: a line for each point over what was varied and what was aimed at; failed ones end where they fail.

const COLUMN_WIDTH = 110, PAD = 60; // pixels

class Parallel {
  constructor(sweep) {
    this.sweep = sweep;
    this.columns = [...sweep.fields, ...sweep.aims];
    this.scales = this.columns.map(scaleOf);
    this.svg = draw("svg", { role: "img" });
    this.sheet = make("div", { class: "sheet", style: `min-width:${COLUMN_WIDTH * this.columns.length}px` }, this.svg);
    const caption = make("figcaption", {}, "All that was varied, and what came of it");
    this.box = make("figure", { class: "parallel" }, caption, make("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": caption.textContent }, this.sheet));
  }

  across(at) {
    return `${(100 * (at + 0.5)) / this.columns.length}%`;
  }

  show(points, colour) {
    const { sweep } = this, colours = colouring(colour), rank = (point) => 2 * Number(sweep.onFront(point)) + Number(sweep.failed(point));
    const failed = points.filter((point) => sweep.failed(point)).length;
    this.svg.setAttribute("aria-label", `${points.length} points over ${this.columns.map(titled).join(", ")}; ${failed} failed and end before the objectives.`);
    this.svg.replaceChildren();
    const inner = draw("svg", { viewBox: "0 0 1000 1000", preserveAspectRatio: "none", x: "0", y: PAD, width: "100%", height: `${300 - 2 * PAD}` });
    this.lines = new Map();
    for (const point of [...points].sort((p, q) => rank(p) - rank(q))) {
      const classes = ["thread", colours.of(colour?.values[point] ?? null), sweep.onFront(point) ? "on-front" : "", sweep.failed(point) ? "failed" : "", sweep.feasible(point) || sweep.failed(point) ? "" : "outside"];
      const line = draw("path", { d: this.path(point), class: classes.filter(Boolean).join(" "), "vector-effect": "non-scaling-stroke" });
      this.lines.set(point, line);
      inner.append(line);
    }
    this.svg.append(inner);
    this.columns.forEach((column, at) => this.axis(column, at));
  }

  path(point) {
    const corners = [];
    for (const [at, column] of this.columns.entries()) {
      if (column.values[point] === null) break;
      corners.push(`${((1000 * (at + 0.5)) / this.columns.length).toFixed(1)} ${(1000 * (1 - this.scales[at].place(column.values[point]))).toFixed(1)}`);
    }
    return corners.length > 1 ? `M${corners.join("L")}` : corners.length ? `M${corners[0]}h8` : "";
  }

  axis(column, at) {
    const x = this.across(at), { ends } = this.scales[at], middle = { x, "text-anchor": "middle" };
    const title = at === 0 ? { x: "0", "text-anchor": "start" } : at === this.columns.length - 1 ? { x: "100%", "text-anchor": "end" } : middle;
    this.svg.append(
      draw("line", { x1: x, x2: x, y1: PAD, y2: 300 - PAD, class: "grid" }),
      draw("text", { ...title, y: 16 + 16 * (at % 2), class: "axis-title" }, column.name),
      draw("text", { ...middle, y: PAD - 8 }, ends[1]),
      draw("text", { ...middle, y: 300 - PAD + 18 }, ends[0]),
    );
  }

  mark(point) {
    this.svg.querySelector(".picked")?.classList.remove("picked");
    const line = this.lines?.get(point);
    line?.classList.add("picked");
    line?.parentNode.append(line); // on top of the others
  }
}

// Where a column's values lie between 0 and 1, and the words at both ends; words lie as far from each other.
function scaleOf(column) {
  const known = distinctOf(column).filter((value) => value !== null);
  if (column.numeric && known.length > 1) {
    const [least, most] = [Math.min(...known), Math.max(...known)], scale = axisOf(known), from = scale.place(least), length = scale.place(most) - from;
    return { place: (value) => (scale.place(value) - from) / length, ends: [say(column, least), say(column, most)] };
  }
  const places = new Map(known.map((value, at) => [value, known.length > 1 ? at / (known.length - 1) : 0.5]));
  return { place: (value) => places.get(value), ends: known.length ? [say(column, known[0]), known.length > 1 ? say(column, known.at(-1)) : ""] : ["", ""] };
}
