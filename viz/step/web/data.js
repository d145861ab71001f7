"use strict"
/* The page of viz.step. Python has decided every step; this script shows one after the other.
   The data are described in steps.py, drawings.py, opened.py and arrays.py. No text from the data
   is ever put into the page as HTML, only as text; the drawings' SVG was written by Python.
   page.py joins the files to one script: data, drawing, arrays, story, scalars, page. */

const data = JSON.parse(document.getElementById("data").textContent)
const { nodes, edges, arrays, steps, drawings } = data
const last = steps.length - 1
const find = id => document.getElementById(id)
const calm = matchMedia("(prefers-reduced-motion: reduce)")
const dark = matchMedia("(prefers-color-scheme: dark)")

let at = 0          // the step that is shown
let view = data.start ?? 0   // the drawing that is shown
let timer = null    // while it plays
let follows = true  // whether the drawing moves with the current node
let chosen = null   // the element that is opened: {step, element}

/** An element with properties and children; texts are put in as text. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value
    else element.setAttribute(name, value)
  }
  element.append(...children.flat().filter(child => child !== null && child !== ""))
  return element
}

/** A number to four digits; the rule of numerals.py. */
function numeral(x) {
  x = Number(x)
  if (Number.isNaN(x)) return "NaN"
  const minus = x < 0 ? "−" : ""
  const size = Math.abs(x)
  if (size === Infinity) return minus + "∞"
  if (size === 0) return "0"
  const short = text => text.includes(".") ? text.replace(/\.?0+$/, "") : text
  if (size < 1e-4 || size >= 99999.5) {
    const [digits, power] = size.toExponential(3).split("e")
    return `${minus}${short(digits)}e${power.replace("+", "").replace("-", "−")}`
  }
  return minus + short(size.toFixed(Math.max(0, 3 - Math.floor(Math.log10(size)))))
}
const operand = x => numeral(x).startsWith("−") ? `(${numeral(x)})` : numeral(x)
/** JSON has no NaN and no infinities, so they are strings there. */
const real = x => typeof x === "string" ? { nan: NaN, inf: Infinity, "-inf": -Infinity }[x] : x
const count = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`
const shapeText = shape => shape.length ? `(${shape.join(",")})` : ""
const nameOf = i => nodes[i].label

/** The Euclidean norm of an array. */
function norm(place) {
  const array = arrays[place]
  if (!array) return null
  if (array.numbers) return Math.hypot(...array.numbers.map(real))
  return array.statistics ? real(array.statistics.norm) : null
}

drawings[view].svg ??= find("drawing").innerHTML
for (const op of Object.values(data.opened)) for (const { cells } of op.elements)
  for (const array of cells) array.flat = array.flat.flatMap(([first, n]) => [...Array(n).keys()].map(k => first + k))

// --- what has happened after each step ------------------------------------------------------------

const firstOf = { forward: new Map(), backward: new Map() }  // steps by node
steps.forEach((step, k) => {
  if (step.kind === "forward") firstOf.forward.set(step.node, k)
  if (step.kind === "backward" && !firstOf.backward.has(step.node)) firstOf.backward.set(step.node, k)
  if (step.kind === "error" && step.node !== null && !firstOf.forward.has(step.node))
    firstOf.forward.set(step.node, k)
})
const edgesInto = nodes.map(() => [])
edges.forEach(([, to], e) => edgesInto[to].push(e))
const computedAt = nodes.map((node, i) => node.op === null ? -1 : firstOf.forward.get(i) ?? -1)
edges.forEach(([from, to]) => {  // one output of an op that has several is computed with it
  if (nodes[to].op === "output" && computedAt[to] < 0) computedAt[to] = computedAt[from]
})
let arrivals = new Map()  // by node: [{step, sum, part, of}]
let sendings = new Map()  // by edge: [{step, norm}]
function listArrivals() {
  arrivals = new Map(); sendings = new Map()
  const add = (map, key, entry) => map.has(key) ? map.get(key).push(entry) : map.set(key, [entry])
  steps.forEach((step, k) => {
    if (step.kind === "seed")
      add(arrivals, step.node, { step: k, sum: step.arrived[0], part: 1, of: 1 })
    for (const send of step.sends ?? []) {
      if (send.gradient === null) continue
      add(arrivals, send.node, { step: k, sum: send.sum, part: send.part, of: send.of })
      if (send.edge !== null) add(sendings, send.edge, { step: k, norm: norm(send.gradient) })
    }
  })
}
listArrivals()
/** The last entry that is not later than a step. */
const latest = (entries, k) => entries?.findLast(entry => entry.step <= k)
const halfOf = k => {
  const kind = steps[k].kind
  if (kind === "error") return steps[k].during === "backward" ? "backward" : "forward"
  return kind === "start" || kind === "forward" ? "forward" : "backward"
}
