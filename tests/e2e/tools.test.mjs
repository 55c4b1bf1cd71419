// redis-cli and redis-benchmark, as people use them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import test, { before, describe } from 'node:test';
import { Process, QUICK, suiteScope, weir } from './lib/server.mjs';
import { until } from './lib/waiting.mjs';

const TOOL_MS_MAX = 60_000;

const scope = suiteScope();
let server;
let connection;

before(async () => {
    server = await weir(scope);
    connection = await server.connect();
    scope.after(() => connection.destroy());
    await connection.pipeline(Array.from({ length: 100 },
        (_, i) => ['XADD', `feed:${i}`, '1-1', 'f', 'v'.repeat(i)]));
    for (let i = 2; i < 30; i++) await connection.ok('XADD', 'feed:7', `${i}-0`, 'f', 'v');
});

// stdbuf: it prints at once.
function start(tool, args) {
    return new Process('stdbuf',
        ['-oL', tool, '-h', '127.0.0.1', '-p', String(server.port), ...args]);
}

// Runs a tool until it ends, or for `ms`; gives its output.
async function run(tool, args, ms) {
    const process = start(tool, args);
    const timer = setTimeout(() => process.stop(ms ? 'SIGINT' : 'SIGKILL'), ms ?? TOOL_MS_MAX);
    const { code, output } = await process.ended;
    clearTimeout(timer);
    if (!ms) assert.equal(code, 0, `${tool} ${args.join(' ')}: ${output}`);
    return output;
}

// Runs redis-cli until it has shown this, then interrupts it; gives its output.
async function untilShown(args, pattern) {
    const process = start('redis-cli', args);
    await until(() => pattern.test(process.output), `${args} shows ${pattern}`, TOOL_MS_MAX);
    return (await process.stop('SIGINT')).output;
}

function cli(...args) {
    return run('redis-cli', args);
}

for (const version of ['-2', '-3']) {
    describe(`redis-cli ${version}`, () => {
        test('adds, reads and shows errors', async () => {
            assert.equal(await cli(version, 'XADD', `cli${version}`, '1-1', 'f', 'v'), '1-1\n');
            const entries = await cli(version, '--no-raw', 'XRANGE', `cli${version}`, '-', '+');
            assert.match(entries, /1\) 1\) "1-1"\n\s+2\) 1\) "f"\n\s+2\) "v"/);
            const wrong = await run('redis-cli',
                [version, '--no-raw', 'XADD', `cli${version}`, '1-1', 'f', 'v'], 10_000);
            assert.match(wrong, /\(error\) ERR The ID specified in XADD is equal or smaller/);
            const info = await cli(version, '--no-raw', 'XINFO', 'STREAM', `cli${version}`);
            assert.match(info, version === '-3' ? /"length" => \(integer\) 1/ : /"length"\n/);
        });

        test('shows INFO and CONFIG', async () => {
            const info = await cli(version, 'INFO');
            for (const line of ['redis_version:7.', 'redis_mode:standalone', 'arch_bits:64',
                'role:master', 'connected_clients:', 'used_memory:', 'blocked_clients:0',
                'total_commands_processed:', 'loading:0', 'cluster_enabled:0', 'uptime_in_seconds:',
                'tcp_port:', 'connected_slaves:0', 'maxmemory:', 'mem_allocator:',
                'keyspace_hits:', 'instantaneous_ops_per_sec:', 'db0:keys=']) {
                assert.ok(info.includes(`\n${line}`), line);
            }
            assert.match(await cli(version, 'INFO', 'keyspace'),
                /^# Keyspace\r?\ndb0:keys=\d+,expires=0,avg_ttl=0/);
            assert.match(await cli(version, 'CONFIG', 'GET', 'appendfsync'), /always/);
            assert.match(await cli(version, 'CONFIG', 'GET', '*'), /maxclients/);
        });
    });
}

