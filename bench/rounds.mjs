// Runs a case: its rounds, in each of which the servers take turns.
//
// A round's result: { rate, hits, p50, p99, p999, cpu, rss, each, usedEach, amplification, witness }
// in operations a second, microseconds, bytes; of the kind 'startup': { rate, start, rss, disk }. What was not
// measured is missing.

import path from 'node:path';
import { Failure, fail } from './failure.mjs';
import { dropPages, folderBytes, isFull, needRoom, writtenBytes } from './machine.mjs';
import { Child, delay, findCommand, run } from './processes.mjs';
import { SERVERS, Server, WEIR_BENCH } from './servers.mjs';

const LOAD_MS_MAX = 60_000;        // beyond the time that it is told to take
const FILL_MS_MAX = 30 * 60_000;
const BESIDE_MS_BEFORE = 200;      // what runs beside begins earlier by that, and ends later
const CHECKS = 200;                // entries that are read back after a restart
const WITNESS_PAYLOAD = 'q'.padEnd(1 << 14, 'WeirBenchmarkPayload-0123456789');

function words(options) {
    return Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

// A case's rounds on some servers, by turns.
export class Runner {
    // settings: { rounds, seconds, warmSeconds, witness }
    constructor(row, names, settings, ports, folder) {
        this.row = row;
        this.names = names;
        this.settings = settings;
        this.ports = ports;
        this.folder = folder;
        this.results = Object.fromEntries(names.map((name) => [name, []]));
    }

    // Resolves with server -> [result of a round].
    async run(onRound) {
        needRoom(this.folder, this.row.gib, this.row.name);
        try {
            if (this.row.prepare) await this.runPrepared(onRound);
            else await this.runFresh(onRound);
        } catch (error) {
            const told = error instanceof Failure && /no space left/i.test(error.message);
            if (told || isFull(this.folder)) {
                fail(`${this.row.name}: the disk of ${this.folder} is full (${error.message})`);
            }
            throw error;
        }
        return this.results;
    }

    server(name) {
        return new Server(name, this.ports,
            name.startsWith('weir') ? this.row.weirArgs : this.row.peerArgs);
    }

    // A new server and an empty directory for each round.
    async runFresh(onRound) {
        for (let round = 1; round <= this.settings.rounds; round++) {
            for (const name of this.names) {
                const result = this.row.kind === 'startup'
                    ? await this.startup(name) : await this.freshRound(name);
                this.results[name].push(result);
                onRound(name, round, result);
            }
        }
    }

    async freshRound(name) {
        const before = writtenBytes(this.folder);
        const server = this.server(name);
        await server.start();
        const empty = await this.memory(server);
        const result = await this.load(server);
        result.rss = server.peakRss();
        if (this.row.bytesEach) this.addBytesEach(result, empty, await this.memory(server));
        await server.stop();
        const written = before === null ? 0 : writtenBytes(this.folder) - before;
        // At a steady low rate it says more of the file system than of the server.
        if (written > 0 && this.row.compare === 'rate' && !this.row.plain) {
            result.amplification = written / result.payloadBytes;
        }
        server.remove();
        if (this.row.witness && this.settings.witness) {
            result.witness = await this.witness(name, result);
        }
        return result;
    }

    async memory(server) {
        if (!this.row.bytesEach) return null;
        return { rss: server.peakRss(), used: await server.usedMemory() };
    }

    addBytesEach(result, empty, full) {
        const { operations } = this.row.options;
        result.each = (full.rss - empty.rss) / operations;
        result.usedEach = (full.used - empty.used) / operations;
    }

    // Servers that stay, with what was prepared on them.
    async runPrepared(onRound) {
        const servers = [];
        for (const name of this.names) servers.push(await this.prepared(name));
        for (let round = 1; round <= this.settings.rounds; round++) {
            for (const server of servers) {
                if (this.row.cold) dropPages(server.folder);
                const result = await this.load(server);
                result.rss = server.peakRss();
                this.results[server.name].push(result);
                onRound(server.name, round, result);
            }
        }
        for (const server of servers) {
            await server.stop();
            server.remove();
        }
    }

    async prepared(name) {
        const server = this.server(name);
        await server.start();
        for (const load of this.row.prepare) await this.bench(server, load, {}, FILL_MS_MAX);
        if (this.row.saved && name.startsWith('weir')) await server.command('SAVE');
        return server;
    }

    // ---- one load ----

    args(server, load, options) {
        const { peerWork = load.work } = load;
        const own = server.name.startsWith('weir') ? load.work : peerWork;
        const work = server.row.protocol === 'nats' ? `nats-${own}` : own;
        return [work,
            ...words({ port: server.port, pid: server.pid, ...load.options, ...options })];
    }

    async bench(server, load, options, msMax) {
        const text = await run(`${this.row.name} on ${server.name}`, WEIR_BENCH,
            this.args(server, load, options), msMax);
        return JSON.parse(text);
    }

    async load(server) {
        const ms = Math.round(this.settings.seconds * 1000);
        const warmMs = Math.round(this.settings.warmSeconds * 1000);
        const beside = this.row.beside.map((load) => this.startBeside(server, load, ms + warmMs));
        if (beside.length > 0) await delay(BESIDE_MS_BEFORE);
        const json = await this.bench(server, this.row, { ms, 'warm-ms': warmMs },
            ms + LOAD_MS_MAX);
        await Promise.all(beside.map((child) => this.endBeside(server, child)));
        return {
            rate: json.rate, p50: json.p50_us, p99: json.p99_us, p999: json.p999_us,
            // not that of the operations alone where there is more
            cpu: beside.length > 0 || this.row.options.writers > 0 ? undefined : json.cpu_us,
            hits: json.hit_rate,
            payloadBytes: json.payload_bytes,
        };
    }

    startBeside(server, load, ms) {
        return new Child(WEIR_BENCH, this.args(server, load,
            { 'warm-ms': 0, ms: ms + 2 * BESIDE_MS_BEFORE, seed: 7 }));
    }

    async endBeside(server, child) {
        const timer = setTimeout(() => child.child.kill('SIGKILL'), LOAD_MS_MAX);
        const { code } = await child.ended;
        clearTimeout(timer);
        if (code !== 0) fail(`${this.row.name} on ${server.name}, beside: ${child.lastLine()}`);
    }

    // redis-benchmark's rate for the same appends, on a server of its own, right after ours.
    async witness(name, { rate }) {
        const { options } = this.row;
        const binary = findCommand('redis-benchmark');
        if (SERVERS[name].protocol !== 'resp' || binary === null) return undefined;
        const server = this.server(name);
        await server.start();
        const key = options.keys > 1 ? 'feed:__rand_int__' : 'feed';
        const text = await run(`${this.row.name}, redis-benchmark on ${server.name}`, binary,
            ['-p', server.port, '-c', options.connections, '-P', options.pipeline,
                '-n', Math.max(1000, Math.round(rate * this.settings.seconds)),
                '-r', options.keys ?? 1, '--csv', 'xadd', key, '*', 'f',
                WITNESS_PAYLOAD.slice(0, options.payload ?? 100)].map(String),
            this.settings.seconds * 1000 + LOAD_MS_MAX);
        await server.stop();
        server.remove();
        return Number(text.trim().split('\n').at(-1).split('","')[1]);
    }

    // ---- startup ----

    async startup(name) {
        const { entries, keys } = this.row.options;
        const server = this.server(name);
        await server.start();
        const filled = await this.bench(server, {
            work: 'fill', options: { connections: 1, pipeline: 5000, operations: entries, keys },
        }, {}, FILL_MS_MAX);
        await server.stop('SIGKILL');
        const disk = folderBytes(path.resolve(server.folder));
        const first = keys === 1 ? 'feed' : 'feed:000000000001';
        const start = await server.start(`XRANGE ${first} - + COUNT 1`);
        await this.bench(server, {
            work: 'range',
            options: { connections: 1, entries, keys, count: 1, operations: CHECKS },
        }, {}, LOAD_MS_MAX);
        const rss = server.peakRss();
        await server.stop();
        server.remove();
        return { rate: filled.rate, start, rss, disk };
    }
}
