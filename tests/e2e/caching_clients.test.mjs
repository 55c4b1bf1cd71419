// Client libraries: transactions, and caches that are kept by CLIENT TRACKING.

import assert from 'node:assert/strict';
import path from 'node:path';
import test, { before, describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import Redis from 'ioredis';
import { WatchError } from 'redis';
import { nodeRedis as openNodeRedis } from './lib/clients.mjs';
import { Process, suiteScope, weir } from './lib/server.mjs';
import { until } from './lib/waiting.mjs';

// The one that Debian's packages are for.
const PYTHON = '/usr/bin/python3';
const REDIS_PY_TESTS = fileURLToPath(new URL('lib/redis_py.py', import.meta.url));

const scope = suiteScope();
let server;

before(async () => {
    server = await weir(scope);
});

async function nodeRedis(t, options = {}) {
    const client = await openNodeRedis(server.port, options);
    t.after(() => client.isOpen && client.destroy());
    return client;
}

function ioRedis(t, protocol) {
    const client = new Redis(server.port, '127.0.0.1', { protocol });
    client.on('error', () => {});
    t.after(() => client.disconnect());
    return client;
}

for (const RESP of [2, 3]) {
    describe(`node-redis, RESP${RESP}`, () => {
        test('runs transactions', async (t) => {
            const client = await nodeRedis(t, { RESP });
            const key = `multi:${RESP}`;
            const [id, length, entries] = await client.multi().xAdd(key, '1-1', { f: 'v' })
                .xLen(key).xRange(key, '-', '+').exec();
            assert.deepEqual([id, length, entries[0].id], ['1-1', 1, '1-1']);
            const failing = client.multi().xAdd(key, '1-1', { f: 'v' }).xLen(key);
            await assert.rejects(failing.exec(), (error) => {
                assert.match(error.replies[0].message, /equal or smaller/);
                assert.equal(error.replies[1], 1);
                return true;
            });
            await assert.rejects(client.multi().addCommand(['NOSUCH']).exec(), /EXECABORT|unknown/);
        });

        test('runs a transaction only if what it watches stays', async (t) => {
            const client = await nodeRedis(t, { RESP });
            const other = await nodeRedis(t, { RESP });
            const key = `watch:${RESP}`;
            await client.watch(key);
            assert.deepEqual(await client.multi().xLen(key).exec(), [0]);
            await client.watch(key);
            await other.xAdd(key, '1-1', { f: 'v' });
            await assert.rejects(client.multi().xLen(key).exec(), WatchError);
            await client.watch(key);
            await client.unwatch();
            await other.xAdd(key, '2-1', { f: 'v' });
            assert.deepEqual(await client.multi().xLen(key).exec(), [2]);
        });
    });

    describe(`ioredis, RESP${RESP}`, () => {
        test('runs transactions, pipelined and not', async (t) => {
            const client = ioRedis(t, RESP);
            const key = `io:multi:${RESP}`;
            assert.deepEqual(await client.multi().xadd(key, '1-1', 'f', 'v').xlen(key).exec(),
                [[null, '1-1'], [null, 1]]);
            const [[error], [, length]] =
                await client.multi().xadd(key, '1-1', 'f', 'v').xlen(key).exec();
            assert.match(error.message, /equal or smaller/);
            assert.equal(length, 1);
            await client.multi({ pipeline: false });
            assert.equal(await client.xlen(key), 'QUEUED');
            assert.deepEqual(await client.exec(), [[null, 1]]);
            await client.multi({ pipeline: false });
            assert.equal(await client.discard(), 'OK');
        });

        test('runs a transaction only if what it watches stays', async (t) => {
            const client = ioRedis(t, RESP);
            const other = ioRedis(t, RESP);
            const key = `io:watch:${RESP}`;
            await client.watch(key);
            await other.xadd(key, '1-1', 'f', 'v');
            assert.equal(await client.multi().xlen(key).exec(), null);
            assert.deepEqual(await client.multi().xlen(key).exec(), [[null, 1]]);
        });
    });
}

test('node-redis: a client-side cache sees what others change', async (t) => {
    const client = await nodeRedis(t, {
        clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: 'LRU', recordStats: true } });
    const other = await nodeRedis(t);
    const cache = client.clientSideCache;
    await other.xAdd('cached', '1-1', { f: 'v' });
    assert.equal(await client.xLen('cached'), 1);
    assert.equal(await client.xLen('cached'), 1);
    assert.equal(cache.stats().hitCount, 1);
    await other.xAdd('cached', '2-1', { f: 'v' });
    await until(async () => (await client.xLen('cached')) === 2);
    await client.xAdd('cached', '3-1', { f: 'v' });
    await until(async () => (await client.xLen('cached')) === 3);
    await other.rename('cached', 'moved');
    await until(async () => (await client.xLen('cached')) === 0);
    await other.multi().xAdd('cached', '1-1', { f: 'v' }).xAdd('cached', '2-1', { f: 'v' }).exec();
    await until(async () => (await client.xLen('cached')) === 2);
    const { hitCount } = cache.stats();
    assert.equal(await client.xLen('cached'), 2);
    assert.equal(cache.stats().hitCount, hitCount + 1);
    await other.flushAll();
    await until(async () => (await client.xLen('cached')) === 0);
});

