"use strict"
/* The page of viz.step. Python has decided every step; this script shows one after the other.
   The data are described in steps.py, drawings.py, opened.py and arrays.py. No text from the data
   is ever put into the page as HTML, only as text; the drawings' SVG was written by Python. */

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

// --- the drawing ----------------------------------------------------------------------------------

let groups = []     // by step: {first, last} of the steps that one closed module takes
let boxOf = []      // by node: the place of its box in this drawing
let parts = null    // elements of the drawing: {svg, boxes, arrows}
let frame = null    // what is seen of it: {x, y, width, height}
let whole = null

function showDrawing(k) {
  view = k
  const drawing = drawings[k]
  const box = find("drawing")
  if (parts) box.innerHTML = drawing.svg
  const svg = box.querySelector("svg")
  whole = { x: 0, y: 0, width: svg.width.baseVal.value, height: svg.height.baseVal.value }
  svg.removeAttribute("width"); svg.removeAttribute("height")
  svg.setAttribute("role", "group")
  svg.setAttribute("aria-label", "graph of the program")
  boxOf = nodes.map(() => -1)
  drawing.boxes.forEach((each, i) => each.nodes.forEach(node => { boxOf[node] = i }))
  parts = { svg, boxes: drawing.boxes.map(each => svg.getElementById(`node-${each.id}`)),
    arrows: drawing.arrows.map((_, i) => svg.getElementById(`edge-${i}`)) }
  parts.kinds = parts.boxes.map(element => element.getAttribute("class"))
  parts.texts = parts.boxes.map(element => [...element.querySelectorAll(":scope > text")])
  parts.own = drawing.boxes.map(each => {  // the ops in a box, not the parameters beside them
    const ops = each.nodes.filter(node => nodes[node].op !== null)
    return ops.length ? ops : each.nodes
  })
  parts.lines = []
  parts.boxes.forEach((element, i) => {
    element.setAttribute("tabindex", "0")
    element.setAttribute("role", "button")
    element.setAttribute("aria-label", `go to ${drawing.boxes[i].title || "node"}`)
    element.addEventListener("click", () => { if (!moved) jump(i) })
    element.addEventListener("keydown", event => {
      if (event.key === "Enter") { event.preventDefault(); jump(i) }
    })
    if (drawing.boxes[i].opens !== null)
      element.addEventListener("dblclick", () => open(drawing.boxes[i].opens))
  })
  for (const link of svg.querySelectorAll("a")) {
    const target = +link.getAttribute("href").match(/^#s(\d+)/)[1]
    const button = link.querySelector(".button")
    link.removeAttribute("href")
    button.setAttribute("tabindex", "0")
    button.setAttribute("role", "button")
    button.setAttribute("aria-label", link.querySelector(".node") ? "open" : "close")
    button.addEventListener("click", event => { event.stopPropagation(); open(target) })
    button.addEventListener("keydown", event => { if (event.key === "Enter") open(target) })
  }
  parts.arrows.forEach(element => {
    const path = element.querySelector("path").cloneNode()
    const tip = element.querySelector("polygon").points[0]  // the gradient has its head at the other end
    path.setAttribute("d", `${path.getAttribute("d")}L${tip.x},${tip.y}`)
    path.setAttribute("class", "gradient")
    path.removeAttribute("stroke-width"); path.removeAttribute("stroke")
    path.style.strokeWidth = 0
    element.prepend(path)
    const head = headBack(path)
    element.append(head)
    parts.lines.push({ path, head, width: 0 })
  })
  groups = groupSteps()
  showWay()
  fit()
}

/** An arrowhead at the beginning of a path: a gradient flows against the arrow. */
function headBack(path) {
  const head = document.createElementNS("http://www.w3.org/2000/svg", "polygon")
  const [a, b] = [path.getPointAtLength(0), path.getPointAtLength(Math.min(9, path.getTotalLength()))]
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1
  const [x, y] = [-(b.y - a.y) / length * 4.5, (b.x - a.x) / length * 4.5]
  head.setAttribute("points", `${a.x},${a.y} ${b.x + x},${b.y + y} ${b.x - x},${b.y - y}`)
  head.setAttribute("class", "gradient")
  head.style.display = "none"
  return head
}

/** For each step the steps that are one step in this drawing: those inside one closed box. */
function groupSteps() {
  const found = []
  const boxAt = k => {
    const step = steps[k]
    if (step.node === null || step.kind === "seed" || step.kind === "error") return null
    const i = boxOf[step.node]
    return i >= 0 && drawings[view].boxes[i].closed ? `${i} ${step.kind}` : null
  }
  for (let k = 0; k <= last;) {
    const key = boxAt(k)
    let end = k
    while (key !== null && end < last && boxAt(end + 1) === key) end++
    const group = { first: k, last: end }
    for (; k <= end; k++) found.push(group)
  }
  return found
}

let widths = null
/** The width of an edge's line: where its gradient's size lies between the smallest and the largest. */
function edgeWidth(edge) {
  if (!widths) {
    const sizes = [...sendings].map(([each, entries]) => [each, entries.at(-1).norm])
    const logs = sizes.map(([, size]) => size).filter(size => size > 0 && Number.isFinite(size)).map(Math.log10)
    const low = logs.reduce((a, x) => Math.min(a, x), Infinity)
    const high = logs.reduce((a, x) => Math.max(a, x), -Infinity)
    const share = size => high > low ? (Math.log10(size) - low) / (high - low) : .5
    widths = new Map(sizes.map(([each, size]) =>
      [each, size > 0 && Number.isFinite(size) ? 2 + 6 * share(size) : size === 0 ? 1 : 2.5]))
  }
  return widths.get(edge) ?? 2
}

/** Light the boxes and arrows as they are after the current step. */
function paint() {
  const { first, last: end } = groups[at]
  const step = steps[at]
  const current = step.node === null ? -1 : boxOf[step.node]
  const back = halfOf(at) === "backward"
  parts.svg.parentNode.classList.toggle("back", back)
  const set = (element, classes) => {
    if (element.shown !== classes) element.setAttribute("class", element.shown = classes)
  }
  drawings[view].boxes.forEach((box, i) => {
    const element = parts.boxes[i]
    const own = parts.own[i]
    const done = own.some(node => computedAt[node] <= end)
    const graded = own.some(node => latest(arrivals.get(node), end))
    const broken = steps[last].kind === "error" && end === last && box.nodes.includes(steps[last].node)
    set(element, [parts.kinds[i], done && "visited", graded && "graded",
      i === current && "current", broken && "broken"].filter(Boolean).join(" "))
    label(box, parts.texts[i], end)
  })
  const passing = new Set()
  const sent = new Set()
  for (let k = first; k <= end; k++) {
    if (steps[k].kind === "forward") for (const e of edgesInto[steps[k].node]) passing.add(e)
    for (const send of steps[k].sends ?? []) if (send.gradient !== null) sent.add(send.edge)
  }
  drawings[view].arrows.forEach((inside, i) => {
    const element = parts.arrows[i]
    const flowed = inside.some(e => computedAt[edges[e][1]] <= end && computedAt[edges[e][0]] <= end)
    const graded = inside.filter(e => latest(sendings.get(e), end))
    set(element, ["edge", flowed && "flowed", graded.length && "graded", inside.some(e => passing.has(e)) && "passing",
      inside.some(e => sent.has(e)) && "sending"].filter(Boolean).join(" "))
    const width = graded.length ? Math.max(...graded.map(edgeWidth)) : 0
    const { path, head, width: before } = parts.lines[i]
    if (width !== before) {
      parts.lines[i].width = width
      path.style.strokeWidth = width
      head.style.display = width ? "" : "none"
      head.style.strokeWidth = Math.max(0, width - 2)
    }
  })
  if (follows) see(current)
}

/** Put a node's value and gradient, as far as they are known, into its box. */
function label(box, texts, end) {
  const node = box.main
  const put = (text, words) => { if (text && text.words !== words) text.textContent = text.words = words }
  if (data.scalar) {
    const value = computedAt[node] <= end ? arrays[nodes[node].value]?.numbers?.[0] : null
    put(texts[1], value === null || value === undefined ? "data ?" : `data ${numeral(real(value))}`)
    put(texts[2], gradientText(node, end))
  } else if (box.has) put(texts[texts.length - 1], gradientText(node, end))
  if (!data.scalar && !nodes[node].shape.length)  // a result of one number, which nobody knows before
    for (const text of texts) if (text.textContent.startsWith("→ ")) {
      text.dataset.result ??= text.textContent
      put(text, computedAt[node] <= end ? text.dataset.result : "→ ?")
    }
}

/** What is known of the gradient at a node after a step, in a few words. */
function gradientText(node, k) {
  const entry = latest(arrivals.get(node), k)
  if (!entry) return nodes[node].needs_grad ? "no grad yet" : "needs no grad"
  const array = arrays[entry.sum]
  const single = array?.numbers?.length === 1
  const size = single ? real(array.numbers[0]) : norm(entry.sum)
  const said = `${single ? "grad" : "‖grad‖"} ${size === null ? "" : numeral(size)}`
  return entry.part < entry.of ? `${said} (${entry.part}/${entry.of})` : said
}

// --- moving the drawing ---------------------------------------------------------------------------

let moved = false  // whether the pointer has dragged the drawing, so that its click does not count
function look(to, smooth = false) {
  frame = to
  const set = f => parts.svg.setAttribute("viewBox", `${f.x} ${f.y} ${f.width} ${f.height}`)
  cancelAnimationFrame(look.moving)
  const now = parts.svg.viewBox.baseVal
  if (!smooth || calm.matches || !now || !now.width) return set(to)
  const from = { x: now.x, y: now.y, width: now.width, height: now.height }
  const start = performance.now()
  const move = time => {
    const share = Math.min(1, (time - start) / 200)
    const mix = name => from[name] + (to[name] - from[name]) * share * (2 - share)
    set({ x: mix("x"), y: mix("y"), width: mix("width"), height: mix("height") })
    if (share < 1) look.moving = requestAnimationFrame(move)
  }
  look.moving = requestAnimationFrame(move)
}
const pane = () => find("drawing").getBoundingClientRect()
/** How many pixels of the screen a pixel of the drawing has. */
const scale = () => Math.min(pane().width / frame.width, pane().height / frame.height)

/** All of it, if it can be read then; else as much as can be read. */
function fit(all = false) {
  const { width, height } = pane()
  const most = Math.min(1.3, Math.min(width / whole.width, height / whole.height))
  const factor = (all ? most : Math.max(most, Math.min(.85, width / 420))) || 1
  const wide = width / factor, high = height / factor
  look({ x: whole.width < wide ? (whole.width - wide) / 2 : 0,
    y: whole.height < high ? (whole.height - high) / 2 : 0, width: wide, height: high })
}

/** Move a box into sight. */
function see(i) {
  const box = drawings[view].boxes[i]
  if (!box) return
  const [x, y, width, height] = box.at
  const clear = (low, size, from, room) => low - size / 2 >= from + room * .06
    && low + size / 2 <= from + room * .94
  if (clear(x, width, frame.x, frame.width) && clear(y, height, frame.y, frame.height)) return
  const inside = (middle, room, all) => all < room ? (all - room) / 2
    : Math.min(Math.max(middle - room / 2, -10), all - room + 10)
  look({ ...frame, x: inside(x, frame.width, whole.width), y: inside(y, frame.height, whole.height) }, true)
}

function zoom(factor, x = .5, y = .5) {
  const size = Math.min(8, Math.max(.05, scale() * factor)) / scale()
  look({ x: frame.x + frame.width * x * (1 - 1 / size), y: frame.y + frame.height * y * (1 - 1 / size),
    width: frame.width / size, height: frame.height / size })
}

const pointers = new Map()
find("drawing").addEventListener("pointerdown", event => {
  pointers.set(event.pointerId, event)
  moved = false
})
addEventListener("pointermove", event => {
  const before = pointers.get(event.pointerId)
  if (!before) return
  const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY]
  if (!moved && Math.hypot(dx, dy) < 4) return
  moved = true
  setFollow(false)
  find("drawing").classList.add("dragged")
  if (pointers.size === 2) {  // two fingers: zoom
    const other = [...pointers.values()].find(each => each.pointerId !== event.pointerId)
    const apart = each => Math.hypot(each.clientX - other.clientX, each.clientY - other.clientY)
    const { left, top, width, height } = pane()
    zoom(apart(event) / (apart(before) || 1), ((event.clientX + other.clientX) / 2 - left) / width,
      ((event.clientY + other.clientY) / 2 - top) / height)
  } else look({ ...frame, x: frame.x - dx / scale(), y: frame.y - dy / scale() })
  pointers.set(event.pointerId, event)
})
for (const end of ["pointerup", "pointercancel"])
  addEventListener(end, event => {
    pointers.delete(event.pointerId)
    find("drawing").classList.remove("dragged")
  })
