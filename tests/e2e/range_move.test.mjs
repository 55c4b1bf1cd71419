// RANGE.SET ... MOVE: keys go to the other store and nobody misses one meanwhile.

import assert from 'node:assert/strict';
import test from 'node:test';
import { asMap } from './lib/resp.mjs';
import { QUICK, smallMemory, weir } from './lib/server.mjs';
import { until, untilBlocked } from './lib/waiting.mjs';

const KEYS = QUICK ? 1000 : 4000;

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

test('those who watch, cache or wait for a key do not notice that it moves', async (t) => {
    const server = await weir(t, { args: smallMemory('1mb') });
    const mover = await server.connect({ protocol: 3 });
    const watcher = await server.connect({ protocol: 3 });
    const cacher = await server.connect({ protocol: 3 });
    const blocked = await server.connect({ protocol: 3 });
    await fill(mover);
    await mover.ok('SET', 'a:watched', 'v');
    await cacher.ok('CLIENT', 'TRACKING', 'ON');
    await cacher.ok('GET', 'a:watched');
    const entry = blocked.ok('XREAD', 'BLOCK', '0', 'STREAMS', 'a:feed', '$');
    await untilBlocked(mover, 1);
    for (const store of ['MEMORY', 'DURABLE']) {
        await watcher.ok('WATCH', 'a:watched');
        await mover.ok('RANGE.SET', '0', 'a:', store, 'MOVE');
        await watcher.ok('MULTI');
        await watcher.ok('GET', 'a:watched');
        assert.deepEqual(await watcher.ok('EXEC'), ['v']);
    }
    assert.deepEqual(cacher.pushes, []);
    await watcher.ok('WATCH', 'a:watched');
    const moved = mover.ok('RANGE.SET', '0', 'a:', 'MEMORY', 'MOVE');
    const other = await server.connect({ protocol: 3 });
    await other.ok('SET', 'a:watched', 'w');
    await watcher.ok('MULTI');
    await watcher.ok('GET', 'a:watched');
    assert.equal(await watcher.ok('EXEC'), null);
    await moved;
    await cacher.ok('PING');
    assert.deepEqual(cacher.pushes, [['invalidate', ['a:watched']]]);
    await mover.ok('RANGE.DEL', '0', 'a:', 'MOVE');
    await mover.ok('XADD', 'a:feed', '1-1', 'f', 'v');
    assert.ok(await entry);
    for (const each of [mover, watcher, cacher, blocked, other]) each.destroy();
});

test('what cannot move stays, with all the others; then nothing has changed', async (t) => {
    const server = await weir(t, { args: ['--range', '0', 'r:', 'memory', 'maxmemory', '1mb', 'policy', 'noeviction'] });
    const client = await server.connect({ protocol: 3 });
    await client.ok('SET', 'a:1', 'v');
    await client.ok('XADD', 'a:feed', '*', 'f', 'v');
    await assert.rejects(client.ok('RANGE.SET', '0', 'a:', 'MEMORY', 'MOVE'), /feeds live in durable/);
    await client.ok('DEL', 'a:feed');
    await client.ok('SET', 'a:2', 'x'.repeat(20_000));
    await assert.rejects(client.ok('RANGE.SET', '0', 'a:', 'MEMORY', 'MAXMEMORY', '10000', 'POLICY',
        'noeviction', 'MOVE'), /OOM/);
    assert.equal(await store(client, 'a:1'), 'durable');
    assert.equal(await client.ok('RANGE.SET', '0', 'a:', 'MEMORY', 'MAXMEMORY', '1mb', 'MOVE'), 'OK');
    assert.equal(await client.ok('GET', 'a:1'), 'v');
    for (let i = 0; i < 300; i++) await client.ok('SET', `r:${i}`, 'x'.repeat(100));
    assert.equal(await client.ok('RANGE.SET', '0', 'r:', 'DURABLE', 'MOVE'), 'OK');
    assert.equal(await client.ok('GET', 'r:299'), 'x'.repeat(100));
    await assert.rejects(client.ok('RANGE.SET', '0', 'r:', 'MOVE'), /DURABLE or MEMORY|needs/);
    await assert.rejects(client.ok('RANGE.DEL', '0', 'r:', 'TAKE'), /syntax/);
    client.destroy();
});

test('a crash in the middle of a move: what was durable and has not moved is there', async (t) => {
    const server = await weir(t, { args: ['--appendfsync', 'always', ...smallMemory('1mb')] });
    let client = await server.connect({ protocol: 3 });
    await fill(client);
    for (let round = 0; round < 2; round++) {
        const other = await server.connect({ protocol: 3 });
        const target = round % 2 === 0 ? 'DURABLE' : 'MEMORY';
        if (target === 'DURABLE') {
            await client.ok('RANGE.SET', '0', 'a:', 'MEMORY', 'MOVE');
            await fill(client);
        }
        const moved = other.ok('RANGE.SET', '0', 'a:', target, 'MOVE').then(() => true, () => false);
        await until(async () => await store(client, 'a:1') === target.toLowerCase());
        const seen = await client.ok('GET', 'a:1');
        await server.restart('SIGKILL');
        await moved;
        client.destroy();
        other.destroy();
        client = await server.connect({ protocol: 3 });
        await until(async () => !asMap(await client.ok('RANGE.OF', 'a:1')).get('moving'));
        assert.ok(seen === null || seen.startsWith('v1'));
        assert.equal(await store(client, 'a:1'), target.toLowerCase());
        assert.equal(await client.ok('DBSIZE'), (await client.ok('KEYS', '*')).length);
        if (target === 'MEMORY') continue;
        const values = [];
        for (let i = 1; i < 40; i++) values.push(await client.ok('EXISTS', `a:${i}`) && i % 5 !== 0
            ? await client.ok('GET', `a:${i}`) : `v${i}`);
        values.forEach((value, i) => assert.ok(value.startsWith(`v${i + 1}`)));
        await fill(client);
    }
    client.destroy();
});
