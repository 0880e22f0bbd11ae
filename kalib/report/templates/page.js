// Glue between the page's data, its chart and DataTables' table: one filter acts on both.
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const element = (id) => document.getElementById(id);
const study = read("study-data");
const { words } = study;

// Numbers as the language reads them; the same rules as `Words` in words.py.
const known = (v) => v !== null && Number.isFinite(v);
const format = (options) => new Intl.NumberFormat(study.language, { roundingMode: "halfEven", ...options }).format;
const decimals = [0, 1, 2].map((digits) => format({ minimumFractionDigits: digits, maximumFractionDigits: digits }));
const grouped = (v, digits) => decimals[digits](v);
const whole = format({ style: "percent" });
const percent = (v) => (known(v) ? whole(v) : study.missing);
// An amount in the unit of accounts, or of sums, as Words.amount writes it.
function short(v, unit = study.units[0]) {
  if (!known(v)) return study.missing;
  const shown = v / unit.scale;
  return grouped(shown, shown ? unit.ends.filter((end) => Math.abs(shown) < end).length : 0);
}
const share = format({ style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
function money(v) {
  if (!known(v)) return study.missing;
  const unit = study.units.findLast((one, k) => !k || Math.abs(v) >= one.scale);
  return `${short(v, unit)}${unit.counted}`;
}
const between = (value, low, high, show) =>
  known(low) && high > 1.005 * low ? fill("interval", { value: show(value), low: show(low), high: show(high) }) : show(value);
const fill = (key, values) => words[key].replace(/\{(\w+)\}/g, (_, hole) => values[hole]);

// Columns by name; a text column comes as its levels and the place of each account among them.
const decoded = (column) => (Array.isArray(column) ? column : column.codes.map((k) => column.levels[k]));
const column = Object.fromEntries(Object.entries(study.columns).map(([name, c]) => [name, decoded(c)]));
const indicators = study.indicators.map((one) => ({ ...one, values: decoded(one.values) }));
const everyone = column.account.map((_, i) => i);
const { sow } = column;
const zones = ["attack", "defense", "maintenance", "watch"];
const word = (key) => words[key] ?? key;
const zoneWord = (zone) => (zone ? words[zone] : words.unplaced);
const sought = everyone.map((i) => `${column.account[i]}\n${column.name[i]}`.toLowerCase());
const named = (i) => [study.ends[0], column.name[i], study.ends[1]].join(" ").trim();
const titled = (i) => (column.name[i] ? `${named(i)} (${column.account[i]})` : column.account[i]);

function node(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
const mark = (zone) => (zone ? document.querySelector(`svg[data-zone=${zone}]`).cloneNode(true) : "");
const withMark = (zone) => node("span", { className: "zone" }, mark(zone), zoneWord(zone));

// The card of one account.
function openCard(i) {
  const at = (name) => column[name][i];
  const pairs = (...rows) => node("dl", {}, ...rows.filter(([, v]) => v).flatMap(([k, v]) => [node("dt", {}, k), node("dd", {}, v)]));
  const [low, high, zone] = [at("potential_low"), at("potential_high"), at("zone")];
  const growth = at("target_growth");
  const asked = { sales: money(at("target_sales")), growth: money(growth), sow: percent(at("target_sow")) };
  element("card").replaceChildren(
    node("form", { method: "dialog" }, node("button", { className: "close" }, words.close)),
    node("h3", { id: "card-title" }, titled(i)),
    node("p", {}, withMark(zone), ...[at("region"), at("segment")].filter(Boolean).map((text) => ` · ${text}`)),
    pairs(
      [words.potential, between(at("potential"), low, high, money)],
      [words.interval_label.replace("{level}", study.level), rangeBar(at("sales"), low, high)],
      [words.source, word(`source_${at("potential_source")}`)],
      [words.sales, money(at("sales"))],
      [words.sow, between(sow[i], at("sow_low"), at("sow_high"), percent)],
      [words.market_share, share(study.market_share)],
    ),
    node("h4", {}, words.why),
    node("ul", {}, ...reasons(i).map((text) => node("li", {}, text))),
    ...(zone && study.planned ? [node("h4", {}, words.plan), pairs(
      [words.target_sales, growth >= 0.005 ? fill("target", asked) : fill("hold", asked)],
      [words.team, word(at("team"))], [words.rep, at("rep")], [words.change, word(at("change"))],
    )] : []),
    ...(study.steps && known(column.potential[i]) ? [node("h4", {}, words.way), wayTable(i), node("h4", {}, words.alike), alikeTable(i)] : []),
    ...(indicators.length ? [node("h4", {}, words.indicators), indicatorTable(i)] : []),
  );
  if (!element("card").open) element("card").showModal();
  element("card").scrollTop = 0;
}

// Why an account lies in its zone, and what a sales ranking says.
function reasons(i) {
  const figures = { potential: money(column.potential[i]), sow: percent(sow[i]), cut: money(study.potential_cut), sow_cut: percent(study.sow_cut) };
  const [zone, flags] = [column.zone[i], column.flags[i].split(";").filter(Boolean)];
  const said = [fill(`why_${!zone ? "unplaced" : flags.includes("border") ? "border" : zone}`, figures)];
  if (zone) {
    const [chance, next] = zones.filter((other) => other !== zone).map((other) => [column[`p_${other}`][i] ?? 0, other]).sort(([a], [b]) => b - a)[0];
    const chances = { p: percent(column.zone_probability[i]), next: words[next], q: percent(chance), border: money(column.border_at[i]) };
    if (column.zone_probability[i] !== null) said.push(fill(chance >= 0.005 ? "why_sure" : "why_certain", chances));
    const key = zone === "attack" || zone === "defense";
    if (key !== Boolean(column.ranked[i])) said.push(words[key ? "why_missed" : "why_wrong"]);
  }
  const expert = { by: column.override_by[i] || study.missing, reason: column.override_reason[i] };
  const more = flags.filter((flag) => flag !== "border"); // said above
  return said.concat(more.map((flag) => (words[`flag_${flag}`] ? fill(`flag_${flag}`, expert) : flag)));
}

function rangeBar(sales, low, high) {
  if (!(high > 1.005 * low)) return "";
  const share = (v) => `${(100 * v) / (1.05 * Math.max(high, sales))}%`;
  const bar = node("span", { className: "range" }, node("i"), node("b"));
  bar.setAttribute("aria-hidden", "true");
  Object.assign(bar.firstChild.style, { left: share(low), width: share(Math.max(high - low, 0.01 * high)) });
  bar.lastChild.style.left = share(sales);
  return bar;
}

// What each indicator adds to a typical account's potential, and what else is known: bars from where
// the one before ended.
function wayTable(i) {
  const added = [...indicators.map(({ name }) => name), words.rest].map((name, k) => [name, study.steps[k][i]]);
  const ends = added.reduce((found, [, step]) => [...found, found.at(-1) + step], [study.typical]);
  const most = Math.max(...ends, column.potential[i]);
  const bar = (from, to) => {
    const made = node("span", { className: `range ${to < from ? "less" : ""}` }, node("i"));
    made.setAttribute("aria-hidden", "true");
    Object.assign(made.firstChild.style, { left: `${(100 * Math.min(from, to)) / most}%`, width: `${Math.max((100 * Math.abs(to - from)) / most, 0.5)}%` });
    return made;
  };
  const row = (name, said, from, to) => node("tr", {}, node("td", {}, name), node("td", { className: "number" }, said), node("td", { className: "wide" }, bar(from, to)));
  return node("table", { className: "way" }, node("tbody", {}, row(words.typical, money(study.typical), 0, study.typical),
    ...added.map(([name, step], k) => row(name, `${step < 0 ? "" : "+"}${money(step)}`, ends[k], ends[k + 1])),
    row(words.potential, money(column.potential[i]), 0, column.potential[i])));
}

function alikeTable(i) {
  const cells = (tag, ...texts) => node("tr", {}, ...texts.map((text, k) => node(tag, { className: k === 1 || k === 2 ? "number" : "" }, text)));
  const opens = (j) => node("button", { type: "button", className: "open", onclick: () => openCard(j) }, titled(j));
  return node("table", { className: "alike" }, node("thead", {}, cells("th", words.account, words.potential, words.sow, words.zone)),
    node("tbody", {}, ...study.alike[i].map((j) => cells("td", opens(j), money(column.potential[j]), percent(sow[j]), withMark(column.zone[j])))));
}

function indicatorTable(i) {
  const shown = (v) => (typeof v === "number" ? grouped(v, Number.isInteger(v) ? 0 : 2) : v ?? study.missing);
  const cells = (tag, ...texts) => node("tr", {}, ...texts.map((text) => node(tag, {}, text)));
  const rows = indicators.map(({ name, values, typical }) => cells("td", name, shown(values[i]), shown(typical)));
  return node("table", {}, node("thead", {}, cells("th", words.indicator, words.here, words.typical)), node("tbody", {}, ...rows));
}

// The table. Cells are text nodes, so that nothing in a client's text is markup.
const textual = (values) => ({ className: "text", render: (_, type, i) => (type === "display" ? node("span", {}, values[i]) : values[i]) });
const numeric = (values, show) => ({ className: "number", type: "num", orderSequence: ["desc", "asc"],
  render: (_, type, i) => (type === "display" ? node("span", {}, show(values[i])) : values[i] ?? -Infinity) });
const opener = (i) => {
  const button = node("button", { type: "button", className: "open", onclick: () => openCard(i) }, column.account[i]);
  button.setAttribute("aria-label", fill("open", { account: titled(i) }));
  return button;
};
const signed = (v) => (known(v) ? `${v > 0 ? "+" : ""}${whole(v)}` : study.missing);
const told = (name) => column[name].some(Boolean);
const asked = column.target_growth.some((v) => v > 0) && study.planned;
const far = (one) => ({ ...one, className: `${one.className} far` }); // not on a phone
const columns = [
  { title: words.account, render: (_, type, i) => (type === "display" ? opener(i) : column.account[i]) },
  ...["name"].filter(told).map((name) => ({ title: words[name], ...textual(column[name]), className: "text name" })),
  { title: words.zone, render: (_, type, i) => (type === "display" ? withMark(column.zone[i]) : column.zone[i]) },
  { title: words.potential, ...numeric(column.potential, short) },
  { title: words.sales, ...numeric(column.sales, short) },
  ...(asked ? [{ title: words.target_growth, ...numeric(column.target_growth, short) }] : []),
  far({ title: words.sow, ...numeric(sow, percent) }),
  ...(asked ? [{ title: words.growth_rate, ...numeric(column.growth_rate, signed) }, { title: words.expected_gain, ...numeric(column.expected_gain, short) }] : []).map(far),
  ...(told("action") ? [far({ title: words.action, ...textual(column.action.map(word)) })] : []),
  ...(asked ? [{ title: words.zone_probability, ...numeric(column.zone_probability, percent) }, { title: words.target_sales, ...numeric(column.target_sales, short) }] : []).map(far),
  ...["rep", "region", "segment"].filter(told).map((name) => far({ title: words[name], ...textual(column[name]) })),
];
const table = new DataTable("#accounts", {
  data: everyone, columns: columns.map((one) => ({ data: null, ...one })), deferRender: true, autoWidth: false,
  pageLength: 25, lengthMenu: [25, 100, 500], order: [[columns.findIndex((one) => one.title === words.potential), "desc"]],
  layout: { topStart: null, topEnd: null, bottomStart: ["info", "pageLength"], bottomEnd: "paging" },
  language: { info: words.rows, infoEmpty: "", infoFiltered: "", lengthMenu: words.length, zeroRecords: words.nothing,
    aria: { orderable: words.sort, orderableReverse: words.sort, orderableRemove: words.sort,
      paginate: { first: words.first, previous: words.previous, next: words.next, last: words.last, number: "" } } },
});

// The chart: potential on a logarithmic scale, share of wallet up to study.top; marks are hidden by
// the filters.
const svg = (tag, attributes, text) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
};
const placed = everyone.filter((i) => column.zone[i] && column.potential[i] > 0);
const ends = (values) => values.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity]);
const [width, height] = [1000, 480];
const [least, most] = ends(placed.map((i) => column.potential[i]));
const room = Math.max(most / least, 1.5) ** 0.06;
const [low, high] = [least / room, most * room];
const shares = placed.map((i) => Math.min(sow[i], study.top));
const top = 1.25 * Math.max(ends(shares)[1], 0.2);
const across = (v) => (width * Math.log(v / low)) / Math.log(high / low);
const down = (v) => height * (1 - Math.min(v, study.top) / top);