find("drawing").addEventListener("wheel", event => {
  event.preventDefault()
  const { left, top, width, height } = pane()
  zoom(Math.exp(-event.deltaY / 400), (event.clientX - left) / width, (event.clientY - top) / height)
}, { passive: false })
function setFollow(on) {
  follows = on
  find("follow").setAttribute("aria-pressed", on)
  if (on) see(steps[at].node === null ? -1 : boxOf[steps[at].node])
}

// --- arrays ---------------------------------------------------------------------------------------

/** An array, as numbers or as a heat map.
 *  @param {number} place - in `arrays`
 *  @param {{marks?: Map<number, string>, pick?: (flat: number) => void, bare?: boolean}} options -
 *    classes of elements, by their flat index; what a click on an element does */
function showArray(place, options = {}) {
  const array = arrays[place]
  const box = make("div", { className: "array" })
  if (!array) return box
  if (array.numbers && !array.shape.length && !options.marks)
    box.append(make("span", { className: "number" }, numeral(real(array.numbers[0]))))
  else if (array.numbers) box.append(tableOf(array, options))
  else if (array.pixels) box.append(...heatMap(array, options))
  if (!options.bare && array.statistics) box.append(statistics(array))
  if (!array.numbers && !array.pixels && !array.statistics)
    box.append(make("p", { className: "note" }, `shape ${shapeText(array.shape)}, values not kept`))
  return box
}

/** Flat indices of an array in rows, and these in tiles: the last two axes make a tile. */
function tilesOf(array) {
  const shape = array.shape.length === 2 && array.shape[0] === 1 ? array.shape.slice(1) : array.shape
  const columns = shape.length < 2 ? Math.min(array.numbers.length, 16) || 1 : shape.at(-1) || 1
  const rows = shape.length < 2 ? Math.ceil(array.numbers.length / columns) : shape.at(-2) || 1
  const found = []
  for (let from = 0; from < array.numbers.length; from += rows * columns) {
    const tile = []
    for (let row = 0; row < rows; row++) {
      const start = from + row * columns
      tile.push([...Array(columns).keys()].map(k => start + k).filter(k => k < array.numbers.length))
    }
    found.push(tile)
  }
  return found
}

