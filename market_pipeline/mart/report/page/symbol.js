// The section of one symbol, drawn when the address names it: chart, forecasts, verdicts, record, doubts.
const section = byId("symbol");
const view = { sessions: Number(chosen("span")), width: section.parentElement.clientWidth, scale: null, series: null };

const addressed = () => {
  const [kind, name, symbol] = location.hash.slice(1).split("/");
  if (kind !== "symbol") return null;
  const market = markets.find((one) => one.name === decodeURIComponent(name ?? ""));
  const place = market ? market.symbols.indexOf(decodeURIComponent(symbol ?? "")) : -1;
  return place < 0 ? null : { market, symbol: place };
};

// What stands at a place of the chart, in words.
const readout = ({ points, ahead }, at) => {
  if (at < points.length) {
    const { session, close, low, high, inside } = points[at];
    const range = low === null ? "" : ` 80 % range made ${many(state.horizon, "session")} before: ${price(low)} … ${price(high)}, ${inside ? "inside" : "outside"}.`;
    return `${session}: ${close === null ? "no bar" : `close ${price(close)}`}.${range}`;
  }
  const one = ahead.find(({ forecast }) => forecast.horizon >= at - points.length + 1);
  const bands = BANDS.map(([name, low, high]) => `${name} % ${price(one.quantiles[low])} … ${price(one.quantiles[high])}`).reverse();
  return `${one.forecast.target}, ${many(one.forecast.horizon, "session")} ahead: median ${price(one.quantiles[MEDIAN])}; ${bands.join("; ")}.`;
};

const moveCursor = () => {
  const at = Number(byId("cursor").value);
  const text = readout(view.series, at);
  byId("readout").textContent = text;
  byId("cursor").setAttribute("aria-valuetext", text);
  const line = section.querySelector(".cursor");
  line.setAttribute("transform", `translate(${view.scale.x(at) + 9} 0)`);
};

const chart = (market, symbol) => {
  const width = Math.max(280, byId("chart").parentElement.clientWidth);
  view.series = seriesOf(market, symbol, state.horizon, view.sessions);
  const { points, ahead } = view.series;
  const some = points.some((point) => point.close !== null);
  byId("figure").hidden = !some;
  if (!some) return;
  view.scale = drawChart(byId("chart"), view.series, width, width < 560 ? 260 : 360);
  byId("cursor").max = points.length - 1 + (ahead.at(-1)?.forecast.horizon ?? 0);
  byId("cursor").value = points.length - 1;
  const compared = points.filter((point) => point.inside !== null);
  const inside = compared.filter((point) => point.inside).length;
  byId("compared").textContent = compared.length ?
    `Shaded before the line: the 80 % range that was made ${many(state.horizon, "session")} before. ${inside} of ${compared.length} closes were inside (${percent(inside / compared.length, 0)}); the others are dots.` +
    (state.horizon > 1 ? " Forecasts that overlap fail together, so this is no test." : "") : "No past forecast of the selected model falls into this window.";
  byId("chart").setAttribute("aria-label", `Closes of ${market.symbols[symbol]} and its forecast ranges; the slider below reads them.`);
  moveCursor();
};

const between = (one, low, high) => `${price(one.quantiles[low])} … ${price(one.quantiles[high])}`;
const recordText = ([scored, held, skill]) =>
  `${held} of ${scored} (${percent(held / scored, 0)})${skill ? `; range ${percent(Math.abs(skill))} ${skill > 0 ? "better" : "worse"} than a random walk` : ""}`;

const forecastRows = (market, symbol) => {
  const found = market.forecasts.map((forecast) => ({ forecast, one: forecastOf(forecast, symbol) })).filter(({ one }) => one);
  return found.map(({ forecast, one }) => `<tr><th scope="row">${many(forecast.horizon, "session")}</th><td class="nowrap">${forecast.target ?? "–"}</td>` +
    (missing(one.price) ? '<td class="number" colspan="4">no price at the origin</td>' :
      `<td class="number">${price(one.quantiles[MEDIAN])}</td>${[...BANDS].reverse().map(([, low, high]) => `<td class="number">${between(one, low, high)}</td>`).join("")}`) +
    `<td class="number">${percent(one.expected, 2, true)}</td><td class="number${forecast.directional ? "" : " muted"}">${percent(one.p_up, 0)}</td>` +
    `<td class="number">${percent(one.var_025, 1, true)}; ${percent(one.es_025, 1, true)}</td>` +
    `<td>${escaped(spaced(forecast.model))}: ${escaped(forecast.verdict)}</td>` +
    `<td>${forecast.record[symbol] ? recordText(forecast.record[symbol]) : "none scored"}</td></tr>`);
};

const neighbours = (market, symbol) => {
  const links = visibleLinks().map((link) => link.hash);
  const at = links.indexOf(address(market.name, market.symbols[symbol]));
  for (const [id, to] of [["previous", at - 1], ["next", at + 1]]) {
    const link = byId(id);
    if (at >= 0 && links[to]) link.href = links[to];
    else link.removeAttribute("href");
  }
};

const showSymbol = () => {
  const found = addressed();
  section.hidden = !found;
  if (!found) return false;
  const { market, symbol } = found;
  const name = market.symbols[symbol];
  const close = market.closes[symbol].findLastIndex((value) => value !== null);
  byId("symbol-name").textContent = name;
  byId("symbol-about").textContent = `${market.name}` + (close < 0 ? `, no bar in the last ${many(market.sessions.length, "session")}` :
    `, close ${price(market.closes[symbol][close])} on ${market.sessions[close]}`);
  byId("reason").textContent = market.reasons[symbol] ?? "";
  byId("reason").hidden = !market.reasons[symbol];
  const rows = forecastRows(market, symbol);
  byId("of-symbol").hidden = !rows.length;
  byId("of-symbol").querySelector("caption").textContent = `Forecasts of ${name} by horizon`;
  byId("of-symbol").querySelector("tbody").innerHTML = rows.join("");
  const doubts = market.doubts[symbol] ?? ["None known: no session is missing, no bar is in quarantine, no value was restated."];
  byId("doubts").innerHTML = doubts.map((doubt) => `<li>${escaped(doubt)}</li>`).join("");
  chart(market, symbol);
  neighbours(market, symbol);
  return true;
};

const back = () => {
  const link = [...body.querySelectorAll("a")].find((one) => one.hash === location.hash);
  history.replaceState(null, "", "#forecasts");
  showSymbol();
  (link ?? byId("search")).focus();
};

const listenToSymbol = () => {
  addEventListener("hashchange", () => { if (showSymbol()) { section.scrollIntoView(); byId("symbol-name").focus({ preventScroll: true }); } });
  section.addEventListener("keydown", (event) => { if (event.key === "Escape") back(); });
  byId("back").addEventListener("click", (event) => { event.preventDefault(); back(); });
  byId("cursor").addEventListener("input", moveCursor);
  byId("chart").addEventListener("pointermove", (event) => {
    const at = view.scale.at(event.clientX - byId("chart").getBoundingClientRect().left);
    byId("cursor").value = at;
    moveCursor();
  });
  for (const input of document.querySelectorAll("input[name=span]")) {
    input.addEventListener("change", () => { view.sessions = Number(input.value); showSymbol(); });
  }
  new ResizeObserver(() => {
    const width = section.parentElement.clientWidth;
    if (width !== view.width && addressed()) showSymbol();
    view.width = width;
  }).observe(section.parentElement);
};
