// Where features meet: expiry, eviction and the two stores with transactions, tracking, groups,
// delayed entries and kills.

import assert from 'node:assert/strict';
import test from 'node:test';
import { delay } from './lib/connection.mjs';
import { Random, seedOfRun } from './lib/random.mjs';
import { ReplyError } from './lib/resp.mjs';
import { ONLY_WEIR, QUICK, redis, smallMemory, weir } from './lib/server.mjs';
import { until } from './lib/waiting.mjs';

const CYCLE_MS = 400;  // in which what has expired is found

async function clientsOf(t, server, count, options) {
    const clients = await Promise.all(
        Array.from({ length: count }, () => server.connect(options)));
    t.after(() => clients.forEach((client) => client.destroy()));
    return clients;
}

// A server whose keys cache:... are in memory, and clients of it.
async function withCache(t, count, { limits = [], ...options } = {}) {
    const server = await weir(t, options);
    const clients = await clientsOf(t, server, count, { protocol: 3 });
    await clients[0].ok('RANGE.SET', '0', 'cache:', 'MEMORY', ...limits);
    return [server, ...clients];
}

const STORES = [['durable keys', 'a'], ['keys in memory', 'cache:a']];

async function gone(client, key) {
    await until(async () => (await client.ok('DBSIZE')) === 0);
    assert.equal(await client.ok('EXISTS', key), 0);
}

// Does `use` with a key that expires soon, again until it was still there afterwards.
async function whileItLives(writer, key, use) {
    let left = 0;
    while (left <= 0) {
        await writer.ok('SET', key, 'v', 'PX', '60');
        await use();
        left = await writer.ok('PTTL', key);
    }
}

for (const [what, key] of STORES) {
    test(`WATCH of ${what} that expire`, ONLY_WEIR, async (t) => {
        const [, client, other] = await withCache(t, 2);
        const peers = await clientsOf(t, await redis(t), 2, { protocol: 3 });
        for (const [watcher, writer] of [[client, other], peers]) {
            const exec = async () => {
                await watcher.ok('MULTI');
                await watcher.ok('PING');
                return watcher.ok('EXEC');
            };
            const watch = async () => {
                await watcher.ok('UNWATCH');
                await watcher.ok('WATCH', key);
            };
            await whileItLives(writer, key, watch);
            await delay(70);
            assert.equal(await exec(), null, 'it expired, deleted or not');
            await whileItLives(writer, key, watch);
            await until(async () => (await writer.ok('DBSIZE')) === 0);
            assert.equal(await exec(), null, 'it expired and was deleted');
            await writer.ok('SET', key, 'v', 'PX', '30');
            await delay(50);
            await watcher.ok('WATCH', key);
            await delay(CYCLE_MS);
            assert.deepEqual(await exec(), ['PONG'], 'it had expired before');
            await writer.ok('SET', key, 'v', 'EX', '1000');
            await watcher.ok('WATCH', key);
            assert.deepEqual(await exec(), ['PONG'], 'it has time');
            for (const change of [['EXPIRE', key, '500'], ['PERSIST', key], ['APPEND', key, 'x'],
                ['GETDEL', key], ['HSET', key, 'f', 'v'], ['HDEL', key, 'f']]) {
                await watcher.ok('WATCH', key);
                await writer.ok(...change);
                assert.equal(await exec(), null, change.join(' '));
            }
        }
    });

    test(`clients that track ${what} are told when these expire`, ONLY_WEIR, async (t) => {
        const [, client, other] = await withCache(t, 2);
        await client.ok('CLIENT', 'TRACKING', 'ON', 'NOLOOP');
        await whileItLives(other, key, () => client.ok('GET', key));
        client.pushes = [];
        await until(() => client.pushes.length > 0);
        assert.deepEqual(client.pushes, [['invalidate', [key]]], 'found by the server');
        await whileItLives(client, key, () => client.ok('GET', key));
        client.pushes = [];
        await delay(70);
        await client.ok('GET', key);
        await client.ok('PING');
        assert.deepEqual(client.pushes, [['invalidate', [key]]], 'found by whoever came first');
    });
}

