// Results as a page of Markdown: a table for each group of cases.

import { SERVERS } from './servers.mjs';
import { spread } from './statistics.mjs';

export const MORE_IS_BETTER = new Set(['rate', 'hits']);
const WITNESS_MAX = 0.15;   // redis-benchmark and weir-bench may differ by that

// The Weir that a server is compared with, or null.
export function partnerOf(result, name) {
    const { against } = SERVERS[name];
    if (against === undefined) return null;
    return [against, 'weir'].find((candidate) => result.rounds[candidate]?.length > 0) ?? null;
}

// A server's name, and what one has to know to compare it.
export function labelOf(result, name) {
    const { row } = result;
    const partner = partnerOf(result, name);
    const facts = row.notes[name] ? [row.notes[name]] : [];
    if (partner && !row.plain && SERVERS[partner].durability !== SERVERS[name].durability) {
        facts.push(SERVERS[name].durability, `${partner}: ${SERVERS[partner].durability}`);
    }
    return facts.length > 0 ? `${name} (${facts.join('; ')})` : name;
}

function valuesOf(result, name, field) {
    return result.rounds[name].map((round) => round[field]);
}

export function spreadOf(result, name, field) {
    return spread(valuesOf(result, name, field));
}

// How many times better Weir was, round by round; null for Weir itself. More is better for what
// MORE_IS_BETTER names, less for everything else.
export function ratioOf(result, name) {
    const partner = partnerOf(result, name);
    if (partner === null) return null;
    const { compare } = result.row;
    const ours = valuesOf(result, partner, compare);
    const theirs = valuesOf(result, name, compare);
    return spread(ours.map((value, round) => (
        MORE_IS_BETTER.has(compare) ? value / theirs[round] : theirs[round] / value)));
}

// How much more (or less) than redis-benchmark ours found, as a fraction; null without it.
export function disagreementOf(result, name) {
    const ours = valuesOf(result, name, 'rate');
    const theirs = valuesOf(result, name, 'witness');
    return spread(theirs.map((rate, i) => ours[i] / rate - 1))?.median ?? null;
}

// Sentences about cases in which the two load generators do not agree.
export function disagreements(results) {
    return results.flatMap((result) => Object.keys(result.rounds).flatMap((name) => {
        const by = disagreementOf(result, name);
        if (by === null || Math.abs(by) <= WITNESS_MAX) return [];
        return [`${result.row.name} on ${name}: weir-bench found ${percent(by)} against ` +
            'redis-benchmark, which is more than 15 %'];
    }));
}

function percent(fraction) {
    return `${fraction < 0 ? '-' : '+'}${Math.abs(fraction * 100).toFixed(0)} %`;
}

function whole(value) {
    return Math.round(value).toLocaleString('en-US');
}

function some(format) {
    return (result, name, field) => {
        const values = spreadOf(result, name, field);
        return values ? format(values.median) : '';
    };
}

function ratioText(result, name) {
    const ratio = ratioOf(result, name);
    if (ratio === null) return '';
    const [middle, low, high] = [ratio.median, ratio.low, ratio.high].map((n) => n.toFixed(2));
    const { compare } = result.row;
    const what = compare === 'rate' ? '' : ` in ${COLUMNS[compare].head(result.row)}`;
    const text = `**${middle}** (${low} to ${high})${what}`;
    const goal = result.row.goals[name];
    return goal ? `${text}, goal ${goal}` : text;
}

function witnessText(result, name) {
    const by = disagreementOf(result, name);
    if (by === null) return '';
    return Math.abs(by) > WITNESS_MAX ? `**${percent(by)}**` : percent(by);
}

const COLUMNS = {
    rate: { head: (row) => row.unit, text: some(whole) },
    hits: { head: () => 'hit rate', text: some((value) => `${(value * 100).toFixed(1)} %`) },
    p50: { head: () => 'p50 us', text: some(whole) },
    p99: { head: () => 'p99 us', text: some(whole) },
    p999: { head: () => 'p99.9 us', text: some(whole) },
    cpu: { head: () => 'CPU us/op', text: some((value) => value.toFixed(2)) },
    start: { head: () => 'start ms', text: some(whole) },
    rss: { head: () => 'peak RSS MB', text: some((value) => whole(value / 2 ** 20)) },
    each: { head: () => 'bytes each', text: some(whole) },
    usedEach: { head: () => 'used_memory each', text: some(whole) },
    disk: { head: () => 'disk MB', text: some((value) => whole(value / 2 ** 20)) },
    amplification: { head: () => 'written/payload', text: some((value) => value.toFixed(2)) },
    ratio: { head: () => 'Weir is better by', text: ratioText },
    witness: { head: () => 'to redis-benchmark', text: witnessText },
};

const LOAD_FIELDS = ['rate', 'hits', 'p50', 'p99', 'p999', 'cpu', 'rss', 'each', 'usedEach',
    'amplification', 'ratio', 'witness'];
const STARTUP_FIELDS = ['rate', 'start', 'rss', 'disk', 'ratio'];

// Columns in which there is nothing at all are left out.
function fieldsOf(results) {
    const fields = results[0].row.kind === 'startup' ? STARTUP_FIELDS : LOAD_FIELDS;
    return fields.filter((field) => results.some((result) => Object.keys(result.rounds).some(
        (name) => COLUMNS[field].text(result, name, field) !== '')));
}

function line(cells) {
    return `| ${cells.join(' | ')} |`;
}

function headOf(field, results) {
    const units = [...new Set(results.map(({ row }) => COLUMNS[field].head(row)))];
    return units.join(' or ');
}

export function groupTable(results) {
    const fields = fieldsOf(results);
    const lines = [
        line(['case', 'server', ...fields.map((field) => headOf(field, results))]),
        line(['---', '---', ...fields.map(() => '---:')]),
    ];
    for (const result of results) {
        Object.keys(result.rounds).forEach((name, i) => {
            lines.push(line([i === 0 ? result.row.name : '', labelOf(result, name),
                ...fields.map((field) => COLUMNS[field].text(result, name, field))]));
        });
    }
    return lines.join('\n');
}

// results: [{ row, rounds: server -> [result of a round] }]; groups -> file of its chart.
export function page({ results, machine, date, settings, leftOut, charts, finished }) {
    const parts = [
        `# Weir beside its peers, ${date}`,
        ...(finished ? [] : ['**The run is not finished.**']),
        machine.facts.map((fact) => `- ${fact}`).join('\n'),
        `${settings.rounds} round${settings.rounds > 1 ? 's' : ''} of ${settings.seconds} s, ` +
            'servers by turns; a figure is the median of the rounds. "Weir is better by" is the ' +
            'ratio of the rates, or of what it names; above 1 Weir is better; in brackets the ' +
            'least and the greatest of the rounds. Client and server share the machine. What each case means: bench/README.md.',
    ];
    for (const group of [...new Set(results.map(({ row }) => row.group))]) {
        const some_ = results.filter(({ row }) => row.group === group);
        parts.push(`## ${group}`, some_.map(({ row }) => `- ${row.name}: ${row.about}`).join('\n'),
            groupTable(some_), ...(charts[group] ?? []).map((file) => `![${group}](${file})`));
    }
    const doubts = disagreements(results);
    if (doubts.length > 0) {
        parts.push('## Where the two load generators disagree',
            doubts.map((text) => `- ${text}`).join('\n'));
    }
    if (leftOut.length > 0) {
        parts.push('## Left out', leftOut.map((text) => `- ${text}`).join('\n'));
    }
    return `${parts.join('\n\n')}\n`;
}
