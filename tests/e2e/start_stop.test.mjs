// Starting, refusing to start, stopping, and what is there afterwards.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test, { describe } from 'node:test';
import { Random } from './lib/random.mjs';
import { ReplyError, asMap } from './lib/resp.mjs';
import {
    ONLY_WEIR, Process, QUICK, STAND_IN, WEIR_SERVER, freePort, makeFolder, removeFolder,
    residentBytes, smallMemory, weir,
} from './lib/server.mjs';
import { until, untilBlocked } from './lib/waiting.mjs';

const MB = 1024 * 1024;
const END_MS_MAX = QUICK ? 30_000 : 10_000;

// Runs the server with `args` until it ends by itself: { code, signal, output }.
async function runUntilEnd(args) {
    const process = new Process(WEIR_SERVER, args);
    const timer = setTimeout(() => process.stop('SIGKILL'), END_MS_MAX);
    const how = await process.ended;
    clearTimeout(timer);
    return how;
}

async function assertRefuses(args, ...patterns) {
    const how = await runUntilEnd(args);
    assert.equal(how.signal, null, `did not end by itself: ${args.join(' ')}\n${how.output}`);
    assert.notEqual(how.code, 0, how.output);
    for (const pattern of patterns) assert.match(how.output, pattern);
}

function temporaryFolder(t) {
    const folder = makeFolder();
    t.after(() => removeFolder(folder));
    return folder;
}

async function fill(connection) {
    await connection.ok('XADD', 'plain', '1-1', 'f', 'v');
    await connection.ok('XADD', 'plain', '1-2', 'f', 'w', 'g', '\x00\xff\r\n');
    await connection.ok('XADD', 'plain', '5-*', 'f', 'x');
    await connection.ok('XDEL', 'plain', '1-2');
    await connection.ok('XADD', 'empty', '7-7', 'f', 'v');
    await connection.ok('XDEL', 'empty', '7-7');
    await connection.ok('XADD', '', '1-1', '', '');
    await connection.ok('XADD', 'told', '1-1', 'f', 'v');
    await connection.ok('XSETID', 'told', '9-9', 'ENTRIESADDED', '50', 'MAXDELETEDID', '8-8');
    await connection.ok('XADD', 'gone', '1-1', 'f', 'v');
    await connection.ok('DEL', 'gone');
    await connection.ok('XADD', 'before', '1-1', 'f', 'v');
    await connection.ok('RENAME', 'before', 'renamed');
    await connection.ok('COPY', 'plain', 'copied', 'DB', '3');
    await connection.ok('SELECT', '1');
    await connection.ok('XADD', 'swapped', '1-1', 'f', 'v');
    await connection.ok('SWAPDB', '1', '2');
    await connection.ok('SELECT', '0');
    for (let i = 1; i <= 250; i++) await connection.ok('XADD', 'trimmed', `${i}-0`, 'i', 'v');
    await connection.ok('XTRIM', 'trimmed', 'MAXLEN', '120');
}

// All that can be seen, in a form that can be compared.
async function everything(connection) {
    const seen = {};
    for (let db = 0; db < 4; db++) {
        await connection.ok('SELECT', String(db));
        for (const key of (await connection.ok('KEYS', '*')).sort()) {
            const info = asMap(await connection.ok('XINFO', 'STREAM', key, 'FULL', 'COUNT', '0'));
            info.delete('radix-tree-keys');
            info.delete('radix-tree-nodes');
            seen[`${db} ${key}`] = [...info];
        }
    }
    await connection.ok('SELECT', '0');
    return seen;
}

