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

// --- begin ----------------------------------------------------------------------------------------

find("title").textContent = data.title
rule()
showDrawing(view)
showKnobs()
const wanted = location.hash.match(/^#step=(\d+)$/)
go(wanted ? +wanted[1] : 0)