function tableOf(array, { marks, pick }) {
  if (!array.numbers.length) return make("p", { className: "note" }, `empty, ${shapeText(array.shape)}`)
  const tables = tilesOf(array).map(tile => make("table", { role: "presentation" }, make("tbody", {},
    tile.map(row => make("tr", {}, row.map(flat => {
      const cell = make("td", { className: marks?.get(flat) ?? "" }, numeral(real(array.numbers[flat])))
      if (pick?.(flat, true)) {
        cell.classList.add("opens")
        cell.addEventListener("click", () => pick(flat))
      }
      return cell
    }))))))
  return make("div", { className: "tiles" }, tables)
}

const SIGNED = { light: [[0, 86, 150], [255, 255, 255], [200, 82, 0]],
  dark: [[74, 159, 224], [21, 24, 30], [245, 131, 58]] }
const BROKEN = [209, 0, 75]
/** The colour of a level from 0 to 254; 255 is NaN or infinite. */
function colour(level, signed) {
  if (level === 255) return BROKEN
  const share = level / 254
  if (!signed) return [share * 255, share * 255, share * 255]
  const [negative, zero, positive] = SIGNED[dark.matches ? "dark" : "light"]
  const end = share < .5 ? negative : positive
  const part = Math.abs(share - .5) * 2
  return zero.map((each, i) => each + (end[i] - each) * part)
}

function heatMap(array, { marks, pick, small }) {
  const levels = Uint8Array.from(atob(array.pixels), c => c.charCodeAt(0))
  const { tiles, rows, columns, block } = array
  const room = small ? 150 : Math.min(280, find("story").clientWidth - 60)
  const across = tiles === 1 ? 1 : Math.max(1, Math.min(tiles,
    Math.round(Math.sqrt(tiles * (rows + 1) / (columns + 1) * 2.2))))
  const down = Math.ceil(tiles / across)
  const [width, height] = [across * (columns + 1) - 1, down * (rows + 1) - 1]
  const signed = array.low < 0
  const canvas = make("canvas", { width, height })
  const pixels = new ImageData(width, height)
  const corner = tile => [(tile % across) * (columns + 1), Math.floor(tile / across) * (rows + 1)]
  for (let tile = 0; tile < tiles; tile++) {
    const [left, top] = corner(tile)
    for (let i = 0; i < rows * columns; i++) {
      const missing = tile === array.of - 1 && i >= rows * columns - array.missing
      const place = 4 * ((top + Math.floor(i / columns)) * width + left + i % columns)
      pixels.data.set([...colour(levels[tile * rows * columns + i], signed), missing ? 0 : 255], place)
    }
  }
  const context = canvas.getContext("2d")
  context.putImageData(pixels, 0, 0)
  const size = Math.max(1, Math.min(small ? 10 : 14, Math.floor(Math.min(room / width, 200 / height))))
  const fits = Math.min(size, room / width)
  canvas.style.width = `${width * fits}px`
  canvas.style.height = `${height * fits}px`
  canvas.setAttribute("role", "img")
  canvas.setAttribute("aria-label", `heat map of an array ${shapeText(array.shape)}, `
    + `from ${numeral(array.low)} to ${numeral(array.high)}`)
  const held = make("div", {}, canvas)
  if (marks && block === 1) held.append(outline(array, marks, corner, width, height, fits))
  held.style.cssText = `position:relative;width:${width * fits + 2}px`
  if (pick && block === 1) canvas.addEventListener("click", event => {
    const { left, top } = canvas.getBoundingClientRect()
    const [x, y] = [Math.floor((event.clientX - left - 1) / fits), Math.floor((event.clientY - top - 1) / fits)]
    const tile = Math.floor(x / (columns + 1)) + across * Math.floor(y / (rows + 1))
    if (x % (columns + 1) < columns && y % (rows + 1) < rows && tile < tiles)
      pick((tile * rows + y % (rows + 1)) * columns + x % (columns + 1))
  })
  const bar = make("i")
  const css = level => `rgb(${colour(level, signed).map(Math.round).join(",")})`
  bar.style.background = `linear-gradient(to right, ${css(0)}, ${css(127)}, ${css(254)})`
  const notes = []
  if (tiles < array.of) notes.push(`the first ${tiles} of ${array.of} maps`)
  else if (tiles > 1) notes.push(`${tiles} maps of ${rows}×${columns}`)
  if (block > 1) notes.push(`each cell is the mean of ${block}×${block} numbers`)
  return [held, make("div", { className: "scale" }, numeral(array.low), bar, numeral(array.high)),
    notes.length && !small ? make("p", { className: "note" }, notes.join("; ")) : ""]
}

/** Frames around some elements of a heat map. */
function outline(array, marks, corner, width, height, size) {
  const { rows, columns, tiles } = array
  const canvas = make("canvas", { width: width * size, height: height * size })
  canvas.style.cssText = "position:absolute;left:1px;top:1px;border:0;pointer-events:none;background:none"
  canvas.setAttribute("aria-hidden", "true")
  const context = canvas.getContext("2d")
  for (const [flat, kind] of marks) {
    const tile = Math.floor(flat / (rows * columns))
    if (tile >= tiles || (kind === "opens" && size < 3)) continue
    const [left, top] = corner(tile)
    const inside = flat % (rows * columns)
    context.strokeStyle = getComputedStyle(document.documentElement)
      .getPropertyValue(kind === "window" ? "--backward" : "--forward")
    context.lineWidth = kind === "opens" ? 1 : Math.max(2, size / 5)
    context.setLineDash(kind === "opens" ? [1, 2] : [])
    const [column, row] = [inside % columns, Math.floor(inside / columns)]
    const [x, y] = [(left + column) * size, (top + row) * size]
    const same = (dc, dr) => column + dc >= 0 && column + dc < columns && row + dr >= 0 && row + dr < rows
      && marks.get(flat + dr * columns + dc) === kind
    for (const [dc, dr, ...line] of [[-1, 0, x, y, x, y + size], [1, 0, x + size, y, x + size, y + size],
      [0, -1, x, y, x + size, y], [0, 1, x, y + size, x + size, y + size]]) {
      if (same(dc, dr)) continue
      context.beginPath()
      context.moveTo(line[0], line[1])
      context.lineTo(line[2], line[3])
      context.stroke()
    }
  }
  return canvas
}

function statistics(array) {
  const s = array.statistics
  const rows = [["min", s.min], ["max", s.max], ["mean", s.mean], ["std", s.std], ["norm", s.norm]]
    .map(([name, x]) => [name, numeral(real(x))])
  rows.push(["numbers", s.size.toLocaleString("en")])
  if (s.zeros !== null) rows.push(["zeros", s.zeros.toLocaleString("en")])
  if (s.not_finite) rows.push(["NaN or ∞", s.not_finite.toLocaleString("en")])
  const details = make("details", { open: !array.pixels }, make("summary", {}, "statistics"))
  details.addEventListener("toggle", () => {
    if (details.children.length > 1) return
    details.append(make("dl", {}, rows.flatMap(([name, x]) => [make("dt", {}, name), make("dd", {}, x)])))
    if (!array.histogram) return
    const most = Math.max(...array.histogram, 1)
    const bars = make("div", { className: "bars", role: "img",
      "aria-label": `histogram from ${numeral(real(s.min))} to ${numeral(real(s.max))}` },
      array.histogram.map(n => {
        const bar = make("i", { title: `${n}` })
        bar.style.height = `${100 * n / most}%`
        return bar
      }))
    details.append(bars, make("div", { className: "scale" },
      `${numeral(real(s.min))} … ${numeral(real(s.max))}, in ${array.histogram.length} bins`))
  })
  if (details.open) details.dispatchEvent(new Event("toggle"))
  return details
}

// --- the story ------------------------------------------------------------------------------------