test('a pause hides what expires and deletes nothing', ONLY_WEIR, async (t) => {
    const [, client] = await withCache(t, 1);
    const [, , paused] = await client.pipeline([['SET', 'a', 'v', 'PX', '50'],
        ['SET', 'cache:a', 'v', 'PX', '50'], ['CLIENT', 'PAUSE', '600000', 'WRITE']]);
    assert.equal(paused, 'OK');
    await delay(CYCLE_MS);
    assert.deepEqual(await client.ok('MGET', 'a', 'cache:a'), [null, null]);
    assert.equal(await client.ok('DBSIZE'), 2);
    await client.ok('CLIENT', 'UNPAUSE');
    await gone(client, 'a');
});

test('evicted keys: watched, tracked, and gone for good', ONLY_WEIR, async (t) => {
    const [, client, other, tracker] = await withCache(t, 3,
        { limits: ['MAXMEMORY', '200kb', 'POLICY', 'allkeys-lru'] });
    await tracker.ok('CLIENT', 'TRACKING', 'ON', 'NOLOOP');
    await other.ok('SET', 'durable', 'v');
    await other.ok('SET', 'cache:first', 'v');
    await client.ok('WATCH', 'cache:first');
    await tracker.ok('GET', 'cache:first');
    for (let i = 0; (await other.ok('EXISTS', 'cache:first')) === 1; i++) {
        assert.ok(i < 200, 'the range keeps within its budget');
        await tracker.pipeline(Array.from({ length: 20 },
            (_, n) => ['SET', `cache:${i}:${n}`, 'x'.repeat(500)]));
    }
    await client.ok('MULTI');
    await client.ok('PING');
    assert.equal(await client.ok('EXEC'), null);
    await tracker.ok('PING');
    assert.deepEqual(tracker.pushes, [['invalidate', ['cache:first']]],
        'its own writes it is not told of, their victims it is');
    assert.equal(String(await other.ok('GET', 'durable')), 'v');
    assert.match(String(await other.ok('INFO', 'stats')), /evicted_keys:[1-9]/);
});

test('a flush of keys in memory only is seen by who watches and who tracks', ONLY_WEIR,
    async (t) => {
        const [, client, other, tracker] = await withCache(t, 3);
        await tracker.ok('CLIENT', 'TRACKING', 'ON');
        await other.ok('SET', 'cache:a', 'v');
        await client.ok('WATCH', 'cache:a');
        await tracker.ok('GET', 'cache:a');
        await other.ok('FLUSHDB');
        await client.ok('MULTI');
        assert.equal(await client.ok('EXEC'), null);
        await tracker.ok('PING');
        assert.deepEqual(tracker.pushes, [['invalidate', null]]);
    });

test('a change of the range rules touches no key', ONLY_WEIR, async (t) => {
    const [, client, other, tracker] = await withCache(t, 3);
    await tracker.ok('CLIENT', 'TRACKING', 'ON', 'BCAST');
    for (const key of ['', 'cache:a', 'a']) {
        await other.ok('SET', key, 'v');
        await client.ok('WATCH', key);
    }
    await tracker.ok('PING');
    tracker.pushes = [];
    await other.ok('RANGE.SET', '0', 'cache:', 'MEMORY', 'MAXMEMORY', '1mb');
    await other.ok('RANGE.SET', '0', 'other:', 'MEMORY');
    await other.ok('RANGE.DEL', '0', 'other:');
    await client.ok('MULTI');
    assert.deepEqual(await client.ok('EXEC'), []);
    await tracker.ok('PING');
    assert.deepEqual(tracker.pushes, []);
});

const OOM = 'OOM command not allowed when used memory > \'maxmemory\'.';
const ABORTED = 'EXECABORT Transaction discarded because of';