function drawAxes() {
  const tick = format({ maximumFractionDigits: 3 });
  const powers = Array.from({ length: 40 }, (_, k) => 10 ** (k - 15));
  const amounts = powers.flatMap((p) => (Math.log10(high / low) > 2.5 ? [p] : [p, 2 * p, 5 * p])).map((v) => v * study.scale);
  const step = [0.02, 0.05, 0.1, 0.2, 0.5].find((size) => top / size <= 7);
  const levels = Array.from({ length: 8 }, (_, k) => k * step).filter((v) => v < top);
  element("axes").append(
    ...amounts.filter((v) => v > low && v < high).flatMap((v) => [svg("path", { class: "grid", d: `M${across(v)} 0V${height}` }),
      svg("text", { x: across(v), y: height + 20, "text-anchor": "middle" }, tick(v / study.scale))]),
    ...levels.flatMap((v) => [svg("path", { class: "grid", d: `M0 ${down(v)}H${width}` }), svg("text", { x: -8, y: down(v) + 4, "text-anchor": "end" }, whole(v))]),
  );
  const cut = study.potential_cut;
  if (cut > low && cut < high) document.querySelectorAll("path.cut").forEach((path) => path.setAttribute("d", `M${across(cut)} 0V${height}M0 ${down(study.sow_cut)}H${width}`));
}
drawAxes();

