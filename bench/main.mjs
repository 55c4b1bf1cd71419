// Weir beside its peers: `./weir bench`. --help tells.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { allCases } from './cases.mjs';
import { chart } from './chart.mjs';
import { Failure, fail } from './failure.mjs';
import { Ports, describeMachine, isInMemory, versionOf, writtenBytes } from './machine.mjs';
import { workFolder } from './processes.mjs';
import { Runner } from './rounds.mjs';
import { SERVERS, Server, WEIR_BENCH, binaryOf } from './servers.mjs';
import { MORE_IS_BETTER, disagreements, page, spreadOf } from './table.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

const HELP = `Usage: ./weir bench [CASE or GROUP]... [OPTION]...
       ./weir bench micro

Runs all cases, or those that are named, on Weir and on its peers that are installed, and prints
and writes a table and charts.

  --quick          all cases in under three minutes: rough figures, no redis-benchmark
  --rounds N       rounds of each case (5)
  --seconds N      time that is measured in each (3)
  --servers A,B    only these servers
  --dir DIR        where servers keep their data (the system's place for temporary files)
  --port-base N    servers listen on N, N + 1, ...; any free ports without
  --out DIR        where results go (bench/results)
  --keep           results are named after the date, the machine and the cases, not "last"
  --list           the cases
`;

const OPTIONS = {
    '--quick': { field: 'quick' },
    '--keep': { field: 'keep' },
    '--list': { field: 'list' },
    '--help': { field: 'help' },
    '--rounds': { field: 'rounds', read: number(1, 1000) },
    '--seconds': { field: 'seconds', read: number(0.05, 3600) },
    '--port-base': { field: 'portBase', read: number(1, 65000) },
    '--servers': { field: 'servers', read: (text) => text.split(',') },
    '--dir': { field: 'dir', read: (text) => text },
    '--out': { field: 'out', read: (text) => text },
};

function number(min, max) {
    return (text, name) => {
        const value = Number(text);
        if (text === '' || !(value >= min && value <= max)) {
            fail(`${name} is from ${min} to ${max}`);
        }
        return value;
    };
}

function readArguments(words) {
    const told = { cases: [] };
    for (let i = 0; i < words.length; i++) {
        const option = OPTIONS[words[i]];
        if (option?.read) {
            if (i + 1 === words.length) fail(`${words[i]} wants a value`);
            told[option.field] = option.read(words[i + 1], words[i]);
            i++;
        } else if (option) {
            told[option.field] = true;
        } else if (words[i].startsWith('-')) {
            fail(`unknown option ${words[i]} (see ./weir bench --help)`);
        } else {
            told.cases.push(words[i]);
        }
    }
    return told;
}

function selectCases(told) {
    const all = allCases(told.quick);
    if (told.cases.length === 0) return all.filter(({ long }) => !long);
    return told.cases.flatMap((wanted) => {
        const found = all.filter(
            ({ name, group, long }) => name === wanted || (group === wanted && !long));
        if (found.length === 0) fail(`unknown case ${wanted} (./weir bench --list names them)`);
        return found;
    });
}

function selectServers(told) {
    for (const name of told.servers ?? []) {
        if (SERVERS[name]) continue;
        fail(`unknown server ${name}; there are ${Object.keys(SERVERS).join(', ')}`);
    }
    return told.servers ?? Object.keys(SERVERS);
}

// One run: what was told, and what came of it so far.
class Run {
    constructor(told) {
        this.told = told;
        this.rows = selectCases(told);
        this.wanted = selectServers(told);
        this.settings = {
            rounds: told.rounds ?? (told.quick ? 1 : 5),
            seconds: told.seconds ?? (told.quick ? 0.4 : 3),
            warmSeconds: told.quick ? 0.1 : 0.5,
            witness: !told.quick,
        };
        this.folder = workFolder(told.dir);
        this.ports = new Ports(told.portBase ?? null);
        this.leftOut = [];
        this.results = [];
        this.date = new Date().toISOString().slice(0, 10);
    }

    async run() {
        this.findServers();
        if (isInMemory(this.folder)) {
            note(`${this.folder} is in memory: syncs cost nothing there (--dir takes another)`);
        }
        if (writtenBytes(this.folder) === null) {
            this.leftOut.push(`written/payload: the disk of ${this.folder} does not count`);
        }
        for (const row of this.rows) await this.runCase(row);
        if (this.results.length > 0) this.write(true);
        for (const text of disagreements(this.results)) note(`DISAGREES: ${text}`);
        for (const text of this.leftOut) note(`left out: ${text}`);
    }