describe('stopping', () => {
    for (const signal of ['SIGTERM', 'SIGINT']) {
        test(`${signal} ends with code 0, and all data is there after a start`, async (t) => {
            const server = await weir(t);
            const connection = await server.connect();
            await fill(connection);
            const before = await everything(connection);
            assert.ok('2 swapped' in before && '3 copied' in before && !('0 gone' in before));
            const how = await server.stop(signal);
            assert.deepEqual([how.code, how.signal], [0, null], how.output);
            await server.start();
            const again = await server.connect();
            assert.deepEqual(await everything(again), before);
            for (const one of [connection, again]) one.destroy();
        });
    }

    test('SHUTDOWN closes the connection, ends with code 0 and keeps data', async (t) => {
        const server = await weir(t);
        for (const args of [['SHUTDOWN'], ['SHUTDOWN', 'SAVE'], ['shutdown', 'NOW', 'FORCE']]) {
            const connection = await server.connect();
            await connection.ok('XADD', 'k', '*', 'by', args.join(' '));
            const length = await connection.ok('XLEN', 'k');
            connection.send(...args);
            await connection.closed;
            assert.equal((await server.process.ended).code, 0, server.describe());
            await server.start();
            const again = await server.connect();
            assert.equal(await again.ok('XLEN', 'k'), length);
            again.destroy();
        }
    });

    test('SHUTDOWN with a wrong argument stops nothing', async (t) => {
        const server = await weir(t);
        const connection = await server.connect();
        for (const args of [['BOGUS'], ['SAVE', 'NOSAVE'], ['ABORT', 'NOW']]) {
            const reply = await connection.call('SHUTDOWN', ...args);
            assert.ok(reply instanceof ReplyError, args.join(' '));
            assert.equal(reply.message, 'ERR syntax error');
        }
        assert.equal(await connection.call('PING'), 'PONG');
        connection.destroy();
    });

    test('SIGTERM with blocked and idle clients does not wait for them', async (t) => {
        const server = await weir(t);
        const connections = await Promise.all(Array.from({ length: 20 }, () => server.connect()));
        for (const connection of connections.slice(10)) {
            connection.send('XREAD', 'BLOCK', '0', 'STREAMS', 'k', '$');
        }
        await untilBlocked(connections[0], 10);
        const how = await server.stop();
        assert.equal(how.code, 0, how.output);
        await Promise.all(connections.map((connection) => connection.closed));
    });

    test('starting and stopping often, with nothing written, changes nothing', async (t) => {
        const server = await weir(t);
        const connection = await server.connect();
        await fill(connection);
        const before = await everything(connection);
        await server.restart();
        const size = folderBytes(server.dir);
        for (let i = 0; i < 10; i++) await server.restart(i % 2 ? 'SIGTERM' : 'SIGKILL');
        const again = await server.connect();
        assert.deepEqual(await everything(again), before);
        assert.ok(folderBytes(server.dir) < size + 20 * MB, 'the folder grows with every start');
        for (const one of [connection, again]) one.destroy();
    });
});

// Space that is taken, not length: files may be laid out ahead.
function folderBytes(folder) {
    let sum = 0;
    for (const name of fs.readdirSync(folder, { recursive: true })) {
        sum += fs.statSync(path.join(folder, name)).blocks * 512;
    }
    return sum;
}

describe('data larger than memory', () => {
    const FEEDS = 60;
    const ENTRIES = QUICK ? 30 : 100;

    // What belongs at entry `i` of feed `feed`: not compressible, and known again.
    function valueOf(feed, i) {
        return new Random(feed * 100_003 + i).bytes(8000);
    }

    async function write(connection) {
        for (let i = 0; i < ENTRIES; i++) {
            await connection.pipeline(Array.from({ length: FEEDS }, (_, feed) =>
                ['XADD', `big:${feed}`, `${i + 1}-0`, 'v', valueOf(feed, i)]));
        }
    }

    async function check(connection) {
        for (let feed = 0; feed < FEEDS; feed++) {
            const entries = await connection.ok('XRANGE', `big:${feed}`, '-', '+');
            assert.equal(entries.length, ENTRIES);
            entries.forEach(([id, fields], i) => {
                assert.equal(id, `${i + 1}-0`);
                assert.ok(fields[1] === valueOf(feed, i), `big:${feed} ${id}`);
            });
        }
    }

    test('is written, read and read again after a restart, in bounded memory', async (t) => {
        const server = await weir(t, { args: smallMemory('2mb') });
        const connection = await server.connect();
        await write(connection);
        await check(connection);
        await server.restart('SIGKILL');
        const again = await server.connect({ protocol: 3 });
        await check(again);
        const entry = await again.ok('XREVRANGE', 'big:7', '9-0', '-', 'COUNT', '1');
        assert.ok(entry[0][1][1] === valueOf(7, 8));
        if (!STAND_IN && !QUICK) {
            assert.ok(residentBytes(server) < 40 * MB, `${residentBytes(server)} bytes resident`);
        }
        for (const one of [connection, again]) one.destroy();
    });
});