function card(kind, name, what, ...content) {
  return make("div", { className: `card ${kind}` }, make("div", { className: "name" }, name),
    what ? make("div", { className: "what" }, what) : "", content)
}
const describe = i => [shapeText(nodes[i].shape), nodes[i].dtype === "float" ? "" : nodes[i].dtype,
  nodes[i].scope].filter(Boolean).join(" · ")

function showStory() {
  const { first, last: end } = groups[at]
  const step = steps[at]
  const folded = end > first
  const box = folded ? drawings[view].boxes[boxOf[step.node]] : null
  const back = halfOf(at) === "backward"
  const wrong = step.kind === "error"
  const caption = find("caption")
  caption.className = wrong ? "wrong" : back ? "back" : ""
  const words = folded ? foldedCaption(box, first, end) : step.caption
  if (caption.textContent !== words) caption.textContent = words
  const what = make("div", { className: back ? "back-side" : "" })
  const badge = make("span", { className: `badge ${wrong ? "wrong" : back ? "back" : ""}` },
    wrong ? "error" : { start: "before the first step", seed: "backward begins", end: "all gradients" }[step.kind]
      ?? step.kind)
  what.append(make("div", { className: "head" }, make("h3", {}, folded ? box.title
    : step.node !== null ? headOf(step)
      : data.title), badge, make("span", { className: "scope" }, folded ? "" : step.scope)))
  what.append(...(folded ? foldedStory(box, first, end, back) : STORIES[step.kind](step)))
  find("step").replaceChildren(what)
  showSource(step, back, wrong)
}

/** A step's node and its op: "d = relu", or "relu" if it has no other name. */
function headOf(step) {
  const name = nameOf(step.node)
  return !step.op || step.op === name ? name : `${name} = ${step.op}`
}

function foldedCaption(box, first, end) {
  const n = end - first + 1
  const [one, other] = [steps[first], steps[end]]
  if (one.kind === "forward") {
    const out = shapeText(nodes[other.node].shape)
    return `${box.title} runs forward: ${count(n, "step")}, to ${out || "one number"}.`
      + (box.opens === null ? "" : " Open it with ↓ to see them.")
  }
  return `The gradient goes back through ${box.title}: ${count(n, "step")}.`
    + (box.opens === null ? "" : " Open it with ↓ to see them.")
}

function foldedStory(box, first, end, back) {
  const list = steps.slice(first, end + 1)
  const parts = [make("p", {}, `${list.slice(0, 12).map(each => each.op).join(" → ")}${list.length > 12 ? " → …" : ""}`)]
  if (box.opens !== null)
    parts.push(make("button", { onclick: () => open(box.opens) }, "open it (↓)"))
  if (!back) {
    const inside = new Set(list.map(each => each.node))
    const given = [...new Set(list.flatMap(each => each.inputs).filter(each => !inside.has(each.node)
      && nodes[each.node].role !== "parameter" && nodes[each.node].role !== "buffer"
      && nodes[each.node].role !== "constant" && !(nodes[each.node].op === "output" && box.nodes.includes(each.node)))
      .map(each => each.value))]
    const out = list.at(-1).outputs[0]
    parts.push(make("div", { className: "cards" },
      given.slice(0, 2).map(value => card("", "in", shapeText(arrays[value]?.shape ?? []), showArray(value))),
      card("output", "out", shapeText(nodes[out.node].shape), showArray(out.value))))
  } else {
    const leaves = list.flatMap(each => each.sends).filter(each => each.gradient !== null
      && !box.nodes.includes(each.node))
    parts.push(make("div", { className: "cards" },
      card("", "arrived", "", showArray(list[0].arrived[0])),
      leaves.map(each => card("sent", `to ${nameOf(each.node)}`, describe(each.node), summed(each)))))
  }
  return parts
}

const STORIES = {
  start: step => {
    const [learned, given] = [[], []]
    for (const i of step.given)
      (nodes[i].role === "parameter" || nodes[i].role === "buffer" ? learned : given).push(i)
    const cards = list => make("div", { className: "cards" }, list.map(i => card("", nameOf(i), describe(i),
      showArray(nodes[i].value), make("div", { className: "grad" },
        nodes[i].needs_grad ? "gradient: no grad yet" : "needs no gradient"))))
    const parts = [make("p", {}, "Step on with → or the buttons below. ? lists the keys.")]
    if (given.length) parts.push(cards(given.slice(0, 60)))
    if (given.length > 60) parts.push(make("p", {}, `… and ${given.length - 60} more inputs.`))
    if (learned.length) {
      const more = make("details", { className: "more" }, make("summary", {}, count(learned.length, "parameter")))
      more.addEventListener("toggle", () => { if (more.children.length < 2) more.append(cards(learned)) })
      parts.push(more)
    }
    return parts
  },
  forward: step => [
    make("p", { className: "formula" }, step.formula),
    step.numbers ? make("p", { className: "formula put-in" },
      `${"\u00a0".repeat(step.formula.indexOf("="))}= ${step.numbers}`) : "",
    data.scalar ? "" : make("div", { className: "cards" },
      step.inputs.map(each => card("", each.argument, `${nameOf(each.node)} ${describe(each.node)}`,
        showArray(each.value, marksOf(step, each)))),
      step.outputs.map(each => card("output", step.outputs.length > 1 ? nameOf(each.node) : "y", describe(each.node),
        showArray(each.value, picks(step)), gradNote(each.node)))),
    data.scalar ? make("div", { className: "cards" },
      step.inputs.map(each => card("", nameOf(each.node), each.argument, showArray(each.value))),
      step.outputs.map(each => card("output", nameOf(each.node), "", showArray(each.value), gradNote(each.node)))) : "",
    opening(step)],
  seed: step => [make("div", { className: "cards" }, card("sent", `∂${step.result}/∂${step.result}`,
    "the gradient that backward begins with", showArray(step.arrived[0]))),
    make("p", {}, "Every other value has no grad yet.")],
  backward: step => [
    make("div", { className: "cards" }, step.arrived.map((place, k) => card("",
      data.scalar ? `∂${step.result}/∂${nameOf(step.node)}` : step.arrived.length > 1 ? `g${k}: arrived at output ${k}` : "g: the gradient that arrived",
      data.scalar ? "arrived" : `∂${step.result}/∂${nameOf(step.node)}`,
      place === null ? make("span", { className: "what" }, "no gradient came here") : showArray(place, picks(step)))),
      data.scalar ? step.inputs.map(each => card("", nameOf(each.node), `${each.argument}, as it was`, showArray(each.value))) : ""),
    make("div", { className: "cards" }, step.sends.map(send => sentCard(step, send))),
    opening(step)],
  end: step => [make("div", { className: "cards" }, step.gradients.map(each =>
    card("sent", `∂${step.result}/∂${nameOf(each.node)}`, [describe(each.node),
      each.parts > 1 ? `the sum of ${each.parts} gradients` : ""].filter(Boolean).join(" · "),
    showArray(each.gradient))))],
  error: step => [
    step.inputs.length ? make("p", {}, "What it was given: ", make("span", { className: "shapes" },
      step.inputs.map(each => shapeText(nodes[each.node].shape) || "one number").join(" and "))) : "",
    make("div", { className: "cards" }, step.inputs.map(each => card("", each.argument,
      `${nameOf(each.node)} ${describe(each.node)}`, showArray(each.value)))),
    step.arrived[0] === null ? "" : make("div", { className: "cards" },
      card("", "the gradient that had arrived", "", showArray(step.arrived[0])))],
}

const gradNote = node => make("div", { className: "grad" }, `gradient: ${gradientText(node, at)}`)

