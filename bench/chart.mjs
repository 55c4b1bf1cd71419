// A bar chart as SVG, without a library: cases from top to bottom, a bar for each server, and a
// thin line from the least to the greatest round. It brings its own background, light or dark.

const WIDTH = 780;
const LEFT = 190;
const RIGHT = 90;
const BAR = 13;
const GAP = 16;            // between cases
const TOP = 44;            // above the legend's first line
const LEGEND_LINE = 20;
const CHAR = 6.8;          // about as wide as a letter
const BOTTOM = 52;
const LOG_FROM = 30;       // a greater range of values may have a logarithmic axis

function escape(text) {
    return text.replace(/[&<>"]/g, (mark) => `&#${mark.charCodeAt(0)};`);
}

function short(value) {
    if (value >= 1e6) return `${trim(value / 1e6)}M`;
    if (value >= 1e3) return `${trim(value / 1e3)}k`;
    return trim(value);
}

function trim(value) {
    return String(Number(value.toPrecision(3)));
}

// About five round numbers from 0 on.
function linearTicks(max) {
    const rough = max / 5;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
    return Array.from({ length: Math.floor(max / step) + 1 }, (_, i) => i * step);
}

function logTicks(min, max) {
    const ticks = [];
    for (let tick = min; tick <= max * 1.001; tick *= 10) ticks.push(tick);
    return ticks;
}

// Values to x: { x, ticks, log }.
function axisOf(values, mayBeLog) {
    const max = Math.max(...values);
    const min = Math.min(...values.filter((value) => value > 0));
    const width = WIDTH - LEFT - RIGHT;
    if (!mayBeLog || max / min <= LOG_FROM) {
        return { x: (value) => LEFT + value / max * width, ticks: linearTicks(max), log: false };
    }
    const from = Math.floor(Math.log10(min));
    const scale = width / (Math.log10(max) - from);
    return {
        x: (value) => LEFT + Math.max(0, (Math.log10(value) - from) * scale),
        ticks: logTicks(10 ** from, max),
        log: true,
    };
}

function style(series) {
    const colors = (which) => series.map(({ color }, i) => `.s${i}{fill:${color[which]}}`).join('');
    return '<style>' +
        'text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600;font-size:14px}' +
        `.back{fill:#ffffff}.grid{stroke:#d0d7de}.spread{stroke:#1f2328}${colors(0)}` +
        '@media(prefers-color-scheme:dark){text{fill:#e6edf3}.back{fill:#0d1117}' +
        `.grid{stroke:#30363d}.spread{stroke:#e6edf3}${colors(1)}}</style>`;
}

// { svg, height }: names side by side, as many as a line takes.
function legend(series) {
    let x = 16;
    let y = TOP;
    const parts = series.map(({ name }, i) => {
        const width = 16 + name.length * CHAR + 18;
        if (x > 16 && x + width > WIDTH) {
            x = 16;
            y += LEGEND_LINE;
        }
        const part = `<rect class="s${i}" x="${x}" y="${y}" width="11" height="11"/>` +
            `<text x="${x + 16}" y="${y + 10}">${escape(name)}</text>`;
        x += width;
        return part;
    });
    return { svg: parts.join(''), height: y - TOP + LEGEND_LINE };
}

function bar(axis, { low, median, high }, series, y) {
    const end = axis.x(median);
    const middle = y + BAR / 2;
    const [from, to] = [axis.x(low), axis.x(high)].map((x) => x.toFixed(1));
    const label = (Math.max(end, axis.x(high)) + 5).toFixed(1);
    return `<rect class="s${series}" x="${LEFT}" y="${y}" width="${(end - LEFT).toFixed(1)}" ` +
        `height="${BAR - 2}"/>` +
        `<line class="spread" x1="${from}" x2="${to}" y1="${middle - 1}" y2="${middle - 1}"/>` +
        `<text x="${label}" y="${y + BAR - 3}">${short(median)}</text>`;
}

// series: [{ name, color: [light, dark] }]; rows: [{ name, values }], where a value, { low, median,
// high } or null, belongs to each of the series. `mayBeLog`: not for what one compares by length.
// Returns the text of the file.
export function chart({ title, axisLabel, mayBeLog, series, rows }) {
    const axis = axisOf(rows.flatMap(({ values }) => values.flatMap(
        (value) => (value ? [value.low, value.median, value.high] : []))), mayBeLog);
    const names = legend(series);
    const top = TOP + names.height + 10;
    const { svg, bottom } = bars(rows, axis, top);
    const label = axis.log ? `${axisLabel} (logarithmic)` : axisLabel;
    const height = bottom + BOTTOM;
    const center = LEFT + (WIDTH - LEFT - RIGHT) / 2;
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" ` +
        `width="${WIDTH}" height="${height}" role="img">` +
        `<title>${escape(title)}</title>${style(series)}` +
        `<rect class="back" width="${WIDTH}" height="${height}" rx="6"/>` +
        `<text class="title" x="16" y="24">${escape(title)}</text>${names.svg}` +
        `${grid(axis, top, bottom)}${svg}` +
        `<text x="${center}" y="${bottom + 38}" text-anchor="middle">${escape(label)}</text>` +
        '</svg>\n';
}

function bars(rows, axis, top) {
    const parts = [];
    let y = top;
    for (const row of rows) {
        const shown = row.values.map((value, i) => ({ value, i })).filter(({ value }) => value);
        const middle = y + shown.length * BAR / 2 + 4;
        parts.push(`<text x="${LEFT - 8}" y="${middle}" text-anchor="end">` +
            `${escape(row.name)}</text>`);
        for (const { value, i } of shown) {
            parts.push(bar(axis, value, i, y));
            y += BAR;
        }
        y += GAP;
    }
    return { svg: parts.join(''), bottom: y - GAP / 2 };
}

function grid(axis, top, bottom) {
    return axis.ticks.map((tick) => {
        const x = axis.x(tick).toFixed(1);
        return `<line class="grid" x1="${x}" x2="${x}" y1="${top - 6}" y2="${bottom}"/>` +
            `<text x="${x}" y="${bottom + 16}" text-anchor="middle">${short(tick)}</text>`;
    }).join('');
}