test('EXEC over both stores, in one without room, runs all of its commands or none', ONLY_WEIR,
    async (t) => {
        const [, client, other] = await withCache(t, 2, { limits: ['MAXMEMORY', '20kb'] });
        const full = ['SET', 'cache:full', 'x'.repeat(30_000)];
        await client.ok(...full);
        const refused = await client.pipeline([['MULTI'], ['SET', 'a', '1'], ['SET', 'cache:a', '1'],
            ['MSET', 'a', '1', 'cache:a', '1'], ['GET', 'cache:full'], ['EXEC']]);
        assert.deepEqual(refused.map((reply) => reply.message ?? reply),
            ['OK', 'QUEUED', OOM, OOM, 'QUEUED', `${ABORTED} previous errors.`]);
        const room = await client.pipeline([['MULTI'], ['GET', 'cache:full'],
            ['DEL', 'cache:full'], ['SET', 'a', '1'], ['EXEC']]);
        assert.deepEqual(room.at(-1).slice(1), [1, 'OK'], 'what adds nothing to it is not refused');

        await client.ok('MULTI');
        await client.ok('SET', 'a', '2');
        await client.ok('SET', 'cache:a', '2');
        await other.ok(...full);
        assert.equal((await client.call('EXEC')).message, `${ABORTED}: ${OOM}`);
        assert.deepEqual(await client.ok('MGET', 'a', 'cache:a'), ['1', null]);
        await client.ok('MULTI');
        await client.ok('SELECT', '1');
        await client.ok('SET', 'cache:a', 'durable there');
        await client.ok('SELECT', '0');
        assert.equal((await client.call('SET', 'cache:a', '2')).message, OOM);
        await client.ok('DISCARD');
    });

test('EXEC that has begun is not stopped by the room that it takes', ONLY_WEIR, async (t) => {
    const [, client] = await withCache(t, 1, { limits: ['MAXMEMORY', '20kb'] });
    const replies = (await client.pipeline([['MULTI'],
        ['SET', 'cache:full', 'x'.repeat(30_000)], ['SET', 'cache:a', '2'],
        ['RENAME', 'cache:a', 'b'], ['SET', 'a', '1'], ['RENAME', 'a', 'cache:b'],
        ['MGET', 'a', 'b', 'cache:a', 'cache:b'], ['EXEC']])).at(-1);
    assert.deepEqual(replies.slice(0, 5), ['OK', 'OK', 'OK', 'OK', 'OK']);
    assert.deepEqual(replies[5], [null, '2', null, '1']);
    assert.equal((await client.call('SET', 'cache:b', '1')).message, OOM);
});

test('what EXEC adds to memory has a limit, whatever the policy', ONLY_WEIR, async (t) => {
    const [, client] = await withCache(t, 1,
        { limits: ['MAXMEMORY', '20kb', 'POLICY', 'allkeys-lru'] });
    const replies = (await client.pipeline([['MULTI'],
        ...Array.from({ length: 5 }, (_, i) => ['SETRANGE', `cache:${i}`, String(50 << 20), 'x']),
        ['DEL', 'cache:0'], ['SET', 'cache:last', 'v'], ['EXEC']])).at(-1);
    const refused = replies.map((reply) => /added all/.test(reply.message));
    assert.deepEqual(refused.toSpliced(2, 1), [false, false, true, true, false, false],
        'two or three of them have room');
});

test('EXEC evicts nothing between its commands', ONLY_WEIR, async (t) => {
    const [, client] = await withCache(t, 1,
        { limits: ['MAXMEMORY', '20kb', 'POLICY', 'allkeys-random'] });
    const keys = Array.from({ length: 20 }, (_, i) => `cache:${i}`);
    const replies = (await client.pipeline([['MULTI'],
        ...keys.map((key) => ['SET', key, 'x'.repeat(5000)]), ['EXISTS', ...keys],
        ['EXEC']])).at(-1);
    assert.equal(replies.at(-1), 20);
    assert.ok((await client.ok('EXISTS', ...keys)) < 5, 'afterwards it does');
});

