// RANGE.SET ... MOVE: keys go to the other store and nobody misses one meanwhile.

import assert from 'node:assert/strict';
import test from 'node:test';
import { asMap } from './lib/resp.mjs';
import { QUICK, smallMemory, weir } from './lib/server.mjs';

const KEYS = QUICK ? 2000 : 10_000;

async function store(client, key) {
    return asMap(await client.ok('RANGE.OF', key)).get('store');
}

async function fill(client) {
    const commands = [];
    for (let i = 0; i < KEYS; i++) {
        commands.push(i % 5 === 0 ? ['HSET', `a:${i}`, 'f', `v${i}`, 'g', 'x'.repeat(100)]
            : ['SET', `a:${i}`, `v${i}`.padEnd(100, 'x'), ...(i % 3 === 0 ? ['EX', '5000'] : [])]);
    }
    await client.pipeline(commands);
}

async function check(client) {
    const read = Array.from({ length: KEYS }, (_, i) => (i % 5 === 0 ? ['HGET', `a:${i}`, 'f'] : ['GET', `a:${i}`]));
    const values = [];
    await client.pipeline(read, (value) => values.push(value));
    values.forEach((value, i) => assert.equal(i % 5 === 0 ? value : value?.slice(0, `v${i}`.length), `v${i}`));
    assert.ok((await client.ok('TTL', 'a:3')) > 4000);
    assert.equal(await client.ok('TTL', 'a:4'), -1);
}

test('keys move there and back, cold ones too, and after a crash they are where they were', async (t) => {
    const server = await weir(t, { args: smallMemory('1mb') });
    let client = await server.connect({ protocol: 3 });
    await fill(client);
    await client.ok('SET', 'b:1', 'other');
    await client.ok('DEL', 'a:7');
    await client.ok('SET', 'a:7', 'v7');
    await server.restart('SIGTERM');
    client.destroy();
    client = await server.connect({ protocol: 3 });
    await client.ok('SET', 'a:1', 'v1');
    await assert.rejects(client.ok('RANGE.SET', '0', 'a:', 'MEMORY'), /has keys/);
    assert.equal(await client.ok('RANGE.SET', '0', 'a:', 'MEMORY', 'MOVE'), 'OK');
    assert.equal(await store(client, 'a:1'), 'memory');
    assert.equal(asMap(await client.ok('RANGE.OF', 'a:1')).get('keys'), KEYS);
    assert.equal(await client.ok('DBSIZE'), KEYS + 1);
    await check(client);
    assert.equal(await client.ok('RANGE.SET', '*', 'a:', 'DURABLE', 'MOVE'), 'OK');
    assert.equal(await store(client, 'a:1'), 'memory');
    assert.equal(await client.ok('RANGE.SET', '0', 'a:', 'DURABLE', 'move'), 'OK');
    assert.equal(await store(client, 'a:1'), 'durable');
    await server.restart('SIGKILL');
    client.destroy();
    client = await server.connect({ protocol: 3 });
    assert.equal(await client.ok('DBSIZE'), KEYS + 1);
    await check(client);
    assert.equal(await client.ok('RANGE.SET', '0', 'a:', 'MEMORY', 'MOVE'), 'OK');
    await server.restart('SIGKILL');
    client.destroy();
    client = await server.connect({ protocol: 3 });
    assert.deepEqual(await client.ok('KEYS', '*'), ['b:1']);
    assert.equal(await client.ok('GET', 'a:1'), null);
    assert.equal(await store(client, 'a:1'), 'memory');
    client.destroy();
});