/** What goes to one input, by which formula, and what it adds up to there. */
function sentCard(step, send) {
  const name = nameOf(send.node)
  if (send.gradient === null)
    return card("", `to ${send.argument}`, `${name}: ${send.why}`)
  return card("sent", `to ${data.scalar && name !== send.argument ? `${name} (${send.argument})` : send.argument}`,
    data.scalar ? "" : `${name} ${describe(send.node)}`,
    make("p", { className: "formula" }, data.scalar ? `${send.formula}` : send.formula),
    send.numbers && send.numbers !== numeral(real(arrays[send.gradient].numbers[0]))
      ? make("p", { className: "formula put-in" }, `= ${send.numbers}`) : "",
    send.of > 1 ? "" : showArray(send.gradient, marksOf(step, send)),
    send.of > 1 ? summed(send, marksOf(step, send)) : "")
}

/** The sum so far at an input: what was there, plus what comes now. */
function summed(send, options = {}) {
  if (send.of < 2) return showArray(send.gradient, options)
  const figure = (content, words) => make("figure", {}, content, make("figcaption", {}, words))
  const now = figure(showArray(send.gradient, { ...options, bare: true, small: true }), "now")
  const before = send.before === null
    ? make("span", { className: "no" }, "no grad yet")
    : figure(showArray(send.before, { bare: true, small: true }), "so far")
  const total = send.sum === null ? "" : figure(
    make("div", { className: "total" }, showArray(send.sum, { bare: true, small: true })),
    send.part < send.of ? `${send.part} of ${send.of} gradients` : `all ${send.of} gradients`)
  return make("div", { className: "sum" }, before, make("span", { className: "op" }, send.before === null ? "→" : "+"),
    now, send.before === null ? "" : [make("span", { className: "op" }, "="), total],
    send.before === null ? make("span", { className: "what" },
      `gradient ${send.part} of ${send.of} that meet here`) : "")
}

/** The lines of the program, the current one and the next one marked. */
function showSource(step, back, wrong) {
  const box = find("source")
  if (!step.source) {
    const line = box.querySelector("li.now")
    if (line) line.classList.remove("now", "back")
    if (!box.children.length || step.kind === "start") {
      const next = nextLine()
      if (next) listSource(next[0])
      mark(null, next)
    } else mark(null, nextLine())
    return
  }
  if (box.dataset.file !== `${step.source[0]}`) listSource(step.source[0])
  mark(step.source[1], back || wrong ? null : nextLine(), back, wrong)
}
function nextLine() {
  const here = steps[at].source
  for (let k = groups[at].last + 1; k <= last && halfOf(k) === "forward"; k++) {
    const line = steps[k].source
    if (line && (!here || line[0] !== here[0] || line[1] !== here[1])) return line
  }
  return null
}
function listSource(file) {
  const { name, lines } = data.sources[file]
  const list = make("ol")
  let before = null
  for (const [number, text] of lines) {
    if (before !== null && number > before + 1) list.append(make("li", { className: "gap" }, make("span", {}, "⋯")))
    list.append(make("li", { "data-line": number }, make("span", {}, `${number}`), text))
    before = number
  }
  const box = find("source")
  box.dataset.file = file
  box.tabIndex = 0
  box.setAttribute("role", "region")
  box.setAttribute("aria-label", "the program's source")
  box.replaceChildren(make("div", { className: "file" }, name), list)
}
function mark(now, next, back = false, wrong = false) {
  const box = find("source")
  for (const item of box.querySelectorAll("li[data-line]")) {
    const line = +item.dataset.line
    const is = line === now
    const follows = next && `${next[0]}` === box.dataset.file && line === next[1]
    item.className = is ? `now${back ? " back" : ""}${wrong ? " wrong" : ""}` : follows ? "next" : ""
    item.firstChild.textContent = (is ? back ? "◀ " : wrong ? "✗ " : "▶ " : follows ? "next " : "") + line
    if (is || (follows && now === null))
      box.scrollTop = item.offsetTop - box.clientHeight / 2
  }
}

// --- an op, opened --------------------------------------------------------------------------------

const openedOf = step => data.opened?.[step.node]
/** Marks on the output, and what a click on it does. */
function picks(step) {
  const opened = openedOf(step)
  if (!opened) return {}
  const marks = new Map(opened.elements.map(each => [each.flat, "opens"]))
  const now = elementOf(step)
  if (now) marks.set(now.flat, "chosen")
  const pick = (flat, asks = false) => {
    const element = opened.elements.find(each => each.flat === flat)
    if (asks) return Boolean(element)
    chosen = { node: step.node, flat, element }
    showStory()
  }
  return { marks, pick }
}
function elementOf(step) {
  const opened = openedOf(step)
  if (!opened) return null
  if (chosen && chosen.node === step.node) return chosen.element ?? null
  return opened.elements[0] ?? null
}
/** The window on one of the inputs that the opened element reads. */
function marksOf(step, given) {
  const element = elementOf(step)
  const cells = element?.cells.find(each => each.node === given.node)
  return cells ? { marks: new Map(cells.flat.map(flat => [flat, "window"])) } : {}
}
const indexText = (flat, shape) => {
  const index = []
  for (const size of [...shape].reverse()) { index.unshift(flat % size); flat = Math.floor(flat / size) }
  return index.join(",")
}
/** The arithmetic of one element: each line by name and by number. */
function opening(step) {
  const opened = openedOf(step)
  if (!opened) return ""
  const element = elementOf(step)
  const shape = opened.shape
  const select = make("select", { "aria-label": "element to open", onchange: () => picks(step).pick(+select.value) },
    opened.elements.map(each => make("option", { value: each.flat, selected: each === element },
      `y[${indexText(each.flat, shape)}]`)))
  const parts = [make("div", { className: "head" }, make("h3", {}, "One element: "), select),
    make("p", { className: "what" }, opened.says)]
  if (!element) {
    parts.push(make("p", {}, `y[${indexText(chosen.flat, shape)}] was not opened when this page was made: `
      + `step(…, open={"${step.scope || nameOf(step.node)}": (${indexText(chosen.flat, shape)})}).`))
  } else if (step.kind === "forward") {
    parts.push(make("ol", { tabIndex: 0, "aria-label": "arithmetic" }, element.lines.map(line => make("li", {},
      make("span", { className: "names" }, `${line.name} = ${written(line.value, element, true)}`), make("br"),
      `= ${written(line.value, element, false)} `, make("span", { className: "total" }, `= ${numeral(real(line.result))}`)))))
  } else parts.push(...sentBack(step, element, shape))
  return make("div", { id: "opened" }, parts)
}
/** An expression of opened.py, with the names of elements or with their numbers. */
function written(value, element, names, inside = false) {
  if (typeof value === "number" || value === "nan" || value === "inf" || value === "-inf")
    return operand(real(value))
  if (typeof value === "string") {
    return names ? value : operand(real(element.lines.find(line => line.name === value).result))
  }
  if (typeof value[0] === "number") {
    const cells = element.cells[value[0]]
    return names ? `${cells.name}[${indexText(cells.flat[value[1]], cells.shape)}]`.replace("[]", "")
      : operand(real(cells.values[value[1]]))
  }
  const [op, ...given] = value
  const said = given.map(each => written(each, element, names, op !== "+"))
  if (op === "+") return inside ? `(${said.join(" + ")})` : said.join(" + ")
  if (op === "×") return said.join(" × ")
  return op.replace(/\{(\d+)\}/g, (_, k) => said[+k])
}
/** What the opened element hands back to each number that it was computed from. */
function sentBack(step, element, shape) {
  const g = real(element.g)
  if (element.g === null) return [make("p", {}, "No gradient arrived at this element.")]
  const parts = [make("p", {}, `At y[${indexText(element.flat, shape)}] arrived g = ${numeral(g)}. It hands back g times its slope:`)]
  for (const cells of element.cells) {
    const head = ["to", "slope", "g × slope"]
    const rows = cells.flat.slice(0, 400).map((flat, k) => [
      `${cells.name}[${indexText(flat, cells.shape)}]`.replace("[]", ""), numeral(real(cells.slopes[k])),
      `${numeral(g)} × ${operand(real(cells.slopes[k]))} = ${numeral(g * real(cells.slopes[k]))}`])
    parts.push(make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": `to ${cells.name}` }, make("table", {},
      make("thead", {}, make("tr", {}, head.map(each => make("th", { scope: "col" }, each)))),
      make("tbody", {}, rows.map(row => make("tr", {}, row.map(each => make("td", {}, each))))))))
  }
  return parts
}