describe('refusing to start', () => {
    test('a port that is taken', async (t) => {
        const server = await weir(t);
        await assertRefuses(['--port', String(server.port), '--bind', '127.0.0.1',
            '--dir', temporaryFolder(t)], /address already in use/i, new RegExp(`${server.port}`));
        const connection = await server.connect();
        assert.equal(await connection.call('PING'), 'PONG');
        connection.destroy();
    });

    test('a folder that another Weir serves', ONLY_WEIR, async (t) => {
        const server = await weir(t);
        const connection = await server.connect();
        await connection.ok('XADD', 'k', '1-1', 'f', 'v');
        await assertRefuses(['--port', String(await freePort()), '--bind', '127.0.0.1',
            '--dir', server.dir], /in use by another process/i, new RegExp(server.dir));
        await connection.ok('XADD', 'k', '1-2', 'f', 'v');
        await server.restart('SIGKILL');
        const again = await server.connect();
        assert.equal(await again.ok('XLEN', 'k'), 2);
        for (const one of [connection, again]) one.destroy();
    });

    test('an option that does not exist', async (t) => {
        await assertRefuses(['--no-such-option', '1', '--dir', temporaryFolder(t)],
            /no-such-option/);
    });

    for (const [option, value] of [['port', '99999'], ['port', '-1'], ['port', 'x'],
        ['databases', '0'], ['appendfsync', 'sometimes'], ['maxclients', '0'],
        ['proto-max-bulk-len', '1k']]) {
        test(`--${option} ${value}`, async (t) => {
            await assertRefuses(['--dir', temporaryFolder(t), `--${option}`, value],
                new RegExp(option));
        });
    }

    for (const [option, value] of [['fold-bytes', '1'], ['fold-bytes', '64xb'], ['fold-bytes', ''],
        ['resident-bytes', '99999999999999999999'], ['databases', '99999999']]) {
        test(`--${option} ${value || 'nothing'}`, ONLY_WEIR, async (t) => {
            await assertRefuses(['--dir', temporaryFolder(t), `--${option}`, value],
                new RegExp(option));
        });
    }

    test('an option without its value', async (t) => {
        await assertRefuses(['--dir', temporaryFolder(t), '--port'], /port/);
    });

    test('a wrong line of the configuration file is told with its number', async (t) => {
        const folder = temporaryFolder(t);
        const file = path.join(folder, 'weir.conf');
        for (const line of ['no-such-option yes', 'port many', 'maxclients', 'dir "open']) {
            fs.writeFileSync(file, `# a comment\n\nport 0\n${line}\n`);
            await assertRefuses([file, '--dir', folder], /line:? 4|:4\b/i);
        }
    });

    test('a configuration file that is not there', async (t) => {
        await assertRefuses([path.join(temporaryFolder(t), 'missing.conf')], /missing\.conf/);
    });

    test('a folder that is a file', async (t) => {
        const file = path.join(temporaryFolder(t), 'file');
        fs.writeFileSync(file, '');
        await assertRefuses(['--port', String(await freePort()), '--dir', file], /file/);
    });

    const asRoot = process.getuid() === 0 ? { skip: 'root may write everywhere' } : {};

    test('a folder that may not be written', asRoot, async (t) => {
        const folder = temporaryFolder(t);
        fs.chmodSync(folder, 0o500);
        await assertRefuses(['--port', String(await freePort()), '--dir', folder],
            /permission denied/i);
    });
});

