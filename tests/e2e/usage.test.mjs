// What OBJECT and INFO tell of how keys are used: is it true, and as Redis tells it?

import assert from 'node:assert/strict';
import test from 'node:test';
import { delay } from './lib/connection.mjs';
import { KeyGenerator } from './lib/key_generator.mjs';
import { Random, seedOfRun } from './lib/random.mjs';
import { ReplyError, asMap } from './lib/resp.mjs';
import { ONLY_WEIR, QUICK, redis, weir } from './lib/server.mjs';
import { until } from './lib/waiting.mjs';

const STEPS = QUICK ? 1000 : 4000;
const CLOCK_MS = 50;  // by which a time may be older than what it is told of

async function connect(t, server, protocol = 3) {
    const connection = await server.connect({ protocol });
    t.after(() => connection.destroy());
    return connection;
}

async function infoOf(connection, section) {
    const text = await connection.ok('INFO', section);
    return Object.fromEntries([...text.matchAll(/^(\w+):(.*?)\r?$/gm)]
        .map(([, name, value]) => [name, value]));
}

for (const policy of ['noeviction', 'allkeys-lru', 'volatile-random', 'volatile-lfu', 'allkeys-lfu']) {
    test(`OBJECT FREQ and IDLETIME with ${policy}, beside redis-server`, async (t) => {
        const pair = [
            await connect(t, await weir(t, { args: ['--maxmemory-policy', policy,
                '--range', '*', '', 'memory'] })),
            await connect(t, await redis(t, { args: ['--maxmemory-policy', policy] })),
        ];
        const replies = [[], []];
        for (const line of ['OBJECT FREQ a', 'OBJECT IDLETIME a', 'SET a v', 'OBJECT FREQ a',
            'GET a', 'OBJECT FREQ a', 'OBJECT IDLETIME a', 'HSET h f v', 'OBJECT FREQ h', 'TTL h',
            'TYPE h', 'EXISTS h', 'OBJECT ENCODING h', 'MEMORY USAGE h', 'OBJECT FREQ h']) {
            for (const [i, connection] of pair.entries()) {
                const reply = await connection.call(...line.split(' '));
                if (reply instanceof ReplyError) replies[i].push(reply.message);
                else if (line.startsWith('OBJECT FREQ') && reply !== null) replies[i].push(reply);
            }
        }
        const isNumber = (reply) => typeof reply === 'number';
        assert.deepEqual(replies[0].filter((reply) => !isNumber(reply)),
            replies[1].filter((reply) => !isNumber(reply)));
        const counts = replies.map((list) => list.filter(isNumber));
        assert.equal(counts[0].length, policy.endsWith('lfu') ? 4 : 0);
        assert.equal(counts[1].length, counts[0].length);
        // When a minute ends, a counter is one less.
        counts[0].forEach((count, i) => assert.ok(Math.abs(count - counts[1][i]) <= 1,
            `${counts[0]} here, ${counts[1]} there`));
    });
}

test('OBJECT FREQ moves with use', async (t) => {
    const server = await weir(t, { args: ['--maxmemory-policy', 'allkeys-lfu', '--range', '*', '',
        'memory'] });
    const client = await connect(t, server);
    await client.ok('SET', 'a', 'v');
    await client.pipeline(Array.from({ length: 5000 }, () => ['GET', 'a']));
    const count = await client.ok('OBJECT', 'FREQ', 'a');
    assert.ok(count > 15 && count < 100, `${count} after 5000 uses`);
    await client.pipeline(Array.from({ length: 5000 }, () => ['EXISTS', 'a']));
    assert.ok(await client.ok('OBJECT', 'FREQ', 'a') <= count, 'EXISTS is no use');
});

test('OBJECT IDLETIME is the time since the last use', ONLY_WEIR, async (t) => {
    const server = await weir(t, { args: ['--range', '*', 'cache:', 'memory'] });
    const client = await connect(t, server);
    const idle = () => client.ok('OBJECT', 'IDLETIME', 'cache:a');
    const usedBy = async (...line) => {
        const before = Date.now();
        await client.ok(...line);
        const seconds = await idle();
        assert.ok(seconds * 1000 <= Date.now() - before + CLOCK_MS, `${line} then ${seconds} s`);
    };
    await client.ok('CLIENT', 'NO-TOUCH', 'ON');
    await usedBy('SET', 'cache:a', 'v');
    await client.ok('CLIENT', 'NO-TOUCH', 'OFF');
    await delay(1100);
    assert.ok(await idle() >= 1);
    for (const line of ['TTL cache:a', 'TYPE cache:a', 'EXISTS cache:a', 'MEMORY USAGE cache:a',
        'OBJECT ENCODING cache:a', 'SCAN 0 TYPE string', 'KEYS *', 'DBSIZE']) {
        await client.ok(...line.split(' '));
        assert.ok(await idle() >= 1, line);
    }
    await usedBy('GET', 'cache:a');
    await delay(1100);
    await usedBy('TOUCH', 'cache:a');
    await delay(1100);
    await usedBy('APPEND', 'cache:a', 'v');
    await client.ok('SET', 'durable', 'v');
    assert.equal(await client.ok('OBJECT', 'IDLETIME', 'durable'), 0, 'nobody knows');
});

