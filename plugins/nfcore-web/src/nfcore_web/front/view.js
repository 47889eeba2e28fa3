// The pages of `nfcore view`: tabs, the viewer, the report and progress, all from /state.json.

const SOON = 1500; // ms between looks while there is something to come
const LATER = 10000;
const STAGES = ["teach", "distill", "finetune", "evaluate", "render", "export"];
const TRAINING = { teach: "#2f7bff", distill: "#e0602f", finetune: "#1c9c64" }; // the stages with a curve
const PREVIEWS = { student: "Student, and what it learns from", teacher: "Teacher", comparison: "Student, teacher, photo" };

const NO_PAGE =
  "This run has no student, and no page of its teacher: “nfcore export RUN webgl” makes one. Its report shows the teacher.";

const element = (id) => document.getElementById(id);
let curves = []; // [stage, points] of each stage that has some

// -- tabs -----------------------------------------------------------------------------------------

const tabs = [...document.querySelectorAll('[role="tab"]')];

function open(tab) {
  for (const other of tabs) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    element(other.getAttribute("aria-controls")).hidden = !chosen;
  }
  drawCurves(); // a hidden panel has no width
}

addEventListener("resize", () => drawCurves());

for (const [index, tab] of tabs.entries()) {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(index + step + tabs.length) % tabs.length];
    open(next);
    next.focus();
  });
}

// -- pages in frames ------------------------------------------------------------------------------

// Shows a page in a panel once it exists, in place of the words that say that there is none yet, or of another page.
function show(name, title, source = `/${name}.html`) {
  const panel = element(name);
  const shown = panel.querySelector("iframe");
  if (shown?.getAttribute("src") === source) return;
  shown?.remove();
  element(`no-${name}`).hidden = true;
  panel.append(Object.assign(document.createElement("iframe"), { src: source, title, allow: "fullscreen; xr-spatial-tracking" }));
}

// -- progress -------------------------------------------------------------------------------------

function showProgress(progress) {
  element("no-progress").hidden = true;
  element("reports").hidden = false;
  const done = STAGES.filter((stage) => progress.finished.some((name) => name.split(".")[0] === stage));
  const { teacher, student, seconds } = progress.results;
  const figures = teacher && done.includes("evaluate")
    ? {
        ...(student && { Student: decibels(student) }),
        Teacher: decibels(teacher),
        Took: duration(seconds),
        Finished: done.join(", "),
      }
    : {
        Stage: progress.stage ?? "–",
        Step: stepOf(progress),
        [progress.stage?.startsWith("export") ? "PSNR to torch" : "PSNR"]: decibels(progress.psnr),
        Finished: done.length ? done.join(", ") : "nothing yet",
      };
  if (progress.report) show("report", "Report");
  element("figures").replaceChildren(
    ...Object.entries(figures).map(([name, value]) => {
      const group = document.createElement("div");
      group.append(made("dt", name), made("dd", String(value)));
      return group;
    }),
  );
  curves = Object.entries(progress.curves).filter(([stage, points]) => stage in TRAINING && points.length > 1);
  drawCurves();
  showPreviews(progress.previews);
}

const decibels = (value) => (value == null ? "–" : `${value.toFixed(2)} dB`);

function stepOf({ step, total }) {
  if (step == null) return "–";
  return total >= step ? `${step} of ${total}` : `${step}`;
}

function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  return minutes ? `${minutes} min ${Math.round(seconds % 60)} s` : `${Math.round(seconds)} s`;
}

function made(tag, text) {
  const node = document.createElement(tag);
  node.textContent = text;
  return node;
}