// --- going from step to step ----------------------------------------------------------------------

function go(k, { play = false } = {}) {
  if (!play) stop()
  at = Math.min(Math.max(k, 0), last)
  at = groups[at].first
  if (chosen && steps[at].node !== chosen.node) chosen = null
  paint()
  showStory()
  showCount()
  if (location.protocol !== "about:") {
    try { history.replaceState(null, "", `#step=${at}`) } catch { /* no address to keep it in */ }
  }
}
function showCount() {
  const { first, last: end } = groups[at]
  find("slider").value = at
  const number = end > first ? `steps ${first}–${end}` : `step ${at}`
  const words = `${number} of ${last}, ${steps[at].kind === "error" ? "error" : halfOf(at)}`
  find("count").textContent = words
  find("slider").setAttribute("aria-valuetext", words)
}
const on = () => go(groups[at].last + 1)
const back = () => go(groups[at].first - 1)
/** Ten steps of this drawing on, or back. */
function leap(n) {
  let k = at
  for (let i = 0; i < Math.abs(n); i++) {
    const next = n > 0 ? groups[k].last + 1 : groups[k].first - 1
    if (next < 0 || next > last) break
    k = groups[next].first
  }
  go(k)
}
function play() {
  if (timer) return stop()
  if (groups[at].last >= last) go(0)
  find("play").textContent = "stop"
  const tick = () => {
    if (groups[at].last >= last) return stop()
    go(groups[at].last + 1, { play: true })
    timer = setTimeout(tick, 1000 / +find("speed").value)
  }
  timer = setTimeout(tick, 1000 / +find("speed").value)
}
function stop() {
  clearTimeout(timer)
  timer = null
  find("play").textContent = "play"
}
/** Show another drawing: a module opens or closes. */
function open(k) {
  const k0 = at
  showDrawing(k)
  go(k0)
}
function into() {
  const step = steps[at]
  const box = step.node === null ? null : drawings[view].boxes[boxOf[step.node]]
  if (box && box.opens !== null && box.opens !== undefined) open(box.opens)
}
function out() {
  if (drawings[view].parent !== null) open(drawings[view].parent)
}
function showWay() {
  const way = []
  let k = view
  while (k !== null) {
    const target = k
    const name = drawings[k].parent === null ? data.title : drawings[k].name
    way.unshift(k === view ? name : make("button", { onclick: () => open(target), title: "close what is inside" }, name))
    if (drawings[k].parent !== null) way.unshift(" › ")
    k = drawings[k].parent
  }
  find("way").replaceChildren(...(way.length > 1 ? way : []))
}
/** Go to a box's forward step; if that is shown already, to its backward step. */
function jump(i) {
  const ids = drawings[view].boxes[i].nodes
  const first = (kind, pick) => {
    const found = ids.map(id => firstOf[kind].get(id)).filter(k => k !== undefined)
    return found.length ? pick(...found) : null
  }
  let forward = first("forward", Math.min)
  let backward = first("backward", Math.min)
  if (forward === null) {  // what was given: where it is first used, and where its gradient arrives
    const uses = edges.filter(([from]) => ids.includes(from)).map(([, to]) => computedAt[to])
    forward = uses.length ? Math.min(...uses) : 0
    backward = arrivals.get(drawings[view].boxes[i].main)?.at(-1).step ?? null
  }
  const here = groups[at].first === groups[forward].first
  go(here && backward !== null ? backward : forward)
}

// --- finding --------------------------------------------------------------------------------------

function search() {
  const words = find("find").value.trim().toLowerCase()
  if (!words) return find("found").replaceChildren()
  const text = i => [nodes[i].label, nodes[i].op, nodes[i].scope].filter(Boolean).join(" · ")
  const hits = nodes.map((_, i) => i).filter(i => nodes[i].role !== "constant" && nodes[i].op !== "output"
    && text(i).toLowerCase().includes(words))
  const rank = i => nodes[i].label.toLowerCase() === words ? 0 : nodes[i].label.toLowerCase().startsWith(words) ? 1 : 2
  hits.sort((a, b) => rank(a) - rank(b) || a - b)
  find("found").replaceChildren(...hits.slice(0, 10).map(i =>
    make("button", { onclick: () => reach(i) }, text(i))),
  hits.length > 10 ? make("p", {}, `and ${hits.length - 10} more`) : hits.length ? "" : make("p", {}, "no such node"))
}
function reach(i) {
  closeFinder()
  const forward = firstOf.forward.get(i)
  const users = edges.filter(([from]) => from === i).map(([, to]) => computedAt[to]).filter(k => k >= 0)
  go(forward ?? (users.length ? Math.min(...users) : 0))
}
function closeFinder() {
  find("find").value = ""
  find("found").replaceChildren()
  find("find").blur()
}

// --- keys and buttons -----------------------------------------------------------------------------