test('INFO counts hits, misses and expired keys as Redis does', async (t) => {
    const random = new Random(seedOfRun(t));
    const args = ['--notify-keyspace-events', 'Emx'];
    const servers = [await weir(t, { args: ['--appendfsync', 'no', ...args, '--range', '*',
        'cache:', 'memory'] }), await redis(t, { args })];
    const clients = await Promise.all(servers.map((server) => connect(t, server)));
    const watchers = await Promise.all(servers.map((server) => connect(t, server)));
    for (const watcher of watchers) {
        watcher.send('PSUBSCRIBE', '*');
        await watcher.ok('PING');
    }
    const statsOf = async (client) => {
        const info = await infoOf(client, 'stats');
        return ['keyspace_hits', 'keyspace_misses', 'expired_keys', 'evicted_keys']
            .map((name) => [name, info[name]]);
    };
    const generator = new KeyGenerator(random);
    const lines = Array.from({ length: STEPS }, () => generator.next())
        // Redis counts each key that it looks at for its type, and ids are no clock's here.
        .filter(([name]) => name !== 'SCAN' && name !== 'XADD');
    for (const client of clients) {
        await client.pipeline(['soon', 'cache:soon'].map((key) => ['SET', key, 'v', 'PX', '1']));
        await until(async () => (await statsOf(client))[2][1] === '2', 'two keys expire');
    }
    for (let from = 0; from < lines.length; from += 100) {
        const some = lines.slice(from, from + 100);
        await Promise.all(clients.map((client) => client.pipeline(some)));
        const [ours, theirs] = await Promise.all(clients.map(statsOf));
        assert.deepEqual(ours, theirs, JSON.stringify(some));
    }
    await Promise.all(watchers.map((watcher) => watcher.ok('PING')));
    const missesOf = (watcher) => watcher.pushes
        .filter(([kind, , channel]) => kind === 'pmessage' && channel.endsWith('keymiss'))
        .map((push) => push.slice(2));
    const theirs = missesOf(watchers[1]);
    assert.ok(theirs.length > STEPS / 50);
    await until(() => missesOf(watchers[0]).length >= theirs.length, 'all misses are told');
    assert.deepEqual(missesOf(watchers[0]), theirs);
});

test('INFO tells what keys in memory take, and how many had to go', ONLY_WEIR, async (t) => {
    const server = await weir(t, { args: ['--range', '*', 'cache:', 'memory', 'maxmemory', '4mb',
        'policy', 'allkeys-lru', '--maxmemory', '1gb', '--maxmemory-policy', 'allkeys-lfu'] });
    const client = await connect(t, server);
    const before = await infoOf(client, 'memory');
    for (let i = 0; i < 3000; i++) await client.ok('SET', `cache:${i}`, 'x'.repeat(2000));
    const after = await infoOf(client, 'memory');
    const range = asMap(await client.ok('RANGE.OF', 'cache:1'));
    const grown = (name) => Number(after[name]) - Number(before[name]);
    assert.ok(range.get('bytes') > 3 << 20);
    assert.equal(Number((await infoOf(client, 'weir')).memory_range_bytes), range.get('bytes'));
    assert.ok(grown('used_memory_dataset') >= 3 << 20, `grown by ${grown('used_memory_dataset')}`);
    assert.ok(grown('used_memory') >= 3 << 20);
    assert.equal(after.maxmemory, String(1 << 30));
    assert.equal(after.maxmemory_human, '1.00G');
    assert.equal(after.maxmemory_policy, 'allkeys-lfu');
    const stats = await infoOf(client, 'stats');
    assert.equal(stats.evicted_keys, String(range.get('evictions')));
    assert.ok(range.get('evictions') > 500);
    assert.equal(stats.expired_keys, '0');
    await client.ok('CONFIG', 'RESETSTAT');
    assert.equal((await infoOf(client, 'stats')).evicted_keys, '0');
});