// Stages one after another, each as wide as the others: they count different things.
function drawCurves() {
  const svg = element("curve");
  svg.parentElement.hidden = curves.length === 0;
  if (!curves.length) return;
  const [width, height, left, bottom] = [svg.clientWidth || 640, 240, 42, 16];
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`); // so that text has its own size at any width
  const values = curves.flatMap(([, points]) => points.map(([, psnr]) => psnr));
  const low = Math.floor(Math.min(...values));
  const high = Math.max(low + 1, Math.ceil(Math.max(...values)));
  const y = (psnr) => height - bottom - ((psnr - low) / (high - low)) * (height - 2 * bottom);
  const share = (width - left - 8) / curves.length;
  const across = 0.92; // of each share: the curve's last value stands behind it
  const shapes = [low, (low + high) / 2, high].flatMap((psnr) => [
    shape("line", { x1: left, x2: width - 8, y1: y(psnr), y2: y(psnr) }),
    shape("text", { x: left - 6, y: y(psnr) + 4, "text-anchor": "end" }, `${psnr}`),
  ]);
  for (const [index, [stage, points]] of curves.entries()) {
    const most = Math.max(...points.map(([step]) => step));
    const place = ([step, psnr]) => [left + share * (index + (across * step) / most), y(psnr)];
    shapes.push(shape("polyline", { points: points.map((point) => place(point).join()).join(" "), stroke: TRAINING[stage] }));
    const [end, psnr] = [place(points.at(-1)), points.at(-1)[1]];
    shapes.push(shape("text", { class: "last", x: end[0], y: end[1] < 24 ? end[1] + 18 : end[1] - 8, "text-anchor": "end" }, psnr.toFixed(1)));
  }
  svg.replaceChildren(...shapes);
  element("curve-legend").replaceChildren(
    ...curves.map(([stage]) => {
      const entry = made("span", `${stage}, PSNR in dB`);
      const mark = document.createElement("i");
      mark.style.background = TRAINING[stage];
      entry.prepend(mark);
      return entry;
    }),
  );
}

function shape(tag, attributes, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = text;
  return node;
}

// A picture is exchanged only when there is a newer one.
function showPreviews(previews) {
  const known = new Map([...element("previews").children].map((figure) => [figure.dataset.name, figure]));
  const order = Object.keys(PREVIEWS);
  const place = ({ name }) => (order.includes(name) ? order.indexOf(name) : order.length);
  for (const { name, version } of [...previews].sort((one, other) => place(one) - place(other))) {
    let figure = known.get(name);
    if (!figure) {
      figure = document.createElement("figure");
      figure.dataset.name = name;
      const picture = document.createElement("img");
      picture.alt = `Preview: ${PREVIEWS[name] ?? name}`;
      figure.append(picture, made("figcaption", PREVIEWS[name] ?? name));
      element("previews").append(figure);
    }
    const source = `/previews/${encodeURIComponent(name)}.png?${version}`;
    if (figure.firstChild.getAttribute("src") !== source) figure.firstChild.src = source;
  }
}

// -- news -----------------------------------------------------------------------------------------

// Whether the model that is shown is finished, but not yet whether there is a viewer of it.
const preparing = ({ working, progress, student }) =>
  working && (!progress || progress.finished.includes(student ? "finetune" : "teach"));

function headline(state) {
  const { problem, working, progress, student } = state;
  if (problem) return problem;
  if (preparing(state)) return "Preparing the viewer …";
  if (working && progress?.stage) return `${progress.stage}, step ${stepOf(progress)}, ${progress.idle} s ago`;
  if (working) return `Waiting for the ${student ? "student" : "teacher"} …`;
  return "";
}

async function look() {
  let state = null;
  try {
    state = await (await fetch("/state.json")).json();
  } catch {
    element("news").textContent = "nfcore view has ended";
  }
  if (state) {
    const news = headline(state);
    if (element("news").textContent !== news) element("news").textContent = news;
    if (state.viewer) show("viewer", "Viewer");
    else if (state.live) show("viewer", "The model in training", "/live.html");
    if (!state.student) element("no-viewer").textContent = NO_PAGE;
    if (!state.progress) element("no-report").textContent = "This is a model without its run.";
    if (state.progress) showProgress(state.progress);
    if (!opened) openFirst(state);
  }
  setTimeout(look, !state || state.working ? SOON : LATER);
}

// A run without a viewer opens with its report, or with its progress while it trains.
let opened = false;
function openFirst(state) {
  const { student, viewer, progress } = state;
  if (!student && preparing(state)) return; // a page of its teacher, or none
  opened = true;
  const chosen = tabs.find((tab) => `#${tab.getAttribute("aria-controls")}` === location.hash);
  if (chosen) open(chosen);
  else if (!student && !viewer && progress.report) open(tabs[1]);
  else if (!viewer && progress?.stage && !progress.finished.includes("finetune")) open(tabs[2]);
}

look();
