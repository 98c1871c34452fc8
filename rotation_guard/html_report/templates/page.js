"use strict";
// Colours, sorting, filters and search. Without it the page is complete, but for the rows that are compressed.
(() => {
  const find = (id) => document.getElementById(id);
  const root = document.documentElement;
  const table = find("table");
  const body = table?.tBodies[0];
  const matches = find("matches");
  const total = Number(matches.dataset.total);
  const form = find("filters");
  const search = find("search");
  const attention = find("filter-attention");
  const selects = { verdict: find("filter-verdict"), owner: find("filter-owner") };
  let rows = [];
  let missing = 0;

  // --- colours

  const button = find("theme");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const nameTheme = () => {
    button.textContent = isDark() ? "Light colours" : "Dark colours";
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });
  prefersDark.addEventListener("change", nameTheme);
  button.hidden = false;
  nameTheme();

  // --- rows

  const unpack = async () => {
    const packed = find("compressed-rows");
    if (!packed.textContent) return;
    const bytes = Uint8Array.from(atob(packed.textContent), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(packed.dataset.format));
    // These rows are escaped like those above: the same template made them.
    body.insertAdjacentHTML("beforeend", await new Response(stream).text());
  };

  const columnOf = (label) => [...table.tHead.rows[0].cells].findIndex((cell) => cell.dataset.label === label);
  const nameOf = (cell) => (cell.tagName === "TH" ? cell.firstChild : cell).textContent.trim();
  const textOf = (row, index) => nameOf(row.cells[index]);

  const readRows = () => {
    const [owner, verdict, need] = ["Owner", "Verdict", "Attention"].map(columnOf);
    rows = [...body.rows].map((element) => ({
      element,
      owner: element.cells[owner].textContent,
      verdict: element.cells[verdict].textContent,
      attention: element.cells[need].textContent !== "",
      text: element.textContent.toLowerCase(),
    }));
  };

  // --- filters

  const chosen = (select) => (select.selectedIndex > 0 ? select.value : null);
  const describe = (shown) => {
    const count = (number) => number.toLocaleString("en").replaceAll(",", " ");
    const noun = total === 1 ? "secret" : "secrets";
    let text = `${count(shown)} of ${count(total)} ${noun}`;
    if (missing) text += `; this browser cannot unpack ${count(missing)} others`;
    const filtered = total - missing - shown;
    return filtered ? `${text}; the filters hide ${count(filtered)}.` : `${text}.`;
  };
  const apply = () => {
    const [verdict, owner] = [chosen(selects.verdict), chosen(selects.owner)];
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const isShown =
        (verdict === null || row.verdict === verdict) &&
        (owner === null || row.owner === owner) &&
        (!attention.checked || row.attention) &&
        words.every((word) => row.text.includes(word));
      row.element.hidden = !isShown;
      shown += isShown;
    }
    matches.textContent = describe(shown);
  };
  const follow = (link) => {
    if (link.dataset.filter === "attention") {
      form.reset();
      attention.checked = true;
      apply();
      return;
    }
    const select = selects[link.dataset.filter];
    const index = [...select.options].findIndex((option, position) => position && option.value === link.dataset.value);
    if (index < 1) return;
    form.reset();
    select.selectedIndex = index;
    apply();
  };

  // --- sorting

  const collator = new Intl.Collator("en", { numeric: true });
  const compare = (type, left, right) => (type === "number" ? left - right : collator.compare(left, right));
  const sort = (header) => {
    const descending = header.getAttribute("aria-sort") === "ascending";
    for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const keys = new Map(rows.map((row) => [row, textOf(row.element, header.cellIndex)]));
    // What is unknown comes last in either order.
    rows.sort((one, other) => {
      const [left, right] = [keys.get(one), keys.get(other)];
      if (!left || !right) return !left - !right;
      return compare(header.dataset.type, left, right) * (descending ? -1 : 1);
    });
    body.append(...rows.map((row) => row.element));
  };
  const makeSortable = (header) => {
    const control = document.createElement("button");
    control.type = "button";
    control.textContent = header.dataset.label = header.textContent.trim();
    control.addEventListener("click", () => sort(header));
    header.replaceChildren(control);
  };

  // --- printing: incidents are printed with their timelines

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll(".incidents details:not([open])")];
    for (const element of closed) element.open = true;
  });
  addEventListener("afterprint", () => {
    for (const element of closed) element.open = false;
  });

  const start = async () => {
    if (!table) return;
    for (const header of table.tHead.rows[0].cells) makeSortable(header);
    try {
      await unpack();
    } catch {
      missing = total - body.rows.length;
    }
    readRows();
    form.hidden = false;
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.querySelector("button").addEventListener("click", () => {
      form.reset();
      apply();
    });
    for (const link of document.querySelectorAll("a[data-filter]")) link.addEventListener("click", () => follow(link));
    apply();
    root.dataset.ready = "";
  };
  start();
})();
