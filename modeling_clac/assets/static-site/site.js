// Search without a server: the text tower of CLaC in ONNX Runtime Web, and the vectors of the crystals.
import { InferenceSession, Tensor, env } from "./ort.mjs";
import { Reader } from "./reading.js";

const EXAMPLES = ["lead-free halide perovskite", "wide-gap nitride", "hard ceramic coating", "LiFePO4", "lithium oxide for batteries"];
const SHOWN = 20;

const bytes = async (name) => {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return response;
};
const unpacked = async (name) => new Response((await bytes(name)).body.pipeThrough(new DecompressionStream("gzip")));

// The low bytes of all numbers, then their high bytes; both have signs.
function wholeNumbers(buffer) {
  const length = buffer.byteLength / 2, low = new Int8Array(buffer, 0, length), high = new Int8Array(buffer, length);
  return Int16Array.from(low, (value, place) => 256 * high[place] + value);
}

async function load() {
  const site = await (await bytes("site.json")).json();
  const [reading, crystals, vectors, wasm, tower] = await Promise.all([
    unpacked("reading.bin").then((own) => own.json()),
    unpacked("crystals.bin").then((own) => own.json()),
    unpacked("vectors.bin").then((own) => own.arrayBuffer()),
    unpacked("ort-wasm.bin").then((own) => own.arrayBuffer()),
    unpacked("tower.bin").then((own) => own.arrayBuffer()),
  ]);
  env.wasm.numThreads = 1;
  env.wasm.wasmBinary = wasm;
  const session = await InferenceSession.create(new Uint8Array(tower), { executionProviders: ["wasm"] });
  return {
    site, crystals, session,
    reader: new Reader(reading),
    rows: wholeNumbers(vectors),
  };
}

const loaded = load();

// Unit vector of a text, and whether it was cut.
export async function embed(text) {
  const { site, session, reader } = await loaded;
  let { ids, kinds, values } = reader.read(text);
  const cut = ids.length > site.tokens;
  if (cut) {
    const end = ids.at(-1);
    [ids, kinds, values] = [[...ids.slice(0, site.tokens - 1), end], [...kinds.slice(0, site.tokens - 1), 0], [...values.slice(0, site.tokens - 1), 0]];
  }
  const shape = [1, ids.length];
  const whole = (numbers) => new Tensor("int64", BigInt64Array.from(numbers, BigInt), shape);
  const inputs = {
    input_ids: whole(ids),
    attention_mask: whole(ids.map(() => 1)),
    token_kinds: whole(kinds),
    token_values: new Tensor("float32", Float32Array.from(values), shape),
  };
  const known = Object.fromEntries(Object.entries(inputs).filter(([name]) => session.inputNames.includes(name)));
  const output = await session.run(known);
  return { vector: output.text_embeds.data, cut };
}

// The k crystals that are most similar to a text, best first.
export async function search(text, k = SHOWN) {
  const { site, crystals, rows } = await loaded;
  const { vector, cut } = await embed(text);
  const scores = new Float32Array(site.crystals);
  for (let row = 0, place = 0; row < site.crystals; row++) {
    let sum = 0;
    for (let i = 0; i < site.dimension; i++, place++) sum += rows[place] * vector[i];
    scores[row] = sum * site.step;
  }
  const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a] || a - b).slice(0, k);
  return { cut, hits: order.map((row) => ({ row, id: crystals.id[row], score: scores[row] })) };
}

// -------------------- the page; content is text, never markup
const $ = (selector) => document.querySelector(selector);
const element = (name, text, kind) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
};

function formula(text) {
  const cell = element("td");
  for (const part of text.split(/(\d+\.?\d*)/)) if (part) cell.append(/^\d/.test(part) ? element("sub", part) : part);
  return cell;
}

// P6_3/mmc: the number behind a line is a subscript.
function group(symbol) {
  const cell = element("td");
  symbol.split(/_(\d)/).forEach((part, place) => { if (part) cell.append(place % 2 ? element("sub", part) : part); });
  return cell;
}

function show(crystals, hits) {
  const columns = crystals.columns.filter((column) => hits.some(({ row }) => column.values[row] !== null));
  const head = element("tr");
  for (const name of ["#", "score", "formula", "space group"]) head.append(element("th", name, ["#", "score"].includes(name) ? "number" : ""));
  for (const { header, unit } of columns) head.append(element("th", unit ? `${header} (${unit})` : header, "number"));
  head.append(element("th", "material"));
  for (const cell of head.children) cell.scope = "col";
  $("thead").replaceChildren(head);
  const body = hits.map(({ row, id, score }, place) => {
    const line = element("tr");
    line.append(element("td", String(place + 1), "number"), element("td", score.toFixed(3), "number"));
    line.append(formula(crystals.formula[row]), group(crystals.group[row] ?? ""));
    for (const { values, decimals } of columns) line.append(element("td", values[row] === null ? "" : values[row].toFixed(decimals), "number"));
    const last = element("td");
    const link = crystals.link[row];
    if (link) {
      const anchor = element("a", id);
      anchor.href = link;
      anchor.rel = "noopener";
      last.append(anchor);
    } else last.append(id);
    line.append(last);
    return line;
  });
  $("tbody").replaceChildren(...body);
  $("table").hidden = !body.length;
}

async function answer(text) {
  const { crystals } = await loaded;
  const start = performance.now();
  const { hits, cut } = await search(text);
  show(crystals, hits);
  const time = `${Math.round(performance.now() - start)} ms`;
  $("#status").textContent = `${hits.length} of ${crystals.id.length.toLocaleString("en")} crystals, ${time}${cut ? "; the text was cut at the limit of the model" : ""}`;
}

function ask(text) {
  $("#query").value = text;
  history.replaceState(null, "", `#q=${encodeURIComponent(text)}`);
  return answer(text);
}

function start() {
  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("#query").value.trim();
    if (text) ask(text);
  });
  for (const text of EXAMPLES) {
    const button = element("button", text);
    button.type = "button";
    button.addEventListener("click", () => ask(text));
    $("#examples").append(button);
  }
  loaded.then(({ site }) => {
    $("button[type=submit]").disabled = false;
    $("#status").textContent = "Ready.";
    $("#source").textContent = site.source;
    const asked = new URLSearchParams(location.hash.slice(1)).get("q");
    if (asked) ask(asked);
  }).catch((error) => {
    $("#status").textContent = `The page could not be loaded (${error.message}). Open it from a web server, not as a file.`;
  });
}

start();
