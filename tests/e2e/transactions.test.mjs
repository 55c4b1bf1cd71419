// MULTI, EXEC, WATCH: beside redis-server, on cold data, over limits and kills.

import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { delay } from './lib/connection.mjs';
import { KeyGenerator } from './lib/key_generator.mjs';
import { Random, seedOfRun } from './lib/random.mjs';
import { ReplyError } from './lib/resp.mjs';
import { ONLY_WEIR, QUICK, redis, smallMemory, weir } from './lib/server.mjs';
import { until, untilBlocked } from './lib/waiting.mjs';

const STEPS = QUICK ? 1500 : 8000;
const KEYS = ['a', 'b', 'c'];
const HISTORY_SHOWN = 40;
const SCAN_DISK = String(2n ** 62n);  // where SCAN comes to the names on disk

// Several connections to each of two servers; what one is told, so is the other.
class Pairs {
    static async open(t, servers, protocols) {
        const pairs = new Pairs();
        pairs.connections = [];
        for (const protocol of protocols) {
            const connections = await Promise.all(
                servers.map((server) => server.connect({ protocol })));
            pairs.connections.push(connections);
            t.after(() => connections.forEach((connection) => connection.destroy()));
        }
        pairs.history = [];
        return pairs;
    }

    async run(index, ...args) {
        this.history.push(`[${index}] ${args.join(' ')}`);
        const [weirs, rediss] = await Promise.all(
            this.connections[index].map((connection) => connection.exchange(args)));
        assert.equal(weirs.raw.toString('latin1'), rediss.raw.toString('latin1'),
            this.history.slice(-HISTORY_SHOWN).join('\n'));
        return rediss.value;
    }

    // Watches a key that expires in so many ms: both servers have it when they do.
    async watchShortLived(index, key, ms) {
        let left = [0];
        while (!left.every((time) => time > 0)) {
            await this.run(index, 'UNWATCH');
            await this.run(index, 'SET', key, 'v', 'PX', String(ms));
            await this.run(index, 'WATCH', key);
            left = await Promise.all(this.connections[index].map((connection) =>
                connection.ok('PTTL', key)));
        }
    }
}

async function pairsOf(t, protocols, args = []) {
    return Pairs.open(t, [await weir(t, { args }), await redis(t)], protocols);
}

