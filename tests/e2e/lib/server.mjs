// Server processes: Weir, and redis-server beside it.
//
// WEIR_SERVER names Weir's binary. WEIR_STAND_IN=1 says that it is a redis-server in Weir's place
// (to check the tests themselves): what only Weir does is skipped then. WEIR_QUICK=1 is for slow
// builds, with sanitizers: fewer rounds and more time for each.

import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Connection, delay } from './connection.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

export const WEIR_SERVER = process.env.WEIR_SERVER
    ? path.resolve(process.env.WEIR_SERVER)
    : path.resolve(here, '../../../build/weir-server');
export const STAND_IN = process.env.WEIR_STAND_IN === '1';
export const QUICK = process.env.WEIR_QUICK === '1';
export const ONLY_WEIR = STAND_IN ? { skip: 'only Weir does this' } : {};

const START_MS_MAX = 60_000;
const OUTPUT_CHARS_MAX = 100_000;

const running = new Set();
const folders = new Set();

process.on('exit', () => {
    for (const child of running) child.kill('SIGKILL');
    for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

export async function freePort() {
    const listener = net.createServer();
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address();
    listener.close();
    await once(listener, 'close');
    return port;
}

export function makeFolder() {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-e2e-'));
    folders.add(folder);
    return folder;
}

export function removeFolder(folder) {
    fs.rmSync(folder, { recursive: true, force: true });
    folders.delete(folder);
}

// A started process with its output; knows nothing of what it serves.
export class Process {
    constructor(binary, args) {
        this.output = '';
        this.code = null;
        this.signal = null;
        this.child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
        running.add(this.child);
        for (const stream of [this.child.stdout, this.child.stderr]) {
            stream.on('data', (text) => {
                this.output = (this.output + text).slice(-OUTPUT_CHARS_MAX);
            });
        }
        this.ended = new Promise((resolve, reject) => {
            this.child.once('error', reject);
            this.child.once('close', (code, signal) => {
                running.delete(this.child);
                this.code = code;
                this.signal = signal;
                resolve({ code, signal, output: this.output });
            });
        });
        this.ended.catch(() => running.delete(this.child));
    }

    get isRunning() {
        return this.child.exitCode === null && this.child.signalCode === null;
    }

    async stop(signal) {
        if (this.isRunning) this.child.kill(signal);
        return this.ended;
    }
}

export class Server {
    constructor(binary, options) {
        this.binary = binary;
        this.port = options.port;
        this.dir = options.dir;
        this.ownsDir = options.ownsDir;
        this.args = options.args;
        this.process = null;
    }

    commandLine() {
        return ['--port', String(this.port), '--dir', this.dir, '--bind', '127.0.0.1',
            ...this.args];
    }

    spawn() {
        this.process = new Process(this.binary, this.commandLine());
    }

    // Starts the process and waits until it answers.
    async start() {
        this.spawn();
        const until = Date.now() + START_MS_MAX;
        let ended = null;
        this.process.ended.then((how) => { ended = how; }, (error) => { ended = error; });
        while (!(await this.answers())) {
            if (ended instanceof Error) throw ended;
            if (ended) throw new Error(`${this.binary} ended at start: ${this.describe()}`);
            if (Date.now() > until) throw new Error(`no answer from ${this.describe()}`);
            await delay(10);
        }
    }

    async answers() {
        let connection;
        try {
            connection = await Connection.open(this.port);
            return (await connection.call('PING')) === 'PONG';
        } catch {
            return false;
        } finally {
            connection?.destroy();
        }
    }

    connect(options) {
        return Connection.open(this.port, options);
    }

    // How it ended: { code, signal, output }.
    stop(signal = 'SIGTERM') {
        return this.process.stop(signal);
    }

    async restart(signal = 'SIGTERM') {
        const how = await this.stop(signal);
        await this.start();
        return how;
    }

    get isRunning() {
        return this.process !== null && this.process.isRunning;
    }

    describe() {
        const { code, signal, output } = this.process;
        return `${this.binary} ${this.commandLine().join(' ')} (code ${code}, signal ${signal})\n` +
            output.slice(-4000);
    }

    async discard() {
        if (this.process) await this.stop('SIGKILL').catch(() => {});
        if (this.ownsDir) removeFolder(this.dir);
    }
}

async function makeServer(test, binary, options) {
    const server = new Server(binary, {
        port: options.port ?? await freePort(),
        dir: options.dir ?? makeFolder(),
        ownsDir: options.dir === undefined,
        args: options.args ?? [],
    });
    test.after(() => server.discard());
    if (options.start !== false) await server.start();
    return server;
}

// For servers that a whole suite shares: call it in `describe`, give it in a test's place.
export function suiteScope() {
    const undoings = [];
    after(async () => {
        for (const undo of undoings.reverse()) await undo();
    });
    return { after: (undo) => undoings.push(undo) };
}

// Both are stopped and cleaned up when `test` (or the suite's scope) is over.
// options: port, dir, args, start: false to leave it unstarted.
export function weir(test, options = {}) {
    return makeServer(test, WEIR_SERVER, options);
}

export function redis(test, options = {}) {
    const args = ['--save', '', '--appendonly', 'no', ...(options.args ?? [])];
    return makeServer(test, process.env.REDIS_SERVER ?? 'redis-server', { ...options, args });
}

// Weir's options for folds at `folds` and the smallest caches, so that folding and cold reads
// happen all the time. (A commit record may not be larger than a fold.)
export function smallMemory(folds) {
    return ['--fold-bytes', folds, '--commit-record-bytes', folds, '--resident-bytes', '1mb',
        '--block-cache-bytes', '1mb', '--chunk-cache-bytes', '1mb'];
}

// Resident memory in bytes.
export function residentBytes(server) {
    const status = fs.readFileSync(`/proc/${server.process.child.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) * 1024;
}
