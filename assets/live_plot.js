// A plotly figure that is updated in place: zoom, hidden traces and brushes outlive every refresh.
//
// Python owns the state. What a person does to an axis goes to Python as a numbered change, and Python answers
// with a figure that carries the number of the latest change it knows (`revision`). A figure made before that must
// not undo the change on the screen, so until the answer is here our own version is drawn over it.

const ASK_AGAIN = 3_000; // ms; a change can get lost on its way (a run that was stopped, a broken connection)
const ANSWER_WITHIN = 60_000; // ms; after that Python does not want the change, and its word counts
const AFTER_RELEASE = 300; // ms; plotly lets a brush glide to the next step after the button is released
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]; // Okabe and Ito 2008
const PAPER = { dark: false, background: "#ffffff", text: "#31333f", grid: "#e3e4e8", panel: "#f0f2f6", accent: "#0b6e4f" };

const plots = new WeakMap();
let library = null;

export default function ({ data, parentElement, setTriggerValue }) {
  let plot = plots.get(parentElement);
  if (!plot) {
    plot = new LivePlot(parentElement);
    plots.set(parentElement, plot);
  }
  plot.send = setTriggerValue;
  plot.show(data);
  return () =>
    // Streamlit also calls this for an update that was overtaken by the next one, while the plot stays.
    setTimeout(() => {
      if (parentElement.isConnected || plots.get(parentElement) !== plot) return;
      plots.delete(parentElement);
      plot.remove();
    });
}

class LivePlot {
  constructor(parent) {
    this.frame = document.createElement("div");
    this.frame.className = "gwas-live-plot";
    this.frame.tabIndex = 0;
    this.frame.setAttribute("role", "figure");
    this.message = document.createElement("p");
    this.message.className = "gwas-live-plot-message";
    this.message.setAttribute("role", "status");
    this.graph = document.createElement("div");
    this.frame.append(this.message, this.graph);
    parent.append(this.frame);

    this.changes = 0; // the highest revision seen
    this.waiting = { brushes: new Map(), order: null }; // changes that Python has not answered yet
    this.held = false; // whether the mouse button is down: nothing is redrawn or moved under somebody's hand
    this.queue = Promise.resolve();
    this.removed = false;
    this.drawn = null; // what the screen shows
    this.width = 0;

    this.listeners = new AbortController();
    const { signal } = this.listeners;
    this.frame.addEventListener("pointerdown", (event) => event.button === 0 && this.hold(), { capture: true, signal });
    // A release in another window is seen by the next move only.
    for (const name of ["pointerup", "pointercancel", "pointermove"]) {
      window.addEventListener(name, (event) => event.buttons & 1 || this.release(), { capture: true, signal });
    }
    this.sizes = new ResizeObserver(() => this.frame.clientWidth !== this.width && this.redraw());
    this.sizes.observe(this.frame);
  }

  show(data) {
    this.data = data;
    this.frame.setAttribute("aria-label", data.label);
    this.frame.setAttribute("aria-description", data.description);
    this.changes = Math.max(this.changes, data.revision);
    this.forgetAnswered();
    this.redraw();
  }

  redraw() {
    this.queue = this.queue.then(() => this.draw()).catch((error) => this.fail(error));
  }

  async draw() {
    if (this.removed || this.held || !this.frame.clientWidth) return; // drawn on release, or once it is visible
    this.graph.style.height = `${this.data.height}px`;
    if (!window.Plotly && !this.message.firstChild) this.message.textContent = "Loading the chart …";
    const Plotly = await loadLibrary(this.data.script);
    if (this.removed || this.held) return;
    this.message.textContent = "";
    const { data } = this;
    const theme = readTheme(this.frame);
    this.width = this.frame.clientWidth;
    const now = JSON.stringify([data.figure, data.revision, theme, this.width, data.height]);
    if (now === this.drawn) return;

    const figure = JSON.parse(data.figure);
    if (figure.data.some((trace) => trace.type === "parcoords") && !hasWebGL()) {
      this.tell("Parallel coordinates need WebGL, which is off in this browser. Filters can still be added and removed beside the chart.");
      return;
    }
    this.keepUnanswered(figure);
    nameTraces(figure.data);
    this.style = figure.layout.template?.layout;
    paint(figure, theme, this.style);
    figure.layout.uirevision ??= data.key;
    figure.layout.width = this.width;
    figure.layout.height = data.height;
    this.frame.ariaBusy = "true";
    const begun = performance.now();
    await Plotly.react(this.graph, figure.data, figure.layout, this.config(Plotly, figure));
    this.frame.dataset.milliseconds = Math.round(performance.now() - begun);
    this.listen(Plotly);
    this.remember();
    this.drawn = now;
    this.frame.ariaBusy = "false";
  }

