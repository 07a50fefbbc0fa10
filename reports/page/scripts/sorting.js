// Tables sort by the column whose heading is pressed, and links unfold what they point into.

// Order of two values: numbers by size, words by alphabet with numbers in them by size; what is absent goes last,
// whichever way the others run.
function inOrder(a, b, sign) {
  const [noA, noB] = [a === null || a === "–", b === null || b === "–"];
  if (noA || noB) return Number(noA) - Number(noB);
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * String(a).localeCompare(String(b), "en", { numeric: true });
}

// Tell of `header` alone that its column sorts the table; return -1 if from the largest down, else 1.
function turn(header) {
  const sign = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", sign < 0 ? "descending" : "ascending");
  return sign;
}

function cellValue(row, column) {
  const cell = row.cells[column];
  return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
}

function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    button.addEventListener("click", () => {
      const sign = turn(header), rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => inOrder(cellValue(a, column), cellValue(b, column), sign));
      table.tBodies[0].append(...rows);
    });
    header.replaceChildren(button);
  });
}

function unfoldTarget() {
  document.getElementById(location.hash.slice(1))?.closest("details")?.setAttribute("open", "");
}

document.querySelectorAll("table.sortable").forEach(makeSortable);
addEventListener("hashchange", unfoldTarget);
unfoldTarget();
