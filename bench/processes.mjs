// Processes and folders that are gone when the run is, however it ends.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { fail } from './failure.mjs';

const OUTPUT_CHARS_MAX = 20_000;
const STOP_MS_MAX = 30_000;

const running = new Set();
let folder = null;

process.on('exit', () => {
    for (const child of running) child.kill('SIGKILL');
    if (folder) fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
        process.stderr.write('\nbench: stopped\n');
        process.exit(1);
    });
}

export function delay(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
}

// The folder of this run, under --dir or the system's place for such.
export function workFolder(base) {
    if (folder) return folder;
    try {
        folder = fs.mkdtempSync(path.join(base ?? os.tmpdir(), 'weir-bench-'));
    } catch (error) {
        fail(`cannot make a folder: ${error.message}`);
    }
    return folder;
}

export function emptyFolder(name) {
    const path_ = path.join(folder, name);
    fs.rmSync(path_, { recursive: true, force: true, maxRetries: 5 });
    fs.mkdirSync(path_);
    return path_;
}

export function removeFolder(path_) {
    fs.rmSync(path_, { recursive: true, force: true, maxRetries: 5 });
}

// A started process. `out` and `err` are what it wrote, or the end of it.
export class Child {
    constructor(binary, args) {
        this.binary = binary;
        this.out = '';
        this.err = '';
        this.child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
        running.add(this.child);
        this.child.stdout.on('data', (text) => { this.out = keep(this.out + text); });
        this.child.stderr.on('data', (text) => { this.err = keep(this.err + text); });
        this.ended = new Promise((resolve) => {
            this.child.once('error', (error) => {
                running.delete(this.child);
                this.err += error.message;
                resolve({ code: 127 });
            });
            this.child.once('close', (code, signal) => {
                running.delete(this.child);
                resolve({ code, signal });
            });
        });
    }

    get pid() {
        return this.child.pid;
    }

    get isRunning() {
        return this.pid !== undefined && this.child.exitCode === null &&
            this.child.signalCode === null;
    }

    lastLine() {
        const lines = `${this.out}\n${this.err}`.split('\n').filter((line) => line.trim() !== '');
        return lines.at(-1)?.trim() ?? 'it said nothing';
    }

    async stop(signal = 'SIGTERM') {
        let late = false;
        if (this.isRunning) this.child.kill(signal);
        const timer = setTimeout(() => {
            late = true;
            this.child.kill('SIGKILL');
        }, STOP_MS_MAX);
        await this.ended;
        clearTimeout(timer);
        if (late) fail(`${this.binary} did not stop within ${STOP_MS_MAX / 1000} s`);
    }
}

function keep(text) {
    return text.slice(-OUTPUT_CHARS_MAX);
}

// Runs a program to its end: what it printed. Fails with `what` when it does not do well in time.
export async function run(what, binary, args, msMax) {
    const child = new Child(binary, args);
    let late = false;
    const timer = setTimeout(() => {
        late = true;
        child.child.kill('SIGKILL');
    }, msMax);
    const { code } = await child.ended;
    clearTimeout(timer);
    if (late) fail(`${what}: not done after ${Math.round(msMax / 1000)} s`);
    if (code !== 0) fail(`${what}: ${child.lastLine()}`);
    return child.out;
}

// The path of a command, or null when there is none.
export function findCommand(name) {
    const places = name.includes('/') ? [''] : (process.env.PATH ?? '').split(':');
    const candidates = places.map((place) => path.join(place, name));
    return candidates.find(isExecutable) ?? null;
}

function isExecutable(file) {
    try {
        fs.accessSync(file, fs.constants.X_OK);
        return true;
    } catch {
        return false;
    }
}