describe('redis-cli', () => {
    test('--scan lists every key once', async () => {
        const lines = (await cli('--scan', '--pattern', 'feed:*')).trim().split('\n');
        assert.deepEqual(lines.sort(), Array.from({ length: 100 }, (_, i) => `feed:${i}`).sort());
    });

    test('--bigkeys finds the longest stream', async () => {
        const output = await cli('--bigkeys');
        assert.match(output, /Biggest stream found ["']+feed:7["']+ has 29 entries/);
        assert.match(output, /1?\d\d streams with \d+ entries/);
    });

    test('--memkeys finds streams that cost memory', async () => {
        assert.match(await cli('--memkeys'), /Biggest stream found .* has [1-9]\d* bytes/);
    });

    test('--stat shows keys, memory and clients', async () => {
        const output = await untilShown(['--stat', '-i', '0.1'],
            /\n1\d\d +[\d.]+[KMG]? +\d+ +0 +\d+/);
        assert.match(output, /keys\s+mem\s+clients\s+blocked\s+requests/);
    });

    test('--latency measures', async () => {
        await untilShown(['--latency', '-i', '1', '--csv'], /\d+(\.\d+)?,\d+/);
    });

    test('its start in a terminal reads COMMAND DOCS, and help works from them', async () => {
        const output = await typed(['--no-raw'], 'help xadd\nPING\n');
        assert.match(output, /XADD/);
        assert.match(output, /summary:\S* \w+/);
        assert.match(output, /PONG/);
        const docs = await connection.ok('COMMAND', 'DOCS', 'xadd', 'nosuch', 'xinfo|stream');
        assert.equal(docs[0], 'xadd');
        const all = await connection.ok('COMMAND', 'DOCS');
        assert.ok(all.includes('xread') && all.includes('del'));
    });

    test('a pipe of raw protocol is taken by --pipe', async () => {
        const commands = Array.from({ length: 5000 }, (_, i) => `XADD piped ${i + 1}-0 f v\r\n`);
        const output = await typed(['--pipe'], commands.join(''));
        assert.match(output, /errors: 0, replies: 5000/);
        assert.equal(await connection.ok('XLEN', 'piped'), 5000);
        await connection.ok('DEL', 'piped');
    });

    test('-r repeats and -n selects', async () => {
        assert.equal(await cli('-n', '9', '-r', '3', 'XADD', 'k', '5-*', 'f', 'v'),
            '5-0\n5-1\n5-2\n');
        assert.equal(await cli('-n', '9', 'DBSIZE'), '1\n');
        assert.equal(await cli('-n', '9', 'FLUSHDB'), 'OK\n');
    });

    test('MONITOR shows what others do, with time, database and address', async () => {
        const watching = start('redis-cli', ['MONITOR']);
        await until(async () => / cmd=monitor /.test(await connection.ok('CLIENT', 'LIST')));
        await connection.ok('XADD', 'seen', '1-1', 'f', 'a "b"\n\x01');
        await connection.ok('XLEN', 'seen');
        await until(() => watching.output.includes('"XLEN"'));
        const { output } = await watching.stop('SIGINT');
        assert.match(output, /^OK\n/);
        assert.match(output,
            /\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "XADD" "seen" "1-1" "f" "a \\"b\\"\\n\\x01"\n/);
        assert.match(output, /"XLEN" "seen"/);
    });
});

// What redis-cli prints for `input` on its standard input.
async function typed(args, input) {
    const child = spawn('redis-cli', ['-h', '127.0.0.1', '-p', String(server.port), ...args]);
    const timer = setTimeout(() => child.kill('SIGKILL'), TOOL_MS_MAX);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (text) => { output += text; });
    }
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    await new Promise((resolve) => child.once('close', resolve));
    clearTimeout(timer);
    return output;
}

describe('redis-benchmark', () => {
    const REQUESTS = QUICK ? '2000' : '20000';

    test('runs its ping tests', async () => {
        const output = await run('redis-benchmark', ['-q', '-t', 'ping', '-n', REQUESTS]);
        assert.match(output, /PING_INLINE: [\d.]+ requests per second/);
        assert.match(output, /PING_MBULK: [\d.]+ requests per second/);
        assert.doesNotMatch(output, /error/i);
    });

    for (const extra of [['-P', '1'], ['-P', '16'], ['-P', '16', '--threads', '2'], ['-3']]) {
        test(`adds ${extra.join(' ')}`, async () => {
            await connection.ok('DEL', 'bench');
            const output = await run('redis-benchmark', ['-q', '-c', '20', '-n', REQUESTS, ...extra,
                'XADD', 'bench', '*', 'field', '__data__']);
            assert.match(output, /XADD bench \* field __data__: [\d.]+ requests per second/);
            assert.doesNotMatch(output, /error/i);
            const length = await connection.ok('XLEN', 'bench');
            assert.ok(length >= Number(REQUESTS), `${length} entries`);
            await connection.ok('DEL', 'bench');
        });
    }

    test('adds to random keys', async () => {
        const before = await connection.ok('DBSIZE');
        const output = await run('redis-benchmark', ['-q', '-r', '500', '-n', REQUESTS, '-P', '8',
            'XADD', 'bench:__rand_int__', '*', 'f', 'v']);
        assert.doesNotMatch(output, /error/i);
        const added = (await connection.ok('DBSIZE')) - before;
        assert.ok(added > 400 && added <= 500, `${added} keys`);
    });

    test('reads and writes at the same time', async () => {
        const write = run('redis-benchmark', ['-q', '-n', REQUESTS, '-P', '16', 'XADD', 'both', '*',
            'f', 'v']);
        const read = run('redis-benchmark', ['-q', '-n', REQUESTS, '-P', '4', 'XREVRANGE', 'both',
            '+', '-', 'COUNT', '10']);
        for (const output of await Promise.all([write, read])) {
            assert.match(output, /requests per second/);
            assert.doesNotMatch(output, /error/i);
        }
    });
});
