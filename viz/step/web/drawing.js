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
  const [x, y, ...more] = path.getAttribute("d").match(/-?[\d.]+/g).map(Number)
  let k = 0  // to the first point of the curve that lies apart from its beginning
  while (k + 3 < more.length && Math.hypot(more[k] - x, more[k + 1] - y) < 1) k += 2
  const length = Math.hypot(more[k] - x, more[k + 1] - y) || 1
  const [dx, dy] = [(more[k] - x) / length, (more[k + 1] - y) / length]
  const at = (along, across) => `${x + along * dx - across * dy},${y + along * dy + across * dx}`
  head.setAttribute("points", `${at(0, 0)} ${at(9, 4.5)} ${at(9, -4.5)}`)
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
    : Math.min(Math.max(middle - room / 2, -10), all - room + 40)
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