test('what EXEC wrote to keys of all kinds is whole after kills', ONLY_WEIR, async (t) => {
    const random = new Random(seedOfRun(t));
    let server = await weir(t, { args: smallMemory('1mb') });
    let acknowledged = 0;
    for (let kill = 0; kill < (QUICK ? 2 : 5); kill++) {
        const client = await server.connect();
        if (kill === 0) await client.ok('RANGE.SET', '0', 'cache:', 'MEMORY');
        const writing = (async () => {
            for (let n = acknowledged + 1; ; n++) {
                const text = `${n}:${'x'.repeat(random.below(5000))}`;
                await client.pipeline([['MULTI'], ['SET', 'string', text, 'EX', '1000'],
                    ['SET', 'cache:string', text], ['HSET', 'hash', 'n', String(n), 'text', text],
                    ['XADD', 'feed', `${n}-1`, 'f', text], ['EXPIRE', 'feed', String(1000 + n)],
                    ['INCR', 'count'], ['EXEC']]);
                acknowledged = n;
            }
        })();
        const ended = writing.catch((error) => error);
        await delay(random.between(20, 400));
        await server.restart('SIGKILL');
        assert.match((await ended).message, /closed/);
        const [reader] = await clientsOf(t, server, 1);
        const count = Number(await reader.ok('GET', 'count'));
        assert.ok([0, 1].includes(count - acknowledged),
            `${count} written, ${acknowledged} acknowledged, seed ${random.seed}`);
        acknowledged = count;
        if (count === 0) continue;
        const string = String(await reader.ok('GET', 'string'));
        assert.ok(string.startsWith(`${count}:`));
        assert.deepEqual(await reader.ok('HMGET', 'hash', 'n', 'text'), [String(count), string]);
        assert.equal(await reader.ok('XLEN', 'feed'), count);
        assert.deepEqual(await reader.ok('XREVRANGE', 'feed', '+', '-', 'COUNT', '1'),
            [[`${count}-1`, ['f', string]]]);
        assert.ok(Math.abs((await reader.ok('TTL', 'feed')) - 1000 - count) < 60);
        assert.equal(await reader.ok('GET', 'cache:string'), null, 'a cache is empty again');
    }
});

async function feedThatExpires(client, ms) {
    await client.pipeline([['XADD', 'feed', '1-1', 'f', 'v'],
        ['XGROUP', 'CREATE', 'feed', 'g', '0'],
        ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'feed', '>'],
        ['XADD', 'feed', 'DELAY', String(ms + 200), '*', 'f', 'late'],
        ['FEED.POLICY', 'feed', 'MAXLEN', '1000'], ['PEXPIRE', 'feed', String(ms)]], (reply) =>
        assert.ok(!(reply instanceof ReplyError), reply?.message));
}

test('a feed that expires takes groups, policy and delayed entries with it', ONLY_WEIR,
    async (t) => {
        const server = await weir(t);
        const [client, reader, waiter] = await clientsOf(t, server, 3);
        await feedThatExpires(client, 300);
        reader.send('XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', '0', 'STREAMS', 'feed', '>');
        waiter.send('XREAD', 'BLOCK', '0', 'STREAMS', 'feed', '$');
        assert.match((await reader.next()).value.message, /^NOGROUP/, 'as when it is deleted');
        assert.equal(await client.ok('EXISTS', 'feed'), 0);
        await delay(300);
        assert.equal(await client.ok('EXISTS', 'feed'), 0, 'the delayed entry did not come');
        await client.ok('XADD', 'feed', '5-5', 'f', 'new');
        assert.deepEqual((await waiter.next()).value, [['feed', [['5-5', ['f', 'new']]]]]);
        assert.deepEqual(await client.ok('XINFO', 'GROUPS', 'feed'), []);
        assert.equal(await client.ok('TTL', 'feed'), -1);
        assert.match(String(await client.ok('FEED.POLICY', 'feed')), /maxlen,0/);
    });

