"use strict";

/* The deep model's one-step MAML loss over (a, b): everything from the exact coefficients that the page carries. */
(() => {
  const exact = JSON.parse(document.getElementById("exact").textContent);
  const CRITICAL = exact.critical;
  const NEAR = 1e-9; // relative: a rate this near α* is taken for α*, an eigenvalue this small beside the other for 0
  const KINDS = ["minimum", "saddle", "maximum", "degenerate"];
  const PLURAL = { minimum: "minima", saddle: "saddles", maximum: "maxima", degenerate: "degenerate points" };

  /* ---- polynomials: lists of [coefficient, exponents]; at one α, arrays of coefficients from the constant up ---- */

  const number = (text) => {
    const [above, below = 1] = text.split("/").map(Number);
    return above / below;
  };
  const parse = (terms) => terms.map(([coefficient, powers]) => [number(coefficient), powers]);
  const derivative = (terms, i) => terms
    .filter(([, powers]) => powers[i] > 0)
    .map(([coefficient, powers]) => [coefficient * powers[i], powers.map((power, k) => power - (k === i))]);
  const evaluate = (terms, ...at) => terms.reduce(
    (sum, [coefficient, powers]) => sum + powers.reduce((product, power, i) => product * at[i] ** power, coefficient), 0);

  /** Coefficients of xᵏ, of a polynomial in x and α. */
  const inOne = (terms, alpha) => {
    const coefficients = new Array(1 + Math.max(...terms.map(([, [k]]) => k))).fill(0);
    for (const [coefficient, [k, power]] of terms) coefficients[k] += coefficient * alpha ** power;
    return coefficients;
  };
  /** Coefficients of aⁱbʲ, rows[j][i], of a polynomial in a, b and α. */
  const inTwo = (terms, alpha) => {
    const [width, height] = [0, 1].map((i) => 1 + Math.max(...terms.map(([, powers]) => powers[i])));
    const rows = Array.from({ length: height }, () => new Array(width).fill(0));
    for (const [coefficient, [i, j, power]] of terms) rows[j][i] += coefficient * alpha ** power;
    return rows;
  };
  const horner = (coefficients, x) => {
    let value = 0;
    for (let k = coefficients.length - 1; k >= 0; k--) value = value * x + coefficients[k];
    return value;
  };
  const hornerTwo = (rows, a, b) => {
    let value = 0;
    for (let j = rows.length - 1; j >= 0; j--) value = value * b + horner(rows[j], a);
    return value;
  };

  const deep = parse(exact.loss);
  const slopes = [0, 1].map((i) => derivative(deep, i));
  const curvatures = slopes.map((slope) => [0, 1].map((i) => derivative(slope, i)));
  const shallow = parse(exact.shallow);
  const shallowSlope = derivative(shallow, 0);
  const diagonals = Object.entries(exact.diagonals).map(([curve, terms]) => [curve, parse(terms)]);
  const adapted = parse(exact.adapted);
  const shallowAdapted = parse(exact.shallow_adapted);
  const FLOOR = number(exact.floor);

  const loss = (a, b, alpha) => hornerTwo(inTwo(deep, alpha), a, b);
  const gradient = (a, b, alpha) => slopes.map((slope) => hornerTwo(inTwo(slope, alpha), a, b));
  const hessian = (a, b, alpha) => curvatures.map((row) => row.map((entry) => hornerTwo(inTwo(entry, alpha), a, b)));

  /* ---- stationary points ---- */

  /** Positive roots, ascending, a double one once: between neighbouring roots of the derivative a polynomial is monotone. */
  const positiveRoots = (coefficients) => {
    if (coefficients.length < 2) return [];
    const size = coefficients.map(Math.abs);
    const bound = 1 + Math.max(...size) / size.at(-1);
    const sign = (x) => {
      const value = horner(coefficients, x);
      return Math.abs(value) <= 1e-13 * horner(size, x) ? 0 : Math.sign(value);
    };
    const turns = positiveRoots(coefficients.slice(1).map((coefficient, k) => coefficient * (k + 1)));
    const roots = turns.filter((turn) => sign(turn) === 0);
    const edges = [0, ...turns, bound];
    for (let k = 0; k + 1 < edges.length; k++) {
      let [low, high] = [edges[k], edges[k + 1]];
      const rising = sign(high);
      if (sign(low) * rising >= 0) continue;
      for (;;) {
        const middle = (low + high) / 2;
        if (middle <= low || middle >= high) break;
        if (Math.sign(horner(coefficients, middle)) === rising) high = middle;
        else low = middle;
      }
      roots.push(high);
    }
    return roots.sort((x, y) => x - y);
  };

  const kindOf = ([small, large]) => {
    if (Math.min(Math.abs(small), Math.abs(large)) <= NEAR * Math.max(Math.abs(small), Math.abs(large))) return "degenerate";
    return small > 0 ? "minimum" : large < 0 ? "maximum" : "saddle";
  };

  const stationaryPoints = (alpha) => {
    const rate = nearCritical(alpha) ? CRITICAL : alpha;
    const axis = 1 / Math.sqrt(rate);
    const places = [["origin", 0, 0], ...[axis, -axis].flatMap((x) => [["axis", x, 0], ["axis", 0, x]])];
    for (const [curve, terms] of diagonals) {
      const turn = curve === "a = b" ? 1 : -1;
      for (const u of positiveRoots(inOne(terms, rate))) {
        for (const a of [Math.sqrt(u), -Math.sqrt(u)]) places.push([curve, a, turn * a]);
      }
    }
    return places.map(([curve, a, b]) => {
      const [[aa, ab], [, bb]] = hessian(a, b, rate);
      const spread = Math.hypot((aa - bb) / 2, ab);
      const eigenvalues = [(aa + bb) / 2 - spread, (aa + bb) / 2 + spread];
      return { curve, a, b, loss: loss(a, b, rate), eigenvalues, kind: kindOf(eigenvalues) };
    }).sort((p, q) => KINDS.indexOf(p.kind) - KINDS.indexOf(q.kind));
  };

  const nearCritical = (alpha) => Math.abs(alpha / CRITICAL - 1) <= NEAR;
  const sideOf = (alpha) => (nearCritical(alpha) ? "at" : alpha < CRITICAL ? "below" : "above");

  /* ---- gradient descent ---- */

  const MOST = 20000; // meta steps
  const AT_REST = 1e-9; // the gradient's norm
  const BOUNCES = 40; // of a path that never settles, the steps that are drawn

  /** Gradient descent from `start`: the places and losses on the way, and whether it rests, diverges, bounces or still moves. */
  const follow = (start, slope, height, eta) => {
    let at = start;
    const places = [at], losses = [height(at)];
    for (let k = 0; ; k++) {
      const down = slope(at);
      const steepness = Math.hypot(...down);
      const far = !(Math.max(...at.map(Math.abs)) < 1e6) || !Number.isFinite(steepness);
      if (far || steepness <= AT_REST || k === MOST) {
        const bounces = losses.slice(-100).some((value, i, last) => i > 0 && value > last[i - 1] + 1e-12);
        const state = far ? "diverges" : steepness <= AT_REST ? "rests" : bounces ? "bounces" : "moves";
        return { places, losses, end: at, steepness, state };
      }
      at = at.map((x, i) => x - eta * down[i]);
      places.push(at);
      losses.push(height(at));
    }
  };
  const descend = (a, b, alpha, eta) => {
    const [height, ...rows] = [deep, ...slopes].map((terms) => inTwo(terms, alpha));
    return follow([a, b], ([x, y]) => rows.map((row) => hornerTwo(row, x, y)), ([x, y]) => hornerTwo(height, x, y), eta);
  };
  const descendShallow = (c, alpha, eta) => {
    const [height, slope] = [shallow, shallowSlope].map((terms) => inOne(terms, alpha));
    return follow([c], ([x]) => [horner(slope, x)], ([x]) => horner(height, x), eta);
  };

  // for a reader's console, and for the tests
  window.landscape = Object.freeze({ loss, gradient, hessian, stationaryPoints, descend, descendShallow, critical: CRITICAL });

  /* ---- the page ---- */

  const $ = (id) => document.getElementById(id);
  const minus = (text) => text.replaceAll("-", "−");
  const fixed = (x, digits = 4) => minus(Math.abs(x) >= 1e6 ? x.toExponential(digits) : (Number(x.toFixed(digits)) || 0).toFixed(digits));
  const precise = (x) => minus(x === 0 ? "0" : Math.abs(x) < 1e-3 ? x.toExponential(4) : x.toFixed(6)); // where a small number counts
  const svg = (tag, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const say = (element, text) => { // a status that is written anew is read out anew
    if (element.textContent !== text) element.textContent = text;
  };
  const near = (x) => Math.round(x * 10) / 10;
  const line = (points) => points.map(([x, y], k) => `${k ? "L" : "M"}${near(x)} ${near(y)}`).join("");

  const state = { alpha: 0.1, eta: 0.1, start: [0.6, 0.3], cross: [0.6, 0.3], side: null, fresh: false, run: null, shallowRun: null };
  const plane = $("plane");
  const MARGIN = { left: 44, right: 8, top: 8, bottom: 40 };
  const halfWidth = () => 1.35 / Math.sqrt(state.alpha); // the minima stand still in the picture

  /** Round numbers, about `count` of them, between two others. */
  const ticks = (low, high, count) => {
    const rough = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= rough);
    const found = [];
    for (let k = Math.ceil(low / step); k * step <= high; k++) found.push(Number((k * step).toPrecision(12)));
    return found;
  };

  /* -- the field -- */

  const PER_DECADE = 6;
  const LEVELS = Array.from({ length: 4 * PER_DECADE + 1 }, (_, k) => 10 ** (k / PER_DECADE - 3)); // of L − ½

  const palette = () => {
    const style = getComputedStyle(document.querySelector(".explorer"));
    const stops = ["low", "middle", "high"].map((name) => {
      const hex = style.getPropertyValue(`--field-${name}`).trim();
      return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
    });
    return Array.from({ length: LEVELS.length + 1 }, (_, band) => {
      const place = (2 * band) / LEVELS.length;
      const first = Math.min(Math.floor(place), 1);
      return stops[first].map((value, i) => Math.round(value + (place - first) * (stops[first + 1][i] - value)));
    });
  };
  const bandOf = (height) => {
    let [low, high] = [0, LEVELS.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (LEVELS[middle] <= height) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  const paint = () => {
    const canvas = plane.querySelector("canvas");
    const [width, height] = [plane.clientWidth, plane.clientHeight];
    const inside = [width - MARGIN.left - MARGIN.right, height - MARGIN.top - MARGIN.bottom];
    [MARGIN.left / width, MARGIN.top / height, inside[0] / width, inside[1] / height]
      .forEach((share, i) => { canvas.style[["left", "top", "width", "height"][i]] = `${100 * share}%`; });
    const [columns, rows] = inside.map((size) => Math.max(1, Math.round(size * devicePixelRatio)));
    [canvas.width, canvas.height] = [columns, rows];
    const context = canvas.getContext("2d");
    const image = context.createImageData(columns, rows);
    const colours = palette();
    const coefficients = inTwo(deep, state.alpha);
    const half = halfWidth();
    let above = new Uint8Array(columns);
    for (let y = 0, at = 0; y < rows; y++) {
      const b = half * (1 - (2 * y + 1) / rows);
      const inA = coefficients[0].map((_, i) => horner(coefficients.map((row) => row[i]), b));
      const bands = new Uint8Array(columns);
      for (let x = 0; x < columns; x++, at += 4) {
        const band = bandOf(horner(inA, half * ((2 * x + 1) / columns - 1)) - FLOOR);
        bands[x] = band;
        const edge = (x > 0 && bands[x - 1] !== band) || (y > 0 && above[x] !== band);
        const [red, green, blue] = colours[band];
        const shade = edge ? 0.72 : 1; // a contour line between two bands
        image.data[at] = red * shade;
        image.data[at + 1] = green * shade;
        image.data[at + 2] = blue * shade;
        image.data[at + 3] = 255;
      }
      above = bands;
    }
    context.putImageData(image, 0, 0);
  };

  const paintScale = () => {
    const canvas = $("scale");
    canvas.width = LEVELS.length + 1;
    canvas.height = 1;
    const context = canvas.getContext("2d");
    palette().forEach((colour, band) => {
      context.fillStyle = `rgb(${colour})`;
      context.fillRect(band, 0, 1, 1);
    });
    $("scale-ends").textContent = `${LEVELS[0]} to ${LEVELS.at(-1)}, ${PER_DECADE} lines to each factor 10`;
  };

  /* -- what lies over the field -- */

  const toPlane = ([a, b]) => {
    const half = halfWidth();
    return [
      MARGIN.left + (plane.clientWidth - MARGIN.left - MARGIN.right) * (a / half + 1) / 2,
      MARGIN.top + (plane.clientHeight - MARGIN.top - MARGIN.bottom) * (1 - b / half) / 2,
    ];
  };
  const fromPlane = (x, y) => {
    const half = halfWidth();
    return [
      half * (2 * (x - MARGIN.left) / (plane.clientWidth - MARGIN.left - MARGIN.right) - 1),
      half * (1 - 2 * (y - MARGIN.top) / (plane.clientHeight - MARGIN.top - MARGIN.bottom)),
    ];
  };
  const isInside = (point) => Math.max(...point.map(Math.abs)) <= halfWidth();

  /** The same line without the points that no eye could tell apart; of one that bounces for ever, the beginning. */
  const thinned = (points) => {
    const kept = [points[0]];
    for (const point of points.slice(1)) {
      const [x, y] = kept.at(-1);
      if (Math.hypot(point[0] - x, point[1] - y) >= 0.5) kept.push(point);
      if (kept.length === 1000) break;
    }
    return [...kept, points.at(-1)].map((point) => point.map((x) => Math.max(-1e5, Math.min(1e5, x))));
  };

  const drawPlane = (points) => {
    const [width, height] = [plane.clientWidth, plane.clientHeight];
    const box = { x: MARGIN.left, y: MARGIN.top, width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
      svg("clipPath", { id: "inside" }, svg("rect", box)));
    const half = halfWidth();
    for (const tick of ticks(-half, half, 5)) {
      const [x, y] = toPlane([tick, tick]);
      const [bottom, left] = [box.y + box.height, box.x];
      picture.append(
        svg("path", { class: "tick", d: `M${near(x)} ${bottom}v5M${left} ${near(y)}h-5` }),
        svg("text", { x: near(x), y: bottom + 18, "text-anchor": "middle" }, minus(String(tick))),
        svg("text", { x: left - 8, y: near(y) + 4, "text-anchor": "end" }, minus(String(tick))));
    }
    picture.append(
      svg("text", { x: box.x + box.width / 2, y: height - 5, "text-anchor": "middle", "font-style": "italic" }, "a"),
      svg("text", { x: 2, y: box.y + box.height / 2 + 4, "font-style": "italic" }, "b"),
      svg("rect", { class: "frame", ...box }));
    const inside = svg("g", { "clip-path": "url(#inside)" });
    if (state.run) {
      const places = state.run.state === "bounces" ? state.run.places.slice(0, BOUNCES) : state.run.places;
      const way = line(thinned(places.map(toPlane)));
      const fresh = state.fresh ? " fresh" : ""; // only a new path draws itself, not one that follows a slider
      for (const part of ["halo", "line"]) inside.append(svg("path", { class: `path ${part}${fresh}`, d: way, pathLength: 1 }));
    }
    for (const point of points) {
      const [x, y] = toPlane([point.a, point.b]);
      inside.append(svg("use", { href: `#mark-${point.kind}`, x: near(x), y: near(y), "data-kind": point.kind },
        svg("title", {}, `${point.kind} at (${fixed(point.a)}, ${fixed(point.b)}), L = ${fixed(point.loss)}`)));
    }
    if (state.run) {
      const [[x, y], [endX, endY]] = [state.start, state.run.end].map(toPlane);
      inside.append(svg("rect", { class: "begin", x: near(x) - 4, y: near(y) - 4, width: 8, height: 8 }));
      if (state.run.state === "rests" || state.run.state === "moves") inside.append(svg("circle", { class: "end", cx: near(endX), cy: near(endY), r: 9 }));
    }
    const [x, y] = toPlane(state.cross).map(near);
    for (const under of [" under", ""]) inside.append(svg("path", { class: `cross${under}`, d: `M${x - 11} ${y}h22M${x} ${y - 11}v22` }));
    picture.append(inside);
    plane.querySelector("svg")?.remove();
    plane.append(picture);
  };

  /* -- charts -- */

  /** An empty chart with its axes; gives the picture and how a place (x, y) lies in it. */
  const chart = (id, horizontal, vertical) => {
    const holder = $(id);
    const [width, height] = [holder.clientWidth, 190];
    const [left, right, top, bottom] = [52, width - 8, 12, height - 36];
    const scale = ({ low, high }, from, to) => (x) => from + (to - from) * (x - low) / (high - low);
    const [toX, toY] = [scale(horizontal, left, right), scale(vertical, bottom, top)];
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": `${id}-caption` },
      svg("clipPath", { id: `inside-${id}` }, svg("rect", { x: left, y: top, width: right - left, height: bottom - top })));
    for (const [x, text] of horizontal.ticks) {
      picture.append(svg("path", { class: "tick", d: `M${near(toX(x))} ${bottom}v5` }),
        svg("text", { x: near(toX(x)), y: bottom + 18, "text-anchor": "middle" }, text));
    }
    for (const [y, text] of vertical.ticks) {
      picture.append(svg("path", { class: "level", d: `M${left} ${near(toY(y))}H${right}` }),
        svg("text", { x: left - 6, y: near(toY(y)) + 4, "text-anchor": "end" }, text));
    }
    picture.append(svg("text", { x: (left + right) / 2, y: height - 3, "text-anchor": "middle" }, horizontal.label),
      svg("path", { class: "frame", d: `M${left} ${top}V${bottom}H${right}` }));
    const inside = svg("g", { "clip-path": `url(#inside-${id})` });
    picture.append(inside);
    holder.replaceChildren(picture);
    return { inside, place: ([x, y]) => [toX(x), toY(y)] };
  };
  const labelled = (values) => values.map((value) => [value, minus(String(value))]);
  const powers = (low, high) => {
    const raised = (k) => [...String(k)].map((digit) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(digit)]).join("");
    const stride = Math.ceil((high - low) / 6);
    const found = [];
    for (let k = Math.ceil(low); k <= high; k += stride) found.push([k, `10${raised(k)}`]);
    return found;
  };

  const drawShallow = () => {
    const height = inOne(shallow, state.alpha);
    const reach = Math.max(2, 1.15 * Math.abs(state.start[0] * state.start[1]));
    const steps = Array.from({ length: 101 }, (_, k) => reach * (k / 50 - 1));
    const low = FLOOR - 0.05, high = Math.max(1.05, 1.05 * horner(height, reach));
    const { inside, place } = chart("shallow",
      { low: -reach, high: reach, ticks: labelled(ticks(-reach, reach, 6)), label: "c" },
      { low, high, ticks: labelled(ticks(low, high, 4)) });
    inside.append(svg("path", { class: "curve floor", d: line([[-reach, FLOOR], [reach, FLOOR]].map(place)) }),
      svg("path", { class: "curve loss", d: line(steps.map((c) => place([c, horner(height, c)]))) }));
    const { places, losses } = state.shallowRun;
    const visited = thinned(places.map(([c], k) => place([c, losses[k]])));
    inside.append(svg("path", { class: "curve shallow", d: line(visited) }));
    for (const [x, y] of visited) inside.append(svg("circle", { class: "visited", cx: near(x), cy: near(y), r: 2.5 }));
    if (height[2] > 0) {
      const [x, y] = place([0, horner(height, 0)]);
      inside.append(svg("use", { href: "#mark-minimum", x: near(x), y: near(y) }));
    }
  };

  const drawLosses = () => {
    const curves = [["deep", state.run], ["shallow", state.shallowRun]].map(([name, { losses }]) => [name, losses
      .map((value, k) => [Math.log10(k + 1), Math.log10(Math.max(value - FLOOR, 1e-12))])
      .filter(([, y]) => Number.isFinite(y))]);
    const all = curves.flatMap(([, points]) => points);
    const reach = (column, first, pick) => all.reduce((found, point) => pick(found, point[column]), first);
    const last = reach(0, 1, Math.max);
    const [low, high] = [Math.max(-6, reach(1, -1, Math.min) - 0.2), Math.min(8, reach(1, 0, Math.max) + 0.2)];
    const { inside, place } = chart("losses",
      { low: 0, high: last, ticks: powers(0, last), label: "meta step + 1" },
      { low, high, ticks: powers(low, high) });
    for (const [name, points] of curves) {
      const placed = points.map(place).filter(([x], k, all) => k === 0 || Math.round(2 * x) !== Math.round(2 * all[k - 1][0]));
      inside.append(svg("path", { class: `curve ${name}`, d: line(placed) }));
    }
  };

  /* -- words and numbers -- */

  const counted = (points) => KINDS.map((kind) => [kind, points.filter((point) => point.kind === kind).length]);
  const told = (count, kind) => `${count} ${count === 1 ? kind : PLURAL[kind]}`;
  const WHY = {
    below: "On each half of a diagonal lie two saddles and a maximum between them.",
    at: "On each half of a diagonal the maximum and the inner saddle have met: four pairs have merged, and the Hessian is singular there.",
    above: "The four merged pairs are gone: on each half of a diagonal one saddle is left.",
  };

  const tell = (points) => {
    const side = sideOf(state.alpha);
    if (side !== state.side) {
      const crossed = state.side && side !== "at" ? "α has crossed α*. " : "";
      const counts = counted(points).filter(([, count]) => count > 0).map(([kind, count]) => told(count, kind));
      $("side").textContent = `${crossed}${side[0].toUpperCase()}${side.slice(1)} the critical rate α* ≈ ${CRITICAL.toFixed(5)} there are ${points.length} stationary points: ${
        counts.slice(0, -1).join(", ")} and ${counts.at(-1)}. ${WHY[side]}`;
      state.side = side;
    }
    for (const [kind, count] of counted(points)) {
      const entry = $("kinds").querySelector(`[data-kind=${kind}]`);
      entry.hidden = count === 0;
      entry.querySelector("span").textContent = told(count, kind);
    }
    $("table").replaceChildren(...points.map((point) => {
      const row = document.createElement("tr");
      const mark = svg("svg", { class: "mark", viewBox: "-7 -7 14 14", width: 14, height: 14, "aria-hidden": "true" }, svg("use", { href: `#mark-${point.kind}` }));
      const kind = document.createElement("td");
      kind.append(mark, ` ${point.kind}`);
      const curve = document.createElement("td");
      curve.textContent = minus(point.curve);
      row.append(kind, curve, ...[point.a, point.b, point.loss, ...point.eigenvalues].map((value) => {
        const cell = document.createElement("td");
        cell.className = "number";
        cell.dataset.sort = value;
        cell.textContent = precise(value);
        return cell;
      }));
      return row;
    }));
  };

  const ending = (run, points) => {
    const steps = (run.places.length - 1).toLocaleString("en");
    const where = run.end.length === 2 ? `(a, b) = (${run.end.map((x) => fixed(x)).join(", ")})` : `c = ${fixed(run.end[0])}`;
    const value = `L = ${fixed(run.losses.at(-1))}`;
    if (run.state === "diverges") return `leaves every bound after ${steps} steps: η is too large here`;
    if (run.state === "bounces") return `does not settle in ${steps} steps: its loss rises and falls, as η is too large here`;
    if (run.state === "moves") return `is still on its way after ${steps} steps, at ${where} with ${value}: a gradient of ${precise(run.steepness)} is left`;
    const close = points.find((point) => Math.hypot(...point.at.map((x, i) => x - run.end[i])) <= 1e-4 / Math.sqrt(state.alpha));
    return `ends after ${steps} steps at ${where}${close ? `, a ${close.kind},` : ""} with ${value}`;
  };

  const tellRun = (points) => {
    const [a, b] = state.start.map((x) => fixed(x));
    const flat = inOne(shallow, state.alpha)[2] === 0;
    const outside = isInside(state.start) ? "" : " The start lies outside the picture.";
    say($("deep-outcome"), `Deep: from (a, b) = (${a}, ${b}) gradient descent ${ending(state.run, points.map((point) => ({ ...point, at: [point.a, point.b] })))}.${outside}`);
    say($("shallow-outcome"), `Shallow: from c = ab = ${fixed(state.start[0] * state.start[1])} it ${
      flat ? "does not move: at α = 1 its loss is the same everywhere" : ending(state.shallowRun, [{ kind: "minimum", at: [0] }])}.`);
    if ([state.run, state.shallowRun].some((run) => run.state === "diverges" || run.state === "bounces")) return say($("adapted"), "");
    const [endA, endB] = state.run.end;
    const [endC] = state.shallowRun.end;
    say($("adapted"), `From where they end, one inner step on the task θ = 1 takes the deep model from ab = ${fixed(endA * endB)} to ${
      fixed(evaluate(adapted, endA, endB, state.alpha, 1))}, and the shallow one from c = ${fixed(endC)} to ${
      fixed(evaluate(shallowAdapted, endC, state.alpha, 1))}.`);
  };

  const tellPlace = ([a, b]) => {
    say($("place"), `Here (a, b) = (${fixed(a, 3)}, ${fixed(b, 3)}) and L = ${fixed(loss(a, b, state.alpha))}.`);
  };

  /* -- what the reader does -- */

  let waiting = 0;
  const draw = () => {
    waiting = 0;
    const points = stationaryPoints(state.alpha);
    state.run = descend(...state.start, state.alpha, state.eta);
    state.shallowRun = descendShallow(state.start[0] * state.start[1], state.alpha, state.eta);
    paint();
    drawPlane(points);
    drawShallow();
    drawLosses();
    tell(points);
    tellRun(points);
    tellPlace(state.cross);
    state.fresh = false;
  };
  const redraw = () => { waiting ||= requestAnimationFrame(draw); };

  const startAt = (point) => {
    state.start = point;
    state.cross = point;
    state.fresh = true;
    ["a", "b"].forEach((name, i) => { $(`start-${name}`).value = point[i]; });
    redraw();
  };

  /** A slider on a logarithmic scale and a number field that follow each other. */
  const pair = (name) => {
    const [slider, field] = [$(`${name}-slider`), $(name)];
    const [low, high] = [Number(field.min), Number(field.max)];
    const follow = () => {
      slider.value = 1000 * Math.log(state[name] / low) / Math.log(high / low);
      slider.setAttribute("aria-valuetext", String(state[name]));
    };
    const set = (value) => {
      state[name] = name === "alpha" && nearCritical(value) ? CRITICAL : value;
      field.value = state[name];
      follow();
      complain();
      redraw();
    };
    slider.addEventListener("input", () => set(Number((low * (high / low) ** (slider.value / 1000)).toPrecision(4))));
    field.addEventListener("input", () => {
      if (complain()) return;
      state[name] = name === "alpha" && nearCritical(field.valueAsNumber) ? CRITICAL : field.valueAsNumber;
      follow();
      redraw();
    });
    follow();
    return set;
  };
  const complain = () => {
    const wrong = [...$("controls").querySelectorAll("input:invalid")];
    $("invalid").hidden = wrong.length === 0;
    say($("invalid"), wrong.map((field) => `${field.getAttribute("aria-label")} must be a number${
      field.min ? ` from ${field.min} to ${field.max}` : ""}.`).join(" "));
    return wrong.length > 0;
  };

  const setAlpha = pair("alpha");
  pair("eta");
  $("critical").addEventListener("click", () => setAlpha(CRITICAL));
  $("controls").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!complain()) startAt([$("start-a").valueAsNumber, $("start-b").valueAsNumber]);
  });

  const underPointer = (event) => {
    const box = plane.getBoundingClientRect();
    return fromPlane(event.clientX - box.left, event.clientY - box.top).map((x) => Number(x.toPrecision(4)));
  };
  plane.addEventListener("click", (event) => {
    const point = underPointer(event);
    if (isInside(point)) startAt(point);
  });
  const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  plane.addEventListener("keydown", (event) => {
    if (event.key === "Enter") startAt(state.cross);
    else if (event.key in MOVES && !event.ctrlKey && !event.altKey && !event.metaKey) {
      const half = halfWidth();
      const step = Number((half / (event.shiftKey ? 8 : 40)).toPrecision(1));
      state.cross = state.cross.map((x, i) => Number(Math.max(-half, Math.min(half, x + step * MOVES[event.key][i])).toPrecision(4)));
      drawPlane(stationaryPoints(state.alpha));
      tellPlace(state.cross);
    } else return;
    event.preventDefault();
  });
  plane.addEventListener("pointermove", (event) => {
    const point = underPointer(event);
    if (isInside(point)) tellPlace(point);
  });

  $("explorer").hidden = false;
  paintScale();
  new ResizeObserver(redraw).observe(plane);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { paintScale(); redraw(); });
  draw();
})();