const keys = {
  ArrowRight: on, ArrowLeft: back, ArrowDown: into, ArrowUp: out,
  PageDown: () => leap(10), PageUp: () => leap(-10), Home: () => go(0), End: () => go(last),
  " ": play, "/": () => find("find").focus(), "?": () => find("help").showModal(),
}
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return
  if (event.key === "Escape") { if (document.activeElement === find("find")) closeFinder(); return stop() }
  const inside = event.target
  if (find("help").open || !keys[event.key]) return
  if (inside.matches("select, input:not([type=range])")) return
  if (inside.matches("input") && inside !== find("slider")) return
  if (event.key === " " && inside.matches("button, summary, [role=button]")) return
  event.preventDefault()
  keys[event.key]()
})
const clicks = {
  first: () => go(0), back, play, on, last: () => go(last), closer: () => zoom(1.4), wider: () => zoom(1 / 1.4),
  fit: () => fit(true), follow: () => setFollow(!follows), "help-button": () => find("help").showModal(),
  "help-close": () => find("help").close(),
}
for (const [id, does] of Object.entries(clicks)) find(id).addEventListener("click", does)
find("slider").addEventListener("input", event => go(+event.target.value))
find("find").addEventListener("input", search)
find("find").addEventListener("keydown", event => {
  if (event.key === "Enter") find("found").querySelector("button")?.click()
})
addEventListener("hashchange", () => fromAddress())
addEventListener("resize", () => { fit(); paint(); showStory() })
addEventListener("load", showStory)  // now the story has its size, also inside a frame
dark.addEventListener("change", showStory)
function fromAddress() {
  const given = location.hash.match(/^#step=(\d+)$/)
  if (given && groups[Math.min(+given[1], last)].first !== groups[at].first) go(+given[1])
}

/** The slider's halves and ticks. */
function rule() {
  const share = k => `${100 * k / (last || 1)}%`
  find("slider").max = last
  const halves = find("halves")
  for (let k = 0; k <= last;) {
    let end = k
    while (end < last && halfOf(end + 1) === halfOf(k)) end++
    const half = make("i", { className: halfOf(k) === "backward" ? "back" : "" })
    half.style.left = share(k)
    half.style.width = share(Math.min(end + 1, last) - k)
    halves.append(half)
    k = end + 1
  }
  for (const [k, name] of data.ticks) {
    const tick = make("i", { title: name })
    tick.style.left = share(k)
    find("ticks").append(tick)
  }
}

// --- turning the numbers --------------------------------------------------------------------------

/** The ops on Scalars: the value, and what goes to each input. `o` holds the op's options. */
const sigmoid = x => x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))
const softplus = x => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))
const normal = x => Math.exp(-.5 * x * x) / Math.sqrt(2 * Math.PI)
const ROOT = Math.sqrt(2 / Math.PI)
const within = (x, low, high) => x >= (low ?? -Infinity) && x <= (high ?? Infinity)
const second = (a, b, beats) => beats(b, a) || (b !== b && a === a)  // NaN wins, and a if both are equal
/** erf by its series of positive terms, which loses no digits. */
function erf(x) {
  const size = Math.min(Math.abs(x), 6)
  let term = size, sum = size
  for (let n = 1; term > sum * 1e-17; n++) sum += term *= 2 * size * size / (2 * n + 1)
  const y = Math.abs(x) >= 6 ? 1 : 2 / Math.sqrt(Math.PI) * Math.exp(-size * size) * sum
  return x !== x ? NaN : x < 0 ? -y : y
}
function gelu(x, kind) {
  const z = Math.min(20, Math.max(-20, x))
  if (kind !== "tanh") return [.5 + .5 * erf(x / Math.SQRT2), normal(x)]
  const t = Math.tanh(ROOT * (z + .044715 * z ** 3))
  return [.5 + .5 * t, .5 * (1 - t * t) * ROOT * (1 + 3 * .044715 * z * z)]
}
function halfEven(x) {
  const low = Math.floor(x)
  return x - low !== .5 ? Math.round(x) : low % 2 ? low + 1 : low
}
const one = (value, slope) => ({ value, slopes: [slope] })
const flat = value => one(value, () => 0)
const OPS = {
  add: { value: (a, b) => a + b, slopes: [g => g, g => g] },
  subtract: { value: (a, b) => a - b, slopes: [g => g, g => -g] },
  multiply: { value: (a, b) => a * b, slopes: [(g, y, a, b) => g * b, (g, y, a) => g * a] },
  divide: { value: (a, b) => a / b, slopes: [(g, y, a, b) => g / b, (g, y, a, b) => -g * y / b] },
  power: { value: (a, b) => a === 1 ? 1 : a ** b, slopes: [
    (g, y, a, b) => g * (b === 0 ? 0 : b * a ** (b - 1)),
    (g, y, a, b) => g * y * Math.log(a === 0 && b >= 0 ? 1 : a)] },
  where: { value: (c, a, b) => c ? a : b, slopes: [null, (g, y, c) => c ? g : 0, (g, y, c) => c ? 0 : g] },
  maximum: { value: (a, b) => second(a, b, (p, q) => p > q) ? b : a, slopes: [
    (g, y, a, b) => second(a, b, (p, q) => p > q) ? 0 : g, (g, y, a, b) => second(a, b, (p, q) => p > q) ? g : 0] },
  minimum: { value: (a, b) => second(a, b, (p, q) => p < q) ? b : a, slopes: [
    (g, y, a, b) => second(a, b, (p, q) => p < q) ? 0 : g, (g, y, a, b) => second(a, b, (p, q) => p < q) ? g : 0] },
  remainder: { value: (a, b) => b === 0 ? NaN : a % b === 0 ? 0 : a % b + (a % b < 0 !== b < 0 ? b : 0), slopes: [
    g => g, (g, y, a, b) => -g * halfEven((a - y) / b)] },
  fmod: { value: (a, b) => a % b, slopes: [g => g, (g, y, a, b) => -g * halfEven((a - y) / b)] },
  negative: one(x => -x, g => -g),
  absolute: one(Math.abs, (g, y, x) => g * Math.sign(x)),
  exp: one(Math.exp, (g, y) => g * y),
  log: one(Math.log, (g, y, x) => g / x),
  expm1: one(Math.expm1, (g, y) => g * (y + 1)),
  log1p: one(Math.log1p, (g, y, x) => g / (1 + x)),
  square: one(x => x * x, (g, y, x) => g * 2 * x),
  sqrt: one(Math.sqrt, (g, y) => g / (2 * y)),
  rsqrt: one(x => 1 / Math.sqrt(x), (g, y, x) => g * (-.5 * y / x)),
  reciprocal: one(x => 1 / x, (g, y) => -g * y * y),
  log2: one(Math.log2, (g, y, x) => g / (x * Math.LN2)),
  log10: one(Math.log10, (g, y, x) => g / (x * Math.LN10)),
  exp2: one(x => 2 ** x, (g, y) => g * y * Math.LN2),
  sin: one(Math.sin, (g, y, x) => g * Math.cos(x)),
  cos: one(Math.cos, (g, y, x) => -g * Math.sin(x)),
  tan: one(Math.tan, (g, y) => g * (1 + y * y)),
  atan: one(Math.atan, (g, y, x) => g / (1 + x * x)),
  sinh: one(Math.sinh, (g, y, x) => g * Math.cosh(x)),
  cosh: one(Math.cosh, (g, y, x) => g * Math.sinh(x)),
  tanh: one(Math.tanh, (g, y) => g * (1 - y * y)),
  sigmoid: one(sigmoid, (g, y) => g * y * (1 - y)),
  relu: one(x => x > 0 || x !== x ? x : 0, (g, y, x) => x > 0 ? g : g * 0),
  floor: flat(Math.floor), ceil: flat(Math.ceil), trunc: flat(Math.trunc), round: flat(halfEven), sign: flat(Math.sign),
  clip: one((x, o) => Math.min(Math.max(x, o.min ?? -Infinity), o.max ?? Infinity),
    (g, y, x, o) => within(x, o.min, o.max) ? g : 0),
  hardtanh: one((x, o) => Math.min(Math.max(x, o.min_val), o.max_val),
    (g, y, x, o) => x > o.min_val && x < o.max_val ? g : 0),
  leaky_relu: one((x, o) => x > 0 ? x : o.negative_slope * x, (g, y, x, o) => x > 0 ? g : o.negative_slope * g),
  elu: one((x, o) => x > 0 ? x : o.alpha * Math.expm1(x), (g, y, x, o) => x > 0 ? g : g * o.alpha * Math.exp(x)),
  silu: one(x => x * sigmoid(x), (g, y, x) => g * (sigmoid(x) + y * (1 - sigmoid(x)))),
  gelu: one((x, o) => x * gelu(x, o.approximate)[0],
    (g, y, x, o) => g * (gelu(x, o.approximate)[0] + x * gelu(x, o.approximate)[1])),
  softplus: one(softplus, (g, y, x) => g * sigmoid(x)),
  erf: one(erf, (g, y, x) => g * 2 / Math.sqrt(Math.PI) * Math.exp(-x * x)),
  log_sigmoid: one(x => -softplus(-x), (g, y, x) => g * sigmoid(-x)),
  mish: one(x => x * Math.tanh(softplus(x)),
    (g, y, x) => g * (Math.tanh(softplus(x)) + x * sigmoid(x) * (1 - Math.tanh(softplus(x)) ** 2))),
  hardsigmoid: one(x => Math.min(Math.max(x / 6 + .5, 0), 1), (g, y, x) => x > -3 && x < 3 ? g / 6 : 0),
  hardswish: one(x => x <= -3 ? 0 : x >= 3 ? x : x * (x / 6 + .5),
    (g, y, x) => x <= -3 ? 0 : x >= 3 ? g : g * (x / 3 + .5)),
}

