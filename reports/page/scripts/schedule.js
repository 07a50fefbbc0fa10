// What every unit did over the step, a row each: drag to zoom, or use buttons and keys; a line says what is pointed at.

const ROW_NAME = 18, ROW_BAR = 22, ROW = ROW_NAME + ROW_BAR + 8, FOOT = 22, CLOSEST = 20; // pixels; cycles across

class Schedule {
  constructor(box) {
    this.told = JSON.parse(box.querySelector("script").textContent);
    this.kinds = [["delta", "at work"], ...this.told.causes.map(([cause, words]) => [`cause-${cause}`, words])];
    for (const unit of this.told.units) {
      let at = 0;
      unit.starts = unit.cycles.map((cycles) => { const start = at; at += cycles; return start });
    }
    this.view = [0, this.told.cycles];
    const height = ROW * this.told.units.length + FOOT;
    this.canvas = make("canvas", { tabindex: "0", role: "application", "aria-label": `${box.dataset.about}. Plus and minus zoom, arrows move, Home shows all.`, style: `height:${height}px` });
    this.chosen = make("div", { class: "chosen", hidden: true });
    this.said = make("p", { class: "note said", role: "status" });
    const keys = this.kinds.map(([kind, words]) => make("li", {}, make("span", { class: "swatch", style: `--colour:var(--${kind})` }), words));
    const buttons = [["Zoom in", () => this.zoom(0.5)], ["Zoom out", () => this.zoom(2)], ["Earlier", () => this.move(-0.5)], ["Later", () => this.move(0.5)], ["Whole step", () => this.show(0, this.told.cycles)]];
    const controls = buttons.map(([words, act]) => { const made = make("button", { type: "button" }, words); made.addEventListener("click", act); return made });
    box.append(make("ul", { class: "legend" }, ...keys), make("div", { class: "controls" }, ...controls), make("div", { class: "sheet" }, this.canvas, this.chosen), this.said);
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    new MutationObserver(() => this.draw()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => { this.from = event.offsetX; canvas.setPointerCapture(event.pointerId) });
    canvas.addEventListener("pointermove", (event) => (this.from === undefined ? this.point(event) : this.choose(event.offsetX)));
    canvas.addEventListener("pointerup", (event) => this.release(event.offsetX));
    canvas.addEventListener("pointercancel", () => this.release(this.from));
    canvas.addEventListener("pointerleave", () => this.summarise());
    canvas.addEventListener("dblclick", () => this.show(0, this.told.cycles));
    canvas.addEventListener("keydown", (event) => {
      const act = { "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2), ArrowLeft: () => this.move(-0.25), ArrowRight: () => this.move(0.25), Home: () => this.show(0, this.told.cycles) }[event.key];
      if (act) { event.preventDefault(); act() }
    });
  }

  cycleAt(x) {
    return this.view[0] + (x / this.canvas.clientWidth) * (this.view[1] - this.view[0]);
  }

  choose(x) {
    const [left, right] = [Math.min(x, this.from), Math.max(x, this.from)];
    this.chosen.hidden = right - left < 4;
    Object.assign(this.chosen.style, { left: `${left}px`, width: `${right - left}px` });
  }

  release(x) {
    if (this.from !== undefined && Math.abs(x - this.from) >= 4) this.show(this.cycleAt(Math.min(x, this.from)), this.cycleAt(Math.max(x, this.from)));
    this.from = undefined;
    this.chosen.hidden = true;
  }

  zoom(factor) {
    const middle = (this.view[0] + this.view[1]) / 2, half = ((this.view[1] - this.view[0]) / 2) * factor;
    this.show(middle - half, middle + half);
  }

  move(share) {
    const by = share * (this.view[1] - this.view[0]);
    this.show(this.view[0] + by, this.view[1] + by);
  }

  // Show these cycles: no closer than a few, and none outside the step.
  show(first, last) {
    const { cycles } = this.told, length = Math.min(cycles, Math.max(CLOSEST, last - first));
    const from = Math.max(0, Math.min(cycles - length, (first + last - length) / 2));
    this.view = [from, from + length];
    this.draw();
  }

  draw() {
    const { canvas, told } = this, { clientWidth: width, clientHeight: height } = canvas, dots = devicePixelRatio;
    if (!width) return;
    [canvas.width, canvas.height] = [width * dots, height * dots];
    const look = getComputedStyle(canvas), pen = canvas.getContext("2d");
    pen.scale(dots, dots);
    pen.font = `${look.fontSize} ${look.fontFamily}`;
    const colours = this.kinds.map(([kind]) => look.getPropertyValue(`--${kind}`));
    told.units.forEach((unit, row) => {
      pen.fillStyle = look.getPropertyValue("--ink");
      pen.fillText(unit.name, 0, row * ROW + ROW_NAME - 5);
      this.bars(unit, width).forEach((shares, x) => {
        let top = row * ROW + ROW_NAME + ROW_BAR;
        shares.forEach((share, kind) => {
          if (!share) return;
          pen.fillStyle = colours[kind];
          pen.fillRect(x, top -= share * ROW_BAR, 1, share * ROW_BAR);
        });
      });
    });
    this.marks(pen, width, height, look.getPropertyValue("--quiet"));
    this.summarise();
  }

  // Of every pixel across, the share of each kind.
  bars(unit, width) {
    const [first, last] = this.view, scale = width / (last - first);
    const bars = Array.from({ length: width }, () => new Float64Array(this.kinds.length));
    for (let at = placeOf(unit, first); at < unit.starts.length && unit.starts[at] < last; at++) {
      const [a, b] = [(unit.starts[at] - first) * scale, (unit.starts[at] + unit.cycles[at] - first) * scale];
      const parts = partsOf(unit, at);
      for (let x = Math.max(0, Math.floor(a)); x < Math.min(width, b); x++) {
        const covered = (Math.min(b, x + 1) - Math.max(a, x)) / unit.cycles[at];
        for (const [kind, cycles] of parts) bars[x][kind] += covered * cycles;
      }
    }
    return bars;
  }

  marks(pen, width, height, colour) {
    const [first, last] = this.view.map((cycle) => cycle / this.told.clock_hz);
    const rough = ((last - first) / width) * 110, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
    pen.fillStyle = colour;
    for (let mark = Math.ceil(first / step); mark * step <= last; mark++) {
      const x = ((mark * step - first) / (last - first)) * width, words = exact(mark * step, step);
      pen.fillRect(x, height - FOOT, 1, 5);
      pen.fillText(words, Math.min(x, width - pen.measureText(words).width), height - 4);
    }
  }

  point(event) {
    const unit = this.told.units[Math.floor(event.offsetY / ROW)];
    if (!unit) { this.summarise(); return }
    const at = placeOf(unit, this.cycleAt(event.offsetX)), [start, cycles] = [unit.starts[at], unit.cycles[at]];
    const what = this.told.names[unit.what[at]], more = unit.ops[at] > 1 ? ` and ${inWords(unit.ops[at] - 1)} more ops` : "";
    const parts = partsOf(unit, at).filter(([, lost]) => lost).map(([kind, lost]) => `${this.kinds[kind][1]} ${inWords(lost)}`);
    this.said.textContent = `${unit.name}: ${what ? `${what}${more}, ` : ""}cycles ${inWords(start)} to ${inWords(start + cycles)}, ${quantity(cycles / this.told.clock_hz, "s")}; of ${inWords(cycles)} cycles ${parts.join(", ")}.`;
  }

  summarise() {
    const [first, last] = this.view.map(Math.round);
    const busy = this.told.units.map((unit) => {
      let cycles = 0;
      for (let at = placeOf(unit, first); at < unit.starts.length && unit.starts[at] < last; at++) {
        const inside = Math.min(last, unit.starts[at] + unit.cycles[at]) - Math.max(first, unit.starts[at]);
        cycles += (partsOf(unit, at)[0][1] * inside) / (unit.cycles[at] || 1);
      }
      return `${unit.name} ${((100 * cycles) / (last - first)).toFixed(1)} %`;
    });
    this.said.textContent = `Cycles ${inWords(first)} to ${inWords(last)} of ${inWords(this.told.cycles)}. At work: ${busy.join(", ")}.`;
  }
}

// The last stretch that begins at or before a cycle.
function placeOf(unit, cycle) {
  let [low, high] = [0, unit.starts.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (unit.starts[middle] <= cycle) low = middle; else high = middle;
  }
  return low;
}

// Pairs of kind and cycles of a stretch, work first.
function partsOf(unit, at) {
  const stalls = unit.stalls[at] || [], parts = [[0, unit.cycles[at]]];
  for (let part = 0; part < stalls.length; part += 2) {
    parts.push([stalls[part] + 1, stalls[part + 1]]);
    parts[0][1] -= stalls[part + 1];
  }
  return parts;
}

// A time with as many digits as tell it from the next mark.
function exact(seconds, step) {
  const power = Math.max(-12, Math.floor(Math.log10(Math.max(seconds, step)) / 3) * 3);
  return `${(seconds / 10 ** power).toFixed(Math.max(0, power - Math.floor(Math.log10(step) + 1e-9)))} ${PREFIXES[power]}s`;
}

for (const box of document.querySelectorAll(".schedule")) new Schedule(box);
