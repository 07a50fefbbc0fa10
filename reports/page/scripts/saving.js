// Every table copied or saved with its numbers unrounded, every figure saved as it is seen.

const CSV = "text/csv;charset=utf-8", MARGIN = 16; // pixels around a figure

function save(name, blob) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// Rows of values as CSV (RFC 4180), or with tabs between them for a spreadsheet.
function joined(rows, between = ",") {
  const quoted = (value) => (/["\n\r,\t]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  return rows.map((row) => row.map((value) => quoted(String(value ?? ""))).join(between) + "\n").join("");
}

function fileName(words) {
  return words.trim().toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "");
}

// Two buttons for what `rows` returns: headings, then values.
function tableButtons(words, rows) {
  const copy = make("button", { type: "button" }, "Copy"), file = make("button", { type: "button" }, "Save as CSV");
  copy.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(joined(rows(), "\t")); copy.textContent = "Copied" } catch { copy.textContent = "The browser refuses" }
    setTimeout(() => { copy.textContent = "Copy" }, 2000);
  });
  file.addEventListener("click", () => save(`${fileName(words)}.csv`, new Blob([joined(rows())], { type: CSV })));
  return make("div", { class: "save" }, copy, file);
}

function exactRows(table) {
  const rows = [...table.tBodies[0].rows, ...(table.tFoot?.rows ?? [])];
  return [[...table.tHead.rows[0].cells].map((cell) => cell.textContent), ...rows.map((row) => [...row.cells].map((cell) => cell.dataset.value ?? cell.textContent.trim()))];
}

// The figure as an SVG file of its own, with the page's style and the theme of the moment.
function standalone(figure) {
  const width = figure.offsetWidth + 2 * MARGIN, height = figure.offsetHeight + 2 * MARGIN, copy = figure.cloneNode(true);
  copy.querySelectorAll(".save, script, noscript, .controls").forEach((part) => part.remove());
  const drawn = figure.querySelectorAll("canvas");
  copy.querySelectorAll("canvas").forEach((canvas, at) => canvas.replaceWith(make("img", { src: drawn[at].toDataURL(), style: `width:100%;height:${drawn[at].clientHeight}px` })));
  copy.style.margin = "0";
  const look = getComputedStyle(document.body);
  const sheet = make("div", { xmlns: "http://www.w3.org/1999/xhtml", style: `padding:${MARGIN}px;font:${look.font};color:${look.color};background:${look.backgroundColor};font-variant-numeric:tabular-nums` }, copy);
  const style = document.createElementNS("http://www.w3.org/2000/svg", "style");
  style.textContent = document.querySelector("style").textContent;
  const inside = document.createElementNS("http://www.w3.org/2000/svg", "foreignObject");
  for (const [name, value] of [["width", width], ["height", height]]) inside.setAttribute(name, value);
  inside.append(sheet);
  const svg = draw("svg", { width, height, "data-theme": document.documentElement.dataset.theme });
  svg.append(style, inside);
  return [new XMLSerializer().serializeToString(svg), width, height];
}

async function raster(figure) {
  const [text, width, height] = standalone(figure), image = new Image(), sharp = 2;
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = make("canvas", { width: width * sharp, height: height * sharp }), pen = canvas.getContext("2d");
  pen.scale(sharp, sharp);
  pen.drawImage(image, 0, 0, width, height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function figureButtons(figure, words) {
  const name = fileName(words);
  const svg = make("button", { type: "button" }, "Save as SVG"), png = make("button", { type: "button" }, "Save as PNG");
  svg.addEventListener("click", () => save(`${name}.svg`, new Blob([standalone(figure)[0]], { type: "image/svg+xml" })));
  png.addEventListener("click", async () => save(`${name}.png`, await raster(figure)));
  return make("div", { class: "save" }, svg, png);
}

for (const table of document.querySelectorAll("table.sortable")) {
  const box = table.closest(".table");
  box.after(tableButtons(table.caption.textContent, () => exactRows(table)));
}
for (const figure of document.querySelectorAll("figure")) figure.append(figureButtons(figure, figure.querySelector("figcaption").textContent));
