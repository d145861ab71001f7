// --- arrays ---------------------------------------------------------------------------------------

/** An array, as numbers or as a heat map.
 *  @param {number} place - in `arrays`
 *  @param {{marks?: Map<number, string>, pick?: (flat: number) => void, bare?: boolean, small?: boolean,
 *    narrow?: boolean}} options - classes of elements, by their flat index; what a click on an element
 *    does; whether to leave out statistics; how much room there is */
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
  const columns = shape.length < 2 ? Math.min(array.numbers.length, 8) || 1 : shape.at(-1) || 1
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

/** The colours of all levels, as four bytes each. */
function palette(signed) {
  const key = `${signed} ${dark.matches}`
  palette.known ??= {}
  return palette.known[key] ??= Uint32Array.from({ length: 256 }, (_, level) => {
    const [r, g, b] = colour(level, signed).map(Math.round)
    return new Uint32Array(new Uint8ClampedArray([r, g, b, 255]).buffer)[0]
  })
}

function heatMap(array, { marks, pick, small, narrow }) {
  const levels = array.levels ??= Uint8Array.from(atob(array.pixels), c => c.charCodeAt(0))
  const { tiles, rows, columns, block } = array
  const room = small ? 150 : Math.min(narrow ? 215 : 280, find("story").clientWidth - 60)
  const across = tiles === 1 ? 1 : Math.max(1, Math.min(tiles,
    Math.round(Math.sqrt(tiles * (rows + 1) / (columns + 1) * 2.2))))
  const down = Math.ceil(tiles / across)
  const [width, height] = [across * (columns + 1) - 1, down * (rows + 1) - 1]
  const signed = array.low < 0
  const canvas = make("canvas", { width, height })
  const pixels = new ImageData(width, height)
  const corner = tile => [(tile % across) * (columns + 1), Math.floor(tile / across) * (rows + 1)]
  const [colours, words] = [palette(signed), new Uint32Array(pixels.data.buffer)]
  for (let tile = 0; tile < tiles; tile++) {
    const [left, top] = corner(tile)
    const there = rows * columns - (tile === array.of - 1 ? array.missing : 0)
    for (let i = 0; i < there; i++)
      words[(top + Math.floor(i / columns)) * width + left + i % columns] = colours[levels[tile * rows * columns + i]]
  }
  const context = canvas.getContext("2d")
  context.putImageData(pixels, 0, 0)
  const size = Math.max(1, Math.min(small ? 10 : 14, Math.floor(2 * Math.min(room / width, 200 / height)) / 2))
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