describe('beside redis-server', () => {
    test('random commands and transactions of three clients', async (t) => {
        const random = new Random(seedOfRun(t));
        const pairs = await pairsOf(t, [2, 3, 3],
            ['--appendfsync', 'no', ...smallMemory('1mb')]);
        const open = [false, false, false];
        let id = 0;
        const key = () => random.pick(KEYS);
        const next = () => random.weighted([
            [20, () => ['XADD', key(), `${++id}-1`, 'f', 'v'.repeat(random.below(2000))]],
            [3, () => ['XADD', key(), '1-1', 'f', 'v']],
            [5, () => ['XLEN', key()]],
            [5, () => ['XRANGE', key(), '-', '+', 'COUNT', '3']],
            [3, () => ['XREVRANGE', key(), '+', '-', 'COUNT', '2']],
            [3, () => ['XTRIM', key(), 'MAXLEN', String(random.below(20))]],
            [3, () => ['DEL', key(), key()]],
            [2, () => ['RENAME', key(), key()]],
            [2, () => ['COPY', key(), key()]],
            [2, () => ['EXISTS', key()]],
            [1, () => ['DBSIZE']],
            [1, () => ['XLEN']],
            [1, () => ['NOSUCH', 'command']],
            [1, () => ['FLUSHDB']],
            [1, () => ['FLUSHALL']],
            [1, () => ['SWAPDB', '0', '1']],
            [1, () => ['SELECT', String(random.below(2))]],
            [1, () => ['PING']],
            [1, () => ['SAVE']],
            [1, () => ['RESET']],
            [12, () => ['MULTI']],
            [12, () => ['EXEC']],
            [3, () => ['DISCARD']],
            [10, () => ['WATCH', key(), ...(random.chance(0.3) ? [key()] : [])]],
            [2, () => ['UNWATCH']],
        ])();
        for (let i = 0; i < STEPS; i++) {
            const index = random.below(open.length);
            let args = next();
            if (open[index] && random.chance(0.1)) {
                args = ['XREAD', 'COUNT', '1', 'BLOCK', '0', 'STREAMS', key(), '$'];
            }
            if (args[0] === 'SAVE' && !open[index]) continue;
            if (args[0] === 'RESET') {
                await pairs.run(index, ...args);
                if (index > 0) await Promise.all(pairs.connections[index].map((connection) =>
                    connection.ok('HELLO', '3')));
            } else {
                await pairs.run(index, ...args);
            }
            if (args[0] === 'MULTI') open[index] = true;
            if (['EXEC', 'DISCARD', 'RESET'].includes(args[0])) open[index] = false;
        }
    });

    test('random transactions on strings and hashes of both stores', async (t) => {
        const random = new Random(seedOfRun(t));
        const pairs = await pairsOf(t, [2, 3, 3], ['--appendfsync', 'no', ...smallMemory('1mb')]);
        const generator = new KeyGenerator(random);
        const next = () => random.weighted([
            [60, () => generator.nextEven()],
            [5, () => ['MULTI']], [5, () => ['EXEC']], [1, () => ['DISCARD']],
            [5, () => ['WATCH', generator.key(), `${generator.key()}h`]],
            [1, () => ['UNWATCH']],
        ])();
        for (let i = 0; i < STEPS; i++) {
            await pairs.run(random.below(pairs.connections.length), ...next());
        }
    });

    test('what goes wrong when commands are queued, and when they run', async (t) => {
        const pairs = await pairsOf(t, [2, 3]);
        const lines = [
            'MULTI', 'MULTI', 'WATCH a', 'EXEC', 'EXEC', 'DISCARD', 'EXEC a', 'MULTI a',
            'MULTI', 'XLEN', 'PING', 'EXEC', 'MULTI', 'CLIENT NOSUCH', 'PING', 'EXEC',
            'MULTI', 'SAVE', 'EXEC', 'MULTI', 'SHUTDOWN NOSAVE', 'EXEC', 'MULTI', 'WATCH', 'EXEC',
            'MULTI', 'PING', 'EXEC a', 'EXEC', 'MULTI', 'DISCARD a', 'PING', 'EXEC',
            'MULTI', 'XADD a 1-1 f v', 'XADD a 1-1 f v', 'XLEN a', 'XADD b 0-0 f v', 'EXEC',
            'MULTI', 'UNWATCH', 'PING', 'EXEC', 'MULTI', 'MONITOR', 'SSUBSCRIBE x', 'EXEC',
            'MULTI', 'XREAD BLOCK 0 STREAMS a $', 'XREAD BLOCK 100000 STREAMS c 0', 'EXEC',
            'MULTI', 'SELECT 1', 'XADD a 5-5 f v', 'EXEC', 'XLEN a', 'SELECT 0', 'XLEN a',
            'WATCH a a a', 'XADD a 2-1 f v', 'MULTI', 'PING', 'EXEC', 'MULTI', 'PING', 'EXEC',
            'WATCH a', 'XADD a 2-1 f v', 'MULTI', 'PING', 'EXEC',
            'WATCH a nosuch', 'FLUSHDB', 'MULTI', 'PING', 'EXEC',
            'WATCH nosuch', 'FLUSHALL', 'MULTI', 'PING', 'EXEC',
            'WATCH nosuch', 'SWAPDB 0 2', 'MULTI', 'PING', 'EXEC',
            'WATCH a', 'SWAPDB 0 1', 'MULTI', 'PING', 'EXEC', 'WATCH a', 'SWAPDB 3 4', 'MULTI', 'EXEC',
            'WATCH a', 'UNWATCH', 'DEL a', 'MULTI', 'PING', 'EXEC',
            'WATCH a', 'RESET', 'MULTI', 'PING', 'RESET', 'EXEC',
            'MULTI', 'SUBSCRIBE x', 'PING', 'EXEC', 'RESET', 'MULTI', 'PING', 'QUIT',
        ];
        for (const index of [0, 1]) {
            await pairs.run(index, 'FLUSHALL');
            for (const line of lines) await pairs.run(index, ...line.split(' '));
        }
    });

    test('groups: what touches a watched feed, and reading that would block', async (t) => {
        const pairs = await pairsOf(t, [2, 3]);
        const watched = async (key, ...lines) => {
            await pairs.run(0, 'WATCH', key);
            for (const line of lines) await pairs.run(1, ...line.split(' '));
            await pairs.run(0, 'MULTI');
            await pairs.run(0, 'EXEC');
        };
        for (const id of ['1-1', '2-1', '3-1']) await pairs.run(1, 'XADD', 's', id, 'f', 'v');
        await watched('s', 'XGROUP CREATE s g 0', 'XGROUP CREATE s other $');
        for (const line of ['XREADGROUP GROUP g c COUNT 2 STREAMS s >', 'XACK s g 1-1',
            'XCLAIM s g d 0 2-1', 'XAUTOCLAIM s g e 0 0', 'XGROUP SETID s g 1-1',
            'XGROUP CREATECONSUMER s g new', 'XGROUP DELCONSUMER s g e', 'XGROUP DESTROY s other',
            'XSETID s 9-9', 'XDEL s 2-1', 'XTRIM s MAXLEN 0', 'XGROUP CREATE s again 0']) {
            await watched('s', line);
        }
        await watched('made', 'XGROUP CREATE made g $ MKSTREAM');
        for (const line of ['MULTI', 'XREADGROUP GROUP g c BLOCK 0 STREAMS made >',
            'XADD made 5-5 f v', 'XREADGROUP GROUP g c BLOCK 0 STREAMS made >', 'XACK made g 5-5',
            'XREADGROUP GROUP g c2 BLOCK 100000 STREAMS made >',
            'XREADGROUP GROUP nosuch c STREAMS made >', 'XREADGROUP GROUP g c STREAMS made 0',
            'EXEC']) {
            await pairs.run(0, ...line.split(' '));
        }
    });

    test('a watched key whose time comes', async (t) => {
        const pairs = await pairsOf(t, [2, 3]);
        for (const key of ['durable', 'cache:memory']) {
            await pairs.watchShortLived(0, key, 60);
            await pairs.run(0, 'MULTI');
            await pairs.run(0, 'EXISTS', key);
            await delay(80);
            assert.equal(await pairs.run(0, 'EXEC'), null);
            await pairs.run(1, 'SET', key, 'v', 'PX', '20');
            await delay(40);
            await pairs.run(0, 'WATCH', key);
            await pairs.run(0, 'MULTI');
            await pairs.run(0, 'GET', key);
            assert.deepEqual(await pairs.run(0, 'EXEC'), [null]);
            await pairs.run(0, 'WATCH', key);
            await pairs.run(1, 'SET', key, 'w', 'PX', '100000');
            await pairs.run(0, 'MULTI');
            await pairs.run(0, 'EXEC');
            await pairs.run(0, 'WATCH', key);
            await pairs.run(1, 'PERSIST', key);
            await pairs.run(0, 'MULTI');
            await pairs.run(0, 'EXEC');
        }
    });

    test('a client that is subscribed with RESP2 has no transactions', async (t) => {
        const pairs = await pairsOf(t, [2]);
        for (const line of ['SUBSCRIBE x', 'MULTI', 'EXEC', 'WATCH a', 'DISCARD']) {
            await pairs.run(0, ...line.split(' '));
        }
    });
});

