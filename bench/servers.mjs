// The servers that are compared, a row each, and how one is started, asked and stopped.

import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { fail } from './failure.mjs';
import { peakRss } from './machine.mjs';
import { Child, delay, emptyFolder, findCommand, removeFolder } from './processes.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const build = process.env.WEIR_BUILD ?? path.join(here, '../build');

export const WEIR_BENCH = path.join(build, 'weir-bench');
const START_MS_MAX = 60_000;
const ASK_MS_MAX = 30_000;

const SYNCED = 'synced before the reply';
const EVERY_SECOND = 'synced every second';

function weir(appendfsync) {
    return (port, dir) => ['--bind', '127.0.0.1', '--port', port, '--dir', dir,
        '--loglevel', 'warning', '--appendfsync', appendfsync];
}

function redis(...persistence) {
    return (port, dir) => ['--bind', '127.0.0.1', '--port', port, '--dir', dir, '--save', '',
        '--loglevel', 'warning', ...persistence];
}

// name: { binary, protocol, args, against, durability }. `against` is the Weir that a peer is
// compared with where both are in a case; where their durability differs the row says so.
export const SERVERS = {
    'weir': {
        binary: path.join(build, 'weir-server'), protocol: 'resp', args: weir('always'),
        durability: SYNCED, color: ['#0b6bcb', '#6cb2f7'],
    },
    'weir-everysec': {
        binary: path.join(build, 'weir-server'), protocol: 'resp', args: weir('everysec'),
        durability: EVERY_SECOND, color: ['#7fb5e8', '#3d7cb8'],
    },
    'redis-always': {
        binary: 'redis-server', protocol: 'resp', against: 'weir',
        args: redis('--appendonly', 'yes', '--appendfsync', 'always'),
        durability: SYNCED, color: ['#b3261e', '#f2867e'],
    },
    'redis-everysec': {
        binary: 'redis-server', protocol: 'resp', against: 'weir-everysec',
        args: redis('--appendonly', 'yes', '--appendfsync', 'everysec'),
        durability: EVERY_SECOND, color: ['#e08a84', '#b3524b'],
    },
    'redis-none': {
        binary: 'redis-server', protocol: 'resp', against: 'weir',
        args: redis('--appendonly', 'no'),
        durability: 'keeps nothing', color: ['#8a6d3b', '#d9b97c'],
    },
    'nats': {
        binary: 'nats-server', protocol: 'nats', against: 'weir-everysec',
        args: (port, dir) => ['-a', '127.0.0.1', '-p', port, '-js', '-sd', dir],
        durability: 'synced every two minutes', color: ['#2e7d32', '#81c784'],
    },
};

// The path of a server's program, or null when it is not installed.
export function binaryOf(name) {
    return findCommand(SERVERS[name].binary);
}

// Connects, sends, and resolves with what has come once `enough` of it is there.
function ask(port, text, enough) {
    return new Promise((resolve, reject) => {
        let got = '';
        const socket = net.connect({ port, host: '127.0.0.1' });
        const timer = setTimeout(() => socket.destroy(new Error('no answer')), ASK_MS_MAX);
        socket.on('connect', () => socket.write(text));
        socket.on('data', (piece) => {
            got += piece.toString('latin1');
            if (enough(got)) {
                resolve(got);
                socket.destroy();
            }
        });
        socket.on('error', reject);
        socket.on('close', () => {
            clearTimeout(timer);
            reject(new Error('closed'));
        });
    });
}

const NATS_QUERY = 'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\n' +
    'SUB _INBOX.q 1\r\nPUB $JS.API.INFO _INBOX.q 0\r\n\r\n';

const PROTOCOLS = {
    // `query` is a command; one that is still loading does not count as an answer
    resp: (port, query) => ask(port, `${query}\r\n`, (got) => got.includes('\r\n')),
    // while JetStream is not there yet an HMSG says at once that nobody answers
    nats: (port) => ask(port, NATS_QUERY, (got) => /\r\nH?MSG .*\r\n/.test(got)),
};

export class Server {
    // extra: further arguments
    constructor(name, ports, extra = []) {
        this.name = name;
        this.row = SERVERS[name];
        this.ports = ports;
        this.extra = this.row.protocol === 'resp' ? extra : [];
        this.folder = emptyFolder(name);
        this.port = null;
        this.child = null;
    }

    get pid() {
        return this.child.pid;
    }

    // Resolves when the server has answered `query`: with the milliseconds that this took.
    async start(query = 'PING') {
        this.port = await this.ports.take();
        const begun = performance.now();
        this.child = new Child(binaryOf(this.name),
            [...this.row.args(String(this.port), this.folder), ...this.extra]);
        while (!(await this.answers(query))) {
            if (!this.child.isRunning) {
                await this.child.ended;
                fail(`${this.name} did not start: ${this.child.lastLine()}`);
            }
            if (performance.now() - begun > START_MS_MAX) {
                fail(`${this.name} did not answer: ${this.child.lastLine()}`);
            }
            await delay(5);
        }
        return performance.now() - begun;
    }

    async answers(query) {
        try {
            const reply = await PROTOCOLS[this.row.protocol](this.port, query);
            return !reply.startsWith('-LOADING') && !reply.includes('\r\nHMSG ');
        } catch {
            return false;
        }
    }

    async command(text) {
        const reply = await ask(this.port, `${text}\r\n`, (got) => got.endsWith('\r\n'));
        if (reply.startsWith('-')) fail(`${this.name}: ${text}: ${reply.trim()}`);
        return reply;
    }

    // Those of `commands` that the server does not know.
    async lacks(commands) {
        if (this.row.protocol !== 'resp') return [];
        const missing = [];
        for (const name of commands) {
            const reply = await this.command(`COMMAND INFO ${name}`);
            if (/^\*1\r\n(\*-1|\$-1|_)/.test(reply)) missing.push(name);
        }
        return missing;
    }

    peakRss() {
        return peakRss(this.pid);
    }

    // What the server's allocator has given out, of those that speak RESP.
    async usedMemory() {
        return Number(/used_memory:(\d+)/.exec(await this.command('INFO memory'))[1]);
    }

    async stop(signal) {
        await this.child.stop(signal);
        this.ports.give(this.port);
    }

    remove() {
        removeFolder(this.folder);
    }
}
