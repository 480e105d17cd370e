// A table of cells that can be chosen: by a click, or with the arrow keys and Enter.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".cells-root");
  if (root.dataset.html !== data.html) {
    root.innerHTML = data.html;
    root.dataset.html = data.html;
  }
  const cells = [...root.querySelectorAll("button[data-cell]")];
  cells.forEach((cell, at) => (cell.tabIndex = at ? -1 : 0));
  root.onclick = (event) => {
    const cell = event.target.closest("button[data-cell]");
    if (!cell) return;
    root.querySelectorAll("button.chosen").forEach((other) => other.classList.remove("chosen"));
    cell.classList.add("chosen");
    setTriggerValue("cell", cell.dataset.cell);
  };
  root.onkeydown = (event) => {
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    const cell = event.target.closest("button[data-cell]");
    if (!step || !cell) return;
    event.preventDefault();
    const at = cell.closest("td").cellIndex + step[1];
    let row = cell.closest("tr");
    if (step[0]) row = step[0] > 0 ? row.nextElementSibling : row.previousElementSibling;
    const next = row?.cells[at]?.querySelector("button[data-cell]");
    if (!next) return;
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  };
}