  forgetAnswered() {
    const { waiting } = this;
    const kept = (change) => {
      if (change.revision <= this.data.revision) return false;
      if (performance.now() < change.until) return true;
      this.drawn = null; // it is on the screen, but not in Python's figure
      return false;
    };
    for (const [axis, change] of waiting.brushes) if (!kept(change)) waiting.brushes.delete(axis);
    if (waiting.order && !kept(waiting.order)) waiting.order = null;
  }

  // What was done here and is not yet in Python's figure.
  keepUnanswered(figure) {
    const { waiting } = this;
    for (const trace of figure.data) {
      if (trace.type !== "parcoords") continue;
      trace.uirevision = (this.redraws = (this.redraws ?? 0) + 1); // brushes come from the figure, not from plotly's memory
      for (const dimension of trace.dimensions) {
        const change = waiting.brushes.get(dimension.name);
        if (change) dimension.constraintrange = change.ranges.length ? change.ranges : undefined;
      }
      if (waiting.order) {
        const place = new Map(waiting.order.names.map((name, index) => [name, index]));
        const last = trace.dimensions.length;
        trace.dimensions.sort((a, b) => (place.get(a.name) ?? last) - (place.get(b.name) ?? last));
      }
    }
  }

  listen(Plotly) {
    if (this.listening) return;
    this.listening = true;
    const { graph } = this;
    graph.on("plotly_restyle", () => this.reportBrushes());
    graph.on("plotly_afterplot", () => this.freeContinuousAxes());
    graph.on("plotly_click", (event) => this.reportPoints(event));
    graph.on("plotly_selected", (event) => this.reportPoints(event));
    graph.on("plotly_webglcontextlost", () => this.restart(Plotly));
    this.freeContinuousAxes();
  }

  // Ticks make an axis ordinal for plotly, and the end of a brush jumps from tick to tick. Right for steps only.
  freeContinuousAxes() {
    const traces = this.graph.data ?? [];
    const names = new Set(traces.flatMap((trace) => trace.meta?.continuous ?? []));
    const order = traces.flatMap((trace) => (trace.type === "parcoords" ? trace.dimensions : []));
    for (const axis of this.graph.querySelectorAll(".parcoords .y-axis")) {
      const drawn = axis.__data__;
      if (drawn && names.has(order[drawn.visibleIndex]?.name)) drawn.ordinal = false;
    }
  }

  remember() {
    this.brushes = new Map();
    for (const trace of this.graph.data) {
      for (const dimension of trace.type === "parcoords" ? trace.dimensions : []) {
        this.brushes.set(dimension.name, JSON.stringify({ ranges: rangesOf(dimension), drawn: dimension.range }));
      }
    }
    this.order = JSON.stringify([...this.brushes.keys()]);
  }

  reportBrushes() {
    const before = this.brushes;
    const order = this.order;
    this.remember();
    for (const [axis, text] of this.brushes) {
      if (before.get(axis) === text) continue;
      this.waiting.brushes.set(axis, this.change({ axis, ...JSON.parse(text) }));
    }
    if (order !== this.order) this.waiting.order = this.change({ names: JSON.parse(this.order) });
    this.sendUnanswered();
  }

  sendUnanswered() {
    clearTimeout(this.asking);
    if (this.removed || this.data.select !== "constraints") return;
    this.forgetAnswered();
    if (this.drawn === null) this.redraw();
    // All that wait, not only the latest: Streamlit may run once for two events, and then sees the second one.
    const unanswered = [...this.waiting.brushes.values(), this.waiting.order].filter(Boolean);
    if (!unanswered.length) return;
    this.send("changes", unanswered.map(({ until, ...change }) => change));
    this.asking = setTimeout(() => this.sendUnanswered(), ASK_AGAIN);
  }

  change(values) {
    this.changes += 1;
    const lasts = this.data.select === "constraints" ? ANSWER_WITHIN : Infinity;
    return { ...values, revision: this.changes, until: performance.now() + lasts };
  }

  reportPoints(event) {
    if (this.data.select !== "points") return;
    const points = (event?.points ?? []).map(({ data, pointNumber, customdata }) => ({
      trace: data.name ?? "",
      index: pointNumber,
      id: (typeof customdata === "object" ? customdata?.[0] : customdata) ?? null, // several: also as a typed array
    }));
    this.send("points", points);
  }