describe('starting', () => {
    test('--version tells the version and ends with code 0', ONLY_WEIR, async () => {
        const { code, output } = await runUntilEnd(['--version']);
        assert.equal(code, 0, output);
        assert.match(output, /^weir.* \d+\.\d+/i);
    });

    test('--help names the options and ends with code 0', ONLY_WEIR, async () => {
        const { code, output } = await runUntilEnd(['--help']);
        assert.equal(code, 0, output);
        assert.match(output, /usage/i);
        for (const option of ['port', 'dir', 'bind', 'appendfsync', 'fold-bytes', 'resident-bytes',
            'block-cache-bytes', 'maxclients', 'requirepass', 'loglevel']) {
            assert.ok(output.includes(option), option);
        }
    });

    test('a folder that is missing is made', ONLY_WEIR, async (t) => {
        const server = await weir(t, { dir: path.join(temporaryFolder(t), 'new') });
        assert.ok(fs.statSync(server.dir).isDirectory());
    });

    test('after a kill the folder is free again at once', async (t) => {
        const server = await weir(t);
        await server.stop('SIGKILL');
        const next = await weir(t, { dir: server.dir });
        assert.ok(next.isRunning);
    });

    test('the file says, and the command line says it better', async (t) => {
        const folder = temporaryFolder(t);
        const file = path.join(folder, 'weir.conf');
        fs.writeFileSync(file, '# limits\nmaxclients 123\n\ntimeout 77\nloglevel warning\n');
        const server = await weir(t, { start: false });
        server.commandLine = () => [file, '--port', String(server.port), '--dir', server.dir,
            '--bind', '127.0.0.1', '--timeout', '88'];
        await server.start();
        const connection = await server.connect();
        const get = async (name) => (await connection.ok('CONFIG', 'GET', name))[1];
        assert.deepEqual(await Promise.all(['maxclients', 'timeout', 'loglevel'].map(get)),
            ['123', '88', 'warning']);
        await connection.ok('CONFIG', 'SET', 'maxclients', '124');
        await connection.ok('CONFIG', 'REWRITE');
        const text = fs.readFileSync(file, 'utf8');
        assert.match(text, /^# limits\nmaxclients 124\n/);
        await server.restart();
        const again = await server.connect();
        assert.equal((await again.ok('CONFIG', 'GET', 'maxclients'))[1], '124');
        for (const one of [connection, again]) one.destroy();
    });

    test('a password is asked for', async (t) => {
        const server = await weir(t, { args: ['--requirepass', 'open sesame'], start: false });
        server.answers = async () => {
            const connection = await server.connect().catch(() => null);
            const reply = await connection?.call('AUTH', 'open sesame').catch(() => null);
            connection?.destroy();
            return reply === 'OK';
        };
        await server.start();
        const connection = await server.connect();
        for (const args of [['PING'], ['XADD', 'k', '*', 'f', 'v'], ['KEYS', '*']]) {
            assert.equal((await connection.call(...args)).message,
                'NOAUTH Authentication required.');
        }
        assert.match((await connection.call('AUTH', 'wrong')).message, /^WRONGPASS /);
        assert.match((await connection.call('HELLO', '3')).message, /^NOAUTH /);
        const hello = asMap(await connection.ok('HELLO', '3', 'AUTH', 'default', 'open sesame'));
        assert.equal(hello.get('proto'), 3);
        assert.equal(await connection.call('PING'), 'PONG');
        connection.destroy();
    });

    test('the limit of open files is raised for maxclients, or told to be too low', async (t) => {
        const start = async (limit, patterns) => {
            const server = new Process('sh', ['-c', `ulimit ${limit} && exec "$0" "$@"`,
                WEIR_SERVER, '--port', String(await freePort()), '--dir', temporaryFolder(t),
                '--maxclients', '300']);
            t.after(() => server.stop('SIGKILL'));
            await until(() => !server.isRunning || / ready /.test(server.output));
            for (const pattern of patterns) assert.match(server.output, pattern);
            const limits = fs.readFileSync(`/proc/${server.child.pid}/limits`, 'utf8');
            await server.stop('SIGTERM');
            return Number(/^Max open files +(\d+)/m.exec(limits)[1]);
        };
        assert.ok(await start('-Sn 100', [/ready/]) >= 300);
        assert.equal(await start('-n 200', [/few open files allowed=200 /]), 200);
    });

    test('more clients than maxclients are told so', async (t) => {
        const server = await weir(t, { args: ['--maxclients', '20'] });
        const connections = [];
        for (let i = 0; i < 25; i++) connections.push(await server.connect());
        const toldOf = () => connections.filter(({ unclaimed }) => unclaimed.length);
        await until(() => toldOf().length >= 5);
        const told = toldOf();
        for (const { unclaimed } of told) {
            assert.equal(unclaimed[0].value.message, 'ERR max number of clients reached');
        }
        assert.equal(await connections[0].call('PING'), 'PONG');
        for (const connection of connections) connection.destroy();
        await until(() => server.answers());
    });
});
