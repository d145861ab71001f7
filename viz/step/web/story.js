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
      step.outputs.map((each, k) => card("output", step.outputs.length > 1 ? nameOf(each.node) : "y",
        describe(each.node), showArray(each.value, k ? {} : picks(step)), gradNote(each.node)))),
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
      place === null ? make("span", { className: "what" }, "no gradient came here") : showArray(place, k ? {} : picks(step)))),
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
    send.of > 1 ? summed(send, marksOf(step, send))
      : showArray(send.gradient, { ...marksOf(step, send), narrow: step.sends.filter(each => each.gradient !== null).length > 1 }))
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
  box.lines = [...box.querySelectorAll("li[data-line]")]
}
function mark(now, next, back = false, wrong = false) {
  const box = find("source")
  if (!box.lines) return
  for (const item of box.lines) {
    const line = +item.dataset.line
    const is = line === now
    const follows = next && `${next[0]}` === box.dataset.file && line === next[1]
    const kind = is ? `now${back ? " back" : ""}${wrong ? " wrong" : ""}` : follows ? "next" : ""
    if (item.className !== kind) {
      item.className = kind
      item.firstChild.textContent = (is ? back ? "◀ " : wrong ? "✗ " : "▶ " : follows ? "next " : "") + line
    }
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
      Array.isArray(line.value) && line.value[0] === "+" && line.value.length > 5 ? sumOf(line, element) : [
        make("span", { className: "names" }, `${line.name} = ${written(line.value, element, true)}`), make("br"),
        `= ${written(line.value, element, false)} `,
        make("span", { className: "total" }, `= ${numeral(real(line.result))}`)]))))
  } else parts.push(...sentBack(step, element, shape))
  return make("div", { id: "opened" }, parts)
}
/** A long sum, with a row for each term. */
function sumOf(line, element) {
  const terms = line.value.slice(1)
  const row = term => {
    const x = valueOf(term, element)
    const numbers = written(term, element, false)
    return make("tr", {}, make("td", {}, written(term, element, true)), make("td", {}, numbers),
      make("td", {}, x === null || numbers === operand(x) ? "" : `= ${numeral(x)}`))
  }
  return make("table", { className: "rows" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, `${line.name} = the sum of ${terms.length} terms`))),
    make("tbody", {}, terms.map(row)),
    make("tfoot", {}, make("tr", {}, make("td", {}, line.name), make("td", {}, ""),
      make("td", {}, `= ${numeral(real(line.result))}`))))
}
/** The number that an expression is; null for ops other than sums and products. */
function valueOf(value, element) {
  if (!Array.isArray(value)) return typeof value === "string" && !["nan", "inf", "-inf"].includes(value)
    ? real(element.lines.find(line => line.name === value).result) : real(value)
  if (typeof value[0] === "number") return real(element.cells[value[0]].values[value[1]])
  const given = value.slice(1).map(each => valueOf(each, element))
  if (given.includes(null) || (value[0] !== "+" && value[0] !== "×")) return null
  return given.reduce((a, b) => value[0] === "+" ? a + b : a * b)
}
/** An expression of opened.py, with the names of elements or with their numbers. */
function written(value, element, names, around = "") {
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
  const kind = op === "+" || op === "×" ? op : "op"
  const said = given.map(each => written(each, element, names, kind))
  if (kind === "+") return around === "×" || around === "op" ? `(${said.join(" + ")})` : said.join(" + ")
  if (kind === "×") return around === "op" ? `(${said.join(" × ")})` : said.join(" × ")
  const text = op.replace(/\{(\d+)\}/g, (_, k) => said[+k])
  return op.includes(" ") && !op.endsWith(")") && around !== "" && around !== "+" ? `(${text})` : text
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