    findServers() {
        for (const needed of [WEIR_BENCH, SERVERS.weir.binary]) {
            if (!fs.existsSync(needed)) fail(`${needed} is not built (./weir bench does that)`);
        }
        const missing = this.wanted.filter((name) => binaryOf(name) === null);
        this.installed = this.wanted.filter((name) => binaryOf(name) !== null);
        for (const name of missing) {
            this.leftOut.push(`${name}: ${SERVERS[name].binary} is not installed`);
        }
        const binaries = [...new Set(this.installed.map(binaryOf))];
        this.machine = describeMachine(this.folder, binaries.map(versionOf));
    }

    async runCase(row) {
        const names = await this.ableServers(row);
        if (!names.some((name) => name.startsWith('weir')) && !this.told.servers) return;
        if (names.length === 0) return;
        const runner = new Runner(row, names, this.settings, this.ports, this.folder);
        const rounds = await runner.run((name, round, result) => {
            note(`${row.name} ${round}/${this.settings.rounds} ${name}: ${brief(row, result)}`);
        });
        this.results.push({ row, rounds });
        this.write(false);
    }

    // Those of the case's servers that are there and know its commands.
    async ableServers(row) {
        const names = [];
        for (const name of row.servers.filter((server) => this.installed.includes(server))) {
            const lacking = await this.lacking(name, row.needs);
            if (lacking.length === 0) names.push(name);
            else this.leftOut.push(`${row.name}: ${name} does not know ${lacking.join(', ')}`);
        }
        return names;
    }

    async lacking(name, commands) {
        if (commands.length === 0) return [];
        const server = new Server(name, this.ports);
        await server.start();
        const lacking = await server.lacks(commands);
        await server.stop();
        server.remove();
        return lacking;
    }

    // ---- results ----

    write(finished) {
        const folder = this.told.out ?? path.join(here, 'results');
        const slug = this.machine.name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
        const some = this.told.cases.map((name) => `-${name}`).join('');
        const stem = this.told.keep ? `${this.date}-${slug}${some}` : 'last';
        fs.mkdirSync(folder, { recursive: true });
        const charts = this.writeCharts(folder, stem);
        const text = page({ ...this, charts, finished });
        fs.writeFileSync(path.join(folder, `${stem}.md`), text);
        if (!finished) return;
        process.stdout.write(text);
        note(`written to ${path.join(folder, `${stem}.md`)}`);
    }

    // group -> its files: a chart for each thing that its cases compare.
    writeCharts(folder, stem) {
        const charts = {};
        for (const { group, compare } of this.results.map(({ row }) => row)) {
            const file = `${stem}-${group}${compare === 'rate' ? '' : `-${compare}`}.svg`;
            charts[group] ??= [];
            if (charts[group].includes(file)) continue;
            charts[group].push(file);
            fs.writeFileSync(path.join(folder, file), this.chartOf(group, compare));
        }
        return charts;
    }

    chartOf(group, compare) {
        const some = this.results.filter(
            ({ row }) => row.group === group && row.compare === compare);
        const names = Object.keys(SERVERS).filter(
            (name) => some.some(({ rounds }) => rounds[name]));
        const labels = {
            rate: some[0].row.unit,
            cpu: "microseconds of the server's CPU for each operation",
            hits: 'of all GETs, those that found something',
            each: 'bytes of memory for each operation',
            start: 'milliseconds until the first answer',
        };
        return chart({
            title: `${group}: ${MORE_IS_BETTER.has(compare) ? 'more is better' : 'less is better'}`,
            mayBeLog: !MORE_IS_BETTER.has(compare),
            axisLabel: labels[compare] ?? `${compare} of the latencies, microseconds`,
            series: names.map((name) => (
                { name: seriesName(some, name), color: SERVERS[name].color })),
            rows: some.map((result) => ({
                name: result.row.name,
                values: names.map((name) => (
                    result.rounds[name] ? spreadOf(result, name, compare) : null)),
            })),
        });
    }
}

// What the legend says: the durability, too, where it plays a part.
function seriesName(results, name) {
    const plain = results.every(({ row }) => row.plain);
    return plain ? name : `${name}: ${SERVERS[name].durability}`;
}

function brief(row, result) {
    if (row.kind === 'startup') return `${Math.round(result.start)} ms`;
    return `${Math.round(result.rate)} ${row.unit}, p99 ${result.p99} us`;
}

function note(text) {
    process.stderr.write(`${text}\n`);
}

function list() {
    for (const row of allCases(false)) {
        const when = row.long ? ' (only when named)' : '';
        process.stdout.write(`${row.name.padEnd(26)} ${row.about}${when}\n`);
    }
}

async function main() {
    const told = readArguments(process.argv.slice(2));
    if (told.help) process.stdout.write(HELP);
    else if (told.list) list();
    else await new Run(told).run();
}

try {
    await main();
    process.exit(0);
} catch (error) {
    note(error instanceof Failure ? `bench: ${error.message}` : error.stack);
    process.exit(1);
}
