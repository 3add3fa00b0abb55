// tasks.js - the list of tasks, followed; the curve of each that runs; links to what ended ones left.
"use strict";

const PREFIX = document.documentElement.dataset.prefix.slice(1); // relative: behind a proxy too
const EVERY_MS = 2000;
const PAGE = 50;
const CURVES = 6;
const SHOWN = [["report", "report"], ["memory_profile", "memory"], ["pyinstrument_profile", "profile"], ["memray_profile", "memray"],
  ["manifest", "manifest"]];

const $ = (id) => document.getElementById(id);
const graphs = new Map(); // id → { figure, graph }
const urls = new Map(); // id → artifacts of an ended task, asked for once an hour
let offset = 0;

function megabytes(bytes) {
  return bytes >= 1e5 ? `${(bytes / 1048576).toFixed(1)} MiB` : `${bytes} B`;
}

async function get(path) {
  // not relative to a page that was opened with user and password in its address: fetch() refuses that
  const answer = await fetch(location.origin + location.pathname + path, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${answer.statusText}`);
  return answer.json();
}

function query() {
  const args = new URLSearchParams({ limit: PAGE, offset });
  for (const [name, value] of new FormData($("filters"))) if (value) args.set(name, value);
  return args;
}

function cell(row, text, kind) {
  const td = row.insertCell();
  td.textContent = text;
  if (kind) td.className = kind;
  return td;
}

function seconds(task) {
  const end = task.finished_at ? Date.parse(task.finished_at) : Date.now();
  return Math.max(0, (end - Date.parse(task.started_at)) / 1000).toFixed(1);
}

async function links(td, task) {
  const known = urls.get(task.id);
  if (!known || Date.now() - known.at > 1800e3) {
    const answer = await get(`${PREFIX}${task.id}/profile_artifacts/`);
    urls.set(task.id, { at: Date.now(), urls: answer.urls });
  }
  for (const [key, text] of SHOWN) {
    const url = urls.get(task.id).urls[key];
    if (!url) continue;
    const a = document.createElement("a");
    a.textContent = text;
    a.href = url;
    td.append(a);
  }
}

async function show(task) {
  const row = document.createElement("tr");
  cell(row, task.id, "id");
  cell(row, task.name);
  cell(row, task.rule);
  cell(row, task.end && task.end !== "exited" ? `${task.state}, ${task.end}` : task.state,
    task.end && task.end !== "exited" || task.state === "lost" ? "bad" : "");
  cell(row, (task.started_at || "").replace("T", " ").slice(0, 19));
  cell(row, seconds(task), "number");
  cell(row, megabytes(task.peak_bytes), "number");
  cell(row, task.processes, "number");
  cell(row, task.lost_records, task.lost_records ? "number bad" : "number");
  const td = cell(row, "");
  if (task.state === "done" || task.state === "lost") await links(td, task);
  return row;
}

function figure(task) {
  const figure = document.createElement("figure"), caption = document.createElement("figcaption"), div = document.createElement("div");
  caption.textContent = `${task.name}  ${task.id}`;
  div.className = "curve";
  figure.append(caption, div);
  $("live").append(figure);
  const graph = new Dygraph(div, [[0, 0]], { labels: ["seconds", "MiB"], includeZero: true, fillGraph: true, color: "#2a78d0",
    axes: { x: { drawGrid: false } }, ylabel: "" });
  return { figure, graph };
}

async function curves(tasks) {
  const running = tasks.filter((task) => task.state === "running").slice(0, CURVES);
  for (const [id, live] of graphs) {
    if (running.some((task) => task.id === id)) continue;
    live.graph.destroy();
    live.figure.remove();
    graphs.delete(id);
  }
  for (const task of running) {
    const { points } = await get(`${PREFIX}${task.id}/curve`);
    if (!points.length) continue;
    if (!graphs.has(task.id)) graphs.set(task.id, figure(task));
    graphs.get(task.id).graph.updateOptions({ file: points.map(([time, bytes]) => [time, bytes / 1048576]) });
  }
}

async function follow() {
  try {
    const list = await get(`${PREFIX}?${query()}`);
    const rows = [];
    for (const task of list.results) rows.push(await show(task));
    $("tasks").replaceChildren(...rows);
    $("previous").disabled = !list.previous;
    $("next").disabled = !list.next;
    $("state").textContent = list.count === 0 ? "no task yet" :
      `${offset + 1} to ${offset + list.results.length} of ${list.count}`;
    await curves(list.results);
  } catch (error) {
    $("state").textContent = `no answer: ${error.message}`;
  }
}

async function loop() {
  await follow();
  setTimeout(loop, EVERY_MS);
}

$("filters").addEventListener("input", () => { offset = 0; follow(); });
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("previous").addEventListener("click", () => { offset = Math.max(0, offset - PAGE); follow(); });
$("next").addEventListener("click", () => { offset += PAGE; follow(); });
loop();