// Redis has no more room for anything that is queued; in Weir what adds nothing to a memory range is
// let pass. So what is queued here while there is no room adds something.
test('transactions without room in memory', async (t) => {
    const pairs = await pairsOf(t, [3, 2],
        ['--range', '*', '', 'memory', 'policy', 'noeviction']);
    const full = (max) => pairs.run(1, 'CONFIG', 'SET', 'maxmemory', max);
    const run = async (...lines) => {
        for (const line of lines) await pairs.run(0, ...line.split(' '));
    };
    await run('SET a 1', 'HSET h f 1');
    await full('1');
    await run('MULTI', 'SET a 2', 'EXEC', 'GET a');
    await run('MULTI', 'APPEND a 2', 'DISCARD', 'GET a');
    await run('MULTI', 'INCR', 'SET a 2', 'EXEC', 'MULTI', 'EXEC');
    await full('0');
    await run('MULTI', 'DEL h', 'SET a 3');
    await full('1');
    await run('EXEC', 'EXEC', 'GET a', 'HGET h f');
    await full('0');
    await run('WATCH a', 'MULTI', 'HSET h f 2');
    await pairs.run(1, 'SET', 'a', '4');
    await full('1');
    await run('EXEC', 'HGET h f');
    await full('0');
    await run('MULTI', 'HSET h f 2', 'NOSUCH');
    await full('1');
    await run('EXEC', 'HGET h f');
    await full('0');
    await run('MULTI', 'GET a', 'DEL a', 'EXPIRE h 100', 'HDEL h f');
    await full('1');
    await run('EXEC', 'EXISTS a h');
});

