// --- turning the numbers --------------------------------------------------------------------------

/** The ops on Scalars: the value, and what goes to each input. `o` holds the op's options. */
const sigmoid = x => x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))
const softplus = x => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))
const normal = x => Math.exp(-.5 * x * x) / Math.sqrt(2 * Math.PI)
const ROOT = Math.sqrt(2 / Math.PI)
/** Which bound of clip is taken: −1 the lower, 1 the upper, 0 none; null stands for no bound. */
const bound = (x, low, high) => high !== null && high < Math.max(x, low ?? -Infinity) ? 1 : low !== null && low > x ? -1 : 0
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
  clip: { value: (x, low, high) => Math.min(Math.max(x, low ?? -Infinity), high ?? Infinity), slopes: [
    (g, y, x, low, high) => bound(x, low, high) === 0 ? g : 0, (g, y, x, low, high) => bound(x, low, high) < 0 ? g : 0,
    (g, y, x, low, high) => bound(x, low, high) > 0 ? g : 0] },
  hardtanh: one((x, o) => Math.min(Math.max(x, o.min_val), o.max_val),
    (g, y, x, o) => x > o.min_val && x < o.max_val ? g : 0),
  leaky_relu: one((x, o) => x > 0 ? x : o.negative_slope * x, (g, y, x, o) => x > 0 ? g : o.negative_slope * g),
  elu: one((x, o) => x > 0 ? x : o.alpha * Math.expm1(x), (g, y, x, o) => x > 0 ? g : g * o.alpha * Math.exp(x)),
  silu: one(x => x * sigmoid(x), (g, y, x) => g * (sigmoid(x) + y * (1 - sigmoid(x)))),
  gelu: one((x, o) => x * gelu(x, o.approximate)[0],
    (g, y, x, o) => g * (gelu(x, o.approximate)[0] + x * gelu(x, o.approximate)[1])),
  softplus: one((x, o) => x * o.beta > o.threshold ? x : softplus(x * o.beta) / o.beta,
    (g, y, x, o) => x * o.beta > o.threshold ? g : g * sigmoid(x * o.beta)),
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
    // An input that was left out, such as a bound of clip, is null.
    const whole = step.inputs.length === step.names.length
    const place = (each, k) => whole ? k : step.names.indexOf(each.argument)
    const args = step.names.map(() => null)
    step.inputs.forEach((each, k) => { args[place(each, k)] = values[each.node]; each.value = put(values[each.node]) })
    const words = Object.fromEntries(step.names.map((name, k) => [name, args[k] === null ? "none" : operand(args[k])]))
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
        const gradient = OPS[step.op].slopes[place(send, k)](g, y, ...args, options)
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