  // The same functions every time: plotly draws anew, and forgets zoom and brushes, when its settings change.
  config(Plotly, figure) {
    this.downloads ??= [
      { name: "download-png", title: "Download as PNG", icon: Plotly.Icons.camera, click: () => this.save(Plotly, "png") },
      { name: "download-svg", title: "Download as SVG", icon: Plotly.Icons.disk, click: () => this.save(Plotly, "svg") },
    ];
    const cartesian = figure.data.some((trace) => trace.type !== "parcoords");
    const drag = this.data.select === "points" ? ["zoom2d", "pan2d", "select2d"] : ["zoom2d", "pan2d"];
    return {
      displaylogo: false,
      responsive: false, // the frame's own width is watched, which also changes when a sidebar opens
      showTips: false,
      doubleClick: "reset+autosize",
      modeBarButtons: cartesian
        ? [drag, ["zoomIn2d", "zoomOut2d", "resetScale2d"], this.downloads]
        : [this.downloads],
    };
  }

  // Pictures are for papers: always on white, whatever the page looks like.
  save(Plotly, format) {
    const { graph } = this;
    const layout = { ...graph.layout, paper_bgcolor: PAPER.background };
    const figure = { data: graph.data.map((trace) => ({ ...trace })), layout };
    paint(figure, { ...PAPER, font: "sans-serif" }, this.style);
    return Plotly.downloadImage(figure, {
      format,
      filename: this.data.file_name,
      width: graph.clientWidth,
      height: graph.clientHeight,
      scale: format === "png" ? 2 : 1,
    });
  }

  hold() {
    this.held = true;
    clearTimeout(this.releasing);
    this.releasing = null;
  }

  release() {
    if (!this.held || this.releasing) return;
    this.releasing = setTimeout(() => {
      this.releasing = null;
      this.held = false;
      this.redraw();
    }, AFTER_RELEASE);
  }

  // The graphics driver took the drawing surface away; asking for it without end would take the browser down.
  restart(Plotly) {
    if (this.removed || performance.now() - (this.restarted ?? -Infinity) < 5000) return;
    this.restarted = performance.now();
    Plotly.purge(this.graph);
    this.listening = false;
    this.drawn = null;
    this.redraw();
  }

  tell(text) {
    if (this.listening) window.Plotly.purge(this.graph);
    this.listening = false;
    this.drawn = null;
    this.message.textContent = text;
  }

  fail(error) {
    console.error(error);
    const text = `${error.message} `;
    // Said again after every refresh, it would take the focus off the button.
    if (this.removed || this.message.firstChild?.data === text) return;
    this.tell(text);
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Try again";
    button.addEventListener("click", () => {
      this.message.replaceChildren();
      this.redraw();
    });
    this.message.append(button);
  }

  remove() {
    this.removed = true;
    this.listeners.abort();
    this.sizes.disconnect();
    clearTimeout(this.releasing);
    clearTimeout(this.asking);
    if (this.listening) window.Plotly.purge(this.graph);
    this.frame.remove();
  }
}

// --- plotly.js, once for all plots of a page ---

function loadLibrary(path) {
  library ??= fetchLibrary(path).catch((error) => {
    library = null; // the next figure tries again
    throw error;
  });
  return library;
}

async function fetchLibrary(path) {
  for (const url of possibleUrls(path)) {
    if (!window.Plotly?.react) await addScript(url);
    if (window.Plotly?.react) {
      window.Plotly.register(EXACT_BRUSHES);
      return window.Plotly;
    }
  }
  throw new Error("The chart could not be drawn, since its plotting library did not load. Check the connection to the server.");
}

// The app may live under any prefix, and a proxy may hide that from Python. Streamlit's own script knows it;
// next come the folder of this page and the one above (pages lie one level below the app).
function possibleUrls(path) {
  const own = document.querySelector('script[src*="static/js/"]');
  const bases = [own && own.src.split("static/js/")[0], new URL("./", location.href).href, new URL("../", location.href).href];
  return new Set(bases.filter(Boolean).map((base) => new URL(path, base).href));
}

function addScript(url) {
  return new Promise((resolve) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = script.onerror = () => {
      script.remove();
      resolve();
    };
    document.head.append(script);
  });
}