test('CLIENT LIST tells what is queued and watched', ONLY_WEIR, async (t) => {
    const server = await weir(t);
    const client = await server.connect();
    const other = await server.connect();
    t.after(() => [client, other].forEach((each) => each.destroy()));
    const id = await client.ok('CLIENT', 'ID');
    const told = async () => String(await other.ok('CLIENT', 'LIST', 'ID', String(id)));
    await client.ok('WATCH', 'a', 'b');
    assert.match(await told(), / flags=N .* multi=-1 watch=2 /);
    await other.ok('WATCH', 'a');
    assert.match(String(await other.ok('INFO', 'clients')),
        /watching_clients:2\r\n[^]*total_watched_keys:2\r\n/);
    await other.ok('UNWATCH');
    await client.ok('MULTI');
    await client.ok('XADD', 'a', '1-1', 'f', 'v'.repeat(1000));
    assert.match(await told(), / flags=x .* multi=1 watch=2 .* multi-mem=1[1-9]\d\d /);
    await other.ok('XADD', 'b', '1-1', 'f', 'v');
    assert.match(await told(), / flags=xd /);
    assert.equal(await client.ok('EXEC'), null);
    assert.match(await told(), / flags=N .* multi=-1 watch=0 .* multi-mem=0 /);
});

test('a monitor sees the commands of a transaction, its own too', ONLY_WEIR, async (t) => {
    const server = await weir(t);
    const client = await server.connect();
    t.after(() => client.destroy());
    await client.ok('MONITOR');
    client.write('MULTI\r\nXLEN a\r\nPING\r\nEXEC\r\n');
    const seen = [];
    while (!seen.at(-1)?.endsWith('"EXEC"')) seen.push(String((await client.next()).value));
    assert.deepEqual(seen.map((line) => line.replace(/^.*\] /, '')),
        ['OK', '"MULTI"', 'QUEUED', 'QUEUED', '0,PONG', '"XLEN" "a"', '"PING"', '"EXEC"']);
});

// Enough entries that they lie on disk, and nothing in memory.
async function coldFeeds(server, count) {
    const connection = await server.connect();
    for (let i = 0; i < count; i++) {
        await connection.pipeline(Array.from({ length: 200 }, (_, n) =>
            ['XADD', `cold:${i}`, `${n + 1}-0`, 'f', 'x'.repeat(500)]));
    }
    connection.destroy();
    await server.restart('SIGTERM');
}