const given = data.turn === "" ? nodes.map((_, i) => i).filter(i => nodes[i].op === null && nodes[i].role !== "constant") : []
const original = given.map(i => real(arrays[nodes[i].value].numbers[0]))
const known = arrays.length
/** The gradients at what was given, over all backward passes, and the values of all nodes. */
let turned = null

/** Compute all values and gradients anew from the numbers that were given.
 *  @param {number[]} numbers - one for each node of `given` */
function recompute(numbers) {
  arrays.length = known
  const put = x => arrays.push({ shape: [], dtype: "float", numbers: [x] }) - 1
  const values = nodes.map(node => node.role === "constant" ? real(arrays[node.value].numbers[0]) : NaN)
  given.forEach((i, k) => { values[i] = numbers[k]; nodes[i].value = put(numbers[k]) })
  let sums = new Map()
  const totals = new Map()
  const close = () => { for (const i of given) if (sums.has(i)) totals.set(i, (totals.get(i) ?? 0) + sums.get(i)) }
  for (const step of steps) {
    if (step.kind === "seed") {
      close()
      sums = new Map([[step.node, real(arrays[step.arrived[0]].numbers[0])]])
    }
    if (step.kind === "end") {
      close()
      sums = new Map()
      for (const each of step.gradients) each.gradient = put(totals.get(each.node))
      if (step.gradients.length <= 4) step.caption = `Backward is done: ${step.gradients.map(each =>
        `∂${step.result}/∂${nameOf(each.node)} = ${numeral(totals.get(each.node))}`).join(", ")}.`
    }
    if (!step.inputs) continue
    const args = step.inputs.map(each => values[each.node])
    step.inputs.forEach((each, k) => { each.value = put(args[k]) })
    const words = Object.fromEntries(step.names.map((name, k) => [name, operand(args[k])]))
    const options = nodes[step.node].options ?? {}
    if (step.kind === "forward") {
      const y = OPS[step.op].value(...args, options)
      values[step.node] = y
      nodes[step.node].value = step.outputs[0].value = put(y)
      step.numbers = fill(step.template, { ...words, y: numeral(y) })
      step.caption = `${step.formula} = ${step.numbers}.`
    } else if (step.kind === "backward") {
      const [y, g] = [values[step.node], sums.get(step.node)]
      step.outputs[0].value = put(y)
      step.arrived = [put(g)]
      step.sends.forEach((send, k) => {
        if (send.gradient === null) return
        const gradient = OPS[step.op].slopes[k](g, y, ...args, options)
        const before = sums.get(send.node)
        sums.set(send.node, before === undefined ? gradient : before + gradient)
        Object.assign(send, { gradient: put(gradient), before: before === undefined ? null : put(before),
          sum: put(sums.get(send.node)), numbers: fill(send.template, { ...words, y: operand(y), g: operand(g) }) })
      })
      step.caption = scalarCaption(step)
    }
  }
  close()
  turned = { values, gradients: totals }
}
/** A template with numbers put in; a negative number at its head has no brackets. */
const fill = (template, words) => template.replace(/\{(\w+)\}/g, (_, name) => words[name])
  .replace(/(^|\()\((−[^() ]*)\)(?=[ ,]|$)/g, "$1$2")
/** The words of `_scalar_caption` in steps.py. */
function scalarCaption(step) {
  const number = place => real(arrays[place].numbers[0])
  const said = [`∂${step.result}/∂${nameOf(step.node)} is ${numeral(number(step.arrived[0]))}.`]
  for (const send of step.sends) {
    if (send.gradient === null) continue
    const twice = step.sends.filter(other => other.node === send.node).length > 1
    const name = nameOf(send.node) + (twice ? ` (${send.argument})` : "")
    const gradient = number(send.gradient)
    const putIn = send.numbers === numeral(gradient) ? "" : `${send.numbers} = `
    let text = `${name} gets ${send.formula} = ${putIn}${numeral(gradient)}`
    if (send.before !== null)
      text += `, and together ${numeral(number(send.before))} + ${operand(gradient)} = ${numeral(number(send.sum))}`
    said.push(`${text}.`)
  }
  return said.join(" ")
}

/** Knobs for the numbers that were given, or why there are none. */
function showKnobs() {
  const unknown = steps.find(step => step.kind === "forward" && !OPS[step.op])
  const why = data.turn ?? ""
  if (data.scalar && (why || unknown)) {
    find("turn").append(make("p", {}, `The numbers cannot be turned here: ${why || `this page cannot compute ${unknown.op}`}.`))
    return
  }
  if (!given.length) return
  const end = steps[last].kind === "end" ? steps[last].gradients : []
  turned = { values: nodes.map(node => node.value === null ? NaN : real(arrays[node.value].numbers[0])),
    gradients: new Map(end.map(each => [each.node, real(arrays[each.gradient].numbers[0])])) }
  const more = make("details", { className: "more" }, make("summary", {}, "Turn the numbers"))
  more.addEventListener("toggle", () => { if (more.children.length < 2) more.append(knobs()) })
  find("turn").append(more)
  if (given.length <= 24) { more.open = true; more.append(knobs()) }
}

/** A knob for each number, what they lead to, and a button for a step of gradient descent. */
function knobs() {
  const results = steps.filter(step => step.kind === "seed").map(step => step.node)
  const result = results[0] ?? steps.findLast(step => step.kind === "forward").node
  const list = given.map((i, k) => {
    const most = 3 * Math.max(1, Math.abs(original[k]))
    const slider = make("input", { type: "range", min: -most, max: most, step: "any", value: original[k], "aria-label": nameOf(i) })
    const number = make("input", { type: "number", step: "any", value: original[k], "aria-label": `${nameOf(i)}, as a number` })
    const output = make("output", {})
    slider.addEventListener("input", () => { number.value = +(+slider.value).toPrecision(4); turn() })
    number.addEventListener("input", () => { if (number.value !== "") { slider.value = number.value; turn() } })
    return { i, slider, number, output, row: make("div", { className: "knob" },
      make("label", { title: nameOf(i) }, nameOf(i)), slider, number, output) }
  })
  const said = make("output", { className: "formula" })
  const rate = make("input", { type: "number", value: .1, step: "any", "aria-label": "learning rate" })
  const numbers = () => list.map(({ number, slider }) => number.value === "" ? +slider.value : +number.value)
  const write = to => list.forEach(({ slider, number }, k) => { number.value = to[k]; slider.value = to[k] })
  function show() {
    said.textContent = `${nameOf(result)} = ${numeral(turned.values[result])}`
    for (const { i, output } of list)
      output.textContent = turned.gradients.has(i) ? `grad ${numeral(turned.gradients.get(i))}` : ""
  }
  function turn() {
    recompute(numbers())
    listArrivals()
    widths = null
    paint()
    showStory()
    show()
  }
  const descend = () => {
    write(numbers().map((x, k) => x - +rate.value * (turned.gradients.get(given[k]) ?? 0)))
    turn()
  }
  show()
  return make("div", {},
    make("div", { className: "knobs", tabIndex: 0, role: "group", "aria-label": "numbers to turn" }, list.map(({ row }) => row)),
    make("div", { className: "does" }, said,
      results.length ? [make("button", { id: "descend", onclick: descend }, "one step of gradient descent"),
        make("label", {}, "rate ", rate)] : "",
      make("button", { id: "reset", onclick: () => { write(original); turn() } }, "as it was")),
    make("p", {}, "Every value and gradient is computed anew in this page."))
}

// --- begin ----------------------------------------------------------------------------------------

find("title").textContent = data.title
rule()
showDrawing(view)
showKnobs()
const wanted = location.hash.match(/^#step=(\d+)$/)
go(wanted ? +wanted[1] : 0)
