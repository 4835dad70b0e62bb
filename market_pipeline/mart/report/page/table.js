// The table of forecasts: search, filter, sort, the switches, and the file of what is shown.
const byId = (id) => document.getElementById(id);
const body = byId("table").tBodies[0];
const chosen = (name) => document.querySelector(`input[name=${name}]:checked`).value;
const state = { horizon: Number(chosen("horizon")), prices: chosen("units") === "prices", sort: "symbol", up: true };
const cache = new Map();
let drawn = [];

const columnsShown = () => COLUMNS.filter((column) =>
  (column.id !== "market" || markets.length > 1) && drawn.some((row) => row.forecast && !missing(column.value(row, state.prices))));
const column = (id) => [SYMBOL, ...COLUMNS].find((one) => one.id === id);

// The end of an axis that holds most of the ranges: one volatile symbol does not flatten the others.
const axisEnd = (rows) => {
  const ends = rows.flatMap((row) => [Math.abs(row.low), Math.abs(row.high)]).sort((a, b) => a - b);
  const most = ends[Math.floor(0.95 * (ends.length - 1))] || 0.01;
  const power = 10 ** Math.floor(Math.log10(most));
  return power * [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((end) => power * end >= most * (1 - 1e-9));
};

// The places of a range on its axis, for the style sheet to draw: no element for each mark, so that rows stay light.
const bar = (row, end) => {
  const on = (value) => `${(50 + 50 * Math.max(-1, Math.min(1, value / end))).toFixed(1)}%`;
  return `style="--low:${on(row.low)};--high:${on(row.high)};--mean:${on(row.expected)}"`;
};

const rowText = (row, columns, end) => {
  const link = `<th scope="row"><a href="${escaped(address(row.market, row.name))}">${escaped(row.name)}</a></th>`;
  if (row.forecast) {
    const cells = columns.map((one) => `<td class="${one.words ? "" : "number"}${one.id === "p_up" && !row.forecast.directional ? " muted" : ""}">${one.text(row, state.prices)}</td>`);
    return `<tr>${link}${cells.join("")}<td class="plot" aria-hidden="true" ${bar(row, end)}></td></tr>`;
  }
  const known = columns.filter((one) => ["market", "close"].includes(one.id));
  const cells = known.map((one) => `<td class="${one.words ? "" : "number"}">${one.text(row, state.prices)}</td>`);
  return `<tr class="without">${link}${cells.join("")}<td colspan="${columns.length - known.length + 1}">${escaped(row.reason)}</td></tr>`;
};

const headText = (columns, end) => {
  const button = (one) => `<button type="button" data-sort="${one.id}"><span>${one.title}</span>` +
    `${one.unit ? ` <small>${one.unit(state.prices)}</small>` : ""}<span class="arrow" aria-hidden="true"></span></button>`;
  const single = (one) => `<th scope="col" rowspan="2" data-column="${one.id}" class="${one.words ? "" : "number"}">${button(one)}</th>`;
  const scale = `<th scope="col" rowspan="2" class="plot"><span class="visually-hidden">80 % range, plotted</span>` +
    `<span class="scale" aria-hidden="true"><span>${MINUS}${percent(end, end < 0.01 ? 1 : 0)}</span><span>0</span><span>+${percent(end, end < 0.01 ? 1 : 0)}</span></span></th>`;
  const groups = [...new Set(columns.map((one) => one.group))];
  const top = groups.map((group) => {
    const of = columns.filter((one) => one.group === group);
    return group ? `<th scope="colgroup" colspan="${of.length}" class="group">${group}</th>` : of.map(single).join("");
  });
  const below = columns.filter((one) => one.group).map((one, at, all) =>
    `<th scope="col" data-column="${one.id}" class="number${one.group !== all[at - 1]?.group ? " group" : ""}">${button(one)}</th>`);
  return `<tr>${single(SYMBOL)}${top.join("")}${scale}</tr><tr>${below.join("")}</tr>`;
};

// Widths in characters, so that the browser does not measure every cell to find them.
const setWidths = (columns) => {
  const longest = (one) => Math.max(...drawn.map((row) => one.value(row).length));
  const widths = [SYMBOL, ...columns].map((one) =>
    Math.max(one.words ? longest(one) : 8, one.title.length + (one.unit ? one.unit(state.prices).length : 0) + 1) + 2);
  byId("widths").innerHTML = widths.map((width) => `<col style="width:${width}ch">`).join("") + '<col class="plot">';
  byId("table").style.setProperty("--characters", widths.reduce((sum, width) => sum + width));
};

// Draw everything: after a switch of horizon or units.
const draw = () => {
  const key = `${state.horizon}`;
  if (!cache.has(key)) cache.set(key, rowsOf(state.horizon));
  drawn = cache.get(key);
  const columns = columnsShown();
  const end = axisEnd(drawn.filter((row) => row.forecast));
  setWidths(columns);
  byId("table").tHead.innerHTML = headText(columns, end);
  byId("table").caption.textContent = `Forecasts ${many(state.horizon, "session")} ahead, in ${state.prices ? "prices" : "returns"}`;
  body.innerHTML = drawn.map((row) => rowText(row, columns, end)).join("");
  drawn.forEach((row, at) => { row.element = body.rows[at]; });
  if (!columns.includes(column(state.sort))) Object.assign(state, { sort: "symbol", up: true });
  byId("models").innerHTML = markets.flatMap((market) => market.forecasts.filter((one) => one.horizon === state.horizon)
    .map((one) => `<li><strong>${escaped(market.name)}</strong> from ${one.origin}: ${escaped(one.sentence)}</li>`)).join("");
  sort();
  filter();
};

const inOrder = () => {
  const { value, words } = column(state.sort);
  const sign = state.up ? 1 : -1;
  const compared = (a, b) => (words ? a.localeCompare(b, "en", { numeric: true }) : a - b);
  return [...drawn].sort((one, other) => {
    const [a, b] = [one, other].map((row) => (row.forecast || words || state.sort === "close" ? value(row, state.prices) : null));
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    return sign * compared(a, b);
  });
};

// Rows are moved while they are not in the page. The first ones are shown at once, the others with the next frame.
const sort = () => {
  const table = byId("table");
  body.remove();
  body.append(...inOrder().map((row) => row.element));
  table.classList.add("sorting");
  table.append(body);
  requestAnimationFrame(() => setTimeout(() => table.classList.remove("sorting")));
  for (const head of document.querySelectorAll("#table [data-column]")) {
    const of = head.dataset.column === state.sort;
    if (of) head.setAttribute("aria-sort", state.up ? "ascending" : "descending");
    else head.removeAttribute("aria-sort");
  }
};

const filter = () => {
  const words = byId("search").value.toUpperCase().split(/[\s,;]+/).filter((word) => word);
  const market = byId("market")?.value ?? "";
  let visible = 0;
  for (const row of drawn) {
    const name = row.name.toUpperCase();
    const matches = (!market || row.market === market) && (!words.length || words.some((word) => name.includes(word)));
    row.element.hidden = !matches;
    visible += matches;
  }
  const without = drawn.filter((row) => !row.element.hidden && !row.forecast).length;
  byId("shown").textContent = `${visible === drawn.length ? many(visible, "symbol") : `${visible} of ${many(drawn.length, "symbol")}`}, ` +
    `${without ? `${without} without a forecast, ` : ""}sorted by ${column(state.sort).title.toLowerCase()}, ${state.up ? "lowest" : "highest"} first.`
      .replace(/(symbol|market), lowest first/, "$1").replace(/(symbol|market), highest first/, "$1, backwards");
};

// The rows that are shown, in their order, as a file: fractions or prices, not rounded for people.
const fileText = () => {
  const columns = columnsShown();
  const head = ["symbol", "horizon", "origin", "target", "model", "verdict", "trend", ...columns.map((one) => one.id), "reason"];
  const rows = inOrder().filter((row) => !row.element.hidden).map((row) => {
    const { forecast } = row;
    const about = forecast ? [forecast.origin, forecast.target, forecast.model, forecast.verdict.replace(/^\S+ /, ""), ARROWS[row.trend][1]] : ["", "", "", "", ""];
    const values = columns.map((one) => (forecast || ["market", "close"].includes(one.id) ? one.value(row, state.prices) : null));
    return [row.name, state.horizon, ...about, ...values.map((value) => (typeof value === "number" ? Number(value.toPrecision(8)) : value)), row.reason];
  });
  return [head, ...rows].map((cells) => `${cells.map(field).join(",")}\r\n`).join("");
};

const download = () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([fileText()], { type: "text/csv" }));
  link.download = `forecasts-${state.horizon}-${state.prices ? "prices" : "returns"}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
};

const visibleLinks = () => inOrder().filter((row) => !row.element.hidden).map((row) => row.element.querySelector("a"));
const STEPS = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };

const listen = () => {
  byId("search").addEventListener("input", filter);
  byId("search").addEventListener("keydown", (event) => {
    const first = visibleLinks()[0];
    if (event.key === "Enter" && first) location.hash = first.hash;
    if (event.key === "ArrowDown" && first) { event.preventDefault(); first.focus(); }
  });
  byId("market")?.addEventListener("change", filter);
  byId("csv").addEventListener("click", download);
  byId("table").tHead.addEventListener("click", (event) => {
    const id = event.target.closest("[data-sort]")?.dataset.sort;
    if (!id) return;
    const again = state.sort === id;
    Object.assign(state, { sort: id, up: again ? !state.up : Boolean(column(id).words) });
    sort();
    filter();
  });
  body.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const links = visibleLinks();
    const at = links.indexOf(document.activeElement);
    if (step === undefined || at < 0) return;
    event.preventDefault();
    const to = at + step;
    if (to < 0 && step === -1) byId("search").focus();
    else links[Math.max(0, Math.min(links.length - 1, to))].focus();
  });
  for (const input of document.querySelectorAll("input[name=horizon], input[name=units]")) {
    input.addEventListener("change", () => {
      Object.assign(state, { horizon: Number(chosen("horizon")), prices: chosen("units") === "prices" });
      draw();
      showSymbol();
    });
  }
};