test('transactions on cold keys and entries are whole, others wait', ONLY_WEIR, async (t) => {
    const server = await weir(t, { args: ['--appendfsync', 'no', ...smallMemory('1mb')] });
    await coldFeeds(server, 20);
    const client = await server.connect();
    const others = await Promise.all([1, 2, 3].map(() => server.connect()));
    t.after(() => [client, ...others].forEach((each) => each.destroy()));
    let over = false;
    const written = others.map(async (other) => {
        for (let n = 0; !over; n++) {
            await other.pipeline(Array.from({ length: 20 },
                (_, i) => ['XADD', `cold:${i}`, '*', 'n', String(n)]));
        }
    });
    for (let i = 0; i < 20; i++) {
        const key = `cold:${i}`;
        const [, , , , , replies] = await client.pipeline([['MULTI'], ['XLEN', key],
            ['XADD', key, '*', 'mine', 'x'], ['XRANGE', key, '-', '+'], ['XLEN', key], ['EXEC']]);
        assert.equal(replies[2].length, replies[0] + 1, 'nothing came between');
        assert.equal(replies[3], replies[0] + 1);
        assert.equal(replies[2][0][0], '1-0');
        assert.deepEqual(replies[2].at(-1), [replies[1], ['mine', 'x']]);
    }
    over = true;
    await Promise.all(written);
});

test('every command that reads from disk does so inside of EXEC', ONLY_WEIR, async (t) => {
    const server = await weir(t, { args: ['--appendfsync', 'no', ...smallMemory('1mb')] });
    await coldFeeds(server, 4);
    const client = await server.connect();
    t.after(() => client.destroy());
    const commands = [['XDEL', 'cold:0', '100-0', '101-0'], ['XTRIM', 'cold:1', 'MAXLEN', '50'],
        ['COPY', 'cold:2', 'copied'], ['XREAD', 'STREAMS', 'cold:3', '198-0'],
        ['XREVRANGE', 'cold:3', '+', '-', 'COUNT', '1'], ['RENAME', 'cold:3', 'renamed'],
        ['XINFO', 'STREAM', 'cold:0'], ['KEYS', '*'], ['SCAN', SCAN_DISK, 'COUNT', '1000'],
        ['RANDOMKEY'], ['XLEN', 'copied'], ['SELECT', '1'], ['XLEN', 'cold:0']];
    const replies = (await client.pipeline([['MULTI'], ...commands, ['EXEC']])).at(-1);
    assert.equal(replies.length, commands.length);
    assert.deepEqual(replies.slice(0, 3), [2, 150, 1]);
    assert.equal(replies[3][0][1].length, 2);
    assert.equal(replies[4][0][0], '200-0');
    assert.equal(replies[5], 'OK');
    assert.deepEqual(replies[7].sort(), ['cold:0', 'cold:1', 'cold:2', 'copied', 'renamed']);
    assert.deepEqual(replies[8][1].sort(), ['cold:0', 'cold:1', 'cold:2']);
    assert.deepEqual(replies.slice(10), [200, 'OK', 0]);
});

test('groups on cold data inside of EXEC', ONLY_WEIR, async (t) => {
    const server = await weir(t, { args: ['--appendfsync', 'no', ...smallMemory('1mb')] });
    await coldFeeds(server, 1);
    let client = await server.connect();
    await client.ok('XGROUP', 'CREATE', 'cold:0', 'g', '0');
    await client.ok('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '150', 'STREAMS', 'cold:0', '>');
    client.destroy();
    await server.restart('SIGTERM');
    client = await server.connect();
    t.after(() => client.destroy());
    const replies = (await client.pipeline([['MULTI'],
        ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'cold:0', '>'],
        ['XPENDING', 'cold:0', 'g'], ['XACK', 'cold:0', 'g', '10-0', '160-0'],
        ['XCLAIM', 'cold:0', 'g', 'd', '0', '20-0'],
        ['XAUTOCLAIM', 'cold:0', 'g', 'e', '0', '199-0'],
        ['XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', '0', 'STREAMS', 'cold:0', '>'],
        ['XPENDING', 'cold:0', 'g'], ['EXEC']])).at(-1);
    assert.equal(replies[0][0][1].length, 50);
    assert.equal(replies[1][0], 200);
    assert.equal(replies[2], 2);
    assert.equal(replies[3][0][0], '20-0');
    assert.equal(replies[4][1].length, 2);
    assert.equal(replies[5], null);
    assert.deepEqual(replies[6], [198, '1-0', '200-0', [['c', '195'], ['d', '1'], ['e', '2']]]);
});