test('node-redis: a pool of clients shares a cache', async (t) => {
    const { createClientPool } = await import('redis');
    const pool = createClientPool({ url: `redis://127.0.0.1:${server.port}`, RESP: 3 },
        { minimum: 3, maximum: 5, clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: 'LRU' } });
    pool.on('error', () => {});
    await pool.connect();
    t.after(() => pool.destroy());
    const other = await nodeRedis(t);
    for (let n = 1; n <= 20; n++) {
        await other.xAdd('pooled', `${n}-1`, { f: 'v' });
        await until(async () => (await Promise.all([1, 2, 3, 4].map(
            () => pool.xLen('pooled')))).every((length) => length === n));
    }
});

test('node-redis: invalidations as events, in every mode', async (t) => {
    const other = await nodeRedis(t);
    for (const mode of [{}, { mode: 'BCAST', PREFIX: 'ev' }, { mode: 'OPTOUT' }, { NOLOOP: true }]) {
        const client = await nodeRedis(t, { emitInvalidate: true });
        const heard = [];
        client.on('invalidate', (key) => heard.push(key?.toString() ?? null));
        await client.clientTracking(true, mode);
        await client.xLen('event');
        await other.xAdd('event', '*', { f: 'v' });
        await until(() => heard.length === 1);
        assert.deepEqual(heard, ['event']);
        assert.equal((await client.clientTrackingInfo()).redirect, 0);
        await client.clientTracking(false);
        client.destroy();
    }
});

test('ioredis: RESP2 invalidations through a second connection', async (t) => {
    const client = ioRedis(t, 2);
    const listener = ioRedis(t, 2);
    const id = await listener.client('ID');
    await listener.subscribe('__redis__:invalidate');
    const heard = [];
    listener.on('message', (channel, keys) => heard.push([channel, keys]));
    await client.client('TRACKING', 'ON', 'REDIRECT', id);
    await client.xlen('second');
    await client.xadd('second', '*', 'f', 'v');
    await until(() => heard.length === 1);
    assert.equal(heard[0][0], '__redis__:invalidate');
    assert.deepEqual([heard[0][1]].flat(), ['second']);
});

async function hasRedisPy() {
    const probe = new Process(PYTHON, ['-c', 'import redis']);
    const { code } = await probe.ended.catch(() => ({ code: 1 }));
    return code === 0;
}

test('redis-py: pipelines, transactions, watching', async (t) => {
    if (!(await hasRedisPy())) {
        t.skip('python3-redis is not installed');
        return;
    }
    const run = new Process(PYTHON, [path.resolve(REDIS_PY_TESTS), String(server.port)]);
    const { code, output } = await run.ended;
    assert.equal(code, 0, output);
});