test('others always find the keys that move', async (t) => {
    const server = await weir(t, { args: ['--appendfsync', 'always', ...smallMemory('1mb')] });
    const client = await server.connect({ protocol: 3 });
    const reader = await server.connect({ protocol: 3 });
    const counter = await server.connect({ protocol: 3 });
    await fill(client);
    let moving = true;
    let counted = 0;
    const reads = (async () => {
        while (moving) await check(reader);
    })();
    const counts = (async () => {
        while (moving) assert.equal(await counter.ok('INCR', 'a:count'), ++counted);
    })();
    const moves = (async () => {
        for (let round = 0; round < 6; round++) {
            const store = round % 2 === 0 ? 'MEMORY' : 'DURABLE';
            await client.ok('RANGE.SET', '0', 'a:', store, 'MOVE');
        }
        moving = false;
    })();
    await Promise.all([reads, counts, moves]);
    assert.ok(counted > 0);
    assert.equal(await client.ok('GET', 'a:count'), String(counted));
    for (const each of [client, reader, counter]) each.destroy();
});

test('a move touches watched keys and tells clients that cache them', async (t) => {
    const server = await weir(t, {});
    const mover = await server.connect({ protocol: 3 });
    const watcher = await server.connect({ protocol: 3 });
    const cacher = await server.connect({ protocol: 3 });
    await mover.ok('MSET', 'a:1', 'v', 'b:1', 'v');
    await cacher.ok('CLIENT', 'TRACKING', 'ON');
    await cacher.ok('GET', 'a:1');
    await watcher.ok('WATCH', 'a:1');
    await mover.ok('RANGE.SET', '0', 'a:', 'MEMORY', 'MOVE');
    await watcher.ok('MULTI');
    await watcher.ok('GET', 'a:1');
    assert.equal(await watcher.ok('EXEC'), null);
    await watcher.ok('WATCH', 'b:1');
    await mover.ok('RANGE.SET', '0', 'a:', 'DURABLE', 'MOVE');
    await watcher.ok('MULTI');
    await watcher.ok('GET', 'a:1');
    assert.deepEqual(await watcher.ok('EXEC'), ['v']);
    await cacher.ok('PING');
    assert.deepEqual(cacher.pushes, [['invalidate', ['a:1']]]);
    for (const each of [mover, watcher, cacher]) each.destroy();
});

test('feeds do not move, nor does more than a commit record takes; then nothing has changed', async (t) => {
    const server = await weir(t, { args: ['--copy-bytes-max', '10000', '--range', '0', 'r:', 'memory',
        'maxmemory', '1mb', 'policy', 'noeviction'] });
    const client = await server.connect({ protocol: 3 });
    await client.ok('SET', 'a:1', 'v');
    await client.ok('XADD', 'a:feed', '*', 'f', 'v');
    await assert.rejects(client.ok('RANGE.SET', '0', 'a:', 'MEMORY', 'MOVE'), /feeds live in durable/);
    await client.ok('DEL', 'a:feed');
    await client.ok('SET', 'a:2', 'x'.repeat(20_000));
    await assert.rejects(client.ok('RANGE.SET', '0', 'a:', 'MEMORY', 'MOVE'), /copy-bytes-max/);
    assert.equal(await store(client, 'a:1'), 'durable');
    await client.ok('DEL', 'a:2');
    assert.equal(await client.ok('RANGE.SET', '0', 'a:', 'MEMORY', 'MAXMEMORY', '1mb', 'MOVE'), 'OK');
    assert.equal(await client.ok('GET', 'a:1'), 'v');
    for (let i = 0; i < 300; i++) await client.ok('SET', `r:${i}`, 'x'.repeat(100));
    await assert.rejects(client.ok('RANGE.SET', '0', 'r:', 'DURABLE', 'MOVE'), /copy-bytes-max/);
    await client.ok('CONFIG', 'SET', 'copy-bytes-max', '1mb');
    assert.equal(await client.ok('RANGE.SET', '0', 'r:', 'DURABLE', 'MOVE'), 'OK');
    assert.equal(await client.ok('GET', 'r:299'), 'x'.repeat(100));
    await assert.rejects(client.ok('RANGE.SET', '0', 'r:', 'MOVE'), /DURABLE or MEMORY|needs/);
    client.destroy();
});