test('policies and delayed entries on cold data inside of EXEC', ONLY_WEIR, async (t) => {
    const server = await weir(t, { args: ['--appendfsync', 'no', ...smallMemory('1mb')] });
    await coldFeeds(server, 2);
    const client = await server.connect();
    t.after(() => client.destroy());
    const replies = (await client.pipeline([['MULTI'],
        ['FEED.POLICY', 'cold:0', 'MAXLEN', '50'], ['XADD', 'cold:0', '*', 'f', 'v'],
        ['XLEN', 'cold:0'], ['FEED.POLICY', 'cold:1', 'MAXBYTES', '10000'],
        ['XADD', 'cold:1', 'DELAY', '100000', '*', 'f', 'v'], ['FEED.INFO', 'cold:1'],
        ['EXEC']])).at(-1);
    assert.deepEqual(replies.filter((reply) => reply instanceof ReplyError), []);
    assert.equal(replies.length, 6);
    await until(async () => (await client.ok('XLEN', 'cold:0')) === 50);
});

test('WATCH of a cold key, and of one that is not there', ONLY_WEIR, async (t) => {
    const server = await weir(t, { args: ['--appendfsync', 'no', ...smallMemory('1mb')] });
    await coldFeeds(server, 2);
    const client = await server.connect();
    const other = await server.connect();
    t.after(() => [client, other].forEach((each) => each.destroy()));
    await client.ok('WATCH', 'cold:0', 'nosuch');
    await other.ok('XADD', 'cold:1', '*', 'f', 'v');
    await client.ok('MULTI');
    assert.deepEqual(await client.ok('EXEC'), []);
    await client.ok('WATCH', 'cold:0', 'nosuch');
    await other.ok('XADD', 'nosuch', '*', 'f', 'v');
    await client.ok('MULTI');
    assert.equal(await client.ok('EXEC'), null);
});

test('blocked readers are woken when the whole transaction is done', async (t) => {
    const server = await weir(t);
    const reader = await server.connect();
    const client = await server.connect();
    t.after(() => [client, reader].forEach((each) => each.destroy()));
    reader.send('XREAD', 'BLOCK', '0', 'STREAMS', 'a', '$');
    await untilBlocked(client, 1);
    await client.pipeline([['MULTI'], ['XADD', 'a', '1-1', 'f', 'v'], ['XDEL', 'a', '1-1'],
        ['XADD', 'a', '2-1', 'f', 'v'], ['EXEC']]);
    assert.deepEqual((await reader.next()).value, [['a', [['2-1', ['f', 'v']]]]]);
});

test('a queue that is too large is refused, and memory given back', ONLY_WEIR, async (t) => {
    const server = await weir(t, { args: ['--transaction-bytes-max', '64kb'] });
    const client = await server.connect();
    t.after(() => client.destroy());
    await client.ok('MULTI');
    let replies = [];
    for (let i = 0; i < 10; i++) replies.push(await client.call('ECHO', 'x'.repeat(10_000)));
    assert.equal(replies.filter((reply) => reply === 'QUEUED').length, 6);
    assert.match(replies.at(-1).message, /larger than transaction-bytes-max \(65536\)/);
    assert.match((await client.call('EXEC')).message, /^EXECABORT/);
    const keys = Array.from({ length: 100 }, (_, i) => `${i}:${'k'.repeat(1000)}`);
    assert.match((await client.call('WATCH', ...keys)).message, /transaction-bytes-max/);
    await client.ok('UNWATCH');
    await client.ok('MULTI');
    replies = await client.pipeline(Array.from({ length: 5 }, () => ['ECHO', 'x'.repeat(10_000)]));
    assert.deepEqual(new Set(replies), new Set(['QUEUED']));
    assert.equal((await client.ok('EXEC')).length, 5);
});