test('a feed that expires while the server is down, after folds', ONLY_WEIR, async (t) => {
    const server = await weir(t, { args: smallMemory('1mb') });
    for (const signal of ['SIGTERM', 'SIGKILL']) {
        const client = await server.connect();
        await feedThatExpires(client, 100);
        client.destroy();
        await server.stop(signal);
        await delay(400);  // both times have passed
        await server.start();
        const [reader] = await clientsOf(t, server, 1);
        await gone(reader, 'feed');
        await delay(50);
        assert.equal(await reader.ok('EXISTS', 'feed'), 0);
        await reader.ok('XADD', 'feed', '1-1', 'f', 'v');
        assert.deepEqual(await reader.ok('XINFO', 'GROUPS', 'feed'), []);
        await reader.ok('DEL', 'feed');
    }
});

test('a time of expiry goes with a feed where its groups go', ONLY_WEIR, async (t) => {
    const server = await weir(t);
    const [client] = await clientsOf(t, server, 1);
    await feedThatExpires(client, 100_000);
    const has = async (key) => (await client.ok('TTL', key)) > 0;
    await client.ok('RENAME', 'feed', 'renamed');
    assert.ok(await has('renamed'));
    await client.ok('COPY', 'renamed', 'copied');
    assert.ok(await has('copied'));
    await client.ok('XADD', 'empty', '9-9', 'f', 'v');
    await client.ok('XGROUP', 'CREATE', 'empty', 'g', '$');
    await client.ok('EXPIRE', 'empty', '100');
    await client.ok('XTRIM', 'empty', 'MAXLEN', '0');
    await client.ok('XSETID', 'empty', '5-5');
    assert.ok(await has('empty'), 'also with a feed made anew');
    await server.restart('SIGKILL');
    const [later] = await clientsOf(t, server, 1);
    for (const key of ['renamed', 'copied', 'empty'])
        assert.ok((await later.ok('TTL', key)) > 0, key);
    assert.equal((await later.ok('XINFO', 'GROUPS', 'renamed')).length, 1);
    assert.equal(await later.ok('DEL', 'renamed', 'copied', 'empty'), 3);
    assert.equal(await later.ok('DBSIZE'), 0);
});

test('feeds do not come to memory ranges by any way', ONLY_WEIR, async (t) => {
    const [, client] = await withCache(t, 1);
    await client.ok('XADD', 'feed', '1-1', 'f', 'v');
    await client.ok('XGROUP', 'CREATE', 'feed', 'g', '0');
    for (const command of [['XADD', 'cache:a', '*', 'f', 'v'], ['RENAME', 'feed', 'cache:a'],
        ['XADD', 'cache:a', 'DELAY', '5', '*', 'f', 'v'], ['FEED.POLICY', 'cache:a', 'MAXLEN', '5'],
        ['COPY', 'feed', 'cache:a'], ['XGROUP', 'CREATE', 'cache:a', 'g', '$', 'MKSTREAM'],
        ['FEED.POLICY', 'feed', 'MAXDELIVERIES', '1', 'DEADLETTER', 'cache:a']])
        assert.match((await client.call(...command)).message, /feeds live in durable ranges/,
            command.join(' '));
    await client.ok('FEED.POLICY', 'feed', 'MAXDELIVERIES', '1', 'DEADLETTER', 'dead');
    await client.ok('RANGE.SET', '0', 'dead', 'MEMORY');
    await client.ok('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'feed', '>');
    assert.deepEqual(await client.ok('XCLAIM', 'feed', 'g', 'd', '0', '1-1'), []);
    assert.equal((await client.ok('XPENDING', 'feed', 'g'))[0], 1, 'it stays pending');
    assert.equal(await client.ok('EXISTS', 'cache:a'), 0);
});