function markOf(i) {
  if (!column.zone[i] || !(column.potential[i] > 0)) return null;
  const border = column.flags[i].split(";").includes("border");
  return svg("use", { href: `#mark-${column.zone[i]}`, x: across(column.potential[i]) - 5, y: down(sow[i]) - 5, width: 10, height: 10, opacity: border ? 0.35 : 0.85, "data-i": i });
}
const marks = everyone.map(markOf);
element("marks").append(...marks.filter(Boolean));
const accountAt = (event) => event.target.closest("use")?.dataset.i;
element("marks").addEventListener("click", (event) => accountAt(event) && openCard(accountAt(event)));
element("marks").addEventListener("pointerover", (event) => {
  const i = accountAt(event);
  if (i === undefined || marks[i].firstChild) return;
  const title = svg("title", {}, [titled(i), `${words.potential}: ${between(column.potential[i], column.potential_low[i], column.potential_high[i], money)}`,
    `${words.sow}: ${percent(sow[i])}`, zoneWord(column.zone[i])].join("\n"));
  marks[i].append(title);
});

// The filters, for table and quadrant alike.
const lists = ["region", "segment", "parent", "team", "rep", "action"].filter((name) => element(name));
const boxes = [...document.querySelectorAll("input[name=zone]")];
let shown = everyone.map(() => true);
table.search.fixed("filters", (text, row, i) => shown[i]);

function filter() {
  const query = element("search").value.trim().toLowerCase();
  const chosen = lists.map((name) => [column[name], element(name).value]).filter(([, value]) => value);
  const on = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  shown = everyone.map((i) => on.has(column.zone[i]) && sought[i].includes(query) && chosen.every(([values, value]) => values[i] === value));
  table.draw();
  marks.forEach((one, i) => one?.toggleAttribute("hidden", !shown[i]));
  count();
}

function count() {
  const sum = (values) => everyone.reduce((total, i) => total + (shown[i] && known(sow[i]) ? values[i] : 0), 0);
  const [potential, sales] = [sum(column.potential), sum(column.sales)];
  const n = everyone.reduce((total, i) => total + shown[i], 0);
  element("shown").textContent = fill("shown", { n: grouped(n, 0), all: grouped(everyone.length, 0),
    potential: money(potential), sales: money(sales), sow: share(potential ? sales / potential : null) });
}

element("search").addEventListener("input", filter);
element("filters").addEventListener("change", (event) => event.target.id !== "search" && filter());
element("filters").addEventListener("reset", () => setTimeout(filter));
count();
document.documentElement.dataset.ready = "";