// Where an axis has ticks, plotly moves the ends of given brushes to the next tick. Ours are exact already.
const EXACT_BRUSHES = {
  moduleType: "component",
  name: "gwasexactbrushes",
  supplyLayoutDefaults(layoutIn, layoutOut, traces) {
    for (const trace of traces) {
      if (trace.type !== "parcoords" || !trace.meta?.continuous) continue;
      for (const dimension of trace.dimensions) {
        const ranges = rangesOf(trace._input.dimensions[dimension._index]);
        dimension.constraintrange = ranges.length > 1 ? ranges : ranges[0];
      }
    }
  },
};

// --- figures ---

function rangesOf(dimension) {
  const range = dimension.constraintrange;
  if (!range?.length) return [];
  return (Array.isArray(range[0]) ? range : [range]).map((pair) => [...pair]);
}

// plotly remembers what was hidden by the trace's identity: by name, a new trace in between changes nothing. It also
// looks for that identity as a CSS class, so all but letters and figures is spelled out.
function nameTraces(traces) {
  const seen = new Map();
  for (const trace of traces) {
    const name = trace.name ?? trace.type;
    seen.set(name, (seen.get(name) ?? 0) + 1);
    const spelled = name.replace(/[^A-Za-z0-9]/gu, (sign) => `_${sign.codePointAt(0).toString(16)}_`);
    trace.uid ??= `${spelled}-${seen.get(name)}`;
  }
}

// From the weakest: the page's theme, the figure's own style (its template), the figure itself.
function paint(figure, theme, style) {
  figure.layout.template = { layout: merge(layoutFor(theme), style) };
  for (const trace of figure.data) {
    const better = trace.meta?.better;
    if (!better) continue;
    // The dark end of a colour scale stands out on a light page, the bright end on a dark one.
    const reversescale = (better === "low") === theme.dark;
    for (const part of ["line", "marker"]) {
      if (trace[part]?.colorscale || trace[part]?.color?.bdata || Array.isArray(trace[part]?.color)) {
        trace[part] = { ...trace[part], reversescale };
      }
    }
    if (trace.meta.faint) trace.line = { ...trace.line, reversescale: false, colorscale: faintScale(trace.meta, reversescale, theme) };
  }
}

// The lines below a share of the scale are grey on every page; the others have all the colours to themselves.
function faintScale({ faint, scale }, reversed, theme) {
  const grey = theme.dark ? "#3f434d" : "#d5d7dd";
  const colours = reversed ? scale.map(([at, colour]) => [1 - at, colour]).reverse() : scale;
  return [[0, grey], [faint, grey], ...colours.map(([at, colour]) => [faint + at * (1 - faint), colour])];
}

function merge(basis, own) {
  if (own?.constructor !== Object || basis?.constructor !== Object) return own ?? basis;
  const merged = { ...basis };
  for (const [name, value] of Object.entries(own)) merged[name] = merge(basis[name], value);
  return merged;
}

function layoutFor(theme) {
  const axis = {
    automargin: true,
    gridcolor: theme.grid,
    linecolor: theme.grid,
    zerolinecolor: theme.grid,
    title: { standoff: 10 },
  };
  return {
    font: { family: theme.font, color: theme.text, size: 13 },
    paper_bgcolor: theme.background,
    plot_bgcolor: "rgba(0,0,0,0)",
    colorway: COLOURS,
    hoverlabel: { bgcolor: theme.panel, bordercolor: theme.grid, font: { color: theme.text } },
    legend: { bgcolor: "rgba(0,0,0,0)" },
    margin: { l: 60, r: 20, t: 30, b: 50 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: theme.text, activecolor: theme.accent },
    xaxis: axis,
    yaxis: axis,
  };
}

function readTheme(element) {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue(`--st-${name}`).trim();
  const background = read("background-color") || PAPER.background;
  return {
    dark: luminance(background, element) < 0.5,
    background,
    text: read("text-color") || PAPER.text,
    grid: read("border-color-light") || PAPER.grid,
    panel: read("secondary-background-color") || PAPER.panel,
    accent: read("primary-color") || PAPER.accent,
    font: read("font") || "sans-serif",
  };
}

function luminance(colour, element) {
  const probe = document.createElement("span");
  probe.style.color = colour;
  element.append(probe);
  const [red, green, blue] = getComputedStyle(probe).color.match(/[\d.]+/g).map(Number);
  probe.remove();
  return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
}

let webGL = null;
function hasWebGL() {
  if (webGL === null) {
    const context = document.createElement("canvas").getContext("webgl");
    context?.getExtension("WEBGL_lose_context")?.loseContext(); // a browser grants only some at a time
    webGL = context !== null;
  }
  return webGL;
}