test('replies beyond the output limit cut the client off, its writes stay', ONLY_WEIR, async (t) => {
    const server = await weir(t, {
        args: ['--client-output-buffer-limit', 'normal 2mb 0 0'] });
    const client = await server.connect();
    const other = await server.connect();
    t.after(() => [client, other].forEach((each) => each.destroy()));
    for (let i = 1; i <= 20; i++) await client.ok('XADD', 'a', `${i}-1`, 'f', 'x'.repeat(50_000));
    const commands = [['MULTI'], ['XADD', 'b', '1-1', 'f', 'v'],
        ...Array.from({ length: 30 }, () => ['XRANGE', 'a', '-', '+']),
        ['XADD', 'b', '2-1', 'f', 'v'], ['EXEC']];
    await assert.rejects(client.pipeline(commands), /closed/);
    assert.equal(await other.ok('XLEN', 'b'), 2);
});

test('paused writers: a transaction that writes waits, one that reads does not', ONLY_WEIR,
    async (t) => {
        const server = await weir(t);
        const [client, other] = await Promise.all([server.connect(), server.connect()]);
        t.after(() => [client, other].forEach((each) => each.destroy()));
        await client.pipeline([['MULTI'], ['XADD', 'a', '1-1', 'f', 'v']]);
        await other.ok('CLIENT', 'PAUSE', '60000', 'WRITE');
        let answered = false;
        const executed = client.exchange(['EXEC']).then(({ value }) => {
            answered = true;
            return value;
        });
        assert.deepEqual((await other.pipeline([['MULTI'], ['XLEN', 'a'], ['EXEC']])).at(-1), [0]);
        assert.equal(answered, false);
        await other.ok('CLIENT', 'UNPAUSE');
        assert.deepEqual(await executed, ['1-1']);
    });

test('what EXEC wrote is there as a whole, or not at all, after kills', ONLY_WEIR, async (t) => {
    const random = new Random(seedOfRun(t));
    const server = await weir(t, { args: [...smallMemory('1mb')] });
    const acknowledged = [0, 0, 0];
    for (let kill = 0; kill < (QUICK ? 2 : 5); kill++) {
        const clients = await Promise.all(acknowledged.map(() => server.connect()));
        const writing = clients.map(async (client, i) => {
            for (let n = acknowledged[i] + 1; ; n++) {
                const commands = ['a', 'b', 'c', 'd'].map((name) =>
                    ['XADD', `${name}:${i}`, `${n}-1`, 'f', 'x'.repeat(random.below(5000))]);
                const replies = await client.pipeline([['MULTI'], ...commands, ['EXEC']]);
                assert.ok(!(replies.at(-1) instanceof ReplyError), replies.at(-1)?.message);
                acknowledged[i] = n;
            }
        });
        const ended = Promise.allSettled(writing);
        await delay(random.between(20, 400));
        await server.restart('SIGKILL');
        for (const { reason } of await ended) assert.match(reason.message, /closed/);
        const client = await server.connect();
        for (const i of acknowledged.keys()) {
            const lengths = await client.pipeline(
                ['a', 'b', 'c', 'd'].map((name) => ['XLEN', `${name}:${i}`]));
            assert.equal(new Set(lengths).size, 1, `lengths ${lengths}, seed ${random.seed}`);
            assert.ok([0, 1].includes(lengths[0] - acknowledged[i]),
                `${lengths[0]} entries, ${acknowledged[i]} acknowledged, seed ${random.seed}`);
            acknowledged[i] = lengths[0];
        }
        client.destroy();
    }
});
